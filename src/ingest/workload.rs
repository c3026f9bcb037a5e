//! What workloads have in common: the records a worker takes, how it is to go about them, where it counts, and what may
//! go wrong.

use super::census::items;
use super::lookup::Keys;
use super::spin;
use super::stats::{Acks, Live, PhaseLog};
use crate::census::geo::GeoRecord;
use crate::census::line::Line;
use crate::db;
use crate::db::geo::Columns;
use crate::model::inject::Inject;
use crate::model::share::Share;
use crate::model::{Commit, Protocol, Statement};
use crate::telemetry::Stages;
use crate::wire::exit::{Exit, Failure};
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio_postgres::error::SqlState;

/// Where a record came from: for errors that name file and line.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The archive's file name.
    pub file: std::sync::Arc<str>,
    /// Line number in its member, from 1.
    pub line: u64,
}

/// The unit a worker takes from the queue.
#[derive(Debug, Clone)]
pub enum Record {
    /// A geographic record.
    Geo(Box<GeoRecord>, Origin),
    /// A segment's line: the segment's number, the line.
    Line(u8, Line, Origin),
    /// A record as it stands in the file, for a child process: 0 for the geographic header, else the segment.
    Raw(u8, String, Origin),
    /// A chunk of keys to look up.
    Keys(Keys),
}

impl Record {
    /// Where it came from; keys came from nowhere.
    pub(super) fn origin(&self) -> Option<&Origin> {
        match self {
            Self::Geo(_, origin) | Self::Line(_, _, origin) | Self::Raw(_, _, origin) => Some(origin),
            Self::Keys(_) => None,
        }
    }

    /// Stands for a record that nobody will need again.
    pub(super) fn kept_nowhere() -> Self {
        Self::Keys(Keys { first: 0, count: 0 })
    }

    /// Rows it becomes.
    pub fn rows(&self) -> u64 {
        match self {
            Self::Geo(..) => 1,
            Self::Line(_, line, _) => line.values.len() as u64,
            Self::Raw(0, ..) => 1,
            Self::Raw(segment, ..) => items(*segment) as u64,
            Self::Keys(keys) => keys.count,
        }
    }
}

/// How rows are sent and committed in this run.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Statement kind.
    pub statement: Statement,
    /// Requests sent before waiting.
    pub in_flight: usize,
    /// Rows of one INSERT.
    pub batch: usize,
    /// Records of one transaction, at most.
    pub chunk: usize,
    /// How a statement and its parameters reach the database.
    pub protocol: Protocol,
    /// Transaction grain.
    pub commit: Commit,
    /// What is put in on purpose.
    pub inject: Inject,
    /// Whether a transaction says which records it holds.
    pub progress: bool,
    /// Which of the run's records are this ingester's.
    pub share: Share,
}

impl Manner {
    /// Whether a geographic record is a transaction of its own that says so to `progress`.
    pub fn tells_each(&self) -> bool {
        self.progress && self.commit == Commit::Record
    }

    /// The number that a request of a lookup has among those of all clients, by its own from 0.
    pub fn request(&self, own: u64) -> u64 {
        self.share.of_all(own, self.chunk as u64)
    }

    /// Burns what is to be burnt before a row is sent.
    pub fn burn(&self) {
        if !self.inject.spin.is_zero() {
            spin::burn(self.inject.spin.duration());
        }
    }
}

/// Where a worker writes what was acknowledged.
pub struct Counters<'a> {
    /// Live counters, read by the coordinator.
    pub live: &'a Live,
    /// This phase's timeline.
    pub log: &'a mut PhaseLog,
    /// What the database confirmed.
    pub acks: &'a mut Acks,
    /// The phase's origin on the monotonic clock.
    pub origin: Instant,
    /// What measures the worker.
    pub stages: &'a Stages,
    /// How many of the records at hand are through, from the first.
    pub through: usize,
}

impl Counters<'_> {
    /// Rows were acknowledged just now.
    pub fn rows(&mut self, count: u64) {
        self.live.rows.fetch_add(count, Ordering::Relaxed);
        self.log.rows(self.origin, count);
    }

    /// A geographic record is through.
    pub fn geo(&mut self, columns: &Columns<'_>) {
        self.acks.geo(columns.digest());
        self.through += 1;
        self.live.records.fetch_add(1, Ordering::Relaxed);
    }

    /// Rows were read just now; of a lookup each is a record.
    pub fn read(&mut self, count: u64) {
        self.rows(count);
        self.live.records.fetch_add(count, Ordering::Relaxed);
    }

    /// A line is through; `keys` are its items' ids.
    pub fn line(&mut self, line: &Line, keys: &[i32]) {
        self.acks.line(line.logrecno, keys, &line.values);
        self.through += 1;
        self.live.records.fetch_add(1, Ordering::Relaxed);
    }
}

/// An error of the driver, or a finding of our own about the record.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The database or the connection said no.
    #[error(transparent)]
    Database(#[from] tokio_postgres::Error),
    /// The record can't be ingested.
    #[error("{0}")]
    Record(String),
    /// The table is not as it was made.
    #[error("{0}")]
    Table(String),
    /// The statement kind needs pipelining, which the blocking driver hasn't got.
    #[error("this statement kind needs a driver that pipelines")]
    NotPipelined,
}

impl IngestError {
    /// Whether a new connection may cure it.
    pub fn is_curable(&self) -> bool {
        matches!(self, Self::Database(error) if db::is_curable(error))
    }
}

/// An error, and which of the records at hand it may come from.
pub type Failed = (Range<usize>, IngestError);

/// Where records came from, in words: they went to the database together.
fn place(records: &[Record]) -> String {
    if let [Record::Keys(keys)] = records {
        return format!("keys {} to {}", keys.first, keys.requests().end - 1);
    }
    let [first, last] = [records.first(), records.last()].map(|record| record.and_then(Record::origin));
    let (Some(first), Some(last)) = (first, last) else { return "nowhere".into() };
    match (records.len(), first.file == last.file) {
        (1, _) => format!("{}: line {}", first.file, first.line),
        (_, true) => format!("{}: one of lines {} to {}", first.file, first.line, last.line),
        (_, false) => format!("{}: line {}, to {}: line {}", first.file, first.line, last.file, last.line),
    }
}

/// The error of some records as a sentence that names file and line.
pub fn explain(error: IngestError, records: &[Record], url: &crate::wire::DbUrl) -> anyhow::Error {
    let place = place(records);
    match error {
        IngestError::Record(message) => Failure::new(Exit::Data, format!("{place}: {message}")).into(),
        IngestError::Table(message) => Failure::new(Exit::Database, message).into(),
        IngestError::NotPipelined => Failure::new(Exit::NotSupported, error.to_string()).into(),
        IngestError::Database(error) => {
            let doubled = error.code() == Some(&SqlState::UNIQUE_VIOLATION);
            if doubled && error.as_db_error().and_then(|db| db.table()) == Some("progress") {
                let message = format!(
                    "{place}: progress says that an earlier run has ingested this: run `ingester rebuild` to start from empty tables, or continue that ingest with --resume"
                );
                return Failure::new(Exit::Database, message).into();
            }
            if doubled {
                let detail = error.as_db_error().and_then(|db| db.detail()).unwrap_or_default().to_owned();
                let message = format!(
                    "{place}: the geographic record is there twice ({detail}): each LOGRECNO may occur once a state"
                );
                return Failure::new(Exit::Data, message).into();
            }
            anyhow::Error::new(db::explain(&error, url)).context(place)
        }
    }
}
