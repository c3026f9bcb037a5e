//! What a series repeats, noted beside its runs: who goes on with it gets the same data, and is told what to compare it
//! with.

use super::bundle::{Bundle, limits};
use super::{Folder, damaged, unread};
use crate::wire::{SCHEMA, bounded};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// The file inside a series. No part of its bundle: it is about a file on this machine.
const REPEATS: &str = "repeats.json";

/// The bundle that a series was run from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeats {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The name of its file; in which folder that was is not kept.
    pub file: String,
    /// The SHA-256 of the file, as `sha256sum` prints it.
    pub checksum: String,
}

impl Repeats {
    /// Of this bundle.
    pub fn of(bundle: &Bundle) -> Self {
        let file = bundle.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { schema: SCHEMA, file, checksum: bundle.checksum().into() }
    }
}

impl Folder {
    /// Notes what the series repeats.
    pub fn save_repeats(&self, repeats: &Repeats) -> Result<()> {
        self.write(REPEATS, &serde_json::to_vec_pretty(repeats).context("write what the series repeats")?)
    }

    /// What the series repeats; none where it is one of its own.
    pub fn repeats(&self) -> Result<Option<Repeats>> {
        let path = self.path.join(REPEATS);
        if !path.is_file() {
            return Ok(None);
        }
        let text = bounded::bytes(&path, limits::RECORD).map_err(unread).context("read what the series repeats")?;
        let read = serde_json::from_slice(&text).map_err(damaged);
        read.map(Some).with_context(|| format!("read {REPEATS} of {}", self.name))
    }
}
