//! What produced a run besides its configuration: the engine, the images, the way through the link.

use super::emulation::Emulation;
use super::external::Server;
use crate::model::{Backend, LinkFault};
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
    /// How the engine stores images and containers: `overlay2`.
    #[serde(default)]
    pub storage: String,
}

impl EngineFacts {
    /// What tells a machine and its engine from another, in a line.
    pub fn told(&self) -> String {
        let Self { version, cgroup, kernel, architecture, processors, memory, .. } = self;
        format!(
            "engine {version}, cgroup {cgroup}, kernel {kernel}, {architecture}, {processors} processors, {memory} bytes of memory"
        )
    }
}

/// The machine as a container of the stack sees it: the same one whether or not the lab runs there. What it doesn't
/// tell stays empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineFacts {
    /// The processors' model.
    pub processor: String,
    /// What the kernel tells the time by: `tsc`, `kvm-clock`.
    pub clocksource: String,
    /// The file system under the database's files.
    pub filesystem: String,
    /// Writes of 8 KiB that its disk took a second, each awaited until it was safe (`O_DSYNC`), one after the other.
    pub synced_writes: Option<f64>,
    /// TCP congestion control as the kernel has it.
    pub congestion: String,
    /// TCP's receive buffer: least, usual and most, bytes.
    pub receive_buffer: String,
    /// TCP's send buffer, likewise.
    pub send_buffer: String,
}

/// One image as the engine has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// What it is the image of: `db`, `link`, `ingester`.
    pub role: String,
    /// Its id, a checksum of its contents.
    pub id: String,
    /// Digests by which registries know it, without what they call it; none where it was built here.
    pub digests: Vec<String>,
    /// The base it was built on: `official`, or `stand-in` (Debian packages, made on this machine).
    pub base: String,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
}

/// An image that a bundle holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedImage {
    /// What it is the image of: `db`, `link`, `ingester`, `python`, `lab`.
    pub role: String,
    /// Its id, a checksum of its contents.
    pub id: String,
    /// The name that loading it gives it.
    pub name: String,
    /// The processor architecture it is for, in the engine's word: `amd64`.
    pub architecture: String,
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
    /// The address that name has now; empty in a record.
    pub address: String,
    /// Kinds that were preferred but don't work here.
    pub rejected: Vec<Rejected>,
    /// The agent's process.
    pub pid: u32,
    /// The backend that the agent began with: an experiment may ask for another for its time.
    pub default_backend: Backend,
    /// What the link is made to do, and by what.
    pub emulation: Emulation,
    /// What is broken of the path at the moment; none unless a fault is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<LinkFault>,
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
    /// The container engine and the machine: the database's, where there are two.
    pub engine: EngineFacts,
    /// The client's, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_engine: Option<EngineFacts>,
    /// The images.
    pub images: Vec<ImageFacts>,
    /// How the link forwards.
    pub forwarding: Option<Forwarding>,
    /// What makes it slow.
    pub backend: Option<Backend>,
    /// Checksum of the data files.
    pub data: String,
    /// The commit the images were built from; empty where it isn't known.
    #[serde(default)]
    pub revision: String,
    /// Whether they were built from more than that commit holds.
    #[serde(default)]
    pub dirty: bool,
    /// SHA-256 of each lock file: what pins the versions of everything that was built.
    #[serde(default)]
    pub locks: BTreeMap<String, String>,
    /// The version of compose that made the stack.
    #[serde(default)]
    pub compose: String,
    /// The machine.
    #[serde(default)]
    pub machine: MachineFacts,
    /// The database server, where it is not the lab's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// What two identical cells were seen to differ by, as a part of the rate: known at the series' end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_floor: Option<f64>,
}

/// The label of an image that holds the revision it was built from.
const REVISION: &str = "org.opencontainers.image.revision";

/// What images built with changes have at the end of that label.
pub const DIRTY: &str = "-dirty";

/// The label that holds the SHA-256 of these changes.
const CHANGES: &str = "ingest-lab.changes";

/// The revision that these images were built from, empty where it isn't known; and whether the sources had changes
/// that it doesn't hold. Of several builds, the ingester's.
pub fn revision(images: &[ImageFacts]) -> (String, bool) {
    let label = label(images, REVISION);
    match label.strip_suffix(DIRTY) {
        Some(revision) => (revision.into(), true),
        None => (if label == "unknown" { String::new() } else { label.into() }, false),
    }
}

