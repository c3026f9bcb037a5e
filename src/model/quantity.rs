//! Quantities of a link, always with their unit: `20ms`, `0.1%`, `100mbit`. A bare number is refused,
//! because a reader could not tell what it means. What is shown reads back as the same value.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Why a text is no quantity: one clause that follows the field's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct QuantityError(pub String);

/// A quantity's unit and how many of the smallest it holds.
type Unit = (&'static str, f64);

const TIMES: [Unit; 5] = [("s", 1e9), ("ms", 1e6), ("us", 1e3), ("µs", 1e3), ("ns", 1.0)];
const SHARES: [Unit; 1] = [("%", 1e7)];
const RATES: [Unit; 4] = [("gbit", 1e9), ("mbit", 1e6), ("kbit", 1e3), ("bit", 1.0)];
const RUNS: [Unit; 2] = [("packets", 1.0), ("packet", 1.0)];

/// The word for no bound. There is no rate of 0.
const UNLIMITED: &str = "unlimited";

/// A delay or the width of a jitter, to the nanosecond.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Delay(u64);

impl Delay {
    /// More than any link on Earth or to a satellite has; a longer one is a slip.
    pub const MAX: Self = Self(10_000_000_000);

    /// From nanoseconds.
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// In nanoseconds.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// As the standard library has it.
    pub const fn duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// Nothing at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl FromStr for Delay {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let delay = Self(whole(text, &TIMES, "20ms")?);
        if delay > Self::MAX {
            return Err(QuantityError(format!("{text} is more than {}, the most there is", Self::MAX)));
        }
        Ok(delay)
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.0, if self.0 == 0 { &TIMES[1..2] } else { &TIMES })
    }
}

/// A share of all packets, in billionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Share(u64);

impl Share {
    /// Where TCP stops to be usable; more is a slip.
    pub const MAX: Self = Self(500_000_000);

    /// Between 0 and 1.
    pub fn fraction(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl FromStr for Share {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let share = Self(whole(text, &SHARES, "0.1%")?);
        if share > Self::MAX {
            return Err(QuantityError(format!("{text} is more than {}, the most there is", Self::MAX)));
        }
        Ok(share)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.0, &SHARES)
    }
}

/// Bits a second, or unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate(Option<u64>);

impl Rate {
    /// No bound.
    pub const UNLIMITED: Self = Self(None);
    /// Slower than any modem; less is a slip.
    const LEAST: u64 = 1_000;
    /// Faster than any link here is; more is a slip: say "unlimited".
    const MOST: u64 = 100_000_000_000;

    /// The bound, if there is one.
    pub const fn bits_per_second(self) -> Option<u64> {
        self.0
    }
}

impl FromStr for Rate {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        if text == UNLIMITED {
            return Ok(Self::UNLIMITED);
        }
        let lower = text.to_ascii_lowercase();
        let bits = whole(lower.strip_suffix("/s").unwrap_or(&lower), &RATES, "100mbit")?;
        match bits {
            0 => Err(QuantityError(format!("{text} would let nothing through: say \"{UNLIMITED}\" for no bound"))),
            Self::LEAST..=Self::MOST => Ok(Self(Some(bits))),
            _ => Err(QuantityError(format!("{text} is not between 1kbit and 100gbit"))),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bits) => show(f, bits, &RATES),
            None => f.write_str(UNLIMITED),
        }
    }
}

/// How many packets in a row are lost on average.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Burst(u64);

impl Burst {
    /// Packets.
    pub const fn packets(self) -> u64 {
        self.0
    }
}

impl FromStr for Burst {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        match whole(text, &RUNS, "4packets")? {
            packets @ 1..=1_000 => Ok(Self(packets)),
            _ => Err(QuantityError(format!("{text} is not between 1 and 1000 packets"))),
        }
    }
}

impl fmt::Display for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.0, &RUNS)
    }
}

/// Text in JSON and TOML, by what shows and reads the type.
macro_rules! as_text {
    ($($name:ident)+) => {$(
        impl TryFrom<String> for $name {
            type Error = $crate::model::quantity::QuantityError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(quantity: $name) -> Self {
                quantity.to_string()
            }
        }
    )+};
}
pub(super) use as_text;

as_text!(Delay Share Rate Burst);

