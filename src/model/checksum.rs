//! The order-independent checksum that says two loads hold the same rows, whoever wrote them and in whatever order.
//!
//! Each row is mixed to a number below 2^31 and the numbers are added up. The mixing uses only products
//! below 2^62, so that PostgreSQL computes the same number in `bigint` arithmetic (`db::verify` holds the
//! SQL twin of [`element`]). The square makes it non-linear: two rows that swap values don't cancel out.

use serde::{Deserialize, Serialize};

/// The Mersenne prime 2^31 − 1: residues multiply within a signed 64-bit integer.
pub const PRIME: i64 = 2_147_483_647;
/// Spreads neighbouring record numbers apart; any odd number well below [`PRIME`] does.
pub const RECORD_FACTOR: i64 = 1_000_003;
/// Spreads neighbouring items apart.
pub const ITEM_FACTOR: i64 = 7_919;
/// A primitive root of [`PRIME`] (Park and Miller's generator, 1993 revision).
pub const ROOT: i64 = 48_271;

/// Mixes one `data_element` row: logical record number, dictionary item, value in hundredths.
pub fn element(logrecno: u32, item: i32, hundredths: i64) -> i64 {
    let key = (i64::from(logrecno) * RECORD_FACTOR + i64::from(item) * ITEM_FACTOR) % PRIME;
    let mixed = (key * ROOT + hundredths.rem_euclid(PRIME)) % PRIME;
    (mixed * mixed + key) % PRIME
}

/// What a set of rows adds up to: how many, their values' sum (hundredths), their mixed sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Number of rows.
    pub rows: u64,
    /// Sum of the values, in hundredths.
    pub sum: i64,
    /// Sum of [`element`] over the rows (below 2^31 a row, so 2^32 rows fit).
    pub mix: u64,
}

impl Tally {
    /// Counts one row.
    pub fn add(&mut self, logrecno: u32, item: i32, hundredths: i64) {
        self.rows += 1;
        self.sum += hundredths;
        self.mix += element(logrecno, item, hundredths) as u64;
    }

    /// Adds another tally to this one.
    pub fn merge(&mut self, other: &Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.sum = self.sum.saturating_add(other.sum);
        self.mix = self.mix.saturating_add(other.mix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_value_mixes_to_a_number_below_the_prime(record in 0u32..10_000_000, item in 1i32..9_000, value in -9_999_999_999i64..9_999_999_999) {
            let mixed = element(record, item, value);
            prop_assert!((0..PRIME).contains(&mixed));
        }

        #[test]
        fn rows_that_swap_their_values_are_told_apart(record in 1u32..1_000_000, item in 1i32..8_113, a in 0i64..1_000_000, b in 0i64..1_000_000) {
            prop_assume!(a != b);
            let straight = element(record, item, a) + element(record + 1, item, b);
            let swapped = element(record, item, b) + element(record + 1, item, a);
            prop_assert_ne!(straight, swapped);
        }
    }

    #[test]
    fn order_does_not_matter_and_a_doubled_row_does() {
        let mut forth = Tally::default();
        let mut back = Tally::default();
        for n in 0..100 {
            forth.add(n, 3, i64::from(n) * 100);
            back.add(99 - n, 3, i64::from(99 - n) * 100);
        }
        assert_eq!(forth, back);
        back.add(0, 3, 0);
        assert_ne!(forth, back);
    }
}
