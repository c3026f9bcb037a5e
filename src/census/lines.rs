//! Lines of a member, whatever they hold: slices of one buffer of inflated text.

use super::error::ArchiveError;
use super::member::Member;
use super::names::Part;
use std::ops::Range;
use std::path::Path;

/// The longest line that is read. The longest that SF1 can have is that of a segment of some 270
/// items of 11 characters: about 3,300 bytes.
pub const MAX_LINE_BYTES: usize = 16 * 1024;

/// Inflated text kept at once; room for at least one line of [`MAX_LINE_BYTES`].
const TEXT_BUFFER: usize = 256 * 1024;

/// Lines of an archive's one member, of whichever part.
#[derive(Debug)]
pub(super) struct Lines {
    member: Member,
    text: Vec<u8>,
    /// What of `text` is read but not yet handed out.
    pending: Range<usize>,
    line: u64,
    ended: bool,
}

impl Lines {
    pub(super) fn open(path: &Path, part: Part) -> Result<Self, ArchiveError> {
        let member = Member::open(path, part)?;
        Ok(Self { member, text: vec![0; TEXT_BUFFER], pending: 0..0, line: 0, ended: false })
    }

    pub(super) fn member(&self) -> &Member {
        &self.member
    }

    /// The next line without its `\n` or `\r\n`, and its 1-based number. A last line without a line
    /// end counts.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &[u8])>, ArchiveError> {
        let mut searched = 0;
        let end = loop {
            let unread = &self.text[self.pending.clone()];
            if let Some(at) = memchr::memchr(b'\n', &unread[searched..]) {
                break Some(searched + at);
            }
            searched = unread.len();
            if searched > MAX_LINE_BYTES {
                break Some(searched);
            }
            if self.ended {
                break None;
            }
            self.fill()?;
        };
        if end.is_none() && searched == 0 {
            return Ok(None);
        }
        let length = end.unwrap_or(searched);
        let start = self.pending.start;
        self.pending.start = (start + length + 1).min(self.pending.end);
        self.line += 1;
        if length > MAX_LINE_BYTES {
            return Err(ArchiveError::LineTooLong {
                path: self.member.path().to_owned(),
                line: self.line,
                limit: MAX_LINE_BYTES,
            });
        }
        let line = &self.text[start..start + length];
        Ok(Some((self.line, line.strip_suffix(b"\r").unwrap_or(line))))
    }

    /// Moves what is pending to the front and reads on behind it.
    fn fill(&mut self) -> Result<(), ArchiveError> {
        self.text.copy_within(self.pending.clone(), 0);
        self.pending = 0..self.pending.len();
        let count = self.member.read(&mut self.text[self.pending.end..])?;
        self.pending.end += count;
        self.ended = count == 0;
        Ok(())
    }
}
