//! The container engine: the only module that speaks to it. It knows containers, networks, volumes and
//! images by their labels; it knows nothing of experiments.
//!
//! ```text
//! Engine ── connect ──► Stack (one compose project) ──► Healthy containers, networks, data volumes
//!                         └── start(spec) ──► a fresh container ── ingest(job) ──► its JSON lines, its end
//! ```

mod address;
mod answer;
mod clocks;
mod confined;
mod data;
mod facts;
mod files;
mod images;
mod ingester;
mod limits;
mod listen;
mod memory;
mod outside;
mod power;
mod responder;
mod saved;
mod stack;
mod swarm;
mod usage;
mod watcher;

pub use answer::Ended;
pub(crate) use answer::answered;
pub use data::{DataSet, DataVolume};
pub use ingester::{GRACE, Left, Overdue, RunSpec, Waiting};
pub use limits::{Held, Limits};
pub use listen::{Hearer, Said};
pub use outside::OUTER;
pub use power::Standing;
pub use responder::Responder;
pub(crate) use saved::names as names_in;
pub use stack::{Container, Healthy, Network, Running, Stack};
pub use swarm::{ROLE, Raised};
pub use watcher::Watcher;

use crate::model::Program;
use crate::wire::exit::{Exit, Failure};
use address::{Address, Environment};
use anyhow::Result;
use bollard::{API_DEFAULT_VERSION, ClientVersion, Docker};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// How long the engine may take to answer a request.
const TIMEOUT: Duration = Duration::from_secs(120);

/// How long it may take to say that it is there.
const PING: Duration = Duration::from_secs(5);

/// The oldest API the lab is tried with: Engine 20.10.
const OLDEST_API: ClientVersion = ClientVersion { major_version: 1, minor_version: 41 };

/// Where the engine listens unless `DOCKER_HOST` says otherwise.
const DEFAULT_ADDRESS: &str = "unix:///var/run/docker.sock";

/// Labels on everything the lab makes, so that it finds it again and touches nothing else.
pub mod label {
    /// The stack (compose project) something belongs to.
    pub const STACK: &str = "ingest-lab.stack";
    /// On an ingester container: the series it runs for.
    pub const SERIES: &str = "ingest-lab.series";
    /// On an ingester container: the run's number.
    pub const RUN: &str = "ingest-lab.run";
    /// On an ingester container that shares its run with others: which of them it is, from 1.
    pub const CLIENT: &str = "ingest-lab.client";
    /// On an ingester container that is not beside the link: `direct`, or `outside` on the way to an external server.
    pub const PATH: &str = "ingest-lab.path";
    /// On a container that helps the lab, as to fill a volume or to measure the link: what it is for.
    pub const HELPER: &str = "ingest-lab.helper";
    /// On the network that leads out of this machine, to a server that is not the lab's.
    pub const OUTSIDE: &str = "ingest-lab.outside";
    /// On a container that carries a connection of the lab's own, where nothing else reaches the database.
    pub const CONTROL: &str = "ingest-lab.control";
    /// On a data volume: the checksum of its files.
    pub const DATA: &str = "ingest-lab.data";
    /// On a data volume: the size of its files.
    pub const BYTES: &str = "ingest-lab.bytes";
    /// On an image: what it was built on.
    pub const BASE: &str = "ingest-lab.base";
    /// On a lab's own container: `cli`.
    pub const ROLE: &str = "ingest-lab.role";
    /// Compose's own: `True` on a container that somebody started by hand (`compose run`).
    pub const ONE_OFF: &str = "com.docker.compose.oneoff";
    /// Compose's own: the project.
    pub const PROJECT: &str = "com.docker.compose.project";
    /// Compose's own: the service.
    pub const SERVICE: &str = "com.docker.compose.service";
    /// Compose's own: its version.
    pub const COMPOSE: &str = "com.docker.compose.version";
    /// On an image: SHA-256 of the lock file that pins what is in it.
    pub const LOCK: &str = "ingest-lab.lock";
    /// Compose's own: the network's key in the file.
    pub const NETWORK: &str = "com.docker.compose.network";
}

/// A connection to the container engine.
#[derive(Debug, Clone)]
pub struct Engine {
    docker: Docker,
    address: String,
    /// How far its wall clock was found ahead of the lab's, ns.
    ahead: Arc<AtomicI64>,
}