/// A label of the ingester's image; empty where it has none.
fn label<'a>(images: &'a [ImageFacts], name: &str) -> &'a str {
    let ingester = images.iter().find(|image| image.role == "ingester").or(images.first());
    ingester.and_then(|image| image.labels.get(name)).map_or("", String::as_str)
}

impl Setup {
    /// Whether both were measured on machines that cannot be told apart: only then are absolute rates compared.
    pub fn same_machine(&self, other: &Self) -> bool {
        self.same_hosts(other) && self.same_server(other)
    }

    /// Whether both had the lab's own database, or surely the same one outside. Of a server outside nothing but its place
    /// is known, so what cannot be told to be one is two.
    pub fn same_server(&self, other: &Self) -> bool {
        match (&self.server, &other.server) {
            (None, None) => true,
            (Some(one), Some(other)) => one.is_at_place_of(other),
            _ => false,
        }
    }

    /// Whether the hosts that the lab saw cannot be told apart.
    pub fn same_hosts(&self, other: &Self) -> bool {
        let of = |setup: &Self| {
            let engine = &setup.engine;
            (
                (engine.architecture.clone(), engine.processors, engine.memory),
                (engine.kernel.clone(), engine.cgroup.clone()),
                (setup.machine.processor.clone(), setup.machine.filesystem.clone()),
                setup.client_engine.as_ref().map(EngineFacts::told),
            )
        };
        of(self) == of(other)
    }

    /// The revision it ran on, empty where it isn't known, and whether there were changes besides. Setups that don't
    /// say so have it on their images.
    pub fn sources(&self) -> (String, bool) {
        let (revision, dirty) = revision(&self.images);
        if self.revision.is_empty() { (revision, self.dirty || dirty) } else { (self.revision.clone(), self.dirty) }
    }

    /// The SHA-256 of the changes it ran on besides, empty where there were none or nobody noted it.
    pub fn changes(&self) -> &str {
        label(&self.images, CHANGES)
    }

    /// What is different now, a phrase each.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let (a, b) = (&self.engine, &now.engine);
        let mut pairs = vec![
            ("the lab's version".to_owned(), self.program.clone(), now.program.clone()),
            ("the revision".into(), self.built_from(), now.built_from()),
            ("the engine's version".into(), a.version.clone(), b.version.clone()),
            ("the engine's storage".into(), a.storage.clone(), b.storage.clone()),
            ("the cgroup version".into(), a.cgroup.clone(), b.cgroup.clone()),
            ("compose's version".into(), self.compose.clone(), now.compose.clone()),
            ("the architecture".into(), a.architecture.clone(), b.architecture.clone()),
            ("the processor".into(), self.machine.processor.clone(), now.machine.processor.clone()),
            ("the kernel".into(), a.kernel.clone(), b.kernel.clone()),
            ("the number of processors".into(), a.processors.to_string(), b.processors.to_string()),
            ("the memory".into(), a.memory.to_string(), b.memory.to_string()),
            ("the clock source".into(), self.machine.clocksource.clone(), now.machine.clocksource.clone()),
            ("the file system".into(), self.machine.filesystem.clone(), now.machine.filesystem.clone()),
            ("the congestion control".into(), self.machine.congestion.clone(), now.machine.congestion.clone()),
            ("TCP's receive buffer".into(), self.machine.receive_buffer.clone(), now.machine.receive_buffer.clone()),
            ("TCP's send buffer".into(), self.machine.send_buffer.clone(), now.machine.send_buffer.clone()),
            ("the forwarding".into(), forwarding(self), forwarding(now)),
            ("the emulation".into(), backend(self), backend(now)),
            ("the data".into(), self.data.clone(), now.data.clone()),
            ("the database server".into(), place(self), place(now)),
            ("the server's version".into(), version(self), version(now)),
        ];
        let host = |setup: &Self| setup.client_engine.as_ref().map_or("the database's".into(), EngineFacts::told);
        pairs.push(("the client's host".into(), host(self), host(now)));
        for (name, sum) in &self.locks {
            let other = now.locks.get(name).cloned().unwrap_or_default();
            pairs.push((format!("the lock file {name}"), sum.clone(), other));
        }
        for image in &self.images {
            let other = now.images.iter().find(|other| other.role == image.role).map_or("none", |other| &other.id);
            pairs.push((format!("the image {}", image.role), image.id.clone(), other.to_owned()));
        }
        let differs = pairs.into_iter().filter(|(_, was, is)| was != is);
        differs.map(|(what, was, is)| format!("{what} was {}, is {}", short(&was), short(&is))).collect()
    }

    fn built_from(&self) -> String {
        format!("{}{}", self.revision, if self.dirty { " and more" } else { "" })
    }
}

