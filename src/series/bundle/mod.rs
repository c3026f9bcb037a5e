//! A series as one file: written the same byte for byte, and believed only after every check. Pure file work.
//!
//! ```text
//! quick.zip = <series>/experiment.toml, run-001.json, … each deflated
//!             <series>/manifest.json    what there is: size and SHA-256 of every file
//!             comment                   sha256:<of everything before it>: the seal
//! open: seal ─► archive (names, kinds, sizes) ─► manifest ─► each file ─► a folder of its own in a temporary place
//! ```
//! The seal finds any byte that changed by accident; who changes a bundle on purpose can seal it again. What only
//! running the analysis again can tell is `lab verify`'s.

mod kind;
pub(super) mod limits;
mod manifest;
mod read;
mod seal;
#[cfg(test)]
mod tests;
mod traces;
mod write;

pub use kind::{Kind, REPORTS};
pub use manifest::{Filed, Manifest};
pub use read::Bundle;
pub(crate) use seal::seal_anew;
pub use traces::traces;
pub use write::{Contents, Entry, Written, write};

use crate::model::hex;
use crate::wire::exit::{Exit, Failure};
use sha2::{Digest, Sha256};
use std::io;
use std::path::Path;

/// The version of a bundle's layout and manifest.
pub const SCHEMA: u32 = 1;

/// The manifest's name below the series.
const MANIFEST: &str = "manifest.json";

/// Whether a word names a bundle rather than a series.
pub fn is_bundle(wanted: &str) -> bool {
    Path::new(wanted).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"))
}

/// A bundle that cannot be believed: which, and what is wrong with it.
pub fn unsound(path: &Path, what: impl std::fmt::Display) -> anyhow::Error {
    Failure::new(Exit::Bundle, format!("{}: {what}", path.display())).into()
}

/// Whether this may be the name of a folder or a file: one plain word that means the same on every system, and can
/// lead nowhere else.
pub fn is_plain(name: &str) -> bool {
    let allowed = |letter: char| letter.is_alphanumeric() || " ._-+=,@()".contains(letter);
    !name.is_empty() && name.len() <= 200 && !name.starts_with(['.', ' ', '-']) && name.chars().all(allowed)
}

/// Counts and hashes what is written to it.
#[derive(Debug, Clone, Default)]
struct Hashed {
    sha: Sha256,
    bytes: u64,
}

impl Hashed {
    /// All that `from` has left.
    fn of(from: &mut impl io::Read) -> io::Result<Self> {
        let mut hashed = Self::default();
        io::copy(from, &mut hashed)?;
        Ok(hashed)
    }

    /// The SHA-256 of all that was written, hexadecimal.
    fn hex(self) -> String {
        hex(&self.sha.finalize())
    }
}

impl io::Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sha.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
