//! What the agent has at work: one kind of forwarding, one backend of the emulation, and what they are set to.

use super::emulate::{Emulator, Shaping};
use super::serve::Config;
use super::{Forwarder, Route, target};
use crate::model::{Backend, LinkFault};
use crate::wire::SCHEMA;
use crate::wire::emulation::{Answer, RejectedBackend, Request, Setting};
use crate::wire::exit::{Exit, Failure};
use crate::wire::setup::{Forwarding, LinkStatus, Rejected};
use anyhow::Result;
use std::net::SocketAddr;

/// An agent at work.
#[derive(Debug)]
pub(super) struct Agent<'a> {
    config: &'a Config,
    /// The name connections go to: the database's, or a responder's while measuring.
    target: String,
    address: SocketAddr,
    forwarder: Forwarder,
    emulator: Emulator,
    rejected: Vec<Rejected>,
    default_backend: Backend,
    /// What is broken of the path.
    fault: Option<LinkFault>,
}

impl<'a> Agent<'a> {
    /// Finds what works, and forwards.
    pub(super) async fn start(config: &'a Config, address: SocketAddr) -> Result<Self> {
        let (forwarder, emulator, rejected) = find(config, config.backend, address).await?;
        for one in &rejected {
            tracing::warn!(forwarding = %one.forwarding, reason = %one.reason, "does not work here");
        }
        let (forwarding, backend) = (forwarder.kind(), emulator.backend());
        tracing::info!(%forwarding, %backend, listen = config.listen, target = %config.target, %address, "forwarding");
        Ok(Self {
            config,
            target: config.target.clone(),
            address,
            forwarder,
            emulator,
            rejected,
            default_backend: backend,
            fault: None,
        })
    }

    /// Does what is asked.
    pub(super) async fn answer(&mut self, request: Request) -> Answer {
        let done = match request {
            Request::Status => Ok(()),
            Request::Set(setting) => self.set(*setting).await,
            Request::Point(target) => self.point(target).await,
            Request::Break(fault) => self.breaks(fault).await,
        };
        let status = match done {
            Ok(()) => self.status().await,
            Err(error) => Err(error),
        };
        status.map_or_else(
            |error| Answer::Refused { exit: Failure::exit_of(&error).code(), message: format!("{error:#}") },
            |status| Answer::Status(Box::new(status)),
        )
    }

    async fn set(&mut self, setting: Setting) -> Result<()> {
        let Setting { profile, seed, backend } = setting;
        if let Some(backend) = backend.filter(|&backend| backend != self.emulator.backend()) {
            self.switch(backend).await?;
        }
        tracing::info!(profile = %profile.name, settings = %profile, backend = %self.emulator.backend(), "set");
        self.emulator.set(self.address, Shaping { profile, seed }).await
    }

    /// Breaks the path so, or makes it whole: also after a failure.
    async fn breaks(&mut self, fault: Option<LinkFault>) -> Result<()> {
        if let Some(fault) = fault {
            tracing::info!(%fault, "broken on purpose");
        }
        self.fault = fault;
        let done = self.forwarder.breaks(self.route(), fault).await;
        if done.is_err() && fault.is_some() {
            self.fault = None;
            let _ = self.forwarder.breaks(self.route(), None).await;
        }
        done
    }

    fn route(&self) -> Route {
        Route { listen: self.config.listen, target: self.address }
    }

    /// Another backend, with another kind of forwarding where it needs one; the earlier ones again if it fails.
    async fn switch(&mut self, backend: Backend) -> Result<()> {
        let earlier = self.emulator.backend();
        self.breaks(None).await?; // by whatever forwards now
        self.emulator.clear().await?;
        let relays = self.forwarder.kind() == Forwarding::Relay;
        if relays == (backend == Backend::Relay) {
            let chosen = Emulator::choose(self.address, self.forwarder.pace(), Some(backend)).await;
            self.emulator = chosen.map_err(|rejected| unavailable(&rejected))?;
            return Ok(());
        }
        // One port, one forwarder: the earlier one has to go before the other can be tried.
        self.forwarder.stop().await?;
        let (found, failed) = match find(self.config, Some(backend), self.address).await {
            Ok(found) => (found, None),
            Err(error) => (find(self.config, Some(earlier), self.address).await?, Some(error)),
        };
        (self.forwarder, self.emulator, self.rejected) = found;
        failed.map_or(Ok(()), Err)
    }

