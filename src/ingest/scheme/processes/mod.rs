//! `processes`: one process a connection. The parent reads and hands out records over pipes; each child is this same
//! program, told the same kind of job, with one worker.
//!
//! ```text
//! queue ─► feeder task ─ job, records ─► child (stdin)
//!               ▲ connected, done, finished ─┘ (stdout)
//! ```
//! A child holds a few records ahead, so that it never waits for the pipe's round trip.

mod census;
mod handout;
mod lookup;
mod pipe;

use super::thread;
use crate::ingest::stats::PhaseLog;
use crate::ingest::worker::{self, Context, Ended, Message};
use crate::model::Workload;
use crate::wire::Event;
use crate::wire::feed::Feed;
use anyhow::{Result, anyhow, bail};
use handout::Handout;
use pipe::Pipe;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What a child holds beyond what it works on, in records, or chunks of them.
const AHEAD: usize = 1;

/// Children that start and connect at the same time: a connect storm of hundreds of processes starves itself.
const STARTING: usize = 32;

pub(super) fn start(context: &Arc<Context>) -> io::Result<Vec<JoinHandle<()>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(vec![thread("feeders".into(), Arc::clone(context), move |context| runtime.block_on(all(context)))?])
}

async fn all(context: &Arc<Context>) {
    let starting = Arc::new(Semaphore::new(STARTING));
    let handout = Arc::new(Handout::new(context.job.pool));
    let mut feeders = JoinSet::new();
    for worker in 0..context.job.pool {
        let (shared, starting, handout) = (Arc::clone(context), Arc::clone(&starting), Arc::clone(&handout));
        feeders.spawn(async move {
            match shared.job.workload {
                Workload::Census => census::feed(&shared, worker, &starting).await,
                Workload::Lookup => lookup::feed(&shared, worker, &starting, &handout).await,
            }
        });
    }
    while let Some(ended) = feeders.join_next().await {
        let result = ended.unwrap_or_else(|panic| Err(anyhow!("a feeder panicked: {panic}")));
        context.tell(Message::Ended(result));
    }
}

/// Starts a child and waits for its connection.
async fn connected(context: &Context, worker: usize, starting: &Semaphore) -> Result<Pipe> {
    let _permit = starting.acquire().await.expect("the semaphore is never closed");
    let mut pipe = Pipe::start(context, worker).await?;
    match pipe.next().await? {
        Event::Connected { .. } => context.tell(Message::Connected),
        other => bail!("worker process {worker} said {other:?} instead of connected"),
    }
    Ok(pipe)
}

/// When a child was handed its first record and when the last came back, a phase each.
type Busy = Vec<Option<(Instant, Instant)>>;

/// Ends a child that is through with everything.
async fn end(mut pipe: Pipe, worker: usize, busy: Busy) -> Result<Ended> {
    pipe.send(&Feed::End).await?;
    let mut result = pipe.finish().await?;
    let acknowledged = std::mem::take(&mut result.acknowledged);
    let child = Some(worker::Child { worker, result: Box::new(result), busy });
    Ok(Ended { acknowledged, child, ..Ended::default() })
}

/// How many records a child is done with.
fn done(context: &Context, worker: usize, log: &mut PhaseLog, event: &Event) -> Result<usize> {
    let Event::Done { records, rows, .. } = event else {
        bail!("worker process {worker} said {event:?} instead of done")
    };
    count(context, worker, log, *records, *rows);
    Ok(*records as usize)
}

/// Counts what a child is done with.
fn count(context: &Context, worker: usize, log: &mut PhaseLog, records: u64, rows: u64) {
    let live = &context.live[worker];
    live.rows.fetch_add(rows, Ordering::Relaxed);
    live.records.fetch_add(records, Ordering::Relaxed);
    log.rows(context.origin(), rows);
}
