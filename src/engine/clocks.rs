//! Asking a container what time its host has, over one stream: an exchange takes no longer than the way there and back.

use super::{Container, Stack, refused};
use crate::model::clock;
use crate::wire::clocks::{Ahead, Exchange, Tick};
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use bollard::exec::{CreateExecOptions, StartExecResults};
use futures_util::StreamExt;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Exchanges: the first ones wait for a program that is still starting.
const EXCHANGES: usize = 20;

/// How long all of them may take.
const PATIENCE: Duration = Duration::from_secs(20);

impl Stack {
    /// How far the clocks of a container's host are ahead of this one's. `program` is one of the project's, which says
    /// the time for each line it is given. Remembered for what the engine dates itself.
    pub async fn clocks(&self, container: &Container, program: &str) -> Result<Ahead> {
        let asked = tokio::time::timeout(PATIENCE, ask(container, program)).await;
        let exchanges = asked.unwrap_or_else(|_| Ok(Vec::new()))?;
        let ahead = Ahead::of(&exchanges).ok_or_else(|| {
            let message = format!(
                "the host of {} does not say what time it has: `make images` builds an image whose programs do",
                container.service
            );
            Failure::new(Exit::Engine, message)
        })?;
        container.engine.ahead.store((ahead.wall * 1e9) as i64, Ordering::Relaxed);
        Ok(ahead)
    }
}

async fn ask(container: &Container, program: &str) -> Result<Vec<Exchange>> {
    let docker = &container.engine.docker;
    let options = CreateExecOptions {
        cmd: Some(vec![program, "clock"]),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        ..Default::default()
    };
    let exec = docker.create_exec(&container.id, options).await.map_err(refused("ask for the time"))?;
    let started = docker.start_exec(&exec.id, None).await.map_err(refused("ask for the time"))?;
    let StartExecResults::Attached { mut output, mut input } = started else { return Ok(Vec::new()) };
    let (mut exchanges, mut said) = (Vec::new(), String::new());
    while exchanges.len() < EXCHANGES {
        let asked = Tick::now();
        if input.write_all(b"\n").await.and(input.flush().await).is_err() {
            break;
        }
        let line = loop {
            if let Some((line, rest)) = said.split_once('\n') {
                let line = line.to_owned();
                said = rest.to_owned();
                break Some(line);
            }
            match output.next().await {
                Some(piece) => said.push_str(&piece.map_err(refused("say the time"))?.to_string()),
                None => break None,
            }
        };
        let answered = clock::nanos();
        let Some(theirs) = line.and_then(|line| line.parse().ok()) else { break };
        exchanges.push(Exchange { asked, theirs, answered });
    }
    let _ = input.shutdown().await; // its program ends with it
    Ok(exchanges)
}
