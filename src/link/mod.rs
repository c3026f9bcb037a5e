//! The link's agent: passes connections from the client network on to the database, and says how.
//! It lives in a container with a network of its own and changes nothing outside it.
//!
//! ```text
//! client ──► link:5432 ─► nft | iptables-legacy | iptables (kernel)  ─► db:5432
//!                       └► relay (this process copies the bytes)
//! ```
//! One kind of forwarding is one file; which one is used is found by trying, in this order. What makes the
//! forwarded path slow is `emulate`; what measures it is `probe`, against `respond`.

mod agent;
mod arrival;
mod broken;
mod control;
mod emulate;
mod iptables;
mod nft;
pub mod pipe;
pub mod probe;
mod relay;
pub mod respond;
mod serve;
mod state;
mod target;
mod tool;

pub use control::{LONGEST_REQUEST, ask};
pub(crate) use emulate::packets_in;
pub use serve::{Config, serve};
pub use state::{DEFAULT_STATE, socket, status};

use crate::model::LinkFault;
use crate::wire::setup::{Forwarding, Rejected};
use anyhow::Result;
use std::net::SocketAddr;

/// A kind of forwarding at work.
#[derive(Debug)]
enum Forwarder {
    Nft,
    Iptables(iptables::Variant),
    Relay(relay::Relay),
}

/// What is passed on: TCP connections to our port `listen` go to `target`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Route {
    listen: u16,
    target: SocketAddr,
}

impl Forwarder {
    /// Tries the kinds in their order and keeps the first that works; the relay works anywhere.
    async fn choose(route: Route, only: Option<Forwarding>) -> Result<(Self, Vec<Rejected>)> {
        let kinds = only.map_or(Forwarding::ALL.to_vec(), |kind| vec![kind]);
        let mut rejected = Vec::new();
        for forwarding in kinds {
            match Self::start(forwarding, route).await {
                Ok(forwarder) => return Ok((forwarder, rejected)),
                Err(error) => rejected.push(Rejected { forwarding, reason: format!("{error:#}") }),
            }
        }
        let reasons: Vec<String> = rejected.iter().map(|one| format!("{}: {}", one.forwarding, one.reason)).collect();
        anyhow::bail!("no kind of forwarding works here ({})", reasons.join("; "))
    }

    async fn start(forwarding: Forwarding, route: Route) -> Result<Self> {
        let mut forwarder = match forwarding {
            Forwarding::Nft => Self::Nft,
            Forwarding::IptablesLegacy => Self::Iptables(iptables::Variant::Legacy),
            Forwarding::Iptables => Self::Iptables(iptables::Variant::Default),
            Forwarding::Relay => return Ok(Self::Relay(relay::Relay::start(route).await?)),
        };
        tool::require_forwarding()?;
        // What an earlier agent in this namespace left is replaced; what doesn't work is taken away again.
        if let Err(error) = forwarder.point(route).await {
            let _ = forwarder.stop().await;
            return Err(error);
        }
        Ok(forwarder)
    }

    /// Sends new connections to another address.
    async fn point(&mut self, route: Route) -> Result<()> {
        match self {
            Self::Nft => nft::apply(route).await,
            Self::Iptables(variant) => iptables::apply(*variant, route).await,
            Self::Relay(relay) => {
                relay.point(route.target);
                Ok(())
            }
        }
    }

    /// Breaks the path so, or makes it whole.
    async fn breaks(&self, route: Route, fault: Option<LinkFault>) -> Result<()> {
        match self {
            Self::Nft => broken::by_nft(route, fault).await,
            Self::Iptables(variant) => broken::by_iptables(*variant, route, fault).await,
            Self::Relay(relay) => {
                relay.breaks(fault);
                Ok(())
            }
        }
    }

    /// Takes its rules away; connections through the relay end.
    async fn stop(&mut self) -> Result<()> {
        match self {
            Self::Nft => nft::remove().await,
            Self::Iptables(variant) => iptables::remove(*variant).await,
            Self::Relay(relay) => {
                relay.stop().await;
                Ok(())
            }
        }
    }

    /// What slows the relay's connections; the kernel's kinds have packets instead.
    fn pace(&self) -> Option<emulate::pace::Pace> {
        match self {
            Self::Relay(relay) => Some(relay.pace()),
            Self::Nft | Self::Iptables(_) => None,
        }
    }

    fn kind(&self) -> Forwarding {
        match self {
            Self::Nft => Forwarding::Nft,
            Self::Iptables(iptables::Variant::Legacy) => Forwarding::IptablesLegacy,
            Self::Iptables(iptables::Variant::Default) => Forwarding::Iptables,
            Self::Relay(_) => Forwarding::Relay,
        }
    }
}
