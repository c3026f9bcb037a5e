//! The census workload: the SQL of 2015, the same for every scheme, and what is done with one record.

use super::session::Session;
use super::spin;
use super::statement;
use super::stats::{Acks, Live, PhaseLog};
use crate::census::dictionary::Dictionary;
use crate::census::geo::GeoRecord;
use crate::census::line::Line;
use crate::db;
use crate::db::command::{Command, Value};
use crate::db::geo::Columns;
use crate::db::numeric::Hundredths;
use crate::model::inject::Inject;
use crate::model::{Commit, Protocol, Statement};
use crate::telemetry::Stages;
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio_postgres::error::SqlState;

/// Finds the place a line belongs to. The state is named, too: LOGRECNO counts anew in each.
pub const SELECT_GEO: &str = "SELECT id FROM geo_record WHERE fileid = $1 AND logrecno = $2 AND stusab = $3";
/// Finds the keys of a segment's items, in file order.
pub const SELECT_KEYS: &str =
    "SELECT d.id FROM dictionary_item d JOIN matrix m ON m.id = d.matrix WHERE m.segment = $1 ORDER BY d.id";
/// Inserts one item.
pub const INSERT_ELEMENT: &str = "INSERT INTO data_element (geo_record, dictionary_item, value) VALUES ($1, $2, $3)";

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
}

impl Record {
    /// Where it came from.
    pub fn origin(&self) -> &Origin {
        match self {
            Self::Geo(_, origin) | Self::Line(_, _, origin) | Self::Raw(_, _, origin) => origin,
        }
    }
}

/// The statements of the workload, ready on one connection.
pub struct Prepared {
    /// [`crate::db::geo::insert_sql`].
    pub insert_geo: Command,
    /// [`SELECT_GEO`].
    pub select_geo: Command,
    /// [`SELECT_KEYS`].
    pub select_keys: Command,
    /// What inserts items, by how many rows each takes, the most first.
    pub insert_elements: Vec<(usize, Command)>,
}

impl Prepared {
    /// All of them, once a connection; COPY is prepared in any case.
    pub async fn on(session: &mut Session, manner: Manner) -> Result<Self, tokio_postgres::Error> {
        let protocol = manner.protocol;
        let of_items = if manner.statement == Statement::Copy { Protocol::Prepared } else { protocol };
        let mut insert_elements = Vec::new();
        for (rows, sql) in statement::elements_sql(manner) {
            insert_elements.push((rows, session.command(&sql, of_items).await?));
        }
        Ok(Self {
            insert_geo: session.command(&db::geo::insert_sql(), protocol).await?,
            select_geo: session.command(SELECT_GEO, protocol).await?,
            select_keys: session.command(SELECT_KEYS, protocol).await?,
            insert_elements,
        })
    }

    /// What inserts items: of a kind that has one statement, that.
    pub fn insert_element(&self) -> &Command {
        &self.insert_elements[0].1
    }
}

/// The parameters of [`SELECT_GEO`].
pub fn place_of(line: &Line) -> [Value<'_>; 3] {
    let logrecno = line.logrecno as i32; // seven digits
    [Value::Text(line.file_id.as_str()), Value::Int4(logrecno), Value::Text(line.stusab.as_str())]
}

/// Rows a record becomes.
pub fn rows_of(record: &Record) -> u64 {
    match record {
        Record::Geo(..) => 1,
        Record::Line(_, line, _) => line.values.len() as u64,
        Record::Raw(segment, ..) => {
            if *segment == 0 {
                1
            } else {
                items(*segment) as u64
            }
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
}

impl Manner {
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
    /// The run's origin on the monotonic clock.
    pub origin: Instant,
    /// What measures the worker.
    pub stages: &'a Stages,
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
        self.live.records.fetch_add(1, Ordering::Relaxed);
    }

    /// A line is through; `keys` are its items' ids.
    pub fn line(&mut self, line: &Line, keys: &[i32]) {
        self.acks.line(line.logrecno, keys, &line.values);
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
    /// The statement kind needs pipelining, which the blocking driver hasn't got.
    #[error("this statement kind needs a driver that pipelines")]
    NotPipelined,
}

/// The parameters of [`INSERT_ELEMENT`], and of a row in a longer INSERT.
pub fn element(geo: i32, key: i32, value: Hundredths) -> [Value<'static>; 3] {
    [Value::Int4(geo), Value::Int4(key), Value::Numeric(value)]
}

/// An error, and which of the records at hand it may come from.
pub type Failed = (Range<usize>, IngestError);

/// The geographic id among those [`SELECT_GEO`] gave.
pub fn geo_id(ids: &[i32], line: &Line) -> Result<i32, IngestError> {
    match ids {
        [id] => Ok(*id),
        [] => Err(IngestError::Record(format!(
            "LOGRECNO {:07} has no geographic record: load the whole header file (a higher --limit-geo), or derive one with `ingester geo-from`",
            line.logrecno
        ))),
        _ => Err(IngestError::Record(format!("LOGRECNO {:07} has {} geographic records", line.logrecno, ids.len()))),
    }
}

/// Refuses keys as [`SELECT_KEYS`] gave them that are not as many as the line has items.
pub fn check_keys(keys: &[i32], segment: u8, line: &Line) -> Result<(), IngestError> {
    if keys.len() == line.values.len() {
        return Ok(());
    }
    Err(IngestError::Record(format!(
        "the line has {} items, the dictionary in the database lists {} for segment {segment:02}: run `ingester rebuild`, or check that the file is segment {segment:02}",
        line.values.len(),
        keys.len()
    )))
}

/// Where records came from, in words: they went to the database together.
fn place(records: &[Record]) -> String {
    let (Some(first), Some(last)) = (records.first(), records.last()) else { return "nowhere".into() };
    let (first, last) = (first.origin(), last.origin());
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
        IngestError::NotPipelined => Failure::new(Exit::NotSupported, error.to_string()).into(),
        IngestError::Database(error) => {
            let doubled = error.code() == Some(&SqlState::UNIQUE_VIOLATION);
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

/// Items a segment's line has.
pub fn items(segment: u8) -> usize {
    Dictionary::embedded().items_of_segment(segment)
}
