//! One file of a fetch: ask, resume, receive, check, publish.
//!
//! ```text
//! NAME.part (+ NAME.part.validator) ── complete and intact ──► NAME.sha256, NAME
//!      └── cut short: kept, and the next call goes on from there
//! ```

use super::fetch_error::FetchError;
use super::files::sha256_of_file;
use super::member::{MAX_MEMBER_BYTES, check_archive};
use super::names::SourceName;
use super::writer::publish;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

const COPY_BUFFER: usize = 64 * 1024;

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchProgress<'a> {
    /// The file's name.
    pub file: &'a str,
    /// Bytes that are here, those of an earlier call included.
    pub done: u64,
    /// Bytes there will be, if the server says.
    pub total: Option<u64>,
}

/// A file that is complete and intact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its checksum, which is also in `NAME.sha256` beside it, in the form of `sha256sum`.
    pub sha256: String,
    /// Where it came from.
    pub how: Fetched,
}

/// Where a fetched file came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// It was there and is intact.
    AlreadyThere,
    /// It was downloaded; `resumed_from` bytes of it by an earlier call.
    Downloaded {
        /// 0 for a download in one go.
        resumed_from: u64,
    },
}

/// One file on its way.
pub(super) struct Download<'a> {
    pub(super) agent: &'a Agent,
    pub(super) url: String,
    pub(super) name: SourceName,
    /// Its final path; what belongs to it is kept beside it.
    pub(super) target: PathBuf,
}

