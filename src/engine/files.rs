//! Files through the engine's API: no path of this machine has to mean anything to the engine.

use super::{Engine, is_missing, refused};
use anyhow::{Context, Result};
use bollard::query_parameters::{DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;

/// A whole state is some gigabytes; the engine answers only when all of it is unpacked.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(3_600);

/// Pieces on their way to the engine at any time: with [`PIECE`] that bounds the memory of an upload.
const PIECES: usize = 8;

/// Bytes of a piece.
const PIECE: usize = 256 * 1024;

/// The most bytes of an archive with one small file that is taken from a container.
const SMALL_FILE: usize = 1 << 20;

/// The user that the project's images run as; files handed to them belong to it.
pub(super) const USER: u64 = 10_001;

/// A file to be written into a container.
#[derive(Debug, Clone)]
pub(super) enum Upload {
    /// A file of this machine, under its own name.
    File(PathBuf),
    /// A small file with these contents.
    Text { name: String, contents: String },
}

impl Engine {
    /// Streams files into a folder of a container, running or not.
    pub(super) async fn upload(&self, container: &str, folder: &str, files: Vec<Upload>) -> Result<()> {
        let (sender, receiver) = mpsc::channel(PIECES);
        let packing = tokio::task::spawn_blocking(move || pack(&files, &sender));
        let pieces =
            stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|piece| (piece, receiver)) });
        let options = UploadToContainerOptionsBuilder::default().path(folder).build();
        let docker = self.docker.clone().with_timeout(UPLOAD_TIMEOUT);
        let sent = docker.upload_to_container(container, Some(options), bollard::body_try_stream(pieces)).await;
        // A file that cannot be read ends the stream early: say that rather than how the engine took it.
        packing.await.context("pack the files")?.context("read the files for the upload")?;
        sent.map_err(refused(format!("take the files for {folder}")))
    }

    /// The contents of one small file of a container; none where it isn't there.
    pub(super) async fn download(&self, container: &str, path: &str) -> Result<Option<Vec<u8>>> {
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let mut pieces = self.docker.download_from_container(container, Some(options));
        let mut archive = Vec::new();
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) if archive.len() + piece.len() > SMALL_FILE => {
                    anyhow::bail!(
                        "{path} in the container has more than {SMALL_FILE} bytes: it is no file of this lab's"
                    )
                }
                Ok(piece) => archive.extend_from_slice(&piece),
                Err(error) if is_missing(&error) => return Ok(None),
                Err(error) => return Err(refused(format!("hand out {path}"))(error)),
            }
        }
        let mut archive = tar::Archive::new(archive.as_slice());
        let Some(entry) = archive.entries().context("read the engine's archive")?.next() else { return Ok(None) };
        let mut contents = Vec::new();
        entry.and_then(|mut entry| entry.read_to_end(&mut contents)).context("read the engine's archive")?;
        Ok(Some(contents))
    }
}

/// Writes the files as a tar stream. Modes and owner are the same on every machine.
fn pack(files: &[Upload], pieces: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let mut archive = tar::Builder::new(Pieces { pieces: pieces.clone(), buffer: Vec::with_capacity(PIECE) });
    let packed =
        files.iter().try_for_each(|file| append(&mut archive, file)).and_then(|()| archive.into_inner()?.flush());
    match packed {
        // The receiver is gone: the engine refused, and its own words are better.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            let _ = pieces.blocking_send(Err(io::Error::other("the upload was given up")));
            Err(error)
        }
        Ok(()) => Ok(()),
    }
}

fn append(archive: &mut tar::Builder<Pieces>, file: &Upload) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o444);
    header.set_uid(USER);
    header.set_gid(USER);
    match file {
        Upload::Text { name, contents } => {
            header.set_size(contents.len() as u64);
            archive.append_data(&mut header, name, contents.as_bytes())
        }
        Upload::File(path) => {
            let name = path.file_name().ok_or_else(|| io::Error::other(format!("{} is no file", path.display())))?;
            let opened = fs_err::File::open(path)?;
            let size = opened.metadata()?.len();
            header.set_size(size);
            // A file that grows meanwhile must not damage the archive.
            archive.append_data(&mut header, name, opened.take(size))
        }
    }
}

/// A writer whose bytes leave in pieces, waiting when the engine is slower than the disk.
struct Pieces {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = Bytes::from(std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE)));
        self.pieces.blocking_send(Ok(piece)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_file_unpacks_to_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ny00001_uf1.zip");
        let contents: Vec<u8> = (0..PIECE * 2 + 77).map(|index| index as u8).collect();
        std::fs::write(&path, &contents).unwrap();
        let (sender, mut receiver) = mpsc::channel::<io::Result<Bytes>>(PIECES);
        let reader = std::thread::spawn(move || {
            let mut archive = Vec::new();
            while let Some(piece) = receiver.blocking_recv() {
                archive.extend_from_slice(&piece.unwrap());
            }
            archive
        });
        let marker = Upload::Text { name: "marker".into(), contents: "whole".into() };
        pack(&[Upload::File(path), marker], &sender).unwrap();
        drop(sender); // the reader's sign that this is all
        let archive = reader.join().unwrap();
        let mut archive = tar::Archive::new(archive.as_slice());
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            found.push((entry.path().unwrap().display().to_string(), bytes));
        }
        assert_eq!(found, [("ny00001_uf1.zip".to_owned(), contents), ("marker".to_owned(), b"whole".to_vec())]);
    }

    #[test]
    fn a_file_that_is_not_there_ends_the_stream_with_an_error() {
        let (sender, mut receiver) = mpsc::channel(PIECES);
        assert!(pack(&[Upload::File("/nowhere/at.zip".into())], &sender).is_err());
        assert!(receiver.blocking_recv().unwrap().is_err());
    }
}
