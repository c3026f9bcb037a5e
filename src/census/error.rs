//! What can be wrong with an archive: each error names the file, the line where there is one, and
//! what to do.

use super::columns::GeoError;
use super::line::LineError;
use super::member::MAX_RATIO;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

const GET_AGAIN: &str = "get it again (`ingester fetch STATE --segment NN`) or make one (`ingester generate`)";

/// What is wrong with an archive or a line in it.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The file could not be opened or read.
    #[error("{}: cannot be read: {source}", path.display())]
    Io {
        /// The archive.
        path: PathBuf,
        /// The system's word for it.
        source: io::Error,
    },
    /// Not a zip file, or one that was cut short: its directory is at its end.
    #[error("{}: not a complete zip file ({reason}): {GET_AGAIN}", path.display())]
    NotAZip {
        /// The archive.
        path: PathBuf,
        /// What the zip reader said.
        reason: String,
    },
    /// An archive without a member.
    #[error("{}: the archive is empty: {GET_AGAIN}", path.display())]
    NoMember {
        /// The archive.
        path: PathBuf,
    },
    /// An archive with more than the one member it should have.
    #[error("{}: {found} members where an SF1 archive has one: put each in an archive of its own", path.display())]
    SeveralMembers {
        /// The archive.
        path: PathBuf,
        /// How many there are.
        found: usize,
    },
    /// The member's name is not that of the expected file.
    #[error("{}: holds {found:?}, expected {expected}: name the archive after what it holds", path.display())]
    WrongMember {
        /// The archive.
        path: PathBuf,
        /// The member's name.
        found: String,
        /// The name it should have.
        expected: String,
    },
    /// Encrypted, or compressed by a method the Bureau does not use.
    #[error("{}: uses {how}: pack its member again with plain deflate", path.display())]
    Unsupported {
        /// The archive.
        path: PathBuf,
        /// What it uses.
        how: String,
    },
    /// Declares more than [`super::member::MAX_MEMBER_BYTES`].
    #[error("{}: its member would be {size} bytes, more than any SF1 file: {GET_AGAIN}", path.display())]
    MemberTooLarge {
        /// The archive.
        path: PathBuf,
        /// Declared bytes.
        size: u64,
    },
    /// The member is not as long as the archive declares.
    #[error("{}: its member declares {declared} bytes but has {}{found}: {GET_AGAIN}",
        path.display(), if found > declared { "at least " } else { "" })]
    WrongSize {
        /// The archive.
        path: PathBuf,
        /// Declared bytes.
        declared: u64,
        /// Bytes there are; those read so far, where there are too many.
        found: u64,
    },
    /// The member would grow more when it is inflated than any text of figures does.
    #[error("{}: its member would grow more than {MAX_RATIO} times, to {size} bytes: it holds no figures; {GET_AGAIN}", path.display())]
    Bomb {
        /// The archive.
        path: PathBuf,
        /// Declared bytes.
        size: u64,
    },
    /// The member's compressed data or checksum is wrong.
    #[error("{}: its member is damaged: {reason}: {GET_AGAIN}", path.display())]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// In which way.
        reason: String,
    },
    /// A line longer than [`super::lines::MAX_LINE_BYTES`].
    #[error("{}: line {line}: longer than {limit} bytes: no SF1 file has such lines", path.display())]
    LineTooLong {
        /// The archive.
        path: PathBuf,
        /// 1-based line number.
        line: u64,
        /// The most bytes a line may have.
        limit: usize,
    },
    /// A segment line that cannot be used.
    #[error("{}: line {line}: {source}", path.display())]
    Line {
        /// The archive.
        path: PathBuf,
        /// 1-based line number.
        line: u64,
        /// What is wrong with it.
        source: LineError,
    },
    /// A geographic record that cannot be used.
    #[error("{}: line {line}: {source}", path.display())]
    Geo {
        /// The archive.
        path: PathBuf,
        /// 1-based line number.
        line: u64,
        /// What is wrong with it.
        source: GeoError,
    },
}