/// A number and its unit, in whole numbers of the smallest unit.
fn whole(text: &str, units: &[Unit], example: &str) -> Result<u64, QuantityError> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = (&text[..end], text[end..].trim_start());
    if text.starts_with('-') {
        return Err(QuantityError(format!("{text} is negative")));
    }
    let number: f64 = digits.parse().map_err(|_| QuantityError(format!("{text:?} is no quantity: write {example}")))?;
    if unit.is_empty() {
        return Err(QuantityError(format!("{text} has no unit: write {example}")));
    }
    let Some((_, size)) = units.iter().find(|(name, _)| *name == unit) else {
        let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
        return Err(QuantityError(format!("{text}: the unit {unit} is not one of {}", names.join(", "))));
    };
    let value = (number * size).round();
    if value == 0.0 && number > 0.0 {
        return Err(QuantityError(format!("{text} is too little to be told from nothing")));
    }
    // Above this, not every whole number has a float of its own.
    if value > 9e15 {
        return Err(QuantityError(format!("{text} is more than there is")));
    }
    Ok(value as u64)
}

/// The largest unit of which there is at least one.
fn show(f: &mut fmt::Formatter<'_>, value: u64, units: &[Unit]) -> fmt::Result {
    let (name, size) = units.iter().find(|(_, size)| value as f64 >= *size).unwrap_or(&units[units.len() - 1]);
    write!(f, "{}{name}", value as f64 / size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused<T: FromStr<Err = QuantityError> + fmt::Debug>(text: &str) -> String {
        text.parse::<T>().unwrap_err().to_string()
    }

    #[test]
    fn quantities_are_read_in_their_units() {
        assert_eq!("20ms".parse::<Delay>().unwrap().nanos(), 20_000_000);
        assert_eq!("0.25 ms".parse::<Delay>().unwrap(), "250us".parse().unwrap());
        assert!(("0.1%".parse::<Share>().unwrap().fraction() - 0.001).abs() < 1e-12);
        assert_eq!("100Mbit/s".parse::<Rate>().unwrap().bits_per_second(), Some(100_000_000));
        assert_eq!("unlimited".parse::<Rate>().unwrap(), Rate::UNLIMITED);
        assert_eq!("4 packets".parse::<Burst>().unwrap().packets(), 4);
    }

    #[test]
    fn a_refusal_says_what_to_write_instead() {
        assert_eq!(refused::<Delay>("20"), "20 has no unit: write 20ms");
        assert_eq!(refused::<Delay>("-1ms"), "-1ms is negative");
        assert_eq!(refused::<Delay>("soon"), "\"soon\" is no quantity: write 20ms");
        assert_eq!(refused::<Delay>("2min"), "2min: the unit min is not one of s, ms, us, µs, ns");
        assert_eq!(refused::<Delay>("11s"), "11s is more than 10s, the most there is");
        assert_eq!(refused::<Share>("60%"), "60% is more than 50%, the most there is");
        assert_eq!(refused::<Rate>("0mbit"), "0mbit would let nothing through: say \"unlimited\" for no bound");
        assert_eq!(refused::<Rate>("5MB"), "5mb: the unit mb is not one of gbit, mbit, kbit, bit");
        assert_eq!(refused::<Rate>("1bit"), "1bit is not between 1kbit and 100gbit");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same(
            delay in 0..=Delay::MAX.0, share in 0..=Share::MAX.0, rate in Rate::LEAST..=Rate::MOST, burst in 1..=1_000_u64
        ) {
            prop_assert_eq!(Delay(delay).to_string().parse(), Ok(Delay(delay)));
            prop_assert_eq!(Share(share).to_string().parse(), Ok(Share(share)));
            prop_assert_eq!(Rate(Some(rate)).to_string().parse(), Ok(Rate(Some(rate))));
            prop_assert_eq!(Burst(burst).to_string().parse(), Ok(Burst(burst)));
        }

        #[test]
        fn a_bare_number_is_never_a_quantity(number in 0.0..1e9_f64) {
            let text = number.to_string();
            prop_assert!(text.parse::<Delay>().is_err() && text.parse::<Share>().is_err());
            prop_assert!(text.parse::<Rate>().is_err() && text.parse::<Burst>().is_err());
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in "\\PC*") {
            let _ = (text.parse::<Delay>(), text.parse::<Share>(), text.parse::<Rate>(), text.parse::<Burst>());
        }
    }
}
