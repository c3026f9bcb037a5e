//! The agent's life: find the database, forward, follow it when it moves, do what is asked, take everything
//! away at the end.

use super::agent::Agent;
use super::control::Control;
use super::{broken, emulate, state, target};
use crate::model::Backend;
use crate::wire::setup::Forwarding;
use anyhow::Result;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How often the database's name is looked up.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What the agent is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where connections go: `db:5432`.
    pub target: String,
    /// The port they come in at.
    pub listen: u16,
    /// Use this kind of forwarding and no other.
    pub only: Option<Forwarding>,
    /// Use this backend of the emulation and no other.
    pub backend: Option<Backend>,
    /// Where the state is kept for `link status`; the control socket is beside it.
    pub state: PathBuf,
}

/// Forwards until `stop`; then the rules and the state are gone.
pub async fn serve(config: &Config, stop: impl Future<Output = ()>) -> Result<()> {
    let mut stop = std::pin::pin!(stop);
    // An agent that was killed in this container may have left either.
    state::forget(&config.state);
    emulate::sweep().await;
    broken::sweep().await;
    let address = tokio::select! {
        address = first_address(&config.target) => address,
        () = &mut stop => return Ok(()),
    };
    let mut agent = Agent::start(config, address).await?;
    let served = async {
        let control = Control::listen(&state::socket(&config.state))?;
        state::save(&config.state, &agent.status().await?)?;
        work(config, &mut agent, control, &mut stop).await
    }
    .await;
    state::forget(&config.state);
    agent.stop().await?;
    served
}

/// Waits until the name can be looked up: the database may start later than the link.
async fn first_address(target: &str) -> SocketAddr {
    let mut told = false;
    loop {
        match target::resolve(target).await {
            Ok(address) => return address,
            Err(error) if !told => tracing::info!("waiting: {error:#}"),
            Err(_) => {}
        }
        told = true;
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// One thing at a time: a request, or a look where the database is.
async fn work(
    config: &Config,
    agent: &mut Agent<'_>,
    mut control: Control,
    stop: &mut (impl Future<Output = ()> + Unpin),
) -> Result<()> {
    let mut look = tokio::time::interval(LOOK_AGAIN);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = &mut *stop => return Ok(()),
            Some((request, back)) = control.calls.recv() => {
                let _ = back.send(agent.answer(request).await); // who asked may have left
            }
            _ = look.tick() => {
                if agent.follow().await? {
                    state::save(&config.state, &agent.status().await?)?;
                }
            }
        }
    }
}
