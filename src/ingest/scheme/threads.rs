//! `threads`: one operating-system thread a connection, as in 2015. `row` goes through the blocking `postgres`
//! driver; kinds that send before they wait run on a one-thread runtime inside each thread.

use super::thread;
use crate::ingest::session::Session;
use crate::ingest::statement::pipelines;
use crate::ingest::stats::Acks;
use crate::ingest::worker::{Context, ready, work};
use anyhow::Result;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

pub(super) fn start(context: &Arc<Context>) -> io::Result<Vec<JoinHandle<()>>> {
    (0..context.job.pool)
        .map(|worker| {
            thread(format!("worker-{worker}"), Arc::clone(context), move |context| {
                let result = if pipelines(context.job.statement) {
                    pipelining(context, worker)
                } else {
                    blocking(context, worker)
                };
                context.ended(result);
            })
        })
        .collect()
}

fn blocking(context: &Context, worker: usize) -> Result<Acks> {
    let stages = context.telemetry.thread(worker);
    // The driver blocks inside the calls; what is left to wait for asynchronously is the queue.
    pollster::block_on(async {
        let bench = ready(context, &stages, worker, async { Session::blocking(&context.config) }).await?;
        work(context, worker, &stages, &mut [bench]).await
    })
}

fn pipelining(context: &Context, worker: usize) -> Result<Acks> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stages = context.telemetry.thread(worker);
    runtime.block_on(super::r#async::connect_and_work(context, worker, &stages))
}
