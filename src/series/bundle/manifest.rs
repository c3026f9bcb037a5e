//! What a bundle says it holds. Read before anything else, and compared with what it does hold.

use super::kind::Kind;
use super::{SCHEMA, is_plain, limits};
use crate::model::digest_of_files;
use crate::wire;
use crate::wire::setup::SavedImage;
use serde::{Deserialize, Serialize};

/// The contents of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`SCHEMA`] of the lab that wrote it.
    pub schema: u32,
    /// Name and version of that lab, which also made the report in the bundle.
    pub program: String,
    /// The revision it was built from; empty where it doesn't know.
    pub revision: String,
    /// The series: the name of its folder.
    pub series: String,
    /// The experiment's name.
    pub experiment: String,
    /// Runs that the experiment plans, warm-up included.
    pub planned: usize,
    /// How many of them had ended; fewer only in a bundle of a part.
    pub ended: usize,
    /// The images in `images.tar`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<SavedImage>,
    /// Every other file, in the order of the names.
    pub files: Vec<Filed>,
}

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filed {
    /// Its name below the series.
    pub name: String,
    /// Its size, bytes.
    pub bytes: u64,
    /// The SHA-256 of its contents, hexadecimal.
    pub sha256: String,
}

impl Filed {
    /// What it is: known of every file of a manifest that was checked.
    pub fn kind(&self) -> Option<Kind> {
        Kind::of(&self.name)
    }

    /// Whether it is of this kind.
    pub fn is(&self, kind: Kind) -> bool {
        self.kind() == Some(kind)
    }
}

impl Manifest {
    /// Reads and checks a manifest; what is wrong, as the second half of a sentence.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        known(text, SCHEMA).map_err(|wrong| format!("manifest.json {wrong}"))?;
        let manifest: Self =
            serde_json::from_slice(text).map_err(|error| format!("manifest.json cannot be read ({error})"))?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        for (what, name) in [("series", &self.series), ("experiment", &self.experiment)] {
            if !is_plain(name) {
                return Err(format!("the name of its {what}, {name:?}, could not be a file's"));
            }
        }
        let shown = [&self.program, &self.revision].into_iter();
        let images = self.images.iter().flat_map(|image| [&image.role, &image.id, &image.name, &image.architecture]);
        if shown.chain(images).any(|text| text.chars().any(char::is_control)) {
            return Err("its manifest says something that is no text to be shown".into());
        }
        if self.files.len() > limits::FILES {
            return Err(format!("it holds {} files, more than any series has", self.files.len()));
        }
        if !self.files.is_sorted_by(|one, next| one.name < next.name) {
            return Err("its manifest names a file twice, or out of order".into());
        }
        let (mut together, mut large): (u64, u64) = (0, 0);
        for file in &self.files {
            let Some(kind) = file.kind() else {
                return Err(format!("its manifest names {:?}, which is no file of a series", file.name));
            };
            if file.bytes > kind.limit() {
                return Err(format!("{} is said to have {} bytes, more than such a file has", file.name, file.bytes));
            }
            let sum = if kind.is_large() { &mut large } else { &mut together };
            *sum = sum.saturating_add(file.bytes);
        }
        for (what, sum, limit) in
            [("its files", together, limits::TOGETHER), ("its data and images", large, limits::TOGETHER_LARGE)]
        {
            if sum > limit {
                return Err(format!("{what} are said to have {sum} bytes together, more than any series has"));
            }
        }
        for needed in [Kind::Experiment, Kind::Setup, Kind::Run] {
            if !self.files.iter().any(|file| file.is(needed)) {
                return Err(format!("it holds no {}", needed.example()));
            }
        }
        Ok(())
    }

    /// A file by its name below the series.
    pub fn file(&self, name: &str) -> Option<&Filed> {
        self.files.iter().find(|file| file.name == name)
    }

    /// The files of a kind, in the order of their names.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Filed> {
        self.files.iter().filter(move |file| file.is(kind))
    }

    /// The checksum of its data files together, over their names and checksums, as a setup names it; none without any.
    pub fn data_checksum(&self) -> Option<String> {
        let mut files = self.of(Kind::Data).peekable();
        files.peek()?;
        Some(digest_of_files(files.map(|filed| (filed.name.trim_start_matches("data/"), &filed.sha256))))
    }

    /// Bytes of all its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// The part of a document that is read first: a newer one may have fields that this program cannot read.
#[derive(Deserialize)]
struct Head {
    schema: u32,
}

/// Whether this lab knows a document's schema: the second half of a sentence where it doesn't.
fn known(text: &[u8], newest: u32) -> Result<(), String> {
    let head: Head = serde_json::from_slice(text).map_err(|error| format!("says no schema ({error})"))?;
    match head.schema {
        0 => Err("has schema 0, which no lab has ever written".into()),
        found if found > newest => Err(format!("has schema {found}, this lab knows up to {newest}: update the lab")),
        _ => Ok(()),
    }
}

/// The same for what crosses a process: setups, records, reports.
pub(super) fn document_is_known(text: &[u8]) -> Result<(), String> {
    known(text, wire::SCHEMA)
}
