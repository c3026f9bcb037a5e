//! The one member of an archive, inflated as it is read and checked when it ends.

use super::error::ArchiveError;
use super::names::{Part, SourceName};
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};
use zip::{CompressionMethod, ZipArchive};

/// The longest member that is read: plain zip, which the Bureau's archives are, ends at 4 GiB, and
/// its largest real member (a segment of Texas) is under 1 GB. Anything that claims more is a bomb
/// or no SF1 file.
pub const MAX_MEMBER_BYTES: u64 = u32::MAX as u64;

/// How many times larger than in the archive a member may be. New York's first segment is 18 times larger, generated ones
/// up to 43 times, and lines of nothing but zeros stay below 100, for each has a number of its own; deflate's most is 1,032
/// times, of text that holds nothing.
pub const MAX_RATIO: u64 = 250;

/// Members up to this size are not asked for their ratio: a few lines of zeros deflate well, too.
const SMALL: u64 = 16 << 20;

/// Compressed bytes read from the file at once.
const RAW_BUFFER: usize = 128 * 1024;

/// An open member. It owns its file, so it can move to a reader's thread.
#[derive(Debug)]
pub struct Member {
    path: PathBuf,
    name: SourceName,
    source: Source,
    crc: Crc,
    declared: Declared,
}

/// What the archive's directory claims.
#[derive(Debug, Clone, Copy)]
struct Declared {
    size: u64,
    compressed: u64,
    crc: u32,
}

#[derive(Debug)]
enum Source {
    Stored(Take<File>),
    Deflated(DeflateDecoder<BufReader<Take<File>>>),
}

impl Member {
    /// Opens the archive at `path`, whose one member has to be `part` of a state: of the state in
    /// the archive's name, where that is one of the Bureau's.
    ///
    /// # Errors
    /// Any [`ArchiveError`] about the archive as a whole.
    pub fn open(path: &Path, part: Part) -> Result<Self, ArchiveError> {
        let io_error = |source| ArchiveError::Io { path: path.to_owned(), source };
        let not_a_zip =
            |e: zip::result::ZipError| ArchiveError::NotAZip { path: path.to_owned(), reason: e.to_string() };
        let mut file = File::open(path).map_err(io_error)?;
        let mut archive = ZipArchive::new(BufReader::new(&file)).map_err(not_a_zip)?;
        if archive.is_empty() {
            return Err(ArchiveError::NoMember { path: path.to_owned() });
        }
        if archive.len() > 1 || archive.has_duplicate_names() {
            return Err(ArchiveError::SeveralMembers { path: path.to_owned(), found: archive.len().max(2) });
        }
        let entry = archive.by_index_raw(0).map_err(not_a_zip)?;
        let name = check_name(path, part, &String::from_utf8_lossy(entry.name_raw()))?;
        let declared = Declared { size: entry.size(), compressed: entry.compressed_size(), crc: entry.crc32() };
        if declared.size > MAX_MEMBER_BYTES {
            return Err(ArchiveError::MemberTooLarge { path: path.to_owned(), size: declared.size });
        }
        if declared.size > SMALL && declared.size / MAX_RATIO > declared.compressed {
            return Err(ArchiveError::Bomb { path: path.to_owned(), size: declared.size });
        }
        let method = entry.compression();
        let start = entry.data_start().filter(|_| !entry.encrypted());
        drop(entry);
        drop(archive);
        let unsupported = |how: String| ArchiveError::Unsupported { path: path.to_owned(), how };
        let start = start.ok_or_else(|| unsupported("encryption".to_owned()))?;
        file.seek(SeekFrom::Start(start)).map_err(io_error)?;
        let raw = file.take(declared.compressed);
        let source = match method {
            CompressionMethod::Stored => Source::Stored(raw),
            CompressionMethod::Deflated => {
                Source::Deflated(DeflateDecoder::new(BufReader::with_capacity(RAW_BUFFER, raw)))
            }
            other => return Err(unsupported(format!("compression method {other}"))),
        };
        Ok(Self { path: path.to_owned(), name, source, crc: Crc::new(), declared })
    }

    /// The archive it is in.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What its name says.
    #[must_use]
    pub fn name(&self) -> SourceName {
        self.name
    }

    /// Its length in bytes, as the archive declares it and the end of reading proves it.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.declared.size
    }

    /// Reads on; 0 once the member has ended and its size and checksum were what was declared.
    ///
    /// # Errors
    /// [`ArchiveError::WrongSize`], [`ArchiveError::Damaged`] or [`ArchiveError::Io`].
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let result = match &mut self.source {
            Source::Stored(raw) => raw.read(buffer),
            Source::Deflated(inflate) => inflate.read(buffer),
        };
        let count = result.map_err(|e| self.read_error(e))?;
        self.crc.update(&buffer[..count]);
        // The crate's count wraps at 4 GiB, which MAX_MEMBER_BYTES keeps out of reach.
        let size = u64::from(self.crc.amount());
        if size > self.declared.size || (count == 0 && size < self.declared.size) {
            return Err(ArchiveError::WrongSize { path: self.path.clone(), declared: self.declared.size, found: size });
        }
        if count == 0 && !buffer.is_empty() {
            self.check_end()?;
        }
        Ok(count)
    }

    fn check_end(&self) -> Result<(), ArchiveError> {
        let damaged = |reason: &str| ArchiveError::Damaged { path: self.path.clone(), reason: reason.to_owned() };
        if self.crc.sum() != self.declared.crc {
            return Err(damaged("its checksum does not match"));
        }
        if let Source::Deflated(inflate) = &self.source
            && inflate.total_in() != self.declared.compressed
        {
            return Err(damaged("it ends before its declared compressed size"));
        }
        Ok(())
    }

    fn read_error(&self, source: io::Error) -> ArchiveError {
        let path = self.path.clone();
        match source.kind() {
            io::ErrorKind::UnexpectedEof => ArchiveError::Damaged { path, reason: "it is cut short".to_owned() },
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                ArchiveError::Damaged { path, reason: source.to_string() }
            }
            _ => ArchiveError::Io { path, source },
        }
    }
}

/// Reads the archive at `path`, whatever it is called, to its end: it has to hold `expected`, intact.
///
/// # Errors
/// An [`ArchiveError`] about the first thing wrong.
pub fn check_archive(path: &Path, expected: SourceName) -> Result<(), ArchiveError> {
    let mut member = Member::open(path, expected.part)?;
    if member.name().state != expected.state {
        return Err(ArchiveError::WrongMember {
            path: path.to_owned(),
            found: member.name().member(),
            expected: expected.member(),
        });
    }
    let mut buffer = vec![0; RAW_BUFFER];
    while member.read(&mut buffer)? > 0 {}
    Ok(())
}

/// The member has to be `part`, of the state the archive is named after.
fn check_name(path: &Path, part: Part, member: &str) -> Result<SourceName, ArchiveError> {
    let state = SourceName::of_archive(path).map(|name| name.state);
    let found = SourceName::of_member(member);
    let right = |name: &SourceName| name.part == part && state.is_none_or(|state| state == name.state);
    found.filter(right).ok_or_else(|| {
        let expected = match state {
            Some(state) => SourceName { state, part }.member(),
            None => format!("a state's two letters and {part}.uf1"),
        };
        ArchiveError::WrongMember { path: path.to_owned(), found: member.to_owned(), expected }
    })
}
