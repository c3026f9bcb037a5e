//! What kinds that send many rows at once have in common: a chunk's places and keys are looked up together, its rows
//! collected by column, and COMMIT travels with the last of them.
//!
//! ```text
//! ─► BEGIN, a SELECT a file and state, one a segment ─► rows by the kind, COMMIT ─►      ─ answers come back in this order
//! ```

use super::{commit_of, committed, copy, multirow, unnest};
use crate::census::line::Line;
use crate::db::command::Value;
use crate::db::numeric::Hundredths;
use crate::ingest::census::{Prepared, check_keys, geo_id, number_of, source_of};
use crate::ingest::session::Session;
use crate::ingest::workload::{Counters, Failed, IngestError, Manner, Record};
use crate::model::{Commit, Stage, Statement};
use futures_util::future::{try_join_all, try_join3};
use std::collections::{BTreeMap, HashMap};
use tokio_postgres::{Client, Error};

/// Rows of `data_element`, a column each.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) geo: Vec<i32>,
    pub(super) items: Vec<i32>,
    pub(super) values: Vec<Hundredths>,
}

impl Rows {
    fn add(&mut self, geo: i32, keys: &[i32], line: &Line) {
        self.geo.resize(self.geo.len() + keys.len(), geo);
        self.items.extend_from_slice(keys);
        self.values.extend(line.values.iter().copied().map(Hundredths));
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

/// Inserts lines, in one transaction unless each statement is its own.
pub(super) async fn lines(
    session: &mut Session,
    prepared: &Prepared,
    manner: Manner,
    records: &[Record],
    lines: &[(u8, &Line)],
    counters: &mut Counters<'_>,
) -> Result<(), Failed> {
    // The driver lets go of a COPY before its commit is confirmed: a COMMIT of its own is waited for.
    let transaction = manner.commit != Commit::Auto || manner.statement == Statement::Copy;
    let stages = counters.stages;
    let all = |error: IngestError| (0..lines.len(), error);
    let driven = session.pipelined().ok_or_else(|| all(IngestError::NotPipelined))?;
    let mut segments: Vec<u8> = lines.iter().map(|(segment, _)| *segment).collect();
    segments.sort_unstable();
    segments.dedup();
    let look_up = driven.with(|client| look_up(client, prepared, transaction, lines, &segments));
    let (places, items) = stages.time(Stage::Select, look_up).await.map_err(|error| all(error.into()))?;
    let mut rows = Rows::default();
    let mut stored = Vec::new();
    for (index, ((segment, line), place)) in lines.iter().zip(&places).enumerate() {
        let one = |error: IngestError| (index..index + 1, error);
        let geo = geo_id(place, line).map_err(one)?;
        let of_segment = segments.binary_search(segment).map_or(&[][..], |index| items[index].as_slice());
        check_keys(of_segment, *segment, line).map_err(one)?;
        rows.add(geo, of_segment, line);
        stored.push(of_segment);
    }
    (0..rows.len()).for_each(|_| manner.burn());
    let rows = &rows;
    let commit = commit_of(manner, records);
    // COPY encodes while it sends: what its first poll does is no encoding.
    let encoding = Some(stages).filter(|_| manner.statement != Statement::Copy);
    stages.begin(Stage::Execute);
    let inserted = driven
        .with_encoding(encoding, |client: &Client| async move {
            let commit = async { if transaction { client.batch_execute(&commit).await } else { Ok(()) } };
            match manner.statement {
                Statement::Multirow => committed(multirow::insert(client, prepared, rows), commit).await,
                Statement::Unnest => committed(unnest::insert(client, prepared, rows), commit).await,
                // Behind the last of the rows, which only it knows.
                _ => copy::insert(client, prepared, rows, commit).await,
            }
        })
        .await;
    stages.end(Stage::Execute);
    inserted.map_err(|error| all(error.into()))?;
    counters.rows(rows.len() as u64);
    lines.iter().zip(&stored).for_each(|((_, line), keys)| counters.line(line, keys));
    Ok(())
}

/// The ids of the place that each line belongs to, one where all is well, and the keys of each segment.
/// All places of a file and state are asked for at once: a SELECT a line would take a fifth of the time of a COPY without
/// foreign keys.
async fn look_up(
    client: &Client,
    prepared: &Prepared,
    transaction: bool,
    lines: &[(u8, &Line)],
    segments: &[u8],
) -> Result<(Vec<Vec<i32>>, Vec<Vec<i32>>), Error> {
    let begin = async { if transaction { client.batch_execute("BEGIN").await } else { Ok(()) } };
    let places = places(client, prepared, lines);
    let items = try_join_all(segments.iter().map(|segment| items(client, prepared, *segment)));
    let ((), places, items) = try_join3(begin, places, items).await?;
    Ok((places, items))
}

async fn places(client: &Client, prepared: &Prepared, lines: &[(u8, &Line)]) -> Result<Vec<Vec<i32>>, Error> {
    let mut wanted: BTreeMap<(&str, &str), Vec<i32>> = BTreeMap::new();
    for (_, line) in lines {
        wanted.entry(source_of(line)).or_default().push(number_of(line));
    }
    let asked = wanted.iter().map(async |(&(file, state), numbers)| {
        let of_it = [Value::Text(file), Value::Int4s(numbers), Value::Text(state)];
        Ok(((file, state), prepared.select_geo.pairs(client, &of_it).await?))
    });
    let mut found: HashMap<((&str, &str), i32), Vec<i32>> = HashMap::with_capacity(lines.len());
    for (source, pairs) in try_join_all(asked).await? {
        pairs.into_iter().for_each(|(number, id)| found.entry((source, number)).or_default().push(id));
    }
    let of = |line: &Line| found.get(&(source_of(line), number_of(line))).cloned().unwrap_or_default();
    Ok(lines.iter().map(|(_, line)| of(line)).collect())
}

async fn items(client: &Client, prepared: &Prepared, segment: u8) -> Result<Vec<i32>, Error> {
    prepared.select_keys.ids(client, &[Value::Int2(segment.into())]).await
}
