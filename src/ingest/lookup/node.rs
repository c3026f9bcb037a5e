//! A row of `node`, decoded: every column a value of its own, nothing of it left in the driver's buffers.

use super::IngestError;
use crate::model::lookup;
use std::error::Error as StdError;
use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

/// A row, in the order of its columns (schema.sql).
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // the columns' names say what they are
pub struct Node {
    pub key: String,
    pub bootstrapped: String,
    pub broadcast_address: IpAddr,
    pub cluster_name: String,
    pub protocol_version: String,
    pub data_center: String,
    pub rack: String,
    pub gossip_generation: i32,
    pub host_id: Uuid,
    pub listen_address: IpAddr,
    pub native_version: i16,
    pub partitioner: String,
    pub release_version: String,
    pub rpc_port: i32,
    pub started_at: SystemTime,
    pub load: f64,
    pub is_seed: bool,
    pub schema_version: Uuid,
    pub tokens: Texts,
    pub truncated_at: serde_json::Value,
    pub disk_bytes: i64,
    pub checksum: Vec<u8>,
}

impl Node {
    /// Decodes a row.
    fn of(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            key: row.try_get(0)?,
            bootstrapped: row.try_get(1)?,
            broadcast_address: row.try_get(2)?,
            cluster_name: row.try_get(3)?,
            protocol_version: row.try_get(4)?,
            data_center: row.try_get(5)?,
            rack: row.try_get(6)?,
            gossip_generation: row.try_get(7)?,
            host_id: row.try_get(8)?,
            listen_address: row.try_get(9)?,
            native_version: row.try_get(10)?,
            partitioner: row.try_get(11)?,
            release_version: row.try_get(12)?,
            rpc_port: row.try_get(13)?,
            started_at: row.try_get(14)?,
            load: row.try_get(15)?,
            is_seed: row.try_get(16)?,
            schema_version: row.try_get(17)?,
            tokens: row.try_get(18)?,
            truncated_at: row.try_get::<_, Json>(19)?.0,
            disk_bytes: row.try_get(20)?,
            checksum: row.try_get(21)?,
        })
    }

    /// What the digest counts of it, as text (docs/peer-contract.md).
    pub fn contents(&self) -> String {
        let mut text = String::with_capacity(self.tokens.text.len() + self.tokens.len() + 256);
        let (micros, load) = (micros(self.started_at), (self.load * 4.0) as i64);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{}|{}|{}|{}|{micros}|{load}|{}|",
            self.key,
            self.cluster_name,
            self.gossip_generation,
            self.host_id,
            u8::from(self.is_seed)
        );
        for (index, token) in self.tokens.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(token);
        }
        let _ = write!(text, "|{}|", self.disk_bytes);
        for byte in &self.checksum {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// The one row that a request has to be answered with.
pub(super) fn one(rows: &[Row], request: u64) -> Result<Node, IngestError> {
    let wrong = |what: String| IngestError::Table(format!("{}: {what}: run `ingester rebuild`", lookup::key(request)));
    match rows {
        [row] => Node::of(row).map_err(|error| {
            let cause = error.source().map_or_else(String::new, |cause| format!(" ({cause})"));
            wrong(format!("its row in node cannot be decoded: {error}{cause}"))
        }),
        [] => Err(wrong("node has no such row".into())),
        rows => Err(wrong(format!("node has {} such rows", rows.len()))),
    }
}

/// Whole microseconds since 1970 UTC.
pub(super) fn micros(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_micros() as i64,
        Err(before) => -(before.duration().as_micros() as i64),
    }
}

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
struct Json(serde_json::Value);

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
    pub(super) text: String,
    /// Where each ends.
    pub(super) ends: Vec<u32>,
}

impl Texts {
    /// Of texts one behind the other; none where an end is not between two characters, in order, the last at the end.
    pub(super) fn new(text: String, ends: Vec<u32>) -> Option<Self> {
        let whole = ends.iter().all(|end| text.is_char_boundary(*end as usize));
        let last = ends.last().map_or(0, |end| *end as usize);
        (whole && ends.is_sorted() && last == text.len()).then_some(Self { text, ends })
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

impl<'a> FromSql<'a> for Texts {
    /// Dimensions, whether there are nulls, the elements' type; of the one dimension length and lower bound; then each
    /// element behind its length. Source: `array_send` in PostgreSQL's `utils/adt/arrayfuncs.c`.
    fn from_sql(_: &Type, raw: &'a [u8]) -> Decoded<Self> {
        let mut rest = raw;
        let (dimensions, nulls, _) = (number(&mut rest)?, number(&mut rest)?, number(&mut rest)?);
        if dimensions == 0 {
            return Ok(Self::default());
        }
        if (dimensions, nulls) != (1, 0) {
            return Err("an array of several dimensions, or with nulls".into());
        }
        let (length, _) = (number(&mut rest)?, number(&mut rest)?);
        let mut text = Vec::with_capacity(rest.len());
        let mut ends = Vec::with_capacity(length.min(rest.len() / 4));
        for _ in 0..length {
            let size = number(&mut rest)?;
            let (element, after) = rest.split_at_checked(size).ok_or("an array that is cut off")?;
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

/// The next 32-bit number, which is not negative.
fn number(rest: &mut &[u8]) -> Decoded<usize> {
    let (bytes, after) = rest.split_first_chunk::<4>().ok_or("an array that is cut off")?;
    *rest = after;
    Ok(usize::try_from(i32::from_be_bytes(*bytes))?)
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use std::time::Duration;

    /// A row like those of the table.
    pub(in crate::ingest::lookup) fn node(request: u64) -> Node {
        let tokens: Vec<String> =
            (0..256_i64).map(|token| (token.wrapping_mul(72_057_594_037_927_931) - 7).to_string()).collect();
        let ends = tokens.iter().scan(0, |end, token| {
            *end += token.len() as u32;
            Some(*end)
        });
        Node {
            key: lookup::key(request),
            bootstrapped: "COMPLETED".into(),
            broadcast_address: "10.0.0.1".parse().unwrap(),
            cluster_name: "Lookup Cluster".into(),
            protocol_version: "4".into(),
            data_center: "dc1".into(),
            rack: "räck1".into(),
            gossip_generation: 1_436_073_764,
            host_id: Uuid(*b"0123456789abcdef"),
            listen_address: "2001:db8::1".parse().unwrap(),
            native_version: 3,
            partitioner: "Murmur3Partitioner".into(),
            release_version: "2.1.0".into(),
            rpc_port: 9042,
            started_at: UNIX_EPOCH + Duration::from_micros(1_427_849_508_906_324),
            load: 207_047_005.75,
            is_seed: true,
            schema_version: Uuid([7; 16]),
            tokens: Texts { text: tokens.concat(), ends: ends.collect() },
            truncated_at: serde_json::json!({"table": "t", "position": request}),
            disk_bytes: 6_678_174_938,
            checksum: (0..32).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::node;
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

    #[test]
    fn contents_are_as_the_contract_has_them() {
        let text = node(3).contents();
        let start =
            "node-003|Lookup Cluster|1436073764|30313233-3435-3637-3839-616263646566|1427849508906324|828188023|1|-7,";
        assert!(text.starts_with(start), "{text}");
        assert!(
            text.ends_with("|6678174938|000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
            "{text}"
        );
        assert_eq!(text.split('|').nth(7).unwrap().split(',').count(), 256);
    }
}
