//! Why a file could not be fetched: each error names the address or the file, and what to do.

use super::error::ArchiveError;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why a file could not be fetched.
#[derive(Debug, Error)]
pub enum FetchError {
    /// A state that SF1 does not have.
    #[error("{0:?} is no state: use its two letters, such as ny, or its name")]
    UnknownState(String),
    /// The server was not reached, or broke off; what came is kept.
    #[error(
        "{url}: {source}: check the network, or set HTTPS_PROXY, SSL_CERT_FILE or --base-url; \
        the same command goes on where this one stopped"
    )]
    Network {
        /// What was asked for.
        url: String,
        /// What went wrong.
        source: Box<ureq::Error>,
    },
    /// The server ended the file early; what came is kept.
    #[error("{url}: ended after {found} of {expected} bytes: the same command goes on from there")]
    Short {
        /// What was asked for.
        url: String,
        /// Bytes announced.
        expected: u64,
        /// Bytes here.
        found: u64,
    },
    /// The server does not have it.
    #[error("{url}: not found on the server: check state and segment, or --base-url")]
    NotFound {
        /// What was asked for.
        url: String,
    },
    /// The server said something else.
    #[error("{url}: the server answered {status}: try again later, or name a mirror with --base-url")]
    Status {
        /// What was asked for.
        url: String,
        /// Its status code.
        status: u16,
    },
    /// What came is not the file; it has been removed.
    #[error("{url} did not give the expected file, and what it gave is removed: {source}")]
    WrongContent {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        source: Box<ArchiveError>,
    },
    /// A file that is already there is not what it was, or not an archive; it is left alone.
    #[error("{}: is already there but {reason}: delete it to fetch it again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// In which way.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        source: io::Error,
    },
}
