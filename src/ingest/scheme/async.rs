//! `async`: one task a connection on tokio's multi-thread runtime, as many threads as the CPUs it may use.

use super::thread;
use crate::ingest::session::Session;
use crate::ingest::stats::Acks;
use crate::ingest::worker::{Context, ready, work};
use crate::telemetry::{Stages, polled};
use anyhow::{Result, anyhow};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

pub(super) fn start(context: &Arc<Context>) -> io::Result<Vec<JoinHandle<()>>> {
    run_on(tokio::runtime::Builder::new_multi_thread().enable_all().build()?, context)
}

/// Runs one task a worker on the given runtime.
pub(super) fn run_on(runtime: Runtime, context: &Arc<Context>) -> io::Result<Vec<JoinHandle<()>>> {
    Ok(vec![thread("event-loop".into(), Arc::clone(context), move |context| runtime.block_on(all(context)))?])
}

async fn all(context: &Arc<Context>) {
    let mut tasks = JoinSet::new();
    for worker in 0..context.job.pool {
        let shared = Arc::clone(context);
        tasks.spawn(async move {
            let stages = shared.telemetry.task(worker);
            polled(&stages, connect_and_work(&shared, worker, &stages)).await
        });
    }
    while let Some(ended) = tasks.join_next().await {
        context.ended(ended.unwrap_or_else(|panic| Err(anyhow!("a worker panicked: {panic}"))));
    }
}

/// One worker from its connection to its end.
pub(super) async fn connect_and_work(context: &Context, worker: usize, stages: &Stages) -> Result<Acks> {
    let bench = ready(context, stages, worker, Session::driven(&context.config)).await?;
    work(context, worker, stages, &mut [bench]).await
}
