//! `executemany`: the same executes, up to `--in-flight` of them sent before waiting for the answers.
//!
//! Each execute carries its own Sync, so that without a transaction around them every row is still its own commit.
//! BEGIN and COMMIT travel with their neighbours instead of costing a round trip of their own; an execute that
//! fails turns the COMMIT into a rollback, and its error is what is reported.

use super::committed;
use crate::census::line::Line;
use crate::db::command::Value;
use crate::db::geo::Columns;
use crate::db::numeric::Hundredths;
use crate::ingest::census::{Prepared, check_keys, element, geo_id, place_of};
use crate::ingest::session::Session;
use crate::ingest::workload::{Counters, IngestError, Manner};
use crate::model::{Commit, Stage};
use futures_util::future::try_join;
use futures_util::stream::{FuturesOrdered, StreamExt};
use tokio_postgres::{Client, Error};

/// A line, in a transaction of its own where `commit` ends one.
pub(super) async fn line(
    session: &mut Session,
    prepared: &Prepared,
    manner: Manner,
    segment: u8,
    line: &Line,
    commit: Option<&str>,
    counters: &mut Counters<'_>,
) -> Result<Vec<i32>, IngestError> {
    let one_transaction = commit.is_some();
    let each = manner.commit == Commit::Auto;
    let driven = session.pipelined().ok_or(IngestError::NotPipelined)?;
    let stages = counters.stages;
    let select = driven.with(|client: &Client| async move {
        let place = place_of(line);
        let select = prepared.select_geo.ids(client, &place);
        if one_transaction { Ok(try_join(client.batch_execute("BEGIN"), select).await?.1) } else { select.await }
    });
    let geo = geo_id(&stages.time(Stage::Select, select).await?, line)?;
    let of_segment = [Value::Int2(segment.into())];
    let select = driven.with(|client| prepared.select_keys.ids(client, &of_segment));
    let keys = stages.time(Stage::Select, select).await?;
    check_keys(&keys, segment, line)?;
    let (stored, counted) = (&keys, &mut *counters);
    stages.begin(Stage::Execute);
    driven
        .with_encoding(Some(stages), |client: &Client| async move {
            let inserts = async {
                let mut window = FuturesOrdered::new();
                for (key, value) in stored.iter().zip(&line.values) {
                    if window.len() == manner.in_flight {
                        answered(&mut window, each, counted).await?;
                    }
                    manner.burn();
                    window.push_back(insert(client, prepared, element(geo, *key, Hundredths(*value))));
                }
                while !window.is_empty() {
                    answered(&mut window, each, counted).await?;
                }
                stages.end(Stage::Execute);
                if one_transaction {
                    stages.begin(Stage::Commit); // also where it is under way already: what is left to wait for
                }
                Ok::<(), Error>(())
            };
            match commit {
                // All executes are queued at the first poll of `inserts`, so COMMIT goes out right behind them.
                Some(commit) if stored.len() <= manner.in_flight => {
                    committed(inserts, client.batch_execute(commit)).await
                }
                Some(commit) => {
                    inserts.await?;
                    client.batch_execute(commit).await
                }
                None => inserts.await,
            }
        })
        .await?;
    if one_transaction {
        stages.end(Stage::Commit);
        counters.rows(keys.len() as u64);
    }
    Ok(keys)
}

async fn insert(client: &Client, prepared: &Prepared, row: [Value<'_>; 3]) -> Result<(), Error> {
    prepared.insert_element().execute(client, &row).await
}

async fn geo_record(client: &Client, prepared: &Prepared, values: &[Value<'_>]) -> Result<(), Error> {
    prepared.insert_geo.execute(client, values).await
}

/// Waits for the oldest answer; the first wait sends whatever the window holds. `each` says whether each is its own
/// transaction.
async fn answered<F>(window: &mut FuturesOrdered<F>, each: bool, counters: &mut Counters<'_>) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>>,
{
    if let Some(answer) = window.next().await {
        answer?;
        if each {
            counters.rows(1);
        }
    }
    Ok(())
}

/// All sent before waiting; `each` says whether each is its own transaction.
pub(super) async fn geo(
    session: &mut Session,
    prepared: &Prepared,
    records: &[(&Columns<'_>, &[Value<'_>])],
    each: bool,
    counters: &mut Counters<'_>,
) -> Result<(), (usize, IngestError)> {
    let driven = session.pipelined().ok_or((0, IngestError::NotPipelined))?;
    let mut done = 0;
    let (done_here, counters_here) = (&mut done, &mut *counters);
    let stages = counters_here.stages;
    let insert = driven.with_encoding(Some(stages), |client: &Client| async move {
        let mut window = FuturesOrdered::new();
        for (_, values) in records {
            window.push_back(geo_record(client, prepared, values));
        }
        while let Some(answer) = window.next().await {
            answer?;
            if each {
                counters_here.rows(1);
                counters_here.geo(records[*done_here].0);
            }
            *done_here += 1;
        }
        Ok(())
    });
    let inserted = stages.time(Stage::Execute, insert).await;
    inserted.map_err(|error: Error| (done.min(records.len() - 1), error.into()))
}
