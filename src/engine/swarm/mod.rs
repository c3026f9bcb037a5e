//! A stack over several hosts: the nodes of a swarm, found by their label, each with an engine of its own.
//!
//! ```text
//! manager ── services db, link; overlay networks client, database ──►  node lab.role=database: its engine
//!    └────── nodes and their labels                               ──►  node lab.role=client: its engine ── ingesters
//! ```
//! The swarm places what lasts as long as the stack. What lives for one run (ingesters, watcher, responder) are plain
//! containers of the node's own engine on the attachable networks: a service is started again or elsewhere when it
//! ends, and has no standard input.

mod nodes;
mod registry;
mod services;
mod transfer;
mod tunnel;

pub use nodes::ROLE;
pub use services::Raised;

use super::{Engine, Stack, refused};
use crate::model::nodes::Nodes;
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use bollard::models::{LocalNodeState, SystemInfo};
use nodes::{Place, Placed};
use registry::Registry;
use std::time::{Duration, Instant};
use tunnel::Tunnel;

/// How often nodes that are not ready are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What a stack of several hosts has besides its engines.
#[derive(Debug, Clone)]
pub(super) struct Swarm {
    /// Where services and networks are made, and where the images come from.
    manager: Engine,
    /// The lab's own way to the database.
    tunnel: Tunnel,
    /// Where nodes get images from, if not through the lab.
    registry: Option<Registry>,
}

impl Swarm {
    pub(super) fn manager(&self) -> &Engine {
        &self.manager
    }
}

impl Stack {
    /// The stack of a project on a swarm. `manager` is one of its managers; the nodes' engines are told apart by their node
    /// ids: in any order, the manager's own not needed. Nothing is made yet.
    pub async fn on_swarm(manager: Engine, reached: &Nodes, project: &str, tag: &str) -> Result<Self> {
        let info = manager.described().await?;
        let own = node_id(&info, manager.address())?;
        if info.swarm.as_ref().and_then(|swarm| swarm.control_available) != Some(true) {
            let message = format!(
                "the container engine at {} is a worker of its swarm: set DOCKER_HOST to a manager's (docs/two-hosts.md)",
                manager.address()
            );
            return Err(Failure::new(Exit::Engine, message).into());
        }
        let Placed { database, clients } = manager.nodes_ready(Duration::ZERO).await?;
        let mut engines = vec![(own, manager.clone())];
        for address in &reached.engines {
            let engine = Engine::at(address, reached.certificates.as_deref()).await?;
            let info = engine.described().await?;
            engines.push((node_id(&info, address)?, engine));
        }
        let find = |place: Place, id: &str| {
            let found = engines.iter().find(|(node, _)| node == id).map(|(_, engine)| engine.clone());
            found.ok_or_else(|| nodes::no_address(place))
        };
        let engine = find(Place::Database, &database)?;
        let clients = clients.iter().map(|id| find(Place::Client, id)).collect::<Result<Vec<_>, _>>()?;
        let registry = reached.registry.as_deref().map(Registry::at).transpose()?;
        let swarm = Some(Swarm { manager, tunnel: Tunnel::default(), registry });
        let stack = Self { engine, clients, project: project.into(), tag: tag.into(), swarm };
        stack.require_one_architecture(&info).await?;
        Ok(stack)
    }

    /// Whether it is spread over the nodes of a swarm.
    pub fn is_on_swarm(&self) -> bool {
        self.swarm.is_some()
    }

    /// The images are the manager's: no node may need others.
    async fn require_one_architecture(&self, manager: &SystemInfo) -> Result<()> {
        let wanted = manager.architecture.clone().unwrap_or_default();
        for engine in self.engines() {
            let found = engine.described().await?.architecture.unwrap_or_default();
            let place = if engine.is(&self.engine) { Place::Database } else { Place::Client };
            nodes::same_architecture(place, &wanted, &found)?;
        }
        Ok(())
    }
}

impl Engine {
    /// The nodes by their labels, all of them there. One whose engine has just come back is waited for so long.
    async fn nodes_ready(&self, patience: Duration) -> Result<Placed> {
        let deadline = Instant::now() + patience;
        loop {
            let listed = self.docker.list_nodes(None).await.map_err(refused("list the swarm's nodes"))?;
            match nodes::placed(&listed.into_iter().map(nodes::Seen::of).collect::<Vec<_>>()) {
                Err(_) if Instant::now() < deadline => tokio::time::sleep(LOOK_AGAIN).await,
                found => return Ok(found?),
            }
        }
    }

    async fn described(&self) -> Result<SystemInfo> {
        self.docker.info().await.map_err(refused("describe itself"))
    }
}

/// An engine's id in the swarm that it is part of.
fn node_id(info: &SystemInfo, address: &str) -> Result<String, Failure> {
    let swarm = info.swarm.as_ref().filter(|swarm| swarm.local_node_state == Some(LocalNodeState::ACTIVE));
    let id = swarm.and_then(|swarm| swarm.node_id.clone()).filter(|id| !id.is_empty());
    id.ok_or_else(|| {
        let message = format!(
            "the container engine at {address} is in no swarm: `docker swarm init` on one host, `docker swarm join` on the \
             others (docs/two-hosts.md)"
        );
        Failure::new(Exit::Engine, message)
    })
}
