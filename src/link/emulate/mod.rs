//! What makes the link slow. One backend is one file; which one is used is found by trying, in this order:
//! the kernel's own emulator, packets in user space, the bytes of connections.
//!
//! A profile that sets nothing leaves no rule, no queue and no thread behind: `local` is the link as it is.

mod alarm;
mod netem;
mod nfqueue;
pub(super) mod pace;
mod shape;

pub(crate) use nfqueue::packets_in;

use super::tool;
use crate::model::link::LinkProfile;
use crate::model::quantity::Delay;
use crate::model::{Backend, clock};
use crate::wire::emulation::{Emulation, Fidelity, RejectedBackend, refusal};
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use serde_json::Value;
use std::net::SocketAddr;

/// The way packets take: found again whenever the database moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Path {
    /// Where the database is.
    pub database: SocketAddr,
    /// Largest packet on the way to it.
    pub mtu: u32,
}

/// What is asked of a backend.
#[derive(Debug, Clone)]
pub(super) struct Shaping {
    pub profile: LinkProfile,
    pub seed: u64,
}

/// A backend that works here.
#[derive(Debug)]
enum Kind {
    Netem(netem::Netem),
    Nfqueue(nfqueue::Nfqueue),
    Relay(pace::Pace),
}

/// The emulation: a backend and what it is set to.
#[derive(Debug)]
pub(super) struct Emulator {
    kind: Kind,
    rejected: Vec<RejectedBackend>,
    set: Shaping,
}

impl Emulator {
    /// Tries the backends in their order and keeps the first that works. `pace` is the relay's where the relay
    /// forwards: packets never pass there, so no other backend could do anything.
    pub(super) async fn choose(
        database: SocketAddr,
        pace: Option<pace::Pace>,
        only: Option<Backend>,
    ) -> Result<Self, Vec<RejectedBackend>> {
        let mut rejected = Vec::new();
        for &backend in Backend::ALL.iter().filter(|&&backend| only.is_none_or(|only| only == backend)) {
            match Kind::find(backend, database, pace.clone()).await {
                Ok(kind) => {
                    let set = Shaping { profile: LinkProfile::local(), seed: 0 };
                    return Ok(Self { kind, rejected, set });
                }
                Err(error) => rejected.push(RejectedBackend { backend, reason: format!("{error:#}") }),
            }
        }
        Err(rejected)
    }

    /// Which backend.
    pub(super) fn backend(&self) -> Backend {
        self.kind.backend()
    }

    /// Remembers why those before were not taken.
    pub(super) fn also_rejected(&mut self, earlier: Vec<RejectedBackend>) {
        self.rejected.splice(0..0, earlier);
    }

    /// Sets a profile in place of the earlier one. A refusal changes nothing; after a failure nothing is set.
    pub(super) async fn set(&mut self, database: SocketAddr, shaping: Shaping) -> Result<()> {
        if let Some(reason) = refusal(self.backend(), &shaping.profile).or_else(|| self.below_the_floor(&shaping)) {
            return Err(Failure::new(Exit::NotSupported, reason).into());
        }
        self.clear().await?;
        if shaping.profile.is_local() {
            self.set = shaping;
            return Ok(());
        }
        let applied = match path(database).await {
            Ok(path) => self.kind.apply(path, &shaping).await,
            Err(error) => Err(error),
        };
        if applied.is_err() {
            let _ = self.kind.clear().await;
        } else {
            self.set = shaping;
        }
        applied
    }

    fn below_the_floor(&self, shaping: &Shaping) -> Option<String> {
        let (rtt, floor) = (shaping.profile.rtt(), self.kind.floor()?);
        (!rtt.is_zero() && rtt < floor).then(|| {
            let backend = self.backend();
            format!("an RTT of {rtt} is below the {floor} that {backend} adds by itself here: ask for more, or for local-queued")
        })
    }

    /// Follows the database to another address.
    pub(super) async fn point(&mut self, database: SocketAddr) -> Result<()> {
        if self.set.profile.is_local() {
            return Ok(());
        }
        let path = path(database).await?;
        match &mut self.kind {
            Kind::Netem(_) => self.set(database, self.set.clone()).await,
            Kind::Nfqueue(nfqueue) => nfqueue.point(path).await,
            Kind::Relay(_) => Ok(()),
        }
    }

