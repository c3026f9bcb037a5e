//! Archives in the Bureau's form: one deflated member, and nothing in them that depends on the
//! machine or the day. They appear whole or not at all.

use super::names::SourceName;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

/// Deflate level 1: the generator is to be faster than what reads it, and text this repetitive still
/// shrinks tenfold.
const LEVEL: i64 = 1;

/// Text handed to the compressor at once.
const TEXT_BUFFER: usize = 64 * 1024;

/// An archive being written. Dropping it unfinished leaves nothing behind.
pub(super) struct ArchiveWriter {
    target: PathBuf,
    zip: BufWriter<ZipWriter<NamedTempFile>>,
    bytes: u64,
}

impl ArchiveWriter {
    /// Starts the archive that `target` will be, with `name`'s member in it.
    pub(super) fn create(target: PathBuf, name: SourceName) -> io::Result<Self> {
        let directory = target.parent().filter(|dir| !dir.as_os_str().is_empty());
        let file = NamedTempFile::with_prefix_in(".ingest-lab-", directory.unwrap_or(Path::new(".")))?;
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(LEVEL))
            .last_modified_time(DateTime::default())
            .system(System::Unix)
            .unix_permissions(0o644);
        let mut zip = ZipWriter::new(file);
        zip.start_file(name.member(), options)?;
        Ok(Self { target, zip: BufWriter::with_capacity(TEXT_BUFFER, zip), bytes: 0 })
    }

    /// Appends to the member.
    pub(super) fn write(&mut self, text: &[u8]) -> io::Result<()> {
        self.bytes += text.len() as u64;
        self.zip.write_all(text)
    }

    /// Completes the archive and gives it its name; returns that and the bytes of text in it.
    pub(super) fn finish(self) -> io::Result<(PathBuf, u64)> {
        let zip = self.zip.into_inner().map_err(io::IntoInnerError::into_error)?;
        let file = zip.finish()?;
        publish(file, &self.target)?;
        Ok((self.target, self.bytes))
    }
}

/// Gives a finished temporary file its name, readable as any other file.
pub(super) fn publish(file: NamedTempFile, target: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Temporary files are private to their owner; data files are for everybody.
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    file.as_file().sync_all()?;
    Ok(file.persist(target)?)
}
