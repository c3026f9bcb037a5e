//! What a container may use of the processors, as it is asked for.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Processors' worth of time, in thousandths; none is unlimited. Written `"0.25"` or `"unlimited"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cpus(Option<u32>);

/// Processors as the kernel and the engine write them: `0-1,3`. None where it is no such list.
pub fn processors(list: &str) -> Option<Vec<usize>> {
    let mut all = Vec::new();
    for part in list.trim().split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (usize, usize) = (from.parse().ok()?, to.parse().ok()?);
        if to >= MOST as usize || all.len() > MOST as usize {
            return None;
        }
        all.extend(from..=to);
    }
    Some(all)
}

/// The least that is accepted: the kernel takes no quota below 1 ms in a period of 100 ms.
const LEAST: f64 = 0.01;

/// More than any machine has.
const MOST: f64 = 4_096.0;

impl Cpus {
    /// No limit.
    pub const UNLIMITED: Self = Self(None);

    /// So many processors' worth of time, if that can be set at all.
    pub fn new(count: f64) -> Result<Self, String> {
        if (LEAST..=MOST).contains(&count) {
            return Ok(Self(Some((count * 1_000.0).round() as u32)));
        }
        Err(format!("{count} CPUs cannot be set: give {LEAST} or more, or \"unlimited\""))
    }

    /// Processors' worth of time; none where there is no limit.
    pub fn count(self) -> Option<f64> {
        self.0.map(|thousandths| f64::from(thousandths) / 1_000.0)
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count() {
            None => f.write_str("unlimited"),
            Some(count) => write!(f, "{count}"),
        }
    }
}

impl FromStr for Cpus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "unlimited" {
            return Ok(Self::UNLIMITED);
        }
        let count = text.parse().map_err(|_| format!("`{text}` is no number of CPUs: write \"0.25\" or \"unlimited\""));
        Self::new(count?)
    }
}

impl Serialize for Cpus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cpus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

/// Text only: a number gets a sentence that says what is expected instead.
struct Text;

impl Visitor<'_> for Text {
    type Value = Cpus;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CPUs as text: \"0.25\", \"2\" or \"unlimited\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cpus, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_read_as_the_kernel_writes_them() {
        assert_eq!(processors("0-1,3\n"), Some(vec![0, 1, 3]));
        assert_eq!(processors(""), None);
        assert_eq!(processors("nonsense"), None);
        assert_eq!(processors("0-18446744073709551615"), None, "more than any machine has");
        assert_eq!(processors(&"0-4095,".repeat(1_000)), None);
    }

    #[test]
    fn cpus_are_text_and_load_again() {
        for text in ["0.25", "0.5", "1", "2.5", "unlimited"] {
            assert_eq!(text.parse::<Cpus>().unwrap().to_string(), text);
        }
        for wrong in ["0", "-1", "0.001", "NaN", "inf", "none", ""] {
            assert!(wrong.parse::<Cpus>().is_err(), "{wrong}");
        }
        let error = serde_json::from_str::<Cpus>("1").unwrap_err().to_string();
        assert!(error.contains("invalid type: integer `1`, expected CPUs as text"), "{error}");
    }
}
