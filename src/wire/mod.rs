//! Everything that crosses a process: the job an ingester is told, the events it answers with, the result.
//! One JSON document in, JSON lines out; docs/peer-contract.md states the same for other languages.
//!
//! ```text
//! job (stdin) ─► ingester ─► started, connected, phase, progress …, finished | failed (stdout, a line each)
//! ```

mod begin;
pub mod bounded;
pub mod clocks;
pub mod conditions;
mod dburl;
pub mod emulation;
pub mod exit;
pub mod external;
pub mod fault;
pub mod feed;
pub mod forecast;
pub mod measured;
mod merge;
pub mod metrics;
pub mod reader;
pub mod record;
mod result;
mod retried;
pub mod setup;
pub mod spin;
#[cfg(test)]
pub(crate) mod testing;
mod timeline;
pub mod watched;

pub use begin::Begin;
pub use dburl::DbUrl;
pub use merge::{merge, summaries};
pub use result::{
    Acknowledged, ClientPhase, ClientResult, Cpu, Interrupt, ItemTally, PhaseResult, Rates, RunResult, Steady,
    Verification,
};
pub use retried::Retried;
pub use timeline::{BUCKET, Timeline};

use crate::model::inject::Inject;
use crate::model::share::Share;
use crate::model::{Commit, Phase, Protocol, Reader, Scheme, Statement, Workload};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The version of everything in this module. A reader refuses a newer one.
pub const SCHEMA: u32 = 1;

/// What one ingester run is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// [`SCHEMA`] of the program that wrote it.
    pub schema: u32,
    /// Where the database is, password included. Never part of a result.
    pub dburl: DbUrl,
    /// What is done.
    #[serde(default)]
    pub workload: Workload,
    /// How the client schedules work.
    pub scheme: Scheme,
    /// How rows are sent.
    pub statement: Statement,
    /// Requests sent before waiting: of rows by `executemany`, of geographic records by every kind but `row`; of a
    /// lookup's keys by `executemany`, within a chunk.
    pub in_flight: usize,
    /// Rows of one INSERT; used by `multirow`.
    #[serde(default = "batch")]
    pub batch: usize,
    /// Records of one transaction, at most; used by `chunk`. Of a lookup the keys handed out to a worker together.
    #[serde(default = "chunk")]
    pub chunk: usize,
    /// How a statement and its parameters reach the database.
    #[serde(default)]
    pub protocol: Protocol,
    /// Workers, each with one connection: 1 to [`Job::MAX_POOL`].
    pub pool: usize,
    /// Transaction grain.
    pub commit: Commit,
    /// Where records are read.
    pub reader: Reader,
    /// Folder with the SF1 zip files.
    pub data: PathBuf,
    /// Records the queue between reader and workers holds.
    pub queue: usize,
    /// Which halves to run: geo, data, or both in this order; of a lookup data.
    pub phases: Vec<Phase>,
    /// At most so many geographic records (all when absent).
    pub limit_geo: Option<u64>,
    /// At most so many lines (all when absent); of a lookup so many keys (without a time, 10,000 when absent).
    pub limit_lines: Option<u64>,
    /// The data phase takes no new line, no new chunk of keys after so many seconds; those begun are finished.
    pub seconds: Option<f64>,
    /// Set for a child of `processes`: take records from standard input instead of reading files.
    #[serde(default)]
    pub child: bool,
    /// Whether the run is measured in detail: false leaves [`metrics`] out, to see what they cost.
    #[serde(default = "on")]
    pub metrics: bool,
    /// Certificate of the authority that signed the database's own, PEM: every connection is encrypted, and the
    /// certificate and the host's name in it verified (`sslmode=verify-full`). Absent: as the URL says, which is plain
    /// where it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// Work and waiting put in on purpose; absent where there is none.
    #[serde(default, skip_serializing_if = "Inject::is_none")]
    pub inject: Inject,
    /// Whether each transaction also writes which records it holds, to the table `progress`: what makes an ingest
    /// that broke off whole again. Not under `--commit auto`; a lookup writes nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub progress: bool,
    /// Whether this run continues one that broke off: records that `progress` lists are skipped, and verified with
    /// those it ingests. Needs `progress`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resume: bool,
    /// Whether a connection that breaks is opened again, and what it was at is done again unless it is there. Of an
    /// ingest it needs `progress`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry: bool,
    /// Set for a child of `processes`: the number under which its connection is known to the database, so that nobody
    /// does its work again before that connection is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<u32>,
    /// Which of the run's records are this ingester's, where several share it: of ranges of [`Job::together`] records,
    /// counted over all files within the limits, those that are its turn. Absent where all are.
    #[serde(default, skip_serializing_if = "Share::is_whole")]
    pub share: Share,
    /// Whether each phase begins on a word of the lab, [`Begin`], so that several ingesters begin it together.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub barrier: bool,
}

