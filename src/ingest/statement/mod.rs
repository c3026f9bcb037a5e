//! How rows are sent: one file a statement kind, each written once, async, whatever the scheme.
//!
//! ```text
//! row          SELECT ─ SELECT ─ INSERT ─ INSERT ─ …            a round trip each
//! executemany  SELECT ─ SELECT ─ INSERT INSERT INSERT …         a round trip for up to --in-flight of them
//! multirow, unnest    SELECT SELECT … ─ INSERT of many rows     two, whatever a chunk holds
//! copy                SELECT SELECT … ─ COPY ─ rows             three
//! ```
//! Geographic records are a row each: kinds that send before they wait send several INSERTs of one row.

mod bulk;
mod copy;
mod executemany;
mod multirow;
mod row;
mod unnest;

use super::census::{INSERT_ELEMENT, Prepared};
use super::session::Session;
use super::workload::{Counters, Failed, IngestError, Manner, Record};
use crate::census::geo::GeoRecord;
use crate::census::line::Line;
use crate::db::command::Value;
use crate::db::geo::Columns;
use crate::db::progress;
use crate::model::ranges::Listed;
use crate::model::{Commit, Phase, Stage, Statement};
use futures_util::future::join;
use std::borrow::Cow;
use std::future::Future;
use tokio_postgres::Error;

/// Inserts lines with all their items, one, or under `--commit chunk` several in one transaction; the counters say how
/// many are through. Kinds that take a round trip a row begin no further line once the run is stopped.
pub async fn lines(
    session: &mut Session,
    prepared: &Prepared,
    manner: Manner,
    records: &[Record],
    counters: &mut Counters<'_>,
    stopped: &(dyn Fn() -> bool + Sync),
) -> Result<(), Failed> {
    let lines: Vec<(u8, &Line)> = records.iter().filter_map(line_of).collect();
    if lines.len() < records.len() {
        return Err((0..records.len(), IngestError::Record("something that is no line reached a worker".into())));
    }
    if manner.statement.waits_a_line() {
        one_by_one(session, prepared, manner, records, &lines, counters, stopped).await?;
    } else {
        bulk::lines(session, prepared, manner, records, &lines, counters).await?;
    }
    if !manner.inject.sleep.is_zero() {
        session.sleep(manner.inject.sleep.duration() * counters.through as u32).await;
    }
    Ok(())
}

/// What ends the transaction of these records.
fn commit_of(manner: Manner, records: &[Record]) -> Cow<'static, str> {
    if !manner.progress {
        return "COMMIT".into();
    }
    progress::commit_sql(&listed(records)).into()
}

/// Records as `progress` lists them.
pub fn listed(records: &[Record]) -> Listed {
    let mut listed = Listed::default();
    for origin in records.iter().filter_map(Record::origin) {
        listed.add(&origin.file, origin.line, origin.line);
    }
    listed
}

fn line_of(record: &Record) -> Option<(u8, &Line)> {
    match record {
        Record::Line(segment, line, _) => Some((*segment, line)),
        Record::Geo(..) | Record::Raw(..) | Record::Keys(_) => None,
    }
}

fn geo_of(record: &Record) -> Option<&GeoRecord> {
    match record {
        Record::Geo(geo, _) => Some(geo),
        Record::Line(..) | Record::Raw(..) | Record::Keys(_) => None,
    }
}

/// Kinds that look up and insert line after line.
async fn one_by_one(
    session: &mut Session,
    prepared: &Prepared,
    manner: Manner,
    records: &[Record],
    lines: &[(u8, &Line)],
    counters: &mut Counters<'_>,
    stopped: &(dyn Fn() -> bool + Sync),
) -> Result<(), Failed> {
    let stages = counters.stages;
    let chunk = manner.commit == Commit::Chunk;
    let all = |error: Error| (0..lines.len(), IngestError::from(error));
    if chunk {
        stages.time(Stage::Begin, session.simple("BEGIN")).await.map_err(all)?;
    }
    let mut held = Vec::new();
    for (index, (segment, line)) in lines.iter().enumerate() {
        if index > 0 && stopped() {
            break;
        }
        let commit = (manner.commit == Commit::Record).then(|| commit_of(manner, &records[index..=index]));
        let commit = commit.as_deref();
        let inserted = match manner.statement {
            Statement::Executemany => {
                executemany::line(session, prepared, manner, *segment, line, commit, counters).await
            }
            _ => row::line(session, prepared, manner, *segment, line, commit, counters).await,
        };
        let keys = inserted.map_err(|error| (index..index + 1, error))?;
        if chunk {
            held.push(keys); // acknowledged with the transaction
        } else {
            counters.line(line, &keys);
        }
    }
    if chunk {
        let commit = commit_of(manner, &records[..held.len()]);
        stages.time(Stage::Commit, session.simple(&commit)).await.map_err(all)?;
        counters.rows(held.iter().map(Vec::len).sum::<usize>() as u64);
        lines.iter().zip(&held).for_each(|((_, line), keys)| counters.line(line, keys));
    }
    Ok(())
}

