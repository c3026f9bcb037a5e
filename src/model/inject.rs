//! Work and waiting that an ingest is given on top of its own, on purpose: to see what its rate hangs on, and to see
//! whether the lab tells it from where it was put.

use super::quantity::{Delay, QuantityError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The word for nothing.
const NONE: &str = "none";

/// What is put in. Written `spin=20us,sleep=5ms`, or `none`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Inject {
    /// Processor time a worker burns for each row, before it is sent.
    pub spin: Delay,
    /// How long a worker sleeps after each line, without anybody being told.
    pub sleep: Delay,
    /// How long the reader sleeps before each line.
    pub read: Delay,
}

impl Inject {
    /// Nothing.
    pub const NONE: Self = Self { spin: Delay::from_nanos(0), sleep: Delay::from_nanos(0), read: Delay::from_nanos(0) };

    /// Whether it is nothing at all.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    fn parts(&self) -> impl Iterator<Item = (&'static str, Delay)> + use<> {
        [("spin", self.spin), ("sleep", self.sleep), ("read", self.read)]
            .into_iter()
            .filter(|(_, time)| !time.is_zero())
    }
}

impl fmt::Display for Inject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str(NONE);
        }
        for (number, (name, time)) in self.parts().enumerate() {
            write!(f, "{}{name}={time}", if number > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

impl FromStr for Inject {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let mut inject = Self::NONE;
        if text == NONE {
            return Ok(inject);
        }
        for part in text.split(',') {
            let (name, time) = part
                .split_once('=')
                .ok_or_else(|| QuantityError(format!("`{part}` is no injection: write spin=20us, or {NONE}")))?;
            let field = match name.trim() {
                "spin" => &mut inject.spin,
                "sleep" => &mut inject.sleep,
                "read" => &mut inject.read,
                other => {
                    return Err(QuantityError(format!("`{other}` cannot be injected: there are spin, sleep and read")));
                }
            };
            if !field.is_zero() {
                return Err(QuantityError(format!("{name} is there twice")));
            }
            *field = time.trim().parse().map_err(|error: QuantityError| QuantityError(format!("{name}: {error}")))?;
        }
        Ok(inject)
    }
}

super::quantity::as_text!(Inject);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back() {
        for text in ["none", "spin=20us", "sleep=5ms", "spin=1.5ms,sleep=2ms,read=10ms"] {
            assert_eq!(text.parse::<Inject>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_remedy() {
        for (text, part) in [
            ("spin", "write spin=20us, or none"),
            ("spin=20", "spin: "),
            ("nap=2ms", "there are spin, sleep and read"),
            ("read=1ms,read=2ms", "read is there twice"),
            ("", "`` is no injection"),
        ] {
            let error = text.parse::<Inject>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