impl Download<'_> {
    /// Gets the file, or checks the one that is there.
    pub(super) fn run(&self, progress: &mut dyn FnMut(FetchProgress<'_>)) -> Result<FetchedFile, FetchError> {
        if self.target.exists() {
            return self.check_existing();
        }
        let resumed_from = self.download(progress)?;
        let part = self.beside("part");
        if let Err(source) = check_archive(&part, self.name) {
            self.discard_part()?;
            return Err(FetchError::WrongContent { url: self.url.clone(), source: Box::new(source) });
        }
        let sha256 = self.sum(&part)?;
        // First the checksum: a file under its final name always has one.
        self.write_beside("sha256", &format!("{sha256}  {}\n", self.name.archive()))?;
        fs::rename(&part, &self.target).map_err(|e| io_error(&self.target, e))?;
        self.remove(&self.beside("part.validator"))?;
        self.fetched(sha256, Fetched::Downloaded { resumed_from })
    }

    /// A file that is there has to match its checksum; one without is checked and gets one.
    fn check_existing(&self) -> Result<FetchedFile, FetchError> {
        let changed = |reason: String| FetchError::Changed { path: self.target.clone(), reason };
        let sha256 = self.sum(&self.target)?;
        match fs::read_to_string(self.beside("sha256")) {
            Ok(line) if line.split_whitespace().next() == Some(&sha256) => {}
            Ok(_) => return Err(changed("does not match the checksum beside it".to_owned())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                check_archive(&self.target, self.name).map_err(|e| changed(format!("not usable ({e})")))?;
                self.write_beside("sha256", &format!("{sha256}  {}\n", self.name.archive()))?;
            }
            Err(e) => return Err(io_error(&self.beside("sha256"), e)),
        }
        self.fetched(sha256, Fetched::AlreadyThere)
    }

    /// Completes `NAME.part`; returns how many bytes of it were there before.
    fn download(&self, progress: &mut dyn FnMut(FetchProgress<'_>)) -> Result<u64, FetchError> {
        let part = self.beside("part");
        let here = match fs::metadata(&part) {
            Ok(metadata) => metadata.len(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
            Err(e) => return Err(io_error(&part, e)),
        };
        let response = self.ask(here)?;
        match response.status() {
            StatusCode::OK => self.receive(response, 0, progress).map(|()| 0),
            StatusCode::PARTIAL_CONTENT if here > 0 && content_range(&response).0 == Some(here) => {
                self.receive(response, here, progress).map(|()| here)
            }
            StatusCode::RANGE_NOT_SATISFIABLE if content_range(&response).1 == Some(here) => Ok(here),
            // The part belongs to another version of the file: begin again, once.
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if here > 0 => {
                self.discard_part()?;
                self.download(progress)
            }
            StatusCode::NOT_FOUND => Err(FetchError::NotFound { url: self.url.clone() }),
            status => Err(FetchError::Status { url: self.url.clone(), status: status.as_u16() }),
        }
    }

    /// Asks for what comes after `here` bytes, of the same version as those.
    fn ask(&self, here: u64) -> Result<Response<Body>, FetchError> {
        let mut request = self.agent.get(&self.url);
        if here > 0 {
            request = request.header(header::RANGE, format!("bytes={here}-"));
            if let Ok(validator) = fs::read_to_string(self.beside("part.validator")) {
                request = request.header(header::IF_RANGE, validator.trim());
            }
        }
        request.call().map_err(|e| self.network_error(e))
    }

    /// Writes the answer's body at `start` of `NAME.part`.
    fn receive(
        &self,
        response: Response<Body>,
        start: u64,
        progress: &mut dyn FnMut(FetchProgress<'_>),
    ) -> Result<(), FetchError> {
        let path = self.beside("part");
        if start == 0 {
            self.discard_part()?;
            self.keep_validator(&response)?;
        }
        let mut file = open_at(&path, start).map_err(|e| io_error(&path, e))?;
        let total = response.body().content_length().map(|rest| start + rest);
        let mut body = response.into_body().into_with_config().limit(MAX_MEMBER_BYTES).reader();
        let name = self.name.archive();
        let mut done = start;
        let mut buffer = vec![0; COPY_BUFFER];
        loop {
            progress(FetchProgress { file: &name, done, total });
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(self.broken_off(e, done, total)),
            };
            file.write_all(&buffer[..count]).map_err(|e| io_error(&path, e))?;
            done += count as u64;
        }
        file.sync_all().map_err(|e| io_error(&path, e))?;
        match total {
            Some(expected) if expected != done => {
                Err(FetchError::Short { url: self.url.clone(), expected, found: done })
            }
            _ => Ok(()),
        }
    }

    /// Notes which version of the file the part belongs to, where the server tells.
    fn keep_validator(&self, response: &Response<Body>) -> Result<(), FetchError> {
        let value = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        // A weak tag (W/"…") does not promise the same bytes.
        let strong = value(header::ETAG).filter(|tag| !tag.starts_with("W/"));
        match strong.or_else(|| value(header::LAST_MODIFIED)) {
            Some(validator) => self.write_beside("part.validator", validator),
            None => Ok(()),
        }
    }

    fn broken_off(&self, error: io::Error, found: u64, total: Option<u64>) -> FetchError {
        let url = self.url.clone();
        match (error.kind(), total) {
            (io::ErrorKind::UnexpectedEof, Some(expected)) => FetchError::Short { url, expected, found },
            _ => self.network_error(ureq::Error::from(error)),
        }
    }

    fn network_error(&self, error: ureq::Error) -> FetchError {
        FetchError::Network { url: self.url.clone(), source: Box::new(error) }
    }

    fn fetched(&self, sha256: String, how: Fetched) -> Result<FetchedFile, FetchError> {
        let metadata = fs::metadata(&self.target).map_err(|e| io_error(&self.target, e))?;
        Ok(FetchedFile { path: self.target.clone(), bytes: metadata.len(), sha256, how })
    }

    fn sum(&self, path: &Path) -> Result<String, FetchError> {
        sha256_of_file(path).map_err(|e| io_error(path, e))
    }

    /// `NAME.ending`, next to the file.
    fn beside(&self, ending: &str) -> PathBuf {
        self.target.with_file_name(format!("{}.{ending}", self.name.archive()))
    }

    fn write_beside(&self, ending: &str, text: &str) -> Result<(), FetchError> {
        let path = self.beside(ending);
        let write = || -> io::Result<()> {
            let mut file = NamedTempFile::new_in(self.target.parent().unwrap_or(Path::new(".")))?;
            file.write_all(text.as_bytes())?;
            publish(file, &path).map(drop)
        };
        write().map_err(|e| io_error(&path, e))
    }

    fn discard_part(&self) -> Result<(), FetchError> {
        self.remove(&self.beside("part"))?;
        self.remove(&self.beside("part.validator"))
    }

    fn remove(&self, path: &Path) -> Result<(), FetchError> {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error(path, e)),
            _ => Ok(()),
        }
    }
}

fn io_error(path: &Path, source: io::Error) -> FetchError {
    FetchError::Io { path: path.to_owned(), source }
}

/// Opens for writing behind the first `start` bytes.
fn open_at(path: &Path, start: u64) -> io::Result<File> {
    if start == 0 {
        return File::create(path);
    }
    OpenOptions::new().append(true).open(path)
}

/// First byte and total of `Content-Range: bytes FIRST-LAST/TOTAL` or `bytes */TOTAL`.
fn content_range(response: &Response<Body>) -> (Option<u64>, Option<u64>) {
    let range = response.headers().get(header::CONTENT_RANGE).and_then(|v| v.to_str().ok());
    let Some((span, total)) = range.and_then(|r| r.strip_prefix("bytes ")?.split_once('/')) else {
        return (None, None);
    };
    (span.split('-').next().and_then(|first| first.parse().ok()), total.parse().ok())
}
