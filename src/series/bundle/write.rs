//! Writing a bundle: the same bytes for the same series, whenever and wherever its files were written.

use super::manifest::{Filed, Manifest};
use super::{Hashed, MANIFEST, read, seal};
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// How hard files are deflated: always the same, so that the bytes are.
const LEVEL: i64 = 6;

/// Files from this size on need the long form of their sizes.
const LONG: u64 = u32::MAX as u64;

/// A file to be put into a bundle.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name below the series.
    pub name: String,
    /// What it holds.
    pub contents: Contents,
}

/// Where a file's bytes are.
#[derive(Debug, Clone)]
pub enum Contents {
    /// Here.
    Bytes(Vec<u8>),
    /// In a file, which is streamed.
    File(PathBuf),
}

impl Contents {
    fn open(&self) -> Result<Box<dyn Read + '_>> {
        match self {
            Self::Bytes(bytes) => Ok(Box::new(Cursor::new(bytes))),
            Self::File(path) => Ok(Box::new(fs_err::File::open(path).context("read what goes into the bundle")?)),
        }
    }
}

/// A bundle that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The SHA-256 of the file, as `sha256sum` prints it.
    pub checksum: String,
    /// Its size, bytes.
    pub bytes: u64,
    /// Files in it, the manifest left out.
    pub files: usize,
}

/// Writes a bundle, whole or not at all. The manifest's list of files is made here.
pub fn write(to: &Path, mut manifest: Manifest, mut entries: Vec<Entry>) -> Result<Written> {
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    manifest.files = entries.iter().map(filed).collect::<Result<_>>()?;
    let text = serde_json::to_vec_pretty(&manifest).context("write the manifest")?;
    // What could not be read back is not written.
    let unreadable = |wrong: String| Failure::new(Exit::Bundle, format!("it would be no bundle: {wrong}"));
    Manifest::parse(&text).map_err(unreadable)?;
    let files = entries.len();
    let mut all: Vec<(&Entry, Option<&Filed>)> = entries.iter().zip(manifest.files.iter().map(Some)).collect();
    let itself = Entry { name: MANIFEST.into(), contents: Contents::Bytes(text) };
    all.push((&itself, None));
    all.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));

    let cannot = |error: io::Error| {
        let message =
            format!("the bundle cannot be written ({error}): make room, or name a file in a folder that is there");
        Failure::new(Exit::Usage, message)
    };
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(cannot)?;
    let mut archive = ZipWriter::new(file.as_file_mut());
    for (entry, filed) in all {
        add(&mut archive, &manifest.series, entry, filed)?;
    }
    archive.set_raw_comment(seal::placeholder()).context("write the bundle's comment")?;
    archive.finish().map_err(io::Error::from).map_err(cannot)?;
    let (bytes, checksum) = seal::put(file.as_file_mut()).map_err(cannot)?;
    read::readable(file.as_file()).map_err(unreadable)?;
    super::super::readable_by_all(file.as_file()).map_err(cannot)?;
    file.as_file().sync_all().map_err(cannot)?;
    file.persist(to).map_err(|error| cannot(error.error))?;
    Ok(Written { checksum, bytes, files })
}

fn filed(entry: &Entry) -> Result<Filed> {
    let hashed = Hashed::of(&mut entry.contents.open()?).with_context(|| format!("read {}", entry.name))?;
    Ok(Filed { name: entry.name.clone(), bytes: hashed.bytes, sha256: hashed.hex() })
}

/// One file: nothing of it depends on the machine, the time or the file's owner.
fn add(archive: &mut ZipWriter<&mut std::fs::File>, series: &str, entry: &Entry, filed: Option<&Filed>) -> Result<()> {
    let what = || format!("put {} into the bundle", entry.name);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(0o644)
        .large_file(filed.is_some_and(|filed| filed.bytes >= LONG));
    archive.start_file(format!("{series}/{}", entry.name), options).with_context(what)?;
    let mut hashed = Hashed::default();
    let mut contents = entry.contents.open()?;
    let mut piece = vec![0; 256 * 1024];
    loop {
        let count = contents.read(&mut piece).with_context(what)?;
        if count == 0 {
            break;
        }
        hashed.write_all(&piece[..count]).and_then(|()| archive.write_all(&piece[..count])).with_context(what)?;
    }
    if filed.is_some_and(|filed| filed.sha256 != hashed.hex()) {
        let message = format!("{} changed while it was bundled: wait until nobody writes it", entry.name);
        return Err(Failure::new(Exit::Bundle, message).into());
    }
    Ok(())
}
