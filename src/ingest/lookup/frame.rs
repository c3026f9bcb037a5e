//! Rows on the pipe from a worker process to its parent: fields in the order of their columns, numbers little-endian,
//! texts behind their lengths.
//!
//! A format of its own, because it is what the parent does all day: a row is written and read about ten times faster than
//! as JSON (`cargo test --release -- --ignored a_frame_is_faster`). Both ends are this same program: it
//! needs no version.

use super::Node;
use super::node::micros;
use super::value::{Texts, Uuid};
use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

/// Some rows as bytes.
pub fn to_frame(nodes: &[Node]) -> Vec<u8> {
    let mut out = Vec::with_capacity(nodes.len() * 7_000); // a row of the table has some 6,900
    nodes.iter().for_each(|node| put(&mut out, node));
    out
}

/// The rows of a frame; none where it is not one.
pub fn from_frame(bytes: &[u8], rows: u64) -> Option<Vec<Node>> {
    let mut from = From(bytes);
    let nodes = (0..rows).map(|_| from.node()).collect::<Option<Vec<_>>>()?;
    from.0.is_empty().then_some(nodes)
}

fn put(out: &mut Vec<u8>, node: &Node) {
    let texts = |out: &mut Vec<u8>, all: &[&str]| all.iter().for_each(|one| put_bytes(out, one.as_bytes()));
    texts(out, &[&node.key, &node.bootstrapped]);
    put_address(out, node.broadcast_address);
    texts(out, &[&node.cluster_name, &node.protocol_version, &node.data_center, &node.rack]);
    out.extend(node.gossip_generation.to_le_bytes());
    out.extend(node.host_id.0);
    put_address(out, node.listen_address);
    out.extend(node.native_version.to_le_bytes());
    texts(out, &[&node.partitioner, &node.release_version]);
    out.extend(node.rpc_port.to_le_bytes());
    out.extend(micros(node.started_at).to_le_bytes());
    out.extend(node.load.to_le_bytes());
    out.push(u8::from(node.is_seed));
    out.extend(node.schema_version.0);
    put_length(out, node.tokens.len());
    node.tokens.ends().iter().for_each(|end| out.extend(end.to_le_bytes()));
    put_bytes(out, node.tokens.text().as_bytes());
    put_bytes(out, node.truncated_at.to_string().as_bytes());
    out.extend(node.disk_bytes.to_le_bytes());
    put_bytes(out, &node.checksum);
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend((length as u32).to_le_bytes()); // a value of PostgreSQL's has a gigabyte at most
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            out.push(4);
            out.extend(address.octets());
        }
        IpAddr::V6(address) => {
            out.push(6);
            out.extend(address.octets());
        }
    }
}

/// What is left of a frame.
struct From<'a>(&'a [u8]);

impl<'a> From<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn length(&mut self) -> Option<usize> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<String> {
        std::str::from_utf8(self.bytes()?).ok().map(str::to_owned)
    }

    fn address(&mut self) -> Option<IpAddr> {
        match self.array()? {
            [4] => self.array::<4>().map(IpAddr::from),
            [6] => self.array::<16>().map(IpAddr::from),
            _ => None,
        }
    }

    fn tokens(&mut self) -> Option<Texts> {
        let count = self.length()?;
        let (ends, _) = self.take(count.checked_mul(4)?)?.as_chunks::<4>();
        let ends = ends.iter().map(|end| u32::from_le_bytes(*end)).collect();
        Texts::new(self.text()?, ends)
    }

    fn node(&mut self) -> Option<Node> {
        Some(Node {
            key: self.text()?,
            bootstrapped: self.text()?,
            broadcast_address: self.address()?,
            cluster_name: self.text()?,
            protocol_version: self.text()?,
            data_center: self.text()?,
            rack: self.text()?,
            gossip_generation: i32::from_le_bytes(self.array()?),
            host_id: Uuid(self.array()?),
            listen_address: self.address()?,
            native_version: i16::from_le_bytes(self.array()?),
            partitioner: self.text()?,
            release_version: self.text()?,
            rpc_port: i32::from_le_bytes(self.array()?),
            started_at: {
                let micros = i64::from_le_bytes(self.array()?);
                let apart = Duration::from_micros(micros.unsigned_abs());
                if micros < 0 { UNIX_EPOCH.checked_sub(apart)? } else { UNIX_EPOCH.checked_add(apart)? }
            },
            load: f64::from_le_bytes(self.array()?),
            is_seed: self.array()? == [1],
            schema_version: Uuid(self.array()?),
            tokens: self.tokens()?,
            truncated_at: serde_json::from_slice(self.bytes()?).ok()?,
            disk_bytes: i64::from_le_bytes(self.array()?),
            checksum: self.bytes()?.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::testing::node;
    use super::*;
    use std::time::Instant;

    #[test]
    fn rows_are_the_same_at_the_other_end_of_the_pipe() {
        let nodes: Vec<Node> = (0..3).map(node).collect();
        let frame = to_frame(&nodes);
        assert_eq!(from_frame(&frame, 3).unwrap(), nodes);
        assert_eq!(from_frame(&frame, 2), None, "bytes are left over");
        assert_eq!(from_frame(&frame, 4), None);
    }

    #[test]
    fn a_frame_that_is_cut_off_is_none() {
        let frame = to_frame(&[node(0)]);
        for end in 0..frame.len() {
            assert_eq!(from_frame(&frame[..end], 1), None, "{end}");
        }
    }

    #[test]
    #[ignore = "a measurement: cargo test --release --lib -- --ignored --nocapture a_frame_is_faster"]
    fn a_frame_is_faster_than_json() {
        const ROWS: u64 = 20_000;
        let one = node(7);
        let micros = |begun: Instant| begun.elapsed().as_secs_f64() * 1e6 / ROWS as f64;
        let begun = Instant::now();
        let rows: usize = (0..ROWS).filter_map(|_| from_frame(&to_frame(std::slice::from_ref(&one)), 1)).count();
        let frame = micros(begun);
        // The most of a row, and what JSON has to be parsed for: its tokens.
        let tokens: Vec<&str> = one.tokens.iter().collect();
        let begun = Instant::now();
        for _ in 0..ROWS {
            let text = serde_json::to_vec(&tokens).unwrap();
            assert_eq!(serde_json::from_slice::<Vec<String>>(&text).unwrap().len(), 256);
        }
        let json = micros(begun);
        println!("{rows} rows: {frame:.2} µs a row there and back, the tokens alone as JSON {json:.2} µs");
        assert!(frame < json / 2.0);
    }
}
