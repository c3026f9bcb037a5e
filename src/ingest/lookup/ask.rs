//! How rows are asked for: one at a time, or many in flight.

use super::Keys;
use super::node::{Node, one};
use crate::db::command::{Command, Value};
use crate::ingest::session::Session;
use crate::ingest::workload::{Counters, IngestError, Manner};
use crate::model::{Stage, lookup};
use futures_util::stream::{FuturesOrdered, StreamExt};
use tokio_postgres::{Client, Error, Row};

/// `row`: one request, its answer awaited, then the next.
pub(super) async fn one_by_one(
    session: &mut Session,
    select: &Command,
    manner: Manner,
    keys: Keys,
    counters: &mut Counters<'_>,
    nodes: &mut Vec<Node>,
) -> Result<(), IngestError> {
    for request in keys.requests() {
        let request = manner.request(request);
        let key = lookup::key(request);
        manner.burn();
        let values = [Value::Text(&key)];
        let rows = counters.stages.time(Stage::Select, session.rows(select, &values)).await?;
        nodes.push(one(&rows, request)?);
        counters.read(1);
    }
    Ok(())
}

/// `executemany`: up to so many requests under way; each answer lets another go. Rows are decoded as they come, while
/// the server is at the next ones.
pub(super) async fn in_flight(
    session: &mut Session,
    select: &Command,
    manner: Manner,
    keys: Keys,
    counters: &mut Counters<'_>,
    nodes: &mut Vec<Node>,
) -> Result<(), IngestError> {
    let driven = session.pipelined().ok_or(IngestError::NotPipelined)?;
    let stages = counters.stages;
    let (read, counted) = (nodes, &mut *counters);
    let asked = driven.with(|client: &Client| async move {
        let mut window = FuturesOrdered::new();
        let (mut next, mut awaited) = (keys.first, keys.first);
        let end = keys.requests().end;
        while awaited < end {
            while next < end && window.len() < manner.in_flight {
                manner.burn();
                window.push_back(ask(client, select, manner.request(next)));
                next += 1;
            }
            let Some(rows) = window.next().await else { break };
            read.push(one(&rows?, manner.request(awaited))?);
            counted.read(1);
            awaited += 1;
        }
        Ok::<(), IngestError>(())
    });
    stages.time(Stage::Select, asked).await
}

async fn ask(client: &Client, select: &Command, request: u64) -> Result<Vec<Row>, Error> {
    let key = lookup::key(request);
    select.rows(client, &[Value::Text(&key)]).await
}
