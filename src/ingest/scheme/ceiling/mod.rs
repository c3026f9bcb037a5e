//! Ceilings: the same rows sent by PostgreSQL's own tools, which nothing that is written here slows down. The ingester
//! renders what a tool is to send before the clock starts, lets it go, and follows what it says it has done.
//!
//! ```text
//! archives ─► lines rendered ─► pgbench, psql ─► PostgreSQL
//!                                   └─ a log, a word a COPY ─► which lines are acknowledged ─► their archives once more: tallies
//! ```
//! Geographic records are no ceiling: the ingester inserts them itself ([`loader`]).

mod lines;
mod loader;
mod pgbench;
mod psql_copy;
mod script;
mod tool;

use super::thread;
use crate::db;
use crate::ingest::stats::PhaseLog;
use crate::ingest::worker::{Context, Ended, Message};
use crate::ingest::workload::Record;
use crate::model::{Commit, Phase, Protocol, Scheme, Statement, Workload};
use crate::wire::exit::{Exit, Failure};
use crate::wire::{Acknowledged, Job};
use anyhow::{Context as _, Result};
use async_channel::Receiver;
use lines::Lines;
use loader::Loader;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// How often a stop is looked for while a tool is at work.
const LOOK: Duration = Duration::from_millis(20);

/// Refuses what the tools cannot do with the contract's meaning.
pub fn check(job: &Job) -> Result<()> {
    let refused = |message: String| Err(Failure::new(Exit::NotSupported, message).into());
    let scheme = job.scheme;
    if job.workload != Workload::Census {
        return refused(format!("{scheme} inserts: ask for the workload census"));
    }
    if job.progress || job.resume || job.retry {
        return refused(format!("{scheme} keeps no progress: leave progress, resume and retry out"));
    }
    if job.tls.is_some() {
        return refused(format!("{scheme} connects without encryption, as its figures are meant: leave `tls` off"));
    }
    if !job.share.is_whole() {
        return refused(format!("{scheme} does all of a run's records: leave its share out"));
    }
    if !job.inject.is_none() {
        return refused(format!("{scheme} is a ceiling, which nothing is to slow down: leave `inject` out"));
    }
    match (scheme, job.statement) {
        (Scheme::Pgbench, Statement::Row) if job.commit == Commit::Chunk => {
            return refused(
                "pgbench replays a line at a time, not transactions of several: ask for commit auto or record".into(),
            );
        }
        (Scheme::PsqlCopy, Statement::Copy) if job.protocol != Protocol::Prepared => {
            return refused("psql's \\copy has no parameters: ask for protocol prepared".into());
        }
        (Scheme::Pgbench, Statement::Row) | (Scheme::PsqlCopy, Statement::Copy) => {}
        (Scheme::Pgbench, _) => return refused("pgbench sends a row and waits: ask for statement row".into()),
        _ => return refused(format!("{scheme} copies: ask for statement copy")),
    }
    tool::require(if scheme == Scheme::Pgbench { pgbench::TOOL } else { psql_copy::TOOL })
}

pub(super) fn start(context: &Arc<Context>) -> io::Result<Vec<JoinHandle<()>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(vec![thread("ceiling".into(), Arc::clone(context), move |context| {
        // One account for all workers: the lines they did are told apart by the tool alone.
        let all = runtime.block_on(run(context)).map(|acknowledged| Ended { acknowledged, ..Ended::default() });
        context.tell(Message::Ended(all));
        for _ in 1..context.job.pool {
            context.tell(Message::Ended(Ok(Ended::default())));
        }
    })?])
}

async fn run(context: &Context) -> Result<Acknowledged> {
    let control = db::connect(&context.job.dburl).await?;
    let phases = &context.job.phases;
    let mut loader = match phases.contains(&Phase::Geo) {
        true => Some(Loader::connect(context).await?),
        false => None,
    };
    let wanted = phases.contains(&Phase::Data);
    let lines = if wanted { lines::of(context, &control).await? } else { Lines::default() };
    let (geo, done) = match context.job.scheme {
        Scheme::Pgbench => pgbench::run(context, &control, &mut loader, &lines).await?,
        _ => psql_copy::run(context, &control, &mut loader, &lines).await?,
    };
    let data = if wanted { lines::acknowledged(&context.job, &lines, &done)? } else { Acknowledged::default() };
    let _ = context.hold.recv().await; // nothing is ever sent: it ends when the coordinator lets go
    Ok(Acknowledged::together([geo, data]))
}

/// Says that every connection of the pool is open.
fn connected(context: &Context) {
    (0..context.job.pool).for_each(|_| context.tell(Message::Connected));
}

/// Says that every worker is through with a phase.
fn phase_done(context: &Context, logs: Vec<PhaseLog>) {
    logs.into_iter().for_each(|log| context.tell(Message::PhaseDone(log)));
}

/// Waits until the data phase's clock has started, and wants no record of it: they were rendered before. None where the
/// phase never begins, or has no line.
async fn clock_starts(queue: &Receiver<Record>) -> Option<Instant> {
    let first = queue.recv().await;
    queue.close();
    first.ok().map(|_| Instant::now())
}

/// The queue of a phase.
fn queue_of(context: &Context, wanted: Phase) -> Option<&Receiver<Record>> {
    context.phases.iter().find_map(|(phase, queue)| (*phase == wanted).then_some(queue))
}

/// Inserts the geographic records, where they are asked for.
async fn load(context: &Context, loader: &mut Option<Loader>) -> Result<(Acknowledged, Option<PhaseLog>)> {
    let Some(loader) = loader.take() else { return Ok((Acknowledged::default(), None)) };
    let (acknowledged, log) = loader.load(context).await?;
    Ok((acknowledged, Some(log)))
}

/// The one log of the geographic records, and an empty one for each other worker of the pool.
fn geo_done(context: &Context, log: Option<PhaseLog>) {
    let Some(log) = log else { return };
    let mut logs = vec![log];
    logs.resize_with(context.job.pool, PhaseLog::default);
    phase_done(context, logs);
}

/// Runs a statement of the ingester's own, beside what is measured.
async fn tell_database(control: &Client, statement: &str, what: &str) -> Result<()> {
    control.batch_execute(statement).await.with_context(|| what.to_owned())
}
