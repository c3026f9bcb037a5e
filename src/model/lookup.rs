//! The workload `lookup` in numbers: which key a request asks for, and what deliveries in order add up to.

use flate2::Crc;
use serde::{Deserialize, Serialize};

/// Rows of the table `node`. The post of 2015 read one row over and over: so many of the same shape let order be
/// verified.
pub const ROWS: u64 = 256;

/// Keys asked for where neither a number nor a time is given.
pub const KEYS: u64 = 10_000;

/// Of every so-manieth row delivered the whole contents count; of the others what tells them apart: the client is
/// measured reading rows, not summing them.
pub const WHOLE_EVERY: u64 = 64;

/// What a token counts beside a row's number.
pub const TOKEN_FACTOR: u64 = 257;

/// The key that a request asks for, by its number from 0.
pub fn key(request: u64) -> String {
    format!("node-{:03}", request % ROWS)
}

/// The number in a row's key; none where it is no key of the table.
pub fn number(key: &str) -> Option<u64> {
    key.strip_prefix("node-")?.parse().ok().filter(|number| *number < ROWS)
}

/// What was delivered, in its order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Rows.
    pub rows: u64,
    /// Sum over the rows of (p + 1) × (number + 257 × tokens), and of every 64th (p + 1) × CRC-32 of its contents, where
    /// p counts the rows delivered before: modulo 2^63. Rows that changed places change it.
    pub digest: u64,
}

impl Delivered {
    /// A row is delivered: its number, how many tokens it holds, and its contents' checksum, where that counts.
    pub fn add(&mut self, number: u64, tokens: u64, contents: impl FnOnce() -> u32) {
        let mut value = number + TOKEN_FACTOR * tokens;
        if self.rows.is_multiple_of(WHOLE_EVERY) {
            value += u64::from(contents());
        }
        self.rows += 1;
        self.digest = self.digest.wrapping_add(self.rows.wrapping_mul(value)) & (u64::MAX >> 1);
    }

    /// What two consumers got, each in its own order.
    pub fn plus(self, other: Self) -> Self {
        Self {
            rows: self.rows.saturating_add(other.rows),
            digest: self.digest.wrapping_add(other.digest) & (u64::MAX >> 1),
        }
    }
}

/// The common CRC-32 (IEEE 802.3, as zlib has it) of a row's contents as text.
pub fn checksum(contents: &str) -> u32 {
    let mut crc = Crc::new();
    crc.update(contents.as_bytes());
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: &[u64]) -> Delivered {
        let mut delivered = Delivered::default();
        numbers.iter().for_each(|number| delivered.add(*number, 256, || 0xFFFF_FFFF));
        delivered
    }

    #[test]
    fn requests_go_round_the_keys() {
        assert_eq!((key(0), key(255), key(256 + 7)), ("node-000".into(), "node-255".into(), "node-007".into()));
        assert_eq!((number("node-007"), number("node-256"), number("nodes-1")), (Some(7), None, None));
    }

    #[test]
    fn the_checksum_is_the_common_one() {
        assert_eq!(checksum("123456789"), 0xCBF4_3926);
    }

    #[test]
    fn rows_that_change_places_change_the_digest() {
        let value = |number: u64| number + 257 * 256;
        assert_eq!(of(&[3, 5]), Delivered { rows: 2, digest: value(3) + 0xFFFF_FFFF + 2 * value(5) });
        assert_ne!(of(&[3, 5]).digest, of(&[5, 3]).digest);
        assert_ne!(of(&[0, 1, 2]).digest, of(&[0, 2, 1]).digest);
    }

    #[test]
    fn every_64th_row_counts_with_its_contents() {
        let with = |contents: u32| {
            let mut delivered = Delivered::default();
            (0..65).for_each(|number| delivered.add(number, 0, || contents));
            delivered.digest
        };
        assert_eq!(with(10) - with(0), 10 * (1 + 65));
    }

    #[test]
    fn the_digest_stays_below_2_to_the_63() {
        let near = Delivered { rows: u64::MAX / 2, digest: u64::MAX >> 1 };
        let mut over = near;
        over.add(255, 256, || u32::MAX);
        assert!(over.digest < 1 << 63);
    }
}
