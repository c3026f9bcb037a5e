//! The watcher's container: in the database's PID and network namespace, told what to do on standard input, heard
//! on standard output, gone when its input is closed.

use super::confined::{confined, spoken_to};
use super::{Container, Engine, Stack, label, refused};
use crate::wire::exit::{Exit, Failure};
use crate::wire::watched::{Look, Share, WatchJob};
use anyhow::{Context, Result};
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::models::HostConfig;
use futures_util::StreamExt;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::task::JoinHandle;

/// How long a watcher may take to end once its input is closed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks that are kept of a run at most: a quarter of an hour at the lab's pace. Of a longer run every second one is
/// kept, every fourth …: looks at random times are still that.
const MOST_LOOKS: usize = 20_000;

/// The watcher's weight where it competes for a processor: the most there is. Between other threads a look takes longer, and
/// fewer are made (37 of a run of 6 s, 60 with it); it works a fiftieth of the time at most.
const AT_ONCE: i64 = 262_144;

/// The longest look, and the most of complaints, that is kept, bytes: a look at 500 backends has some 100,000.
const LONGEST: usize = 4 << 20;

/// A watcher at work.
pub struct Watcher {
    engine: Engine,
    id: String,
    input: Pin<Box<dyn AsyncWrite + Send>>,
    looks: JoinHandle<Result<Vec<Look>>>,
}

impl Stack {
    /// Starts a watcher beside a container. [`Stack::sweep`] removes one that is forgotten.
    pub async fn watch(&self, beside: &Container, job: &WatchJob, cpuset: &str) -> Result<Watcher> {
        let labels = [(label::STACK, self.project.clone()), (label::HELPER, "watcher".into())];
        let with = format!("container:{}", beside.id);
        let host = HostConfig {
            network_mode: Some(with.clone()),
            pid_mode: Some(with),
            cpuset_cpus: Some(cpuset.to_owned()),
            cpu_shares: Some(AT_ONCE),
            ..Default::default()
        };
        let body = spoken_to(confined(self.image("ingester"), &["watch"], &labels, host));
        let engine = beside.engine().clone();
        let id = engine.create(body, "make the watcher's container").await?;
        let AttachContainerResults { output, mut input } = engine.attach_and_start(&id, "watcher").await?;
        let mut text = serde_json::to_vec(job).context("write the watcher's job")?;
        text.push(b'\n');
        input.write_all(&text).await.and(input.flush().await).context("tell the watcher what to do")?;
        Ok(Watcher { engine, id, input, looks: tokio::spawn(collect(output)) })
    }

    /// Ends a watcher; what it saw, a share of it where that is much.
    pub async fn end_watch(&self, watcher: Watcher) -> Result<Vec<Look>> {
        let Watcher { engine, id, mut input, looks } = watcher;
        let early = looks.is_finished();
        let _ = input.shutdown().await; // it may have ended by itself: its words say why
        let seen = tokio::time::timeout(PATIENCE, looks).await;
        engine.remove(&id).await?;
        let looks = seen.context("the watcher did not end")?.context("read what the watcher saw")??;
        if early {
            let message = "the watcher's stream broke before the run's end: what it saw is not all there was to see";
            return Err(Failure::new(Exit::Engine, message).into());
        }
        Ok(looks)
    }
}

async fn collect(
    mut output: impl StreamExt<Item = Result<LogOutput, bollard::errors::Error>> + Unpin,
) -> Result<Vec<Look>> {
    let (mut looks, mut pending, mut complaints) = (Share::of(MOST_LOOKS), Vec::new(), String::new());
    while let Some(piece) = output.next().await {
        match piece.map_err(refused("pass on the watcher's output"))? {
            LogOutput::StdErr { message } => complaints.push_str(&String::from_utf8_lossy(&message)),
            other => pending.extend_from_slice(&other.into_bytes()),
        }
        if pending.len().max(complaints.len()) > LONGEST {
            return Err(Failure::new(Exit::Engine, "the watcher says more than a look is: that is none").into());
        }
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            looks.push(serde_json::from_slice(&line).context("read a look of the watcher")?);
        }
    }
    if complaints.is_empty() {
        return Ok(looks.kept);
    }
    Err(Failure::new(Exit::Engine, format!("the watcher said: {}", complaints.trim())).into())
}
