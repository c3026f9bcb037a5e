//! A geographic record as columns: one list for the INSERT, the digest and its SQL twin.

use super::command::Value;
use crate::census::geo::GeoRecord;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// The columns of `geo_record` that are filled, text first, in the order of [`Columns::values`].
pub const COLUMNS: [&str; 24] = [
    "fileid", "stusab", "sumlev", "geocomp", "chariter", "cifsn", "region", "division", "statece", "state", "county",
    "cousub", "place", "tract", "blkgrp", "block", "name", "intptlat", "intptlon", "logrecno", "arealand", "areawatr",
    "pop100", "hu100",
];
const TEXTS: usize = 19;

/// The INSERT of one geographic record.
pub fn insert_sql() -> String {
    let places: Vec<String> = (1..=COLUMNS.len()).map(|n| format!("${n}")).collect();
    format!("INSERT INTO geo_record ({}) VALUES ({})", COLUMNS.join(", "), places.join(", "))
}

/// One record's values, borrowed, in the order of [`COLUMNS`].
pub struct Columns<'a> {
    texts: [&'a str; TEXTS],
    logrecno: i32,
    numbers: [i64; COLUMNS.len() - TEXTS - 1],
}

impl<'a> Columns<'a> {
    /// Takes a record apart.
    pub fn of(record: &'a GeoRecord) -> Self {
        Self {
            texts: [
                record.file_id.as_str(),
                record.stusab.as_str(),
                record.sumlev.as_str(),
                record.geocomp.as_str(),
                record.chariter.as_str(),
                record.cifsn.as_str(),
                record.region.as_str(),
                record.division.as_str(),
                record.statece.as_str(),
                record.state.as_str(),
                record.county.as_str(),
                record.cousub.as_str(),
                record.place.as_str(),
                record.tract.as_str(),
                record.blkgrp.as_str(),
                record.block.as_str(),
                record.name.as_str(),
                record.intptlat.as_str(),
                record.intptlon.as_str(),
            ],
            logrecno: record.logrecno as i32, // seven digits
            numbers: [record.arealand, record.areawatr, record.pop100, record.hu100],
        }
    }

    /// The parameters of [`insert_sql`].
    pub fn values(&self) -> [Value<'a>; COLUMNS.len()] {
        std::array::from_fn(|index| match index {
            TEXTS => Value::Int4(self.logrecno),
            _ if index < TEXTS => Value::Text(self.texts[index]),
            _ => Value::Int8(self.numbers[index - TEXTS - 1]),
        })
    }

    /// The first 60 bits of the SHA-256 of all columns, each followed by the ASCII unit separator.
    pub fn digest(&self) -> u64 {
        let mut text = String::with_capacity(256);
        for value in self.texts {
            text.push_str(value);
            text.push('\x1f');
        }
        for number in std::iter::once(i64::from(self.logrecno)).chain(self.numbers) {
            let _ = write!(text, "{number}\x1f"); // writing to a String cannot fail
        }
        let bytes: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        let first = u64::from_be_bytes(bytes[..8].try_into().expect("eight of thirty-two bytes"));
        first >> 4
    }
}

/// SQL twin of [`Columns::digest`]: rows in `geo_record` and the sum of their digests modulo 2^63.
pub fn digest_sql() -> String {
    format!(
        "SELECT count(*)::int8 AS rows,
                (coalesce(sum(('x' || left(encode(sha256(convert_to(concat_ws(e'\\x1f', {}) || e'\\x1f', 'UTF8')),
                    'hex'), 15))::bit(60)::int8), 0) % 9223372036854775808)::int8 AS digest
         FROM geo_record",
        COLUMNS.join(", ")
    )
}