fn on() -> bool {
    true
}

fn batch() -> usize {
    Job::BATCH
}

fn chunk() -> usize {
    Job::CHUNK
}

impl Job {
    /// The largest pool: the stack's database accepts 600 connections and keeps some for the lab.
    pub const MAX_POOL: usize = 500;
    /// Records in the queue unless told otherwise: about 2 MB of lines, seconds of work for the workers.
    pub const QUEUE: usize = 1_000;
    /// Requests in flight unless told otherwise.
    pub const IN_FLIGHT: usize = crate::model::cell::IN_FLIGHT;
    /// Rows of one INSERT unless told otherwise.
    pub const BATCH: usize = crate::model::cell::BATCH;
    /// The most rows of one INSERT: the protocol counts parameters in 16 bits, a row has three.
    pub const MAX_BATCH: usize = u16::MAX as usize / 3;
    /// Records of one transaction unless told otherwise.
    pub const CHUNK: usize = crate::model::cell::CHUNK;
    /// The most records of one transaction: a quarter of a million rows are held until it commits.
    pub const MAX_CHUNK: usize = 1_000;

    /// How many records are dealt out together where several ingesters share a run: those of one transaction, the keys
    /// that are handed out together.
    pub fn together(&self) -> u64 {
        let chunks = self.commit == Commit::Chunk || self.workload == Workload::Lookup;
        if chunks { self.chunk as u64 } else { 1 }
    }

    /// The job's numbers, checked: a sentence that says what is wrong and what would be right.
    pub fn check(&self) -> Result<(), String> {
        let range = |name: &str, value: usize, least: usize, most: usize| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(format!("{name} is {value}: it must be {least} to {most}"))
            }
        };
        if self.schema > SCHEMA {
            return Err(format!("the job has schema {}, this program knows up to {SCHEMA}: update it", self.schema));
        }
        range("pool", self.pool, 1, Self::MAX_POOL)?;
        range("in-flight", self.in_flight, 1, 100_000)?;
        range("batch", self.batch, 1, Self::MAX_BATCH)?;
        range("chunk", self.chunk, 1, Self::MAX_CHUNK)?;
        range("queue", self.queue, 1, 1_000_000)?;
        if self.phases.is_empty() {
            return Err("no phase is asked for: name geo, data or both".into());
        }
        if !self.phases.is_sorted_by(|one, next| one < next) {
            return Err("phases are out of order: geo goes before data, each once".into());
        }
        self.check_workload()?;
        self.check_progress()?;
        self.share.check()?;
        if (self.progress || self.resume) && !self.share.is_whole() {
            return Err("one share of a run keeps no progress and cannot be resumed: whose connections are still there could not be told; ingest the whole, or leave progress and resume out".into());
        }
        match self.seconds {
            Some(seconds) if !(seconds > 0.0 && seconds <= 86_400.0) => {
                Err(format!("seconds is {seconds}: it must be above 0 and at most 86400 (a day)"))
            }
            _ => Ok(()),
        }
    }

    /// What a crash leaves can be told from what it doesn't only where each transaction says what it holds.
    fn check_progress(&self) -> Result<(), String> {
        let census = self.workload == Workload::Census;
        if !census && (self.progress || self.resume) {
            return Err("a lookup writes nothing: there is no progress to keep, and nothing to resume".into());
        }
        if self.commit == Commit::Auto && self.resume {
            return Err("--commit auto cannot be resumed: each row is a transaction of its own, and nobody can tell which rows of a record a crash left; ingest with --commit record or chunk".into());
        }
        if self.commit == Commit::Auto && census && (self.progress || self.retry) {
            return Err("--commit auto cannot be retried: of a row whose answer never came nobody can tell whether it is there; use --commit record or chunk".into());
        }
        if census && !self.progress && (self.resume || self.retry) {
            return Err("resume and retry need progress: without it nobody can tell what is there; set progress".into());
        }
        Ok(())
    }

    /// A lookup writes nothing and reads no file.
    fn check_workload(&self) -> Result<(), String> {
        if self.workload == Workload::Census {
            return Ok(());
        }
        if self.phases != [Phase::Data] {
            return Err("a lookup has no geographic records: give it the phase data alone".into());
        }
        if self.commit != Commit::Auto {
            return Err(format!("a lookup commits nothing: commit is {}, it must be auto", self.commit));
        }
        if self.reader != Reader::Thread {
            return Err(format!("a lookup reads no file: reader is {}, it must be thread", self.reader));
        }
        Ok(())
    }
}

