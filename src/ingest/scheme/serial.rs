//! `serial`: one worker, one request at a time. With a pool above one it uses its connections in turn, which
//! shows what many connections cost the server when the client has no concurrency at all. The control.

use super::thread;
use crate::ingest::session::Session;
use crate::ingest::stats::Acks;
use crate::ingest::worker::{Context, ready, work};
use anyhow::Result;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

pub(super) fn start(context: &Arc<Context>) -> io::Result<Vec<JoinHandle<()>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(vec![thread("serial".into(), Arc::clone(context), move |context| {
        let result = runtime.block_on(run(context));
        context.ended(result);
    })?])
}

async fn run(context: &Context) -> Result<Acks> {
    let stages = context.telemetry.thread(0);
    let mut benches = Vec::with_capacity(context.job.pool);
    for connection in 0..context.job.pool {
        benches.push(ready(context, &stages, connection, Session::driven(&context.config)).await?);
    }
    work(context, 0, &stages, &mut benches).await
}
