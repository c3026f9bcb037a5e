//! One line of a segment file: `FILEID,STUSAB,CHARITER,CIFSN,LOGRECNO,item,item,…`.
//!
//! Parsing is the harness's own ceiling, so it works on bytes, reuses its buffers and allocates
//! nothing an item. Nine items of ten in real files are a single `0`.

use super::field::Field;
use thiserror::Error;

/// The largest item, in hundredths: items are stored as `numeric(10,2)`, so 99,999,999.99.
pub const MAX_HUNDREDTHS: i64 = 9_999_999_999;

/// Fields before the first item.
const HEADER_FIELDS: usize = 5;

/// A parsed line. Reused from line to line by [`Line::parse`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// FILEID: `uSF1`.
    pub file_id: Field<6>,
    /// STUSAB: the state's two-letter code.
    pub stusab: Field<2>,
    /// CHARITER: characteristic iteration, always `000` in SF1.
    pub chariter: Field<3>,
    /// CIFSN: the segment, two digits.
    pub cifsn: Field<2>,
    /// LOGRECNO: joins the line to its geographic record.
    pub logrecno: u32,
    /// The items in hundredths (`35.5` is 3550), in dictionary order.
    pub values: Vec<i64>,
}

/// Why a line was refused. The archive reader adds the file and the line number.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineError {
    /// One of the five leading fields is not what it must be.
    #[error("{field} is {found:?}, not {expected}")]
    Header {
        /// Which field.
        field: &'static str,
        /// What it says, shortened.
        found: String,
        /// What it has to be.
        expected: String,
    },
    /// The line ends early.
    #[error("{found} items, but the dictionary has {expected}")]
    TooFewItems {
        /// Items of the segment.
        expected: usize,
        /// Items of the line.
        found: usize,
    },
    /// The line goes on after its last item.
    #[error("{found} items, but the dictionary has {expected}")]
    TooManyItems {
        /// Items of the segment.
        expected: usize,
        /// Items of the line.
        found: usize,
    },
    /// Two commas in a row, or a comma at the end.
    #[error("item {item} is empty")]
    EmptyItem {
        /// 1-based position among the items.
        item: usize,
    },
    /// A byte outside ASCII.
    #[error("item {item} is not ASCII: {text:?}")]
    NonAscii {
        /// 1-based position among the items.
        item: usize,
        /// The item, shortened.
        text: String,
    },
    /// Not a whole number and not a decimal with one or two places.
    #[error("item {item} is not a number with at most two decimals: {text:?}")]
    NonNumeric {
        /// 1-based position among the items.
        item: usize,
        /// The item, shortened.
        text: String,
    },
    /// Does not fit `numeric(10,2)`.
    #[error("item {item} is outside ±99,999,999.99: {text:?}")]
    OutOfRange {
        /// 1-based position among the items.
        item: usize,
        /// The item, shortened.
        text: String,
    },
}

impl Line {
    /// Parses `bytes` (one line, with or without its `\r\n`) into `into`, reusing its buffers.
    ///
    /// `expected_items` is what the dictionary says of the segment.
    ///
    /// # Errors
    /// A [`LineError`] about the first thing wrong; `into` then holds nothing meaningful.
    pub fn parse(bytes: &[u8], expected_items: usize, into: &mut Self) -> Result<(), LineError> {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let items = into.parse_header(bytes)?;
        into.values.resize(expected_items, 0);
        parse_items(items, &mut into.values)
    }

    /// Checks that the line is of this state (two letters, either case) and segment, as
    /// [`SegmentReader::next_record`](super::SegmentReader::next_record) does of each line.
    ///
    /// # Errors
    /// [`LineError::Header`] about STUSAB or CIFSN.
    pub fn check_source(&self, state: &str, segment: u8) -> Result<(), LineError> {
        let wrong = |field, found: &str, expected| Err(LineError::Header { field, found: found.to_owned(), expected });
        if !self.stusab.as_str().eq_ignore_ascii_case(state) {
            return wrong("STUSAB", self.stusab.as_str(), state.to_ascii_uppercase());
        }
        if self.cifsn.as_bytes() != [b'0' + segment / 10, b'0' + segment % 10] {
            return wrong("CIFSN", self.cifsn.as_str(), format!("{segment:02}"));
        }
        Ok(())
    }

    /// Reads the five leading fields; returns what follows the fifth comma.
    fn parse_header<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], LineError> {
        let mut fields = bytes.splitn(HEADER_FIELDS + 1, |b| *b == b',');
        let mut next = || fields.next().unwrap_or_default();
        self.file_id = header("FILEID", next(), "1 to 6 ASCII characters")?;
        self.stusab = header("STUSAB", next(), "a state's two letters")?;
        self.chariter = header("CHARITER", next(), "three digits")?;
        self.cifsn = header("CIFSN", next(), "a segment's two digits")?;
        self.logrecno = logrecno(next())?;
        Ok(next())
    }
}

