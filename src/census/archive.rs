//! Records out of the Bureau's archives, streamed.
//!
//! ```text
//! file ─► Member (inflate, size, checksum) ─► Lines ─► SegmentReader ─► Line
//!                                                  └─► GeoReader ─────► GeoRecord
//! ```
//! A reader that has said "no more lines" has seen the whole member, and its size and checksum were
//! right.

use super::dictionary::Dictionary;
pub use super::error::ArchiveError;
use super::geo::GeoRecord;
use super::line::Line;
use super::lines::Lines;
use super::names::{Part, SourceName};
use std::path::Path;

/// The lines of one segment's archive.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use ingest_lab::census::{Line, SegmentReader};
/// let mut reader = SegmentReader::open("data/ny00001_uf1.zip".as_ref(), 1)?;
/// let mut line = Line::default();
/// while let Some(number) = reader.next_record(&mut line)? {
///     println!("line {number}: {} items", line.values.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SegmentReader {
    lines: Lines,
    segment: u8,
    items: usize,
}

impl SegmentReader {
    /// Opens the archive at `path`, whose member has to be that of `segment` (1 to 39).
    ///
    /// # Errors
    /// An [`ArchiveError`] about the archive as a whole.
    pub fn open(path: &Path, segment: u8) -> Result<Self, ArchiveError> {
        let lines = Lines::open(path, Part::Segment(segment))?;
        Ok(Self { lines, segment, items: Dictionary::embedded().items_of_segment(segment) })
    }

    /// State and segment.
    #[must_use]
    pub fn name(&self) -> SourceName {
        self.lines.member().name()
    }

    /// How many items each line has to have.
    #[must_use]
    pub fn items(&self) -> usize {
        self.items
    }

    /// Bytes of text the member declares to have.
    #[must_use]
    pub fn text_bytes(&self) -> u64 {
        self.lines.member().size()
    }

    /// Puts the next line's bytes, without its line end, into `into` (which is cleared first);
    /// returns its 1-based number, or `None` at the end of an intact member.
    ///
    /// # Errors
    /// An [`ArchiveError`] that names the file, and the line if it is too long.
    pub fn next_line(&mut self, into: &mut Vec<u8>) -> Result<Option<u64>, ArchiveError> {
        copy_line(&mut self.lines, into)
    }

    /// Parses the next line into `into`; returns its 1-based number, or `None` at the end of an
    /// intact member.
    ///
    /// # Errors
    /// An [`ArchiveError`] that names the file, and the line if it cannot be used.
    pub fn next_record(&mut self, into: &mut Line) -> Result<Option<u64>, ArchiveError> {
        let name = self.lines.member().name();
        let Some((number, bytes)) = self.lines.next()? else {
            return Ok(None);
        };
        let parsed =
            Line::parse(bytes, self.items, into).and_then(|()| into.check_source(name.state.as_str(), self.segment));
        match parsed {
            Ok(()) => Ok(Some(number)),
            Err(source) => {
                let path = self.lines.member().path().to_owned();
                Err(ArchiveError::Line { path, line: number, source })
            }
        }
    }
}

/// The records of one state's geographic header.
#[derive(Debug)]
pub struct GeoReader {
    lines: Lines,
}

impl GeoReader {
    /// Opens the archive at `path`, whose member has to be a geographic header.
    ///
    /// # Errors
    /// An [`ArchiveError`] about the archive as a whole.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        Ok(Self { lines: Lines::open(path, Part::Geo)? })
    }

    /// Whose header it is.
    #[must_use]
    pub fn name(&self) -> SourceName {
        self.lines.member().name()
    }

    /// Bytes of text the member declares to have.
    #[must_use]
    pub fn text_bytes(&self) -> u64 {
        self.lines.member().size()
    }

    /// Puts the next record's bytes, without its line end, into `into` (which is cleared first);
    /// returns its 1-based line number, or `None` at the end of an intact member.
    ///
    /// # Errors
    /// An [`ArchiveError`] that names the file, and the line if it is too long.
    pub fn next_line(&mut self, into: &mut Vec<u8>) -> Result<Option<u64>, ArchiveError> {
        copy_line(&mut self.lines, into)
    }

    /// The next record and its 1-based line number, or `None` at the end of an intact member.
    ///
    /// # Errors
    /// An [`ArchiveError`] that names the file, and the line if it cannot be used.
    pub fn next_record(&mut self) -> Result<Option<(u64, GeoRecord)>, ArchiveError> {
        let Some((line, bytes)) = self.lines.next()? else {
            return Ok(None);
        };
        match GeoRecord::parse(bytes) {
            Ok(record) => Ok(Some((line, record))),
            Err(source) => {
                let path = self.lines.member().path().to_owned();
                Err(ArchiveError::Geo { path, line, source })
            }
        }
    }
}

fn copy_line(lines: &mut Lines, into: &mut Vec<u8>) -> Result<Option<u64>, ArchiveError> {
    into.clear();
    Ok(lines.next()?.map(|(number, line)| {
        into.extend_from_slice(line);
        number
    }))
}
