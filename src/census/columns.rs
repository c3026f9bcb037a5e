//! Fields at fixed columns of a geographic record: how each is read and written.

use super::field::Field;
use super::line::excerpt;
use std::ops::RangeInclusive;
use thiserror::Error;

/// Characters of a record, without its line end.
pub const GEO_RECORD_LENGTH: usize = 400;

/// The longest NAME, in characters.
pub const NAME_LENGTH: usize = 90;

/// Why a geographic record was refused, or cannot be written. The archive reader adds the file and
/// the line number.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GeoError {
    /// Not 400 characters.
    #[error("{found} characters, but a geographic record has {GEO_RECORD_LENGTH}")]
    Length {
        /// Characters there are.
        found: usize,
    },
    /// A field other than NAME holds something that is not printable ASCII, or NAME holds a
    /// control character.
    #[error("{field} (characters {start} to {end}) is not printable ASCII: {text:?}")]
    NotText {
        /// Which field.
        field: &'static str,
        /// First character, 1-based.
        start: usize,
        /// Last character.
        end: usize,
        /// What it holds, shortened.
        text: String,
    },
    /// A number's field holds something else.
    #[error("{field} (characters {start} to {end}) is not a number: {text:?}")]
    NonNumeric {
        /// Which field.
        field: &'static str,
        /// First character, 1-based.
        start: usize,
        /// Last character.
        end: usize,
        /// What it holds, shortened.
        text: String,
    },
    /// Identifies nothing: FILEID, STUSAB or LOGRECNO is blank.
    #[error("{field} (characters {start} to {end}) is blank")]
    Blank {
        /// Which field.
        field: &'static str,
        /// First character, 1-based.
        start: usize,
        /// Last character.
        end: usize,
    },
    /// A value that its field has no room for, or that the form cannot hold.
    #[error("{field} does not fit characters {start} to {end}: {text:?}")]
    DoesNotFit {
        /// Which field.
        field: &'static str,
        /// First character, 1-based.
        start: usize,
        /// Last character.
        end: usize,
        /// The value, shortened.
        text: String,
    },
}

/// Where a field is.
pub(super) struct Columns {
    field: &'static str,
    at: RangeInclusive<usize>,
}

pub(super) const fn columns(field: &'static str, start: usize, end: usize) -> Columns {
    Columns { field, at: start..=end }
}

impl Columns {
    pub(super) fn of<'a>(&self, record: &'a [u8]) -> &'a [u8] {
        &record[self.at.start() - 1..*self.at.end()]
    }

    pub(super) fn check_present(&self, record: &[u8]) -> Result<(), GeoError> {
        if self.of(record).trim_ascii().is_empty() {
            return Err(GeoError::Blank { field: self.field, start: *self.at.start(), end: *self.at.end() });
        }
        Ok(())
    }

    pub(super) fn text<const N: usize>(&self, record: &[u8]) -> Result<Field<N>, GeoError> {
        Field::new(self.of(record)).ok_or_else(|| self.not_text(record))
    }

    /// A whole number, padded with blanks or zeros, maybe negative; blank is 0.
    pub(super) fn number(&self, record: &[u8]) -> Result<i64, GeoError> {
        let bytes = self.of(record).trim_ascii();
        if bytes.is_empty() {
            return Ok(0);
        }
        let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(self.non_numeric(bytes));
        }
        // At most 14 characters, so it fits.
        let number = digits.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0'));
        Ok(if digits.len() < bytes.len() { -number } else { number })
    }

    /// Every byte is a character of Latin-1; only control characters are refused.
    pub(super) fn latin1(&self, record: &[u8]) -> Result<String, GeoError> {
        if self.of(record).iter().any(u8::is_ascii_control) {
            return Err(self.not_text(record));
        }
        let text: String = self.of(record).iter().copied().map(char::from).collect();
        Ok(text.trim_matches(' ').to_owned())
    }

    pub(super) fn put_text(&self, record: &mut [u8], text: &[u8]) {
        record[self.at.start() - 1..][..text.len()].copy_from_slice(text);
    }

    pub(super) fn put_number(&self, record: &mut [u8], number: i64, pad: u8) -> Result<(), GeoError> {
        let text = number.to_string();
        let field = &mut record[self.at.start() - 1..*self.at.end()];
        let padding = field.len().checked_sub(text.len()).ok_or_else(|| self.does_not_fit(&text))?;
        field[..padding].fill(pad);
        field[padding..].copy_from_slice(text.as_bytes());
        Ok(())
    }

    pub(super) fn put_latin1(&self, record: &mut [u8], text: &str) -> Result<(), GeoError> {
        let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        let fits = |bytes: &Vec<u8>| bytes.len() <= NAME_LENGTH;
        let bytes = bytes.filter(fits).ok_or_else(|| self.does_not_fit(text))?;
        self.put_text(record, &bytes);
        Ok(())
    }

    pub(super) fn not_text(&self, record: &[u8]) -> GeoError {
        GeoError::NotText {
            field: self.field,
            start: *self.at.start(),
            end: *self.at.end(),
            text: excerpt(self.of(record)),
        }
    }

    pub(super) fn non_numeric(&self, bytes: &[u8]) -> GeoError {
        GeoError::NonNumeric { field: self.field, start: *self.at.start(), end: *self.at.end(), text: excerpt(bytes) }
    }

    pub(super) fn does_not_fit(&self, text: &str) -> GeoError {
        GeoError::DoesNotFit {
            field: self.field,
            start: *self.at.start(),
            end: *self.at.end(),
            text: excerpt(text.as_bytes()),
        }
    }
}
