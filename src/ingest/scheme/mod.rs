//! How the client schedules its work: one file a scheme. A scheme only decides what a worker runs on;
//! the worker itself ([`super::worker::work`]) is the same everywhere.

mod r#async;
mod async_single;
mod ceiling;
mod processes;
mod serial;
mod threads;

use super::worker::{Context, Message};
use crate::model::{Program, Scheme};
use crate::wire::Job;
use crate::wire::exit::{Exit, Failure};
use anyhow::{Result, anyhow};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Refuses a scheme that this program has not got.
pub fn check(job: &Job) -> Result<()> {
    match job.scheme.program() {
        Program::Ingester => Ok(()),
        Program::Ceilings => ceiling::check(job),
        Program::Python => {
            let other = Program::Python.summary();
            let message = format!("{} is not a scheme of this program but of {other}", job.scheme);
            Err(Failure::new(Exit::NotSupported, message).into())
        }
    }
}

/// Starts the workers. Each tells the coordinator when it is connected and how it ended.
pub fn start(context: &Arc<Context>) -> io::Result<Vec<JoinHandle<()>>> {
    match context.job.scheme {
        Scheme::Serial => serial::start(context),
        Scheme::Threads => threads::start(context),
        Scheme::Async => r#async::start(context),
        Scheme::AsyncSingle => async_single::start(context),
        Scheme::Processes => processes::start(context),
        Scheme::Pgbench | Scheme::PsqlCopy => ceiling::start(context),
        _ => unreachable!("a job for another program is refused before anything begins"),
    }
}

/// How many workers a scheme makes of a pool.
pub fn workers(scheme: Scheme, pool: usize) -> usize {
    match scheme {
        Scheme::Serial => 1,
        _ => pool,
    }
}

/// Runs one thread of the scheme, named for people who look with a debugger or `top -H`. Its panic is a worker's end.
fn thread(
    name: String,
    context: Arc<Context>,
    body: impl FnOnce(&Arc<Context>) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name).spawn(move || {
        if catch_unwind(AssertUnwindSafe(|| body(&context))).is_err() {
            context.tell(Message::Ended(Err(anyhow!("a worker panicked"))));
        }
    })
}
