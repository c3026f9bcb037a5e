//! What produced a run besides its configuration: the engine, the images, the way through the link.

use super::emulation::Emulation;
use crate::model::Backend;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// The container engine and the machine under it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EngineFacts {
    /// The engine's version.
    pub version: String,
    /// The API version agreed on.
    pub api: String,
    /// The cgroup version its limits go through: `1` or `2`.
    pub cgroup: String,
    /// The kernel's release.
    pub kernel: String,
    /// The operating system's name.
    pub system: String,
    /// The processor architecture.
    pub architecture: String,
    /// Processors the engine sees.
    pub processors: i64,
    /// Memory the engine sees, bytes.
    pub memory: i64,
}

/// One image as the engine has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// What it is the image of: `db`, `link`, `ingester`.
    pub role: String,
    /// Its id, a checksum of its contents.
    pub id: String,
    /// Digests by which a registry knows it; none where it was built here.
    pub digests: Vec<String>,
    /// The base it was built on: `official`, or `stand-in` (Debian packages, made on this machine).
    pub base: String,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
}

/// How the link passes connections on.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Forwarding {
    /// The kernel forwards; nftables rewrites the addresses.
    Nft,
    /// The kernel forwards; the old x_tables interface rewrites the addresses.
    IptablesLegacy,
    /// The kernel forwards; `iptables` (translated to nftables) rewrites the addresses.
    Iptables,
    /// A program copies the bytes of each connection: works anywhere, costs its own processor time.
    Relay,
}

impl Forwarding {
    /// Every kind, the preferred first.
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;

    /// One line that says what it does.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Nft => "the kernel forwards; nftables rewrites the addresses",
            Self::IptablesLegacy => "the kernel forwards; the old x_tables interface rewrites the addresses",
            Self::Iptables => "the kernel forwards; iptables, translated to nftables, rewrites the addresses",
            Self::Relay => "a program copies the bytes of each connection: works anywhere, costs its own CPU time",
        }
    }
}

/// What the link's agent says of itself (`link status`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// How connections are passed on.
    pub forwarding: Forwarding,
    /// The port clients connect to.
    pub listen: u16,
    /// Where they are passed on to, as it was asked for: `db:5432`.
    pub target: String,
    /// The address that name has now.
    pub address: String,
    /// Kinds that were preferred but don't work here.
    pub rejected: Vec<Rejected>,
    /// The agent's process.
    pub pid: u32,
    /// The backend that the agent began with: an experiment may ask for another for its time.
    pub default_backend: Backend,
    /// What the link is made to do, and by what.
    pub emulation: Emulation,
}

/// A kind of forwarding that was tried and doesn't work here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Which.
    pub forwarding: Forwarding,
    /// What happened when it was tried.
    pub reason: String,
}

/// What all runs of a series have in common: they are comparable only as long as it stays the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// Name and version of the lab.
    pub program: String,
    /// The container engine and the machine.
    pub engine: EngineFacts,
    /// The images.
    pub images: Vec<ImageFacts>,
    /// How the link forwards.
    pub forwarding: Option<Forwarding>,
    /// What makes it slow.
    pub backend: Option<Backend>,
    /// Checksum of the data files.
    pub data: String,
}

impl Setup {
    /// What is different now, a phrase each.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let (a, b) = (&self.engine, &now.engine);
        let mut pairs = vec![
            ("the lab's version".to_owned(), self.program.clone(), now.program.clone()),
            ("the engine's version".into(), a.version.clone(), b.version.clone()),
            ("the cgroup version".into(), a.cgroup.clone(), b.cgroup.clone()),
            ("the kernel".into(), a.kernel.clone(), b.kernel.clone()),
            ("the number of processors".into(), a.processors.to_string(), b.processors.to_string()),
            ("the memory".into(), a.memory.to_string(), b.memory.to_string()),
            ("the forwarding".into(), forwarding(self), forwarding(now)),
            ("the emulation".into(), backend(self), backend(now)),
            ("the data".into(), self.data.clone(), now.data.clone()),
        ];
        for image in &self.images {
            let other = now.images.iter().find(|other| other.role == image.role).map_or("none", |other| &other.id);
            pairs.push((format!("the image {}", image.role), image.id.clone(), other.to_owned()));
        }
        let differs = pairs.into_iter().filter(|(_, was, is)| was != is);
        differs.map(|(what, was, is)| format!("{what} was {}, is {}", short(&was), short(&is))).collect()
    }
}

impl Setup {
    /// Whether both are of one machine, as far as what is recorded tells: absolute rates mean the same on no other.
    pub fn same_machine(&self, other: &Self) -> bool {
        let machine = |setup: &Self| {
            let engine = &setup.engine;
            (engine.architecture.clone(), engine.processors, engine.memory, engine.kernel.clone())
        };
        machine(self) == machine(other)
    }
}

fn forwarding(setup: &Setup) -> String {
    setup.forwarding.map_or_else(|| "none".into(), |forwarding| forwarding.to_string())
}

fn backend(setup: &Setup) -> String {
    setup.backend.map_or_else(|| "none".into(), |backend| backend.to_string())
}

/// Enough of a checksum to tell it from another.
fn short(text: &str) -> String {
    text.trim_start_matches("sha256:").chars().take(20).collect()
}