/// Inserts geographic records; the counters say how many are through. On an error says which of them it may be.
pub async fn geo(
    session: &mut Session,
    prepared: &Prepared,
    manner: Manner,
    records: &[Record],
    counters: &mut Counters<'_>,
) -> Result<(), Failed> {
    let columns: Vec<Columns<'_>> = records.iter().filter_map(geo_of).map(Columns::of).collect();
    if columns.len() < records.len() {
        let error = IngestError::Record("something that is no geographic record reached a worker".into());
        return Err((0..records.len(), error));
    }
    let stages = counters.stages;
    let chunk = manner.commit == Commit::Chunk;
    let all = |error: Error| (0..records.len(), IngestError::from(error));
    if chunk {
        stages.time(Stage::Begin, session.simple("BEGIN")).await.map_err(all)?;
    }
    let told: Vec<Values<'_>> =
        records.iter().zip(&columns).map(|(record, columns)| values(manner, record, columns)).collect();
    let rows: Vec<_> = columns.iter().zip(&told).map(|(columns, told)| (columns, told.as_slice())).collect();
    let inserted = if pipelines(manner.statement) {
        executemany::geo(session, prepared, &rows, !chunk, counters).await
    } else {
        row::geo(session, prepared, &rows, !chunk, counters).await
    };
    inserted.map_err(|(index, error)| (index..index + 1, error))?;
    if chunk {
        let commit = commit_of(manner, records);
        stages.time(Stage::Commit, session.simple(&commit)).await.map_err(all)?;
        counters.rows(columns.len() as u64);
        columns.iter().for_each(|columns| counters.geo(columns));
    }
    Ok(())
}

/// The parameters of a geographic record's INSERT.
type Values<'a> = Vec<Value<'a>>;

/// A geographic record that is a transaction of its own says in its one statement that it is there.
fn values<'a>(manner: Manner, record: &'a Record, columns: &Columns<'a>) -> Values<'a> {
    let mut values = columns.values().to_vec();
    if let Some(origin) = record.origin().filter(|_| manner.tells_each()) {
        values.extend([Value::Text(&origin.file), Value::Int8(origin.line as i64)]);
    }
    values
}

/// Sends what inserts and, right behind it, COMMIT; waits for both. Of two errors the first says why the second came.
async fn committed(
    insert: impl Future<Output = Result<(), Error>>,
    commit: impl Future<Output = Result<(), Error>>,
) -> Result<(), Error> {
    let (inserted, committed) = join(insert, commit).await;
    inserted.and(committed)
}

/// Whether the kind sends before it waits, and so needs a driver that pipelines.
pub fn pipelines(kind: Statement) -> bool {
    match kind {
        Statement::Row => false,
        Statement::Executemany | Statement::Multirow | Statement::Unnest | Statement::Copy => true,
    }
}

/// How many records a worker takes at once, where so many are there. A geographic record is one row, so that a kind that
/// sends before it waits takes a window of them.
pub fn together(manner: Manner, phase: Phase) -> usize {
    match (manner.commit, phase) {
        (Commit::Chunk, _) => manner.chunk,
        (_, Phase::Geo) if pipelines(manner.statement) => manner.in_flight,
        _ => 1,
    }
}

/// The statements that insert items, with how many rows each takes, the most first.
pub fn elements_sql(manner: Manner) -> Vec<(usize, String)> {
    match manner.statement {
        Statement::Row | Statement::Executemany => vec![(1, INSERT_ELEMENT.into())],
        Statement::Multirow => multirow::sql(manner.batch),
        Statement::Unnest => vec![(usize::MAX, unnest::SQL.into())],
        Statement::Copy => vec![(usize::MAX, copy::SQL.into())],
    }
}
