//! When a phase begins, where several ingesters begin it together.

use crate::model::Phase;
use serde::{Deserialize, Serialize};

/// The word on standard input, a line of JSON, on which a phase begins, where the job has `barrier`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// Which phase.
    pub begin: Phase,
    /// When, on the wall clock of whoever is told: seconds since 1970 (UTC). It is where the phase's clock starts, also
    /// for one whom the word reached late.
    pub at: f64,
}
