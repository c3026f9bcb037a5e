//! `processes`: one process a connection. The parent reads and hands out records over pipes; each child is this same
//! program, told the same kind of job, with one worker.
//!
//! ```text
//! queue ─► feeder task ─ job, records ─► child (stdin)
//!               ▲ connected, done, finished ─┘ (stdout)
//! ```
//! A child holds a few records ahead, so that it never waits for the pipe's round trip.

use super::thread;
use crate::ingest::reader::feed_of;
use crate::ingest::statement::together;
use crate::ingest::stats::PhaseLog;
use crate::ingest::worker::{self, Context, Ended, Message};
use crate::model::inject::Inject;
use crate::model::quantity::Delay;
use crate::model::{Reader, Scheme};
use crate::telemetry::Telemetry;
use crate::wire::exit::{Exit, Failure};
use crate::wire::feed::Feed;
use crate::wire::{Event, Job, Line, RunResult};
use anyhow::{Context as _, Result, anyhow, bail};
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, BufWriter, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
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
    let mut feeders = JoinSet::new();
    for worker in 0..context.job.pool {
        let (shared, starting) = (Arc::clone(context), Arc::clone(&starting));
        feeders.spawn(async move { feed(&shared, worker, &starting).await });
    }
    while let Some(ended) = feeders.join_next().await {
        let result = ended.unwrap_or_else(|panic| Err(anyhow!("a feeder panicked: {panic}")));
        context.tell(Message::Ended(result));
    }
}

/// One child from its start to its end.
async fn feed(context: &Context, worker: usize, starting: &Semaphore) -> Result<Ended> {
    let permit = starting.acquire().await.expect("the semaphore is never closed");
    let mut pipe = Pipe::start(context).await?;
    match pipe.next().await? {
        Event::Connected { .. } => context.tell(Message::Connected),
        other => bail!("worker process {worker} said {other:?} instead of connected"),
    }
    drop(permit);
    let mut busy = Vec::new();
    for (phase, queue) in &context.phases {
        let mut log = PhaseLog::default();
        let ahead = together(context.manner(), *phase) * (1 + AHEAD);
        let mut outstanding = 0;
        let mut begun = false;
        loop {
            let room = outstanding < ahead && !context.stopped();
            tokio::select! {
                biased;
                record = queue.recv(), if room => {
                    let Ok(record) = record else { break };
                    if !begun {
                        pipe.send(&Feed::Phase { phase: *phase }).await?;
                        begun = true;
                    }
                    log.first_taken.get_or_insert_with(Instant::now);
                    pipe.send(&feed_of(record)).await?;
                    outstanding += 1;
                }
                event = pipe.next(), if outstanding > 0 => {
                    outstanding -= done(context, worker, &mut log, &event?)?.min(outstanding);
                }
                else => break,
            }
        }
        while outstanding > 0 {
            let event = pipe.next().await?;
            outstanding -= done(context, worker, &mut log, &event)?.min(outstanding);
        }
        busy.push(log.first_taken.zip(log.last_done));
        context.tell(Message::PhaseDone(log));
    }
    pipe.send(&Feed::End).await?;
    let mut result = pipe.finish().await?;
    let acknowledged = std::mem::take(&mut result.acknowledged);
    Ok(Ended { acknowledged, child: Some(worker::Child { worker, result: Box::new(result), busy }) })
}

/// How many records a child is done with.
fn done(context: &Context, worker: usize, log: &mut PhaseLog, event: &Event) -> Result<usize> {
    let Event::Done { records, rows, .. } = event else {
        bail!("worker process {worker} said {event:?} instead of done")
    };
    let live = &context.live[worker];
    live.rows.fetch_add(*rows, Ordering::Relaxed);
    live.records.fetch_add(*records, Ordering::Relaxed);
    log.rows(context.origin, *rows);
    Ok(*records as usize)
}

/// A child and the pipes to it.
struct Pipe {
    child: Child,
    to: BufWriter<ChildStdin>,
    from: Lines<BufReader<ChildStdout>>,
    telemetry: Telemetry,
}

impl Pipe {
    async fn start(context: &Context) -> Result<Self> {
        let program = std::env::current_exe().context("find this program's own file")?;
        let mut child = Command::new(program)
            .args(["run", "--job", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0) // a terminal's Ctrl-C is for the parent, which ends its children in order
            .kill_on_drop(true)
            .spawn()
            .context("start a worker process")?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("a worker process has no pipes")
        };
        let (to, from) = (BufWriter::new(to), BufReader::new(from).lines());
        let mut pipe = Self { child, to, from, telemetry: context.telemetry.clone() };
        // Its records come over the pipe, a few at a time: it has nothing to preload.
        let (scheme, reader) = (Scheme::Serial, Reader::Thread);
        // The parent reads, so what slows reading down is its own.
        let inject = Inject { read: Delay::default(), ..context.job.inject };
        let job = Job { scheme, reader, inject, pool: 1, seconds: None, child: true, ..context.job.clone() };
        pipe.write(serde_json::to_vec(&job)?).await?;
        Ok(pipe)
    }

    async fn write(&mut self, mut line: Vec<u8>) -> Result<()> {
        line.push(b'\n');
        let written = async {
            self.to.write_all(&line).await?;
            self.to.flush().await
        };
        if let Err(error) = written.await {
            // The child says on its other pipe why it went.
            while let Ok(Some(line)) = self.from.next_line().await {
                event(&line)?;
            }
            tracing::debug!(%error, "handing a record to a worker process");
            return Err(self.died().await);
        }
        Ok(())
    }

    async fn send(&mut self, feed: &Feed) -> Result<()> {
        self.write(serde_json::to_vec(feed)?).await
    }

    /// The next event that matters here; a failure of the child is this worker's.
    async fn next(&mut self) -> Result<Event> {
        loop {
            let Some(line) = self.from.next_line().await.context("listen to a worker process")? else {
                return Err(self.died().await);
            };
            match event(&line)? {
                Event::Started { .. } | Event::Phase { .. } | Event::Progress { .. } | Event::QueueFilled { .. } => {}
                Event::Second { second, .. } => self.telemetry.child_second(&second),
                other => return Ok(other),
            }
        }
    }

    /// Its pipes are closed, and it has not said why.
    async fn died(&mut self) -> anyhow::Error {
        match self.child.wait().await {
            Ok(status) => anyhow!("a worker process died ({status}) without saying why"),
            Err(error) => anyhow!("a worker process cannot be waited for: {error}"),
        }
    }

    async fn finish(mut self) -> Result<RunResult> {
        let Event::Finished { result } = self.next().await? else { bail!("a worker process did not finish") };
        drop(self.to);
        let status = self.child.wait().await.context("wait for a worker process")?;
        if !status.success() {
            bail!("a worker process finished and then failed ({status})");
        }
        Ok(*result)
    }
}

fn event(line: &str) -> Result<Event> {
    let line: Line = serde_json::from_str(line).context("read what a worker process says")?;
    match line.event {
        Event::Failed { error, code } => Err(Failure::new(Exit::of(code), error).into()),
        other => Ok(other),
    }
}