/// A leading field that must not be empty.
fn header<const N: usize>(field: &'static str, bytes: &[u8], expected: &str) -> Result<Field<N>, LineError> {
    Field::new(bytes).filter(|value| !value.is_empty()).ok_or_else(|| LineError::Header {
        field,
        found: excerpt(bytes),
        expected: expected.to_owned(),
    })
}

/// LOGRECNO as lines and geographic records have it: one to seven digits.
fn logrecno(bytes: &[u8]) -> Result<u32, LineError> {
    let digits = bytes.len() <= 7 && !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    if !digits {
        return Err(LineError::Header {
            field: "LOGRECNO",
            found: excerpt(bytes),
            expected: "one to seven digits".to_owned(),
        });
    }
    Ok(bytes.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0')))
}

/// Fills `values` from the comma-separated `items`, which must be exactly as many.
fn parse_items(items: &[u8], values: &mut [i64]) -> Result<(), LineError> {
    let expected = values.len();
    let mut at = 0;
    let mut ended = items.is_empty();
    for (index, slot) in values.iter_mut().enumerate() {
        if ended {
            return Err(LineError::TooFewItems { expected, found: index });
        }
        let (value, end) = match items.get(at..at + 2) {
            Some(&[digit @ b'0'..=b'9', b',']) => (i64::from(digit - b'0') * 100, at + 1),
            _ => parse_item(items, at, index)?,
        };
        *slot = value;
        ended = end >= items.len();
        at = end + 1;
    }
    if !ended {
        let found = items.split(|b| *b == b',').count();
        return Err(LineError::TooManyItems { expected, found });
    }
    Ok(())
}

/// The item that starts at `start`, in hundredths, and the position of the comma or end after it.
#[inline]
fn parse_item(items: &[u8], start: usize, index: usize) -> Result<(i64, usize), LineError> {
    let mut number = 0_i64;
    let mut at = start;
    while let Some(&byte) = items.get(at) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number.wrapping_mul(10).wrapping_add(i64::from(digit));
        at += 1;
    }
    let ends = items.get(at).is_none_or(|b| *b == b',');
    // Eight digits are all that numeric(10,2) has before the point, and cannot overflow above.
    if ends && (1..=8).contains(&(at - start)) {
        return Ok((number * 100, at));
    }
    parse_unusual_item(items, start, index)
}

/// The same for an item with a sign, a decimal point, many digits, or something wrong with it.
#[cold]
fn parse_unusual_item(items: &[u8], start: usize, index: usize) -> Result<(i64, usize), LineError> {
    let rest = &items[start..];
    let text = &rest[..memchr::memchr(b',', rest).unwrap_or(rest.len())];
    let item = index + 1;
    if text.is_empty() {
        return Err(LineError::EmptyItem { item });
    }
    if !text.is_ascii() {
        return Err(LineError::NonAscii { item, text: excerpt(text) });
    }
    let non_numeric = || LineError::NonNumeric { item, text: excerpt(text) };
    let (magnitude, negative) = match text.strip_prefix(b"-") {
        Some(magnitude) => (magnitude, true),
        None => (text, false),
    };
    let (whole, decimals) = split_at_point(magnitude);
    let numeric = whole.iter().chain(decimals.unwrap_or_default()).all(u8::is_ascii_digit);
    let places = decimals.map_or(0, <[u8]>::len);
    let complete = decimals.map_or(!whole.is_empty(), |d| matches!(d.len(), 1 | 2));
    if !numeric || !complete {
        return Err(non_numeric());
    }
    let mut value = 0_i64;
    for digit in whole.iter().chain(decimals.unwrap_or_default()) {
        value = value.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
    }
    for _ in places..2 {
        value = value.saturating_mul(10);
    }
    if value > MAX_HUNDREDTHS {
        return Err(LineError::OutOfRange { item, text: excerpt(text) });
    }
    Ok((if negative { -value } else { value }, start + text.len()))
}

fn split_at_point(magnitude: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'.', magnitude) {
        Some(point) => (&magnitude[..point], Some(&magnitude[point + 1..])),
        None => (magnitude, None),
    }
}

