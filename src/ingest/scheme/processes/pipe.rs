//! A worker process and the pipes to it: what it is told, what it says, how it ends.

use crate::ingest::worker::Context;
use crate::model::inject::Inject;
use crate::model::quantity::Delay;
use crate::model::{Reader, Scheme};
use crate::telemetry::Telemetry;
use crate::wire::exit::{Exit, Failure};
use crate::wire::feed::Feed;
use crate::wire::{Event, Job, Line, RunResult};
use anyhow::{Context as _, Result, anyhow, bail};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, BufWriter, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A child and the pipes to it.
pub(super) struct Pipe {
    child: Child,
    to: BufWriter<ChildStdin>,
    from: Lines<BufReader<ChildStdout>>,
    telemetry: Telemetry,
}

impl Pipe {
    /// Starts a child and tells it its job.
    pub(super) async fn start(context: &Context) -> Result<Self> {
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

    /// Hands it a line.
    pub(super) async fn send(&mut self, feed: &Feed) -> Result<()> {
        self.write(serde_json::to_vec(feed)?).await
    }

    /// The next event that matters here; a failure of the child is this worker's.
    pub(super) async fn next(&mut self) -> Result<Event> {
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

fn event(line: &str) -> Result<Event> {
    let line: Line = serde_json::from_str(line).context("read what a worker process says")?;
    match line.event {
        Event::Failed { error, code } => Err(Failure::new(Exit::of(code), error).into()),
        other => Ok(other),
    }
}
