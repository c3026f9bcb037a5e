//! What tests of archives share.

use super::writer::publish;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempDir};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A directory that goes away with the test.
pub(super) fn directory() -> TempDir {
    TempDir::new().unwrap()
}

/// Writes a zip file with these members and returns its path.
pub(super) fn zip(dir: &Path, name: &str, members: &[(&str, &[u8])]) -> PathBuf {
    let mut zip = ZipWriter::new(NamedTempFile::new_in(dir).unwrap());
    for (member, text) in members {
        zip.start_file(*member, SimpleFileOptions::default()).unwrap();
        zip.write_all(text).unwrap();
    }
    let path = dir.join(name);
    publish(zip.finish().unwrap(), &path).unwrap();
    path
}

/// A line of segment 1 whose 222 items are all `item`.
pub(super) fn line(logrecno: u32, item: &str) -> String {
    format!("uSF1,NY,000,01,{logrecno:07},{}\n", [item; 222].join(","))
}

/// The directory that holds the real file, or `None` with a loud line saying what was skipped.
pub(super) fn shared(test: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("INGEST_LAB_SHARED").map(PathBuf::from);
    if shared.is_none() {
        // Past the harness, which keeps what a passing test prints to itself.
        let text = format!("skipped: {test}: INGEST_LAB_SHARED does not name the directory of the real file");
        writeln!(std::io::stderr(), "{text}").unwrap();
    }
    shared
}