/// The first 24 characters of something wrong, fit for a message.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    let mut text: String = String::from_utf8_lossy(bytes).chars().take(24).collect();
    if bytes.len() > 24 {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "uSF1,NY,000,01,0000077,";

    fn parse(line: &str, expected: usize) -> Result<Line, LineError> {
        let mut parsed = Line::default();
        Line::parse(line.as_bytes(), expected, &mut parsed).map(|()| parsed)
    }

    fn values(items: &str) -> Result<Vec<i64>, LineError> {
        parse(&format!("{HEADER}{items}"), items.split(',').count()).map(|line| line.values)
    }

    fn message(items: &str, expected: usize) -> String {
        parse(&format!("{HEADER}{items}"), expected).unwrap_err().to_string()
    }

    #[test]
    fn a_line_is_its_header_and_items_in_hundredths() {
        let line = parse("uSF1,NY,000,01,0000077,18976457,0,35.5,2.61,-0.05,.5", 6).unwrap();
        assert_eq!(line.file_id.as_str(), "uSF1");
        assert_eq!(line.stusab.as_str(), "NY");
        assert_eq!((line.chariter.as_str(), line.cifsn.as_str()), ("000", "01"));
        assert_eq!(line.logrecno, 77);
        assert_eq!(line.values, [1_897_645_700, 0, 3550, 261, -5, 50]);
    }

    #[test]
    fn either_line_end_is_accepted() {
        for end in ["", "\n", "\r", "\r\n"] {
            assert_eq!(values(&format!("1,2{end}")).unwrap(), [100, 200]);
        }
    }

    #[test]
    fn items_up_to_numeric_10_2_are_accepted() {
        assert_eq!(values("99999999.99,-99999999.99").unwrap(), [9_999_999_999, -9_999_999_999]);
        assert_eq!(values("99999999,00000000012").unwrap(), [9_999_999_900, 1200]);
        for item in ["100000000", "-100000000.00", "99999999999999999999999", "999999999.9"] {
            assert!(matches!(values(item), Err(LineError::OutOfRange { item: 1, .. })), "{item}");
        }
    }

    #[test]
    fn a_wrong_number_of_items_is_told_with_both_numbers() {
        assert_eq!(message("1,2", 3), "2 items, but the dictionary has 3");
        assert_eq!(message("1,2,3,4,5", 3), "5 items, but the dictionary has 3");
        assert_eq!(message("1", 0), "1 items, but the dictionary has 0");
        assert_eq!(message("", 3), "0 items, but the dictionary has 3");
        assert_eq!(message("1,2,3,", 3), "4 items, but the dictionary has 3");
    }

    #[test]
    fn an_item_that_is_no_number_is_named() {
        assert_eq!(message("1,,3", 3), "item 2 is empty");
        assert_eq!(message("1,2,", 3), "item 3 is empty");
        assert_eq!(message("1,é,3", 3), "item 2 is not ASCII: \"é\"");
        for item in ["x", "1x", " 1", "1 ", "+1", "-", ".", "5.", "1.234", "1.2.3", "--1", "1-", "0x1F", "1e3", "NaN"] {
            assert!(matches!(values(item), Err(LineError::NonNumeric { item: 1, .. })), "{item:?}");
        }
    }

    #[test]
    fn a_bad_leading_field_is_named() {
        for (line, field) in [
            ("", "FILEID"),
            ("uSF1000,NY,000,01,0000001,1", "FILEID"),
            ("uSF1,NYC,000,01,0000001,1", "STUSAB"),
            ("uSF1,NY,0000,01,0000001,1", "CHARITER"),
            ("uSF1,NY,000,,0000001,1", "CIFSN"),
            ("uSF1,NY,000,01,00000001,1", "LOGRECNO"),
            ("uSF1,NY,000,01,00x0001,1", "LOGRECNO"),
            ("uSF1,NY,000,01", "LOGRECNO"),
        ] {
            let error = parse(line, 1).unwrap_err();
            assert!(matches!(&error, LineError::Header { field: f, .. } if *f == field), "{error}");
        }
    }

    #[test]
    fn a_line_leaves_nothing_behind_for_the_next() {
        let mut line = Line::default();
        Line::parse(b"uSF1,NY,000,01,0000001,1,2,3", 3, &mut line).unwrap();
        Line::parse(b"uSF1,NY,000,01,0000002,4", 1, &mut line).unwrap();
        assert_eq!((line.logrecno, line.values), (2, vec![400]));
    }

    proptest! {
        #[test]
        fn every_value_is_read_as_it_is_written(
            hundredths in prop::collection::vec(-MAX_HUNDREDTHS..=MAX_HUNDREDTHS, 1..300),
            whole in prop::collection::vec(0_i64..1_000, 1..300),
        ) {
            let written = |v: &i64| {
                let sign = if *v < 0 { "-" } else { "" };
                format!("{sign}{}.{:02}", v.abs() / 100, v.abs() % 100)
            };
            let items: Vec<String> =
                hundredths.iter().map(written).chain(whole.iter().map(i64::to_string)).collect();
            let expected: Vec<i64> =
                hundredths.iter().copied().chain(whole.iter().map(|v| v * 100)).collect();
            prop_assert_eq!(values(&items.join(",")).unwrap(), expected);
        }

        #[test]
        fn no_bytes_make_the_parser_panic(
            bytes in prop::collection::vec(prop_oneof![Just(b','), Just(b'0'), any::<u8>()], 0..200),
            expected in 0_usize..9,
        ) {
            let mut line = Line::default();
            let _ = Line::parse(&bytes, expected, &mut line);
            let with_header = [HEADER.as_bytes(), &bytes].concat();
            let _ = Line::parse(&with_header, expected, &mut line);
        }
    }
}
