//! The workload `lookup`: wide rows are read by key, decoded in full, and delivered in the order of the keys.
//!
//! ```text
//! chunks of keys ─► queue ─► worker: SELECT ─► rows, every column decoded ─► delivery, in order ─► digest
//!                              └─ child of `processes` ─ whole rows over the pipe ─► its parent ──┘
//! ```
//! The job of a post of 2015 on multiprocessing for bulk throughput, and its designs: one process with many requests in
//! flight, a pool of processes with one request at a time, a pool with many.

mod ask;
mod delivery;
mod frame;
mod node;
mod value;

pub use delivery::Delivery;
pub use frame::{from_frame, to_frame};
pub use node::Node;

use super::session::Session;
use super::workload::{Counters, IngestError, Manner};
use crate::db::command::Command;
use crate::model::lookup::KEYS;
use crate::model::{Protocol, Statement};
use crate::wire::Job;
use crate::wire::exit::{Exit, Failure};
use std::ops::Range;
use tokio_postgres::Error;

/// Reads one row. Every column is named: what is decoded is what is asked for.
pub const SELECT_NODE: &str = "SELECT key, bootstrapped, broadcast_address, cluster_name, protocol_version, data_center, \
     rack, gossip_generation, host_id, listen_address, native_version, partitioner, release_version, rpc_port, started_at, \
     load, is_seed, schema_version, tokens, truncated_at, disk_bytes, checksum FROM node WHERE key = $1";

/// A chunk of keys, by the numbers of their requests; where several clients share a run, by a client's own numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// The first.
    pub first: u64,
    /// How many, at least one.
    pub count: u64,
}

impl Keys {
    /// The numbers of its requests.
    pub fn requests(self) -> Range<u64> {
        self.first..self.first + self.count
    }
}

/// The chunks of a job that are in its share, in order; without an end where only a time ends them.
pub fn chunks(job: &Job) -> impl Iterator<Item = Keys> + use<> {
    let all = job.limit_lines.unwrap_or(if job.seconds.is_some() { u64::MAX } else { KEYS });
    let (chunk, share) = (job.chunk as u64, job.share);
    let own = (0..all).step_by(job.chunk).filter(move |first| share.holds(*first, chunk));
    own.zip((0..).step_by(job.chunk)).map(move |(first, own)| Keys { first: own, count: chunk.min(all - first) })
}

/// Refuses what this program doesn't do in a lookup.
pub fn check(job: &Job) -> Result<(), Failure> {
    let refuse = |message: String| Err(Failure::new(Exit::NotSupported, message));
    if !matches!(job.statement, Statement::Row | Statement::Executemany) {
        return refuse(format!("{} sends rows, a lookup reads them: use row or executemany", job.statement));
    }
    if job.protocol == Protocol::Simple {
        return refuse("a lookup decodes binary rows, the simple protocol has text: use prepared or unnamed".into());
    }
    if !job.inject.read.is_zero() {
        return refuse("a lookup reads no file that could be slowed down: leave read out of --inject".into());
    }
    Ok(())
}

/// The statement of the workload, ready on one connection.
pub struct Prepared {
    /// [`SELECT_NODE`].
    select: Command,
}

impl Prepared {
    /// Once a connection.
    pub async fn on(session: &mut Session, manner: Manner) -> Result<Self, Error> {
        Ok(Self { select: session.command(SELECT_NODE, manner.protocol).await? })
    }
}

/// Reads a chunk's rows, in the order of its keys, those that `nodes` hasn't got yet.
pub async fn read(
    session: &mut Session,
    prepared: &Prepared,
    manner: Manner,
    keys: Keys,
    counters: &mut Counters<'_>,
    nodes: &mut Vec<Node>,
) -> Result<(), IngestError> {
    let there = nodes.len() as u64;
    let left = Keys { first: keys.first + there, count: keys.count - there };
    match manner.statement {
        Statement::Executemany => {
            ask::in_flight(session, &prepared.select, manner, left, counters, nodes).await?;
        }
        _ => ask::one_by_one(session, &prepared.select, manner, left, counters, nodes).await?,
    }
    if !manner.inject.sleep.is_zero() {
        session.sleep(manner.inject.sleep.duration() * keys.count as u32).await; // 1,000 keys at most
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::testing::job;
    use crate::model::share::Share;

    #[test]
    fn the_last_chunk_is_what_is_left() {
        let of = |limit_lines, seconds, chunk| Job { limit_lines, seconds, chunk, ..job() };
        let counts = |job: &Job| chunks(job).map(|keys| keys.count).collect::<Vec<_>>();
        assert_eq!(counts(&of(Some(25), None, 10)), [10, 10, 5]);
        assert_eq!(counts(&of(Some(20), Some(1.0), 10)), [10, 10]);
        let shared: Vec<_> = Share::all(2).map(|share| counts(&Job { share, ..of(Some(25), None, 10) })).collect();
        assert_eq!(shared, [vec![10, 5], vec![10]]);
        let second = Job { share: Share { client: 2, of: 2 }, ..of(Some(40), None, 10) };
        assert_eq!(
            chunks(&second).map(|keys| keys.first).collect::<Vec<_>>(),
            [0, 10],
            "its own numbers, without gaps"
        );
        assert_eq!(chunks(&of(None, None, 100)).count(), 100, "10,000 keys");
        assert_eq!(chunks(&of(None, Some(1.0), 10)).nth(1_000_000), Some(Keys { first: 10_000_000, count: 10 }));
    }

    #[test]
    fn what_a_lookup_cannot_be_is_refused_as_not_supported() {
        for job in [
            Job { statement: Statement::Copy, ..job() },
            Job { protocol: Protocol::Simple, ..job() },
            Job { inject: "read=1ms".parse().unwrap(), ..job() },
        ] {
            assert_eq!(check(&job).unwrap_err().exit, Exit::NotSupported);
        }
        assert!(check(&Job { statement: Statement::Executemany, ..job() }).is_ok());
    }
}
