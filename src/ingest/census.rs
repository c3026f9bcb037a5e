//! The census workload: the SQL of 2015, the same for every scheme, and what is done with one record.

use super::session::Session;
use super::spin;
use super::statement;
use super::stats::{Acks, Live, PhaseLog};
use crate::census::dictionary::Dictionary;
use crate::census::geo::GeoRecord;
use crate::census::line::Line;
use crate::db;
use crate::db::geo::Columns;
use crate::model::inject::Inject;
use crate::model::{Commit, Stage, Statement};
use crate::telemetry::Stages;
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
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

/// The statements of the workload, prepared on one connection.
pub struct Prepared {
    /// [`crate::db::geo::insert_sql`].
    pub insert_geo: tokio_postgres::Statement,
    /// [`SELECT_GEO`].
    pub select_geo: tokio_postgres::Statement,
    /// [`SELECT_KEYS`].
    pub select_keys: tokio_postgres::Statement,
    /// [`INSERT_ELEMENT`].
    pub insert_element: tokio_postgres::Statement,
}

impl Prepared {
    /// Prepares all of them, once a connection.
    pub async fn on(session: &mut Session) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            insert_geo: session.prepare(&db::geo::insert_sql()).await?,
            select_geo: session.prepare(SELECT_GEO).await?,
            select_keys: session.prepare(SELECT_KEYS).await?,
            insert_element: session.prepare(INSERT_ELEMENT).await?,
        })
    }
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
        self.log.rows(self.origin, count as u32);
    }

    /// A record is through.
    pub fn record(&mut self) {
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

/// Inserts one record with all that belongs to it, and counts what was acknowledged.
pub async fn ingest(
    session: &mut Session,
    prepared: &Prepared,
    manner: Manner,
    record: &Record,
    counters: &mut Counters<'_>,
) -> Result<(), IngestError> {
    match record {
        Record::Geo(geo, _) => {
            let columns = Columns::of(geo);
            let params = columns.params();
            let insert = session.execute(&prepared.insert_geo, &params, Some(counters.stages));
            counters.stages.time(Stage::Execute, insert).await?;
            counters.rows(1);
            counters.acks.geo(columns.digest());
        }
        Record::Line(segment, line, _) => {
            let keys = statement::line(session, prepared, manner, *segment, line, counters).await?;
            counters.acks.line(line.logrecno, &keys, &line.values);
            if !manner.inject.sleep.is_zero() {
                session.sleep(manner.inject.sleep.duration()).await;
            }
        }
        Record::Raw(..) => return Err(IngestError::Record("a raw record reached a worker".into())),
    }
    counters.record();
    Ok(())
}

/// The geographic id among the rows [`SELECT_GEO`] gave.
pub fn geo_id(rows: &[tokio_postgres::Row], line: &Line) -> Result<i32, IngestError> {
    match rows {
        [row] => Ok(row.get(0)),
        [] => Err(IngestError::Record(format!(
            "LOGRECNO {:07} has no geographic record: load the whole header file (a higher --limit-geo), or derive one with `ingester geo-from`",
            line.logrecno
        ))),
        _ => Err(IngestError::Record(format!("LOGRECNO {:07} has {} geographic records", line.logrecno, rows.len()))),
    }
}

/// The keys among the rows [`SELECT_KEYS`] gave, as many as the line has items.
pub fn keys(rows: &[tokio_postgres::Row], segment: u8, line: &Line) -> Result<Vec<i32>, IngestError> {
    if rows.len() != line.values.len() {
        return Err(IngestError::Record(format!(
            "the line has {} items, the dictionary in the database lists {} for segment {segment:02}: run `ingester rebuild`, or check that the file is segment {segment:02}",
            line.values.len(),
            rows.len()
        )));
    }
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The error of one record as a sentence that names file and line.
pub fn explain(error: IngestError, record: &Origin, url: &crate::wire::DbUrl) -> anyhow::Error {
    let Origin { file, line } = record;
    match error {
        IngestError::Record(message) => Failure::new(Exit::Data, format!("{file}: line {line}: {message}")).into(),
        IngestError::NotPipelined => Failure::new(Exit::NotSupported, error.to_string()).into(),
        IngestError::Database(error) => {
            let doubled = error.code() == Some(&SqlState::UNIQUE_VIOLATION);
            if doubled {
                let detail = error.as_db_error().and_then(|db| db.detail()).unwrap_or_default().to_owned();
                let message = format!(
                    "{file}: line {line}: the geographic record is there twice ({detail}): each LOGRECNO may occur once a state"
                );
                return Failure::new(Exit::Data, message).into();
            }
            anyhow::Error::new(db::explain(&error, url)).context(format!("{file}: line {line}"))
        }
    }
}

/// Items a segment's line has.
pub fn items(segment: u8) -> usize {
    Dictionary::embedded().items_of_segment(segment)
}
