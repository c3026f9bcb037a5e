//! What the Bureau calls its files: `ny00001_uf1.zip` holds `ny00001.uf1`, `nygeo_uf1.zip` holds
//! `nygeo.uf1`. Upper case and an addition before the ending (`ny00001.truncated.uf1`) are fine.

use super::dictionary::SEGMENTS;
use super::field::Field;
use std::fmt;
use std::path::Path;

/// One of the 40 files of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The geographic header.
    Geo,
    /// A segment, 1 to 39.
    Segment(u8),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Geo => f.write_str("geo"),
            Self::Segment(segment) => write!(f, "{segment:05}"),
        }
    }
}

/// What the name of an archive or of its member says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceName {
    /// The state's two letters, lower case.
    pub state: Field<2>,
    /// Which of its files.
    pub part: Part,
}

impl SourceName {
    /// Reads the name of an archive: `ny00001_uf1.zip`, `NYGEO_UF1.ZIP`, `ny00001.truncated.uf1.zip`.
    /// `None` for any other name.
    #[must_use]
    pub fn of_archive(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let (source, rest) = Self::split(name.strip_suffix(".zip")?)?;
        (rest == "_uf1" || is_member_ending(rest)).then_some(source)
    }

    /// Reads the name of an archive's member: `ny00001.uf1`, `NYGEO.UF1`, `ny00001.truncated.uf1`.
    /// `None` for any other name.
    #[must_use]
    pub fn of_member(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let (source, rest) = Self::split(&name)?;
        is_member_ending(rest).then_some(source)
    }

    /// The Bureau's name of the archive: `ny00001_uf1.zip`.
    #[must_use]
    pub fn archive(&self) -> String {
        format!("{}{}_uf1.zip", self.state, self.part)
    }

    /// The Bureau's name of the archive's member: `ny00001.uf1`.
    #[must_use]
    pub fn member(&self) -> String {
        format!("{}{}.uf1", self.state, self.part)
    }

    /// The two letters and the part that `name` (lower case) begins with, and what follows.
    fn split(name: &str) -> Option<(Self, &str)> {
        let (state, rest) = name.split_at_checked(2)?;
        if !state.bytes().all(|b| b.is_ascii_lowercase()) {
            return None;
        }
        let state = Field::new(state.as_bytes())?;
        if let Some(rest) = rest.strip_prefix("geo") {
            return Some((Self { state, part: Part::Geo }, rest));
        }
        let (digits, rest) = rest.split_at_checked(5)?;
        let number = digits.strip_prefix("000").filter(|n| n.bytes().all(|b| b.is_ascii_digit()))?;
        let segment = number.parse().ok().filter(|s| (1..=SEGMENTS).contains(s))?;
        Some((Self { state, part: Part::Segment(segment) }, rest))
    }
}

/// `.uf1`, or an addition between two points: `.truncated.uf1`.
fn is_member_ending(rest: &str) -> bool {
    rest.starts_with('.') && rest.ends_with(".uf1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(name: &str) -> Option<String> {
        SourceName::of_archive(Path::new(name)).map(|s| s.archive())
    }

    #[test]
    fn the_bureaus_names_are_read_in_either_case() {
        assert_eq!(archive("data/ny00001_uf1.zip").unwrap(), "ny00001_uf1.zip");
        assert_eq!(archive("NY00039_UF1.ZIP").unwrap(), "ny00039_uf1.zip");
        assert_eq!(archive("dcgeo_uf1.zip").unwrap(), "dcgeo_uf1.zip");
        assert_eq!(archive("ny00001.truncated.uf1.zip").unwrap(), "ny00001_uf1.zip");
        assert_eq!(SourceName::of_member("NY00001.truncated.uf1").unwrap().member(), "ny00001.uf1");
        assert_eq!(SourceName::of_member("nygeo.uf1").unwrap().part, Part::Geo);
    }

    #[test]
    fn other_names_are_not_taken_for_census_files() {
        for name in [
            "ny00040_uf1.zip",
            "ny00000_uf1.zip",
            "ny00001_uf2.zip",
            "ny00001.zip",
            "n100001_uf1.zip",
            "ny00101_uf1.zip",
            "ny0001_uf1.zip",
            "results.zip",
            "é.zip",
            "ny00001_uf1.zip.part",
            "",
        ] {
            assert_eq!(archive(name), None, "{name}");
        }
        assert_eq!(SourceName::of_member("ny00001_uf1"), None);
        assert_eq!(SourceName::of_member("dir/ny00001.uf1"), None);
    }
}