    /// Takes everything away: the link is as it was.
    pub(super) async fn clear(&mut self) -> Result<()> {
        self.set = Shaping { profile: LinkProfile::local(), seed: 0 };
        self.kind.clear().await
    }

    /// What it is and what it did.
    pub(super) async fn report(&self) -> Result<Emulation> {
        let [up, down] = if self.set.profile.is_local() {
            [None, None]
        } else {
            let counters = match &self.kind {
                Kind::Netem(netem) => netem.counters().await?,
                Kind::Nfqueue(nfqueue) => nfqueue.counters()?,
                Kind::Relay(pace) => pace.counters(),
            };
            counters.map_or([None, None], |both| both.map(Some))
        };
        Ok(Emulation {
            backend: self.backend(),
            fidelity: if self.backend() == Backend::Relay { Fidelity::Stream } else { Fidelity::Packets },
            rejected: self.rejected.clone(),
            floor: self.kind.floor(),
            profile: self.set.profile.clone(),
            notes: self.kind.notes(),
            up,
            down,
            cpu_us: (clock::own_cpu() * 1e6) as u64,
        })
    }
}

impl Kind {
    async fn find(backend: Backend, database: SocketAddr, pace: Option<pace::Pace>) -> Result<Self> {
        match (backend, pace) {
            (Backend::Relay, Some(pace)) => Ok(Self::Relay(pace)),
            (Backend::Relay, None) => anyhow::bail!("the kernel forwards here: the relay has nothing to copy"),
            (_, Some(_)) => anyhow::bail!("the relay forwards here: no packet of a connection passes"),
            (Backend::Netem, None) => Ok(Self::Netem(netem::Netem::find(path(database).await?).await?)),
            (Backend::Nfqueue, None) => Ok(Self::Nfqueue(nfqueue::Nfqueue::find().await?)),
        }
    }

    fn backend(&self) -> Backend {
        match self {
            Self::Netem(_) => Backend::Netem,
            Self::Nfqueue(_) => Backend::Nfqueue,
            Self::Relay(_) => Backend::Relay,
        }
    }

    fn floor(&self) -> Option<Delay> {
        match self {
            Self::Netem(_) => None,
            Self::Nfqueue(nfqueue) => Some(nfqueue.floor()),
            Self::Relay(_) => Some(pace::FLOOR),
        }
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::Netem(netem) => netem.notes(),
            Self::Nfqueue(nfqueue) => vec![nfqueue.note()],
            Self::Relay(_) => vec![pace::NOTE.into()],
        }
    }

    async fn apply(&mut self, path: Path, shaping: &Shaping) -> Result<()> {
        match self {
            Self::Netem(netem) => netem.apply(path, shaping).await,
            Self::Nfqueue(nfqueue) => nfqueue.apply(path, shaping).await,
            Self::Relay(pace) => pace.apply(shaping).context("start a thread that wakes connections"),
        }
    }

    async fn clear(&mut self) -> Result<()> {
        match self {
            Self::Netem(netem) => netem.clear().await,
            Self::Nfqueue(nfqueue) => nfqueue.clear().await,
            Self::Relay(pace) => {
                pace.clear();
                Ok(())
            }
        }
    }
}

/// Takes away what an agent that was killed in this namespace left of any backend.
pub(super) async fn sweep() {
    nfqueue::sweep().await;
    netem::sweep().await;
}

/// The way to the database: its device's largest packet.
async fn path(database: SocketAddr) -> Result<Path> {
    let device = device_towards(database).await?;
    let links = ask_ip(&["link", "show", "dev", &device]).await?;
    let mtu = links[0]["mtu"].as_u64().with_context(|| format!("{device} has no MTU"))?;
    Ok(Path { database, mtu: u32::try_from(mtu).context("an MTU beyond any packet")? })
}

/// The device that packets to the database leave through.
async fn device_towards(database: SocketAddr) -> Result<String> {
    let routes = ask_ip(&["route", "get", &database.ip().to_string()]).await?;
    let device = routes[0]["dev"].as_str();
    Ok(device.with_context(|| format!("there is no route to {}", database.ip()))?.to_owned())
}

/// What iproute2 says, as JSON.
async fn ask_ip(arguments: &[&str]) -> Result<Value> {
    let arguments: Vec<&str> = ["-j"].into_iter().chain(arguments.iter().copied()).collect();
    serde_json::from_str(&tool::run("ip", &arguments, "").await?).context("read what ip says")
}
