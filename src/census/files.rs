//! A data directory: which of its files are SF1 archives, and whether they belong together.

use super::field::Field;
use super::names::{Part, SourceName};
use crate::model::hex;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The SF1 archives of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir {
    /// The directory.
    pub dir: PathBuf,
    /// At least one state, sorted by its letters.
    pub states: Vec<StateFiles>,
}

/// The archives of one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateFiles {
    /// Two letters, lower case.
    pub state: Field<2>,
    /// The geographic header, which every segment needs.
    pub geo: PathBuf,
    /// The segments, sorted by number; may be empty.
    pub segments: Vec<SegmentFile>,
}

/// One segment's archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFile {
    /// 1 to 39.
    pub segment: u8,
    /// Where it is.
    pub path: PathBuf,
}

/// Why a directory cannot be ingested.
#[derive(Debug, Error)]
pub enum DataDirError {
    /// The directory cannot be listed.
    #[error("{}: cannot be read: {source}: create it, or name another with --data", dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// The system's word for it.
        source: io::Error,
    },
    /// There is no SF1 archive in it.
    #[error("{0}: no Census file there: `make lab` fills it with generated data, and so does \
        `ingester generate --data {0}`; `ingester fetch STATE --segment NN --data {0}` gets real files",
        dir.display())]
    Empty {
        /// The directory.
        dir: PathBuf,
    },
    /// A segment without its state's geographic header.
    #[error("{}: no geographic header {header} beside it: derive one with `ingester geo-from {}`, \
        or get it with `ingester fetch {state} --geo`", segment.display(), segment.display())]
    NoGeo {
        /// The state's letters.
        state: Field<2>,
        /// The name the header would have.
        header: String,
        /// A segment that needs it.
        segment: PathBuf,
    },
    /// The same part of the same state in two files.
    #[error("{} and {} are the same part of the same state: keep one", first.display(), second.display())]
    Twice {
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
}

impl DataDir {
    /// Finds the archives directly in `dir`, by their names; it opens none of them.
    ///
    /// # Errors
    /// A [`DataDirError`] that says which command helps.
    pub fn scan(dir: &Path) -> Result<Self, DataDirError> {
        let mut found: BTreeMap<SourceName, PathBuf> = BTreeMap::new();
        for path in list(dir).map_err(|source| DataDirError::Io { dir: dir.to_owned(), source })? {
            let Some(name) = SourceName::of_archive(&path) else {
                continue;
            };
            if let Some(first) = found.insert(name, path.clone()) {
                return Err(DataDirError::Twice { first, second: path });
            }
        }
        let mut states: BTreeMap<Field<2>, BTreeMap<Part, PathBuf>> = BTreeMap::new();
        for (name, path) in found {
            states.entry(name.state).or_default().insert(name.part, path);
        }
        if states.is_empty() {
            return Err(DataDirError::Empty { dir: dir.to_owned() });
        }
        let states = states.into_iter().map(|(state, parts)| state_files(state, parts));
        Ok(Self { dir: dir.to_owned(), states: states.collect::<Result<_, _>>()? })
    }

    /// Every segment of every state, by state and number.
    pub fn segments(&self) -> impl Iterator<Item = &SegmentFile> {
        self.states.iter().flat_map(|state| &state.segments)
    }
}

/// The files in `dir`, sorted, so that what is found and what is refused never depends on the file
/// system.
fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(dir)?.map(|entry| entry.map(|e| e.path())).collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.is_file());
    paths.sort();
    Ok(paths)
}

fn state_files(state: Field<2>, parts: BTreeMap<Part, PathBuf>) -> Result<StateFiles, DataDirError> {
    let mut geo = None;
    let mut segments = Vec::new();
    for (part, path) in parts {
        match part {
            Part::Geo => geo = Some(path),
            Part::Segment(segment) => segments.push(SegmentFile { segment, path }),
        }
    }
    match (geo, segments.first()) {
        (Some(geo), _) => Ok(StateFiles { state, geo, segments }),
        (None, first) => Err(DataDirError::NoGeo {
            state,
            header: SourceName { state, part: Part::Geo }.archive(),
            segment: first.map(|s| s.path.clone()).unwrap_or_default(),
        }),
    }
}

/// The SHA-256 of a file's content, in lower-case hexadecimal.
///
/// # Errors
/// What opening and reading the file say.
pub fn sha256_of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::directory;
    use super::*;

    fn scan(names: &[&str]) -> Result<Vec<String>, String> {
        let dir = directory();
        for name in names {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let name = |p: &PathBuf| p.file_name().unwrap().to_str().unwrap().to_owned();
        let found =
            DataDir::scan(dir.path()).map_err(|e| e.to_string().replace(dir.path().to_str().unwrap(), "DIR"))?;
        Ok(found
            .states
            .iter()
            .flat_map(|s| [name(&s.geo)].into_iter().chain(s.segments.iter().map(|f| name(&f.path))))
            .collect())
    }

    #[test]
    fn files_of_several_states_are_found_in_order_and_in_either_case() {
        let names = [
            "NY00002_UF1.ZIP",
            "README.md",
            "ny00001.truncated.uf1.zip",
            "nygeo_uf1.zip",
            "DEGEO_UF1.zip",
            "de00039_uf1.zip",
            "ny00003_uf1.zip.part",
        ];
        let found =
            ["DEGEO_UF1.zip", "de00039_uf1.zip", "nygeo_uf1.zip", "ny00001.truncated.uf1.zip", "NY00002_UF1.ZIP"];
        assert_eq!(scan(&names).unwrap(), found);
    }

    #[test]
    fn an_empty_directory_says_which_command_fills_it() {
        let message = scan(&["README.md"]).unwrap_err();
        assert!(message.starts_with("DIR: no Census file there: `make lab`"), "{message}");
        assert!(message.contains("`ingester generate --data DIR`"), "{message}");
        assert!(matches!(DataDir::scan(Path::new("/nowhere")), Err(DataDirError::Io { .. })));
    }

    #[test]
    fn a_segment_without_its_header_says_how_to_derive_one() {
        let message = scan(&["ny00001_uf1.zip", "degeo_uf1.zip"]).unwrap_err();
        assert!(message.starts_with("DIR/ny00001_uf1.zip: no geographic header nygeo_uf1.zip"), "{message}");
        assert!(message.contains("`ingester geo-from DIR/ny00001_uf1.zip`"), "{message}");
    }

    #[test]
    fn one_part_in_two_files_is_refused() {
        let message = scan(&["ny00001_uf1.zip", "ny00001.truncated.uf1.zip", "nygeo_uf1.zip"]).unwrap_err();
        assert!(message.contains("are the same part of the same state: keep one"), "{message}");
    }

    #[test]
    fn the_sum_is_that_of_sha256sum() {
        let dir = directory();
        let path = dir.path().join("abc");
        fs::write(&path, "abc").unwrap();
        assert_eq!(sha256_of_file(&path).unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
