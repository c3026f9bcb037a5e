//! A row of `node`, decoded: every column a value of its own, nothing of it left in the driver's buffers.

use super::IngestError;
use super::value::{Json, Texts, Uuid};
use crate::model::lookup;
use std::error::Error as _;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio_postgres::Row;

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
        let mut text = String::with_capacity(self.tokens.text().len() + self.tokens.len() + 256);
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
        Err(before) => (before.duration().as_micros() as i64).wrapping_neg(),
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use std::time::Duration;

    /// A row like those of the table.
    pub(in crate::ingest::lookup) fn node(request: u64) -> Node {
        let tokens: Vec<String> =
            (0..256_i64).map(|token| (token.wrapping_mul(72_057_594_037_927_931) - 7).to_string()).collect();
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
            tokens: tokens.iter().map(String::as_str).collect(),
            truncated_at: serde_json::json!({"table": "t", "position": request}),
            disk_bytes: 6_678_174_938,
            checksum: (0..32).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::node;

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
