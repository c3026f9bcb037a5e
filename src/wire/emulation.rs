//! What the link's agent says of the emulation: which backend, why no other, what is set, what was counted.

use crate::model::link::LinkProfile;
use crate::model::quantity::Delay;
use crate::model::{Backend, LinkFault};
use serde::{Deserialize, Serialize};

/// How true the emulation is to a real link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fidelity {
    /// Packets are delayed and lost one by one; TCP reacts as it would.
    Packets,
    /// The bytes of a connection are delayed; its handshake, loss and slow start are not imitated.
    Stream,
}

/// The emulation of the link: part of [`super::setup::LinkStatus`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emulation {
    /// What makes the link slow.
    pub backend: Backend,
    /// How true it is.
    pub fidelity: Fidelity,
    /// Backends that were preferred but don't work here.
    pub rejected: Vec<RejectedBackend>,
    /// Round-trip time that the backend adds by itself, measured when it was tried; `None` for one in the
    /// kernel, which adds next to nothing. An RTT below it cannot be had.
    pub floor: Option<Delay>,
    /// What is set now. `local`: nothing.
    pub profile: LinkProfile,
    /// What a reader of the results has to know of how it is done.
    pub notes: Vec<String>,
    /// From the ingester to the database, since the profile was set; `None` while nothing is set.
    pub up: Option<Counters>,
    /// From the database to the ingester.
    pub down: Option<Counters>,
    /// CPU time the agent has used since it started, microseconds. Forwarding in the kernel is not in it,
    /// unless the agent's own calls do it.
    pub cpu_us: u64,
}

/// What one direction did since the profile was set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Packets that came in; a large one that the kernel splits later counts once. `relay`: chunks.
    pub packets: u64,
    /// Their bytes as the rate counts them: with headers, Ethernet's 14 bytes too (`relay`: without any).
    pub bytes: u64,
    /// Packets of data whose sender had got something new since its last one: what is sent to and fro. `None`: the
    /// backend cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u64>,
    /// Packets that had to wait.
    pub delayed: u64,
    /// Packets lost because the profile asks for it.
    pub dropped_asked: u64,
    /// Packets lost for want of room: they make a run invalid. `None`: the backend cannot tell them from
    /// those asked for.
    pub dropped_unasked: Option<u64>,
    /// Packets that left more than [`Self::LATE_US`] after their time.
    pub late: u64,
    /// The most that a packet left after its time, microseconds.
    pub latest_us: u64,
}

impl Counters {
    /// From here on a packet counts as late, microseconds.
    pub const LATE_US: u64 = 500;
}

/// A backend that was tried and doesn't work here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedBackend {
    /// Which.
    pub backend: Backend,
    /// What happened when it was tried.
    pub reason: String,
}

/// What the agent is asked over its socket: one line of JSON, answered with one line ([`Answer`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Say what is set and what was counted.
    Status,
    /// Make the link so. Between runs only: packets on their way are let through at once.
    Set(Box<Setting>),
    /// Pass new connections on to this `host:port`, a responder for measuring; `None`: to the database again.
    Point(Option<String>),
    /// Break the path so, or (none) make it whole again.
    Break(Option<LinkFault>),
}

/// What is to be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The whole profile; what it doesn't name is not emulated.
    pub profile: LinkProfile,
    /// Decides which packets are lost and how jitter falls, with `nfqueue` and `relay`.
    pub seed: u64,
    /// Use this backend from now on; `None`: the one in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<Backend>,
}

/// The agent's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// How things are now.
    Status(Box<super::setup::LinkStatus>),
    /// It was refused (what was set stays) or it failed (nothing is set).
    Refused {
        /// The code it would end a program with ([`super::exit::Exit`]).
        exit: u8,
        /// One sentence: what, and what to do.
        message: String,
    },
}

/// What a backend cannot do of a profile, as the reason for a refusal.
pub fn refusal(backend: Backend, profile: &LinkProfile) -> Option<String> {
    let jitters = [profile.up.jitter, profile.down.jitter];
    let reorders = jitters.iter().flatten().any(|jitter| !jitter.ordered);
    match backend {
        _ if profile.is_direct() => {
            Some("direct leads past the link: of the link itself ask for local, or for what it shall add".into())
        }
        Backend::Relay if profile.loses() => Some(
            "relay copies the bytes of a connection, it cannot lose packets: use nfqueue or netem, or no loss".into(),
        ),
        Backend::Relay if reorders => {
            Some("relay copies the bytes of a connection in order: use nfqueue or netem, or ordered jitter".into())
        }
        // Netem has no switch for order: a rate orders, so what has one cannot reorder.
        Backend::Netem
            if reorders && (profile.up.rate.bits_per_second().or(profile.down.rate.bits_per_second())).is_some() =>
        {
            Some("netem keeps packets in order where there is a rate: use nfqueue, or ordered jitter".into())
        }
        _ => None,
    }
}