impl Engine {
    /// Connects to `DOCKER_HOST`, else to the current context's engine, else to the default socket, and agrees on an API
    /// version.
    pub async fn connect() -> Result<Self> {
        Self::reach(Address::own(&Environment::read())?, "set DOCKER_HOST").await
    }

    /// Connects to the engine of a node, as `unix:///run/other.sock`, `tcp://host:2376` or `context:name`.
    pub(in crate::engine) async fn at(address: &str, certificates: Option<&Path>) -> Result<Self> {
        let address = Address::of_node(address, certificates, &Environment::read())?;
        Self::reach(address, "correct its address in --node or INGEST_LAB_NODES").await
    }

    async fn reach(at: Address, remedy: &str) -> Result<Self> {
        let address = at.text.as_str();
        let unreachable = |error: bollard::errors::Error| {
            let cause = sentence(&error);
            let message =
                format!("the container engine is not reachable at {address}: start it, or {remedy} ({cause})");
            Failure::new(Exit::Engine, message)
        };
        let docker = at.open().map_err(unreachable)?.with_timeout(TIMEOUT);
        let docker = docker.negotiate_version().await.map_err(unreachable)?;
        let api = docker.client_version();
        if api < OLDEST_API {
            let message = format!(
                "the container engine at {address} speaks API {api}, the lab needs {OLDEST_API} (Engine 20.10) or newer: update it"
            );
            return Err(Failure::new(Exit::Engine, message).into());
        }
        tracing::debug!(%address, %api, newest = %API_DEFAULT_VERSION, "connected to the container engine");
        Ok(Self { docker, address: at.text, ahead: Arc::default() })
    }

    /// Whether it answers.
    pub async fn is_there(&self) -> bool {
        tokio::time::timeout(PING, self.docker.ping()).await.is_ok_and(|answer| answer.is_ok())
    }

    /// How far its wall clock was found ahead of the lab's, seconds; 0 where nobody asked.
    fn wall_ahead(&self) -> f64 {
        self.ahead.load(Ordering::Relaxed) as f64 / 1e9
    }

    /// Whether both are the same engine.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.address == other.address
    }

    /// Where the engine is.
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// What the engine said, without the library's wrapping.
fn sentence(error: &bollard::errors::Error) -> String {
    use bollard::errors::Error;
    match error {
        Error::DockerResponseServerError { status_code, message } => {
            format!("{} (status {status_code})", message.trim())
        }
        Error::RequestTimeoutError => format!("no answer within {} s", TIMEOUT.as_secs()),
        Error::SocketNotFoundError(path) => format!("there is no socket at {path}"),
        other => innermost(other),
    }
}

/// The cause at the bottom of a chain: "Connection refused" rather than "client error (Connect)".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Turns an engine's refusal to do something into a sentence: `map_err(refused("start the ingester"))`.
fn refused(what: impl Into<String>) -> impl FnOnce(bollard::errors::Error) -> anyhow::Error {
    let what = what.into();
    move |error| {
        let message = format!("the container engine did not {what}: {}", sentence(&error));
        let failure = if is_unreached(&error) { Failure::passing } else { Failure::new };
        failure(Exit::Engine, message).into()
    }
}

/// Whether the engine was not reached, or gone before it answered: it may be there again a moment later.
fn is_unreached(error: &bollard::errors::Error) -> bool {
    use bollard::errors::Error;
    matches!(
        error,
        Error::HyperResponseError { .. }
            | Error::HyperLegacyError { .. }
            | Error::IOError { .. }
            | Error::SocketNotFoundError(_)
    )
}

/// What builds an image that isn't there.
fn no_image(image: &str) -> Failure {
    let is_of = |program: &&Program| image.starts_with(&format!("ingest-lab-{}:", program.word()));
    let peer = Program::ALL.iter().filter(|program| **program != Program::Ingester).find(is_of);
    let verb = peer.map_or("images", |program| program.word());
    Failure::new(Exit::Engine, format!("the image {image} isn't there: `make {verb}` builds it"))
}

/// Whether the engine says that something isn't there.
fn is_missing(error: &bollard::errors::Error) -> bool {
    matches!(error, bollard::errors::Error::DockerResponseServerError { status_code: 404, .. })
}
