//! A worker process and the pipes to it: what it is told, what it says, how it ends.

use crate::ingest::worker::{Context, Message};
use crate::model::inject::Inject;
use crate::model::quantity::Delay;
use crate::model::{Reader, Scheme};
use crate::telemetry::Telemetry;
use crate::wire::exit::{Exit, Failure};
use crate::wire::feed::Feed;
use crate::wire::{Event, Job, Line, RunResult};
use anyhow::{Context as _, Result, anyhow, bail};
use std::process::Stdio;
use std::sync::mpsc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// What is read of a child at once, bytes: as much as a pipe holds.
const READ: usize = 64 * 1024;

/// The most bytes of rows that a child hands over at once: a chunk has 1,000 rows of some 7,000.
const MOST_ROWS: usize = 256 << 20;

/// A child and the pipes to it.
pub(super) struct Pipe {
    child: Child,
    to: BufWriter<ChildStdin>,
    from: BufReader<ChildStdout>,
    /// What was read of the line it is saying.
    line: Vec<u8>,
    /// The rows it is handing over, where it is.
    rows: Option<Rows>,
    telemetry: Telemetry,
    /// Whose it is, and who is told what happens to its connection.
    worker: usize,
    messages: mpsc::Sender<Message>,
}

/// Rows that are on their way.
struct Rows {
    first: u64,
    rows: u64,
    bytes: usize,
    frame: Vec<u8>,
}

/// A worker process ended without a word: somebody killed it, or it crashed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Died(String);

impl Pipe {
    /// Starts a child and tells it its job.
    pub(super) async fn start(context: &Context, worker: usize) -> Result<Self> {
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
        let (to, from) = (BufWriter::new(to), BufReader::with_capacity(READ, from));
        let telemetry = context.telemetry.clone();
        let messages = context.messages.clone();
        let mut pipe = Self { child, to, from, line: Vec::new(), rows: None, telemetry, worker, messages };
        // Its records come over the pipe, a few at a time: it has nothing to preload.
        let (scheme, reader) = (Scheme::Serial, Reader::Thread);
        // The parent reads, so what slows reading down is its own.
        let inject = Inject { read: Delay::default(), ..context.job.inject };
        let (child, resume, mark) = (true, false, context.mark(worker)); // what is there, the parent passes over
        // The parent has dealt out records and begins phases; which keys a chunk stands for, a child has to know.
        let (share, barrier) = (context.job.share, false);
        let job = Job { scheme, reader, inject, pool: 1, seconds: None, child, resume, mark, ..context.job.clone() };
        let job = Job { share, barrier, ..job };
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
            tracing::debug!(%error, "handing a record to a worker process");
            // The child says on its other pipe why it went, behind what it said before.
            loop {
                self.next().await?;
            }
        }
        Ok(())
    }

    /// Hands it a line.
    pub(super) async fn send(&mut self, feed: &Feed) -> Result<()> {
        self.write(serde_json::to_vec(feed)?).await
    }

    /// The next event that matters here; a failure of the child is this worker's. A call that is given up loses nothing.
    pub(super) async fn next(&mut self) -> Result<Event> {
        loop {
            if self.rows.is_some() {
                return self.frame().await;
            }
            self.from.read_until(b'\n', &mut self.line).await.context("listen to a worker process")?;
            if !self.line.ends_with(b"\n") {
                return Err(self.died().await);
            }
            let said = event(&self.line);
            self.line.clear();
            match said? {
                Event::Started { .. } | Event::Phase { .. } | Event::Progress { .. } | Event::QueueFilled { .. } => {}
                Event::ConnectionLost { error, .. } => {
                    self.tell(Message::ConnectionLost { worker: self.worker, error });
                }
                Event::ConnectionBack { seconds, attempts, .. } => {
                    self.tell(Message::ConnectionBack { worker: self.worker, seconds, attempts });
                }
                Event::Second { second, .. } => self.telemetry.child_second(&second),
                Event::Rows { bytes, .. } if bytes > MOST_ROWS => {
                    bail!("a worker process hands over {bytes} bytes of rows at once, more than a chunk has")
                }
                Event::Rows { first, rows, bytes, .. } => {
                    self.rows = Some(Rows { first, rows, bytes, frame: Vec::with_capacity(bytes) });
                }
                other => return Ok(other),
            }
        }
    }

    fn tell(&self, message: Message) {
        let _ = self.messages.send(message); // a coordinator that is gone needs no telling
    }

    /// The rows that follow what was said last.
    async fn frame(&mut self) -> Result<Event> {
        while let Some(rows) = self.rows.as_mut().filter(|rows| rows.frame.len() < rows.bytes) {
            let there = self.from.fill_buf().await.context("listen to a worker process")?;
            let taken = there.len().min(rows.bytes - rows.frame.len());
            rows.frame.extend_from_slice(&there[..taken]);
            self.from.consume(taken);
            if taken == 0 {
                return Err(self.died().await);
            }
        }
        let Rows { first, rows, bytes, frame } = self.rows.take().context("no rows are on their way: this is a bug")?;
        Ok(Event::Rows { first, rows, bytes, frame })
    }

    /// Its pipes are closed, and it has not said why.
    async fn died(&mut self) -> anyhow::Error {
        match self.child.wait().await {
            Ok(status) => Died(format!("a worker process died ({status}) without saying why")).into(),
            Err(error) => anyhow!("a worker process cannot be waited for: {error}"),
        }
    }

    /// Waits for its end, and gives its result.
    pub(super) async fn finish(mut self) -> Result<RunResult> {
        let Event::Finished { result } = self.next().await? else { bail!("a worker process did not finish") };
        drop(self.to);
        let status = self.child.wait().await.context("wait for a worker process")?;
        if !status.success() {
            bail!("a worker process finished and then failed ({status})");
        }
        Ok(*result)
    }
}

fn event(line: &[u8]) -> Result<Event> {
    let line: Line = serde_json::from_slice(line).context("read what a worker process says")?;
    match line.event {
        Event::Failed { error, code } => Err(Failure::new(Exit::of(code), error).into()),
        other => Ok(other),
    }
}