/// One line of an ingester's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// [`SCHEMA`].
    pub schema: u32,
    /// 0, 1, 2 … without gaps: a reader can tell that nothing was lost.
    pub seq: u64,
    /// Seconds since the ingester started, on its monotonic clock.
    pub at: f64,
    /// Which of several ingesters said it, from 1, where they share a run: the lab adds that, and numbers the lines of
    /// all of them in the order it heard them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<usize>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What an ingester says while and after it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The job was understood.
    Started {
        /// Name and version of the program.
        program: String,
    },
    /// All connections are open.
    Connected {
        /// How many.
        connections: usize,
        /// Seconds from the first worker's start to the last open connection.
        seconds: f64,
    },
    /// All that a phase needs is ready: it begins on the lab's word. Said again every half minute until that comes; only
    /// where the job has `barrier`.
    Ready {
        /// Which.
        phase: Phase,
    },
    /// A phase begins; its clock starts here.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// Where a phase stands, every few seconds.
    Progress {
        /// Which phase.
        phase: Phase,
        /// Records acknowledged so far in this phase.
        records: u64,
        /// Rows acknowledged so far in this phase.
        rows: u64,
        /// Rows a second since the last progress line.
        current: f64,
        /// Rows a second since the phase began.
        average: f64,
    },
    /// What happened since the last such line, or since the phase began: about every second where the job asks
    /// for metrics, five times as often where it has `retry`.
    Second {
        /// Which phase.
        phase: Phase,
        /// What was counted and measured.
        #[serde(flatten)]
        second: metrics::Second,
    },
    /// A phase is over: what [`PhaseResult::metrics`] holds, too.
    Measured {
        /// Which phase.
        phase: Phase,
        /// Everything measured in it.
        metrics: Box<metrics::PhaseMetrics>,
    },
    /// The reader has put its last record into the queue.
    QueueFilled {
        /// Which phase.
        phase: Phase,
    },
    /// A child of `processes` has committed records.
    Done {
        /// The phase they belong to.
        phase: Phase,
        /// How many, together.
        records: u64,
        /// Rows acknowledged with them.
        rows: u64,
    },
    /// A child of `processes` hands over the rows that a chunk of keys gave, in their order. So many bytes follow the
    /// line: not JSON, but rows as the ingester's processes hand them to each other.
    Rows {
        /// The number of the chunk's first request.
        first: u64,
        /// How many rows.
        rows: u64,
        /// How many bytes follow.
        bytes: usize,
        /// These bytes.
        #[serde(skip)]
        frame: Vec<u8>,
    },
    /// A worker's connection broke; it is being opened again.
    ConnectionLost {
        /// The worker's number, from 0.
        worker: usize,
        /// One sentence.
        error: String,
    },
    /// A worker has a connection again.
    ConnectionBack {
        /// The worker's number, from 0.
        worker: usize,
        /// Seconds it was without.
        seconds: f64,
        /// How often it tried.
        attempts: u64,
    },
    /// A worker process died; others do its work.
    WorkerLost {
        /// Its number, from 0.
        worker: usize,
        /// One sentence.
        error: String,
    },
    /// The end, successful or interrupted in order.
    Finished {
        /// Everything that was measured.
        result: Box<RunResult>,
    },
    /// The end, with an error. Rows may have been written; none of them is claimed.
    Failed {
        /// One sentence: what, where, what to do.
        error: String,
        /// The exit code that follows (see [`exit`]).
        code: u8,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_flat_json_and_loads_again() {
        let line = Line {
            schema: SCHEMA,
            seq: 3,
            at: 0.5,
            client: None,
            event: Event::Connected { connections: 15, seconds: 0.1 },
        };
        let json = serde_json::to_string(&line).unwrap();
        assert_eq!(json, r#"{"schema":1,"seq":3,"at":0.5,"event":"connected","connections":15,"seconds":0.1}"#);
        assert_eq!(serde_json::from_str::<Line>(&json).unwrap(), line);
    }
}
