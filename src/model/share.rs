//! Which records of a run are whose, where several ingesters share it.
//!
//! ```text
//! records    0 1 2 | 3 4 5 | 6 7 8 | 9 …     ranges of `together` records, dealt out in turn
//! client       1       2       1     2 …     of 2
//! ```
//! Whose a record is follows from its number alone: nobody has to know how many there are, and whenever a run ends,
//! clients of the same speed have done as many.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The part of a run that one ingester does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Which of the ingesters it is, from 1.
    pub client: usize,
    /// How many there are.
    pub of: usize,
}

impl Share {
    /// The most ingesters of one run: each is a container, and each has connections of its own.
    pub const MOST: usize = 64;

    /// Everything: the only ingester's.
    pub const WHOLE: Self = Self { client: 1, of: 1 };

    /// The shares of so many ingesters, in order.
    pub fn all(of: usize) -> impl Iterator<Item = Self> {
        (1..=of).map(move |client| Self { client, of })
    }

    /// Whether that is everything.
    pub fn is_whole(&self) -> bool {
        self.of == 1
    }

    /// What is wrong with it, as a sentence.
    pub fn check(self) -> Result<(), String> {
        if !(1..=Self::MOST).contains(&self.of) {
            return Err(format!("the share is of {} clients: it must be of 1 to {}", self.of, Self::MOST));
        }
        if !(1..=self.of).contains(&self.client) {
            return Err(format!(
                "the share is that of client {} of {}: it must be 1 to {}",
                self.client, self.of, self.of
            ));
        }
        Ok(())
    }

    /// Whether a record is in it, by its number from 0, where so many go together.
    pub fn holds(self, record: u64, together: u64) -> bool {
        record / together.max(1) % self.of as u64 == self.client as u64 - 1
    }

    /// The number that its so-manieth record (from 0) has among all.
    pub fn of_all(self, own: u64, together: u64) -> u64 {
        let together = together.max(1);
        (own / together * self.of as u64 + self.client as u64 - 1) * together + own % together
    }
}

impl Default for Share {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl fmt::Display for Share {
    /// What its ingester is called: by its role, never by where it runs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {} of {}", self.client, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_record_is_one_client_s_and_each_client_s_are_numbered_without_gaps(
            of in 1_usize..=Share::MOST, together in 1_u64..50, records in 0_u64..2_000
        ) {
            let mut held = vec![0_usize; records as usize];
            let mut most = 0;
            let mut least = records;
            for share in Share::all(of) {
                let own: Vec<u64> = (0..records).filter(|record| share.holds(*record, together)).collect();
                for (number, record) in (0..).zip(&own) {
                    prop_assert_eq!(share.of_all(number, together), *record);
                    held[*record as usize] += 1;
                }
                most = most.max(own.len() as u64);
                least = least.min(own.len() as u64);
            }
            prop_assert!(held.iter().all(|clients| *clients == 1));
            prop_assert!(most - least <= together, "as even as ranges can be");
        }
    }

    #[test]
    fn a_share_of_nothing_or_beyond_all_is_refused() {
        let check = |client, of| Share { client, of }.check();
        assert!(check(1, 1).is_ok() && check(4, 4).is_ok());
        assert!(check(5, 4).unwrap_err().contains("client 5 of 4: it must be 1 to 4"));
        assert!(check(0, 4).is_err() && check(1, 0).is_err() && check(1, 65).is_err());
        assert_eq!(Share { client: 2, of: 4 }.to_string(), "client 2 of 4");
    }
}