    async fn point(&mut self, target: Option<String>) -> Result<()> {
        let target = target.unwrap_or_else(|| self.config.target.clone());
        let address = target::resolve(&target).await?;
        self.go_to(address).await?;
        self.target = target; // only now: the status names where connections really go
        Ok(())
    }

    /// Looks the target up again, and forwards to where it is now; says whether it moved.
    pub(super) async fn follow(&mut self) -> Result<bool> {
        // A name that can't be looked up for a moment is no reason to stop: the database is restarting.
        let Ok(now) = target::resolve(&self.target).await else { return Ok(false) };
        let moved = now != self.address;
        if moved {
            tracing::info!(from = %self.address, to = %now, "the database moved");
            self.go_to(now).await?;
        }
        Ok(moved)
    }

    async fn go_to(&mut self, address: SocketAddr) -> Result<()> {
        self.forwarder.point(Route { listen: self.config.listen, target: address }).await?;
        self.address = address;
        if self.fault.is_some() {
            self.forwarder.breaks(self.route(), self.fault).await?;
        }
        self.emulator.point(address).await
    }

    /// Takes every rule away.
    pub(super) async fn stop(mut self) -> Result<()> {
        let whole = self.breaks(None).await;
        let cleared = self.emulator.clear().await;
        self.forwarder.stop().await?;
        whole.and(cleared)
    }

    /// How things are.
    pub(super) async fn status(&self) -> Result<LinkStatus> {
        Ok(LinkStatus {
            schema: SCHEMA,
            forwarding: self.forwarder.kind(),
            listen: self.config.listen,
            target: self.target.clone(),
            address: self.address.to_string(),
            rejected: self.rejected.clone(),
            pid: std::process::id(),
            default_backend: self.default_backend,
            emulation: self.emulator.report().await?,
            fault: self.fault,
        })
    }
}

/// A kind of forwarding and a backend that work together. Where packets can't be delayed the relay forwards,
/// for every profile: a control that took another way than the rest would control nothing.
async fn find(
    config: &Config,
    backend: Option<Backend>,
    address: SocketAddr,
) -> Result<(Forwarder, Emulator, Vec<Rejected>)> {
    let route = Route { listen: config.listen, target: address };
    let only = match (config.only, backend) {
        (None, Some(Backend::Relay)) => Some(Forwarding::Relay),
        (only, _) => only,
    };
    let (mut forwarder, mut rejected) = Forwarder::choose(route, only).await?;
    let failed = match Emulator::choose(address, forwarder.pace(), backend).await {
        Ok(emulator) => return Ok((forwarder, emulator, rejected)),
        Err(failed) => failed,
    };
    let forwarding = forwarder.kind();
    forwarder.stop().await?;
    if only.is_some() || backend.is_some() || forwarding == Forwarding::Relay {
        return Err(unavailable(&failed));
    }
    rejected.push(Rejected { forwarding, reason: "no backend can delay packets here".into() });
    let forwarder = Forwarder::start(Forwarding::Relay, route).await?;
    match Emulator::choose(address, forwarder.pace(), Some(Backend::Relay)).await {
        Ok(mut emulator) => {
            emulator.also_rejected(failed.into_iter().filter(|one| one.backend != Backend::Relay).collect());
            Ok((forwarder, emulator, rejected))
        }
        Err(failed) => Err(unavailable(&failed)),
    }
}

fn unavailable(rejected: &[RejectedBackend]) -> anyhow::Error {
    let reasons: Vec<String> = rejected.iter().map(|one| format!("{}: {}", one.backend, one.reason)).collect();
    Failure::new(Exit::NotSupported, format!("the link cannot be made slow here ({})", reasons.join("; "))).into()
}
