//! A short ASCII field held inline: what a line begins with, without an allocation.

use std::fmt;

/// At most `N` printable ASCII characters, trimmed of blanks, stored inline.
///
/// Used for the identifying fields of lines and geographic records (FILEID, STUSAB, …), which are
/// copied for every record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Field<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> Field<N> {
    /// The field `bytes` holds once its surrounding blanks are dropped; `None` where that is longer
    /// than `N` or is not printable ASCII.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let trimmed = bytes.trim_ascii();
        if trimmed.len() > N || !trimmed.iter().all(|b| matches!(b, b' '..=b'~')) {
            return None;
        }
        let mut field = Self::default();
        field.bytes[..trimmed.len()].copy_from_slice(trimmed);
        field.len = u8::try_from(trimmed.len()).ok()?;
        Some(field)
    }

    /// The characters, without padding.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The characters as bytes, without padding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Whether there is nothing but blanks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<const N: usize> Default for Field<N> {
    fn default() -> Self {
        Self { bytes: [0; N], len: 0 }
    }
}

impl<const N: usize> fmt::Debug for Field<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl<const N: usize> fmt::Display for Field<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_trimmed_and_bounded() {
        assert_eq!(Field::<6>::new(b"uSF1  ").unwrap().as_str(), "uSF1");
        assert!(Field::<2>::new(b"  ").unwrap().is_empty());
        assert_eq!(Field::<2>::new(b"NYC"), None);
        assert_eq!(Field::<2>::new(b"N\xd1"), None);
        assert_eq!(Field::<2>::new(b"N\0"), None);
    }
}