fn place(setup: &Setup) -> String {
    setup.server.as_ref().map_or_else(|| "the lab's own".into(), |server| server.place.clone())
}

fn version(setup: &Setup) -> String {
    setup.server.as_ref().map(|server| server.version.clone()).unwrap_or_default()
}

fn forwarding(setup: &Setup) -> String {
    setup.forwarding.map_or_else(|| "none".into(), |forwarding| forwarding.to_string())
}

fn backend(setup: &Setup) -> String {
    setup.backend.map_or_else(|| "none".into(), |backend| backend.to_string())
}

/// Enough of a checksum to tell it from another; other text as it is, `unknown` where there is none.
fn short(text: &str) -> String {
    let digits = text.trim_start_matches("sha256:");
    match digits {
        "" => "unknown".into(),
        _ if digits.len() > 20 && digits.chars().all(|digit| digit.is_ascii_hexdigit()) => digits[..20].into(),
        _ => digits.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup() -> Setup {
        let engine = EngineFacts { processors: 2, memory: 8 << 30, kernel: "6.12.0".into(), ..Default::default() };
        let machine = MachineFacts { processor: "Model A".into(), synced_writes: Some(900.0), ..Default::default() };
        Setup {
            schema: super::super::SCHEMA,
            program: "ingest-lab 0.1.0".into(),
            engine,
            client_engine: None,
            images: Vec::new(),
            forwarding: None,
            backend: None,
            data: "sha256:00".into(),
            revision: "0123456789abcdef0123456789abcdef01234567".into(),
            dirty: false,
            locks: [("ingester".to_owned(), "aa".to_owned())].into(),
            compose: "2.40.0".into(),
            machine,
            server: None,
            noise_floor: None,
        }
    }

    #[test]
    fn what_is_measured_of_a_setup_is_no_difference_and_another_processor_is_another_machine() {
        let was = setup();
        let mut now = setup();
        (now.noise_floor, now.machine.synced_writes) = (Some(0.02), Some(1_100.0));
        assert_eq!(was.differences(&now), Vec::<String>::new());
        assert!(was.same_machine(&now));
        now.machine.processor = "Model B".into();
        assert_eq!(was.differences(&now), ["the processor was Model A, is Model B"]);
        assert!(!was.same_machine(&now));
    }

    #[test]
    fn another_host_of_the_client_is_another_machine() {
        let client = |kernel: &str| Some(EngineFacts { kernel: kernel.into(), ..Default::default() });
        let was = Setup { client_engine: client("6.1.0"), ..setup() };
        let now = Setup { client_engine: client("6.12.0"), ..setup() };
        assert!(was.same_machine(&was) && !was.same_machine(&now) && !was.same_machine(&setup()));
        let found = was.differences(&now);
        assert!(found.len() == 1 && found[0].starts_with("the client's host was engine "), "{found:?}");
        assert!(was.differences(&setup())[0].ends_with("is the database's"));
    }

    #[test]
    fn another_server_outside_or_one_of_which_no_place_is_known_is_another_machine() {
        let at =
            |place: &str| Setup { server: Some(Server { version: "17.2".into(), place: place.into() }), ..setup() };
        assert!(at("aa").same_machine(&at("aa")));
        for (one, other) in [(at("aa"), at("bb")), (at("aa"), setup()), (setup(), at("aa")), (at(""), at(""))] {
            assert!(!one.same_machine(&other) && one.same_hosts(&other), "{:?} {:?}", one.server, other.server);
        }
    }

    #[test]
    fn other_sources_and_other_locks_are_differences_on_the_same_machine() {
        let was = setup();
        let now = Setup { dirty: true, locks: BTreeMap::new(), ..setup() };
        let found = was.differences(&now);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].ends_with("is 0123456789abcdef0123456789abcdef01234567 and more"), "{found:?}");
        assert_eq!(found[1], "the lock file ingester was aa, is unknown");
        assert!(was.same_machine(&now));
    }

    #[test]
    fn a_setup_of_an_earlier_lab_loads() {
        let mut json = serde_json::to_value(setup()).unwrap();
        for later in ["revision", "dirty", "locks", "compose", "machine"] {
            json.as_object_mut().unwrap().remove(later).unwrap();
        }
        assert_eq!(serde_json::from_value::<Setup>(json).unwrap().machine, MachineFacts::default());
    }
}
