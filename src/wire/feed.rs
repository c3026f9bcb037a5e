//! Records on a pipe: what a reader process hands its parent, and what the parent of `processes` hands its children
//! (of a lookup chunks of keys).
//! One JSON document a line.
//!
//! ```text
//! phase geo, record, record, … , phase data, record, … , end
//! ```

use crate::model::Phase;
use serde::{Deserialize, Serialize};

/// One line of a feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "feed", rename_all = "kebab-case")]
pub enum Feed {
    /// The records of a phase follow.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// One record as it stands in its file.
    Record {
        /// 0 for the geographic header, else the segment.
        segment: u8,
        /// The archive's file name.
        file: String,
        /// Line number, from 1.
        line: u64,
        /// The line, decoded as Latin-1.
        text: String,
    },
    /// A chunk of keys to look up, by the numbers of their requests.
    Keys {
        /// The first.
        first: u64,
        /// How many.
        keys: u64,
    },
    /// The reader failed; nothing follows.
    Failed {
        /// One sentence.
        error: String,
        /// The exit code it leads to.
        code: u8,
    },
    /// Nothing follows.
    End,
}
