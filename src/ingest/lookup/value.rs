//! Values of a row that neither Rust nor the driver has a type for: decoded from the binary protocol.

use std::error::Error as StdError;
use std::fmt;
use tokio_postgres::types::{FromSql, Type};

type Decoded<T> = Result<T, Box<dyn StdError + Sync + Send>>;

/// A `uuid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uuid(pub [u8; 16]);

impl<'a> FromSql<'a> for Uuid {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Decoded<Self> {
        Ok(Self(raw.try_into()?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }
}

impl fmt::Display for Uuid {
    /// As PostgreSQL writes it: lower case, with hyphens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let hyphen = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{hyphen}{byte:02x}")?;
        }
        Ok(())
    }
}

/// A `jsonb`: a version byte, then text.
pub(super) struct Json(pub(super) serde_json::Value);

impl<'a> FromSql<'a> for Json {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Decoded<Self> {
        let Some((1, text)) = raw.split_first() else { return Err("a jsonb of another version".into()) };
        Ok(Self(serde_json::from_slice(text)?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSONB
    }
}

/// A `text[]`, one behind the other: a row's 256 tokens in two allocations instead of 257.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    text: String,
    /// Where each ends.
    ends: Vec<u32>,
}

impl Texts {
    /// Of texts one behind the other; none where an end is not between two characters, in order, the last at the end.
    pub(super) fn new(text: String, ends: Vec<u32>) -> Option<Self> {
        let whole = ends.iter().all(|end| text.is_char_boundary(*end as usize));
        let last = ends.last().map_or(0, |end| *end as usize);
        (whole && ends.is_sorted() && last == text.len()).then_some(Self { text, ends })
    }

    /// All of them, one behind the other.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where each ends in that.
    pub(super) fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|end| *end as usize));
        starts.zip(&self.ends).map(|(start, end)| &self.text[start..*end as usize])
    }
}

impl<'a> FromIterator<&'a str> for Texts {
    fn from_iter<I: IntoIterator<Item = &'a str>>(texts: I) -> Self {
        let mut all = Self::default();
        for text in texts {
            all.text.push_str(text);
            all.ends.push(all.text.len() as u32);
        }
        all
    }
}

impl<'a> FromSql<'a> for Texts {
    /// Dimensions, whether there are nulls, the elements' type; of the one dimension length and lower bound; then each
    /// element behind its length. Source: `array_send` in PostgreSQL's `utils/adt/arrayfuncs.c`.
    fn from_sql(_: &Type, raw: &'a [u8]) -> Decoded<Self> {
        const CUT_OFF: &str = "an array that is cut off";
        let (dimensions, rest) = number(raw).ok_or(CUT_OFF)?;
        let (nulls, rest) = number(rest).ok_or(CUT_OFF)?;
        let (_, rest) = number(rest).ok_or(CUT_OFF)?;
        if dimensions == 0 {
            return Ok(Self::default());
        }
        if (dimensions, nulls) != (1, 0) {
            return Err("an array of several dimensions, or with nulls".into());
        }
        let (length, rest) = number(rest).ok_or(CUT_OFF)?;
        let (_, mut rest) = number(rest).ok_or(CUT_OFF)?;
        let texts = rest.len().checked_sub(length.saturating_mul(4)).ok_or(CUT_OFF)?;
        let (mut text, mut ends) = (Vec::with_capacity(texts), Vec::with_capacity(length));
        for _ in 0..length {
            let (size, element) = number(rest).ok_or(CUT_OFF)?;
            let (element, after) = element.split_at_checked(size).ok_or(CUT_OFF)?;
            text.extend_from_slice(element);
            ends.push(text.len() as u32); // a value has a gigabyte at most
            rest = after;
        }
        Self::new(String::from_utf8(text)?, ends).ok_or_else(|| "text that is not UTF-8".into())
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TEXT_ARRAY
    }
}

/// The next 32-bit number, and what follows it. One below zero, as of a null, is more than there can be.
#[inline]
fn number(rest: &[u8]) -> Option<(usize, &[u8])> {
    let (bytes, after) = rest.split_first_chunk()?;
    Some((u32::from_be_bytes(*bytes) as usize, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `text[]` as the server sends it.
    fn array(elements: &[&str]) -> Vec<u8> {
        let head = if elements.is_empty() { vec![0, 0, 25] } else { vec![1, 0, 25, elements.len() as i32, 1] };
        let mut raw: Vec<u8> = head.into_iter().flat_map(i32::to_be_bytes).collect();
        for element in elements {
            raw.extend((element.len() as i32).to_be_bytes());
            raw.extend(element.as_bytes());
        }
        raw
    }

    #[test]
    fn an_array_is_its_elements_whatever_they_hold() {
        for elements in [&["-540", "", "ä", "x,y"][..], &[], &[""]] {
            let texts = Texts::from_sql(&Type::TEXT_ARRAY, &array(elements)).unwrap();
            assert_eq!(texts.iter().collect::<Vec<_>>(), elements);
            assert_eq!(texts.len(), elements.len());
        }
    }

    #[test]
    fn an_array_that_is_cut_off_or_no_text_is_refused() {
        let raw = array(&["one", "two"]);
        (0..raw.len()).for_each(|end| assert!(Texts::from_sql(&Type::TEXT_ARRAY, &raw[..end]).is_err(), "{end}"));
        let mut halves = array(&["a", "b"]);
        let last = halves.len() - 1;
        (halves[24], halves[last]) = (0xC3, 0xA4); // together a character, each by itself none
        assert!(Texts::from_sql(&Type::TEXT_ARRAY, &halves).is_err());
    }
}
