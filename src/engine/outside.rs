//! The way out of this machine, for a database server that is not the lab's: a network that is not internal, made by the
//! lab for as long as a series needs it, and a link on it. Nothing of the compose file is changed or made anew.
//!
//! ```text
//! ingester ── client network ──► outer link ── outside ──► server      (link = a profile)
//! ingester ── outside ───────────────────────────────────► server      (link = "direct")
//! lab ─────── outside ───────────────────────────────────► server      (control)
//! ```

use super::confined::confined;
use super::stack::healthy;
use super::{Container, Healthy, Network, Stack, label, refused};
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use bollard::models::{
    EndpointSettings, HostConfig, NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest,
};
use bollard::query_parameters::{InspectNetworkOptions, ListNetworksOptionsBuilder, StartContainerOptions};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// What a client calls the link that leads out.
pub const OUTER: &str = "outer-link";

/// How long that link may take to forward, and how often it is asked.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

impl Stack {
    /// The network that leads out: the one there is, else a new one. Labs that run in containers join it.
    pub async fn outside(&self) -> Result<Network> {
        let network = match self.outsides().await?.pop() {
            Some(there) => there,
            None => {
                let config = NetworkCreateRequest {
                    name: format!("{}_outside", self.project),
                    labels: Some(HashMap::from([
                        (label::STACK.to_owned(), self.project.clone()),
                        (label::OUTSIDE.to_owned(), String::new()),
                    ])),
                    ..Default::default()
                };
                let made = self.engine.docker.create_network(config).await;
                Network { id: made.map_err(refused("make the network that leads out of this machine"))?.id }
            }
        };
        for lab in self.labs().await? {
            self.join(&lab.id, &network, None).await?;
        }
        Ok(network)
    }

    /// Takes the network away again, with whoever is still on it off. Says whether there was one.
    pub async fn leave_outside(&self) -> Result<bool> {
        let networks = self.outsides().await?;
        for network in &networks {
            let docker = &self.engine.docker;
            let seen = docker.inspect_network(&network.id, None::<InspectNetworkOptions>).await;
            let on_it = seen.map_err(refused("inspect the network that leads out"))?.containers.unwrap_or_default();
            for container in on_it.into_keys() {
                let request = NetworkDisconnectRequest { container, force: Some(true) };
                // One that has just ended is off already.
                let _ = docker.disconnect_network(&network.id, request).await;
            }
            docker.remove_network(&network.id).await.map_err(refused("remove the network that leads out"))?;
        }
        Ok(!networks.is_empty())
    }

    async fn outsides(&self) -> Result<Vec<Network>> {
        let labels = vec![format!("{}={}", label::STACK, self.project), label::OUTSIDE.to_owned()];
        let options = ListNetworksOptionsBuilder::default().filters(&HashMap::from([("label", labels)])).build();
        let found = self.engine.docker.list_networks(Some(options)).await.map_err(refused("list networks"))?;
        Ok(found.into_iter().filter_map(|network| Some(Network { id: network.id? })).collect())
    }

    /// Puts a container on a network more, where it isn't on it yet.
    async fn join(&self, container: &str, network: &Network, alias: Option<&str>) -> Result<()> {
        let aliases = alias.map(|alias| vec![alias.to_owned()]);
        let request = NetworkConnectRequest {
            container: container.into(),
            endpoint_config: Some(EndpointSettings { aliases, ..Default::default() }),
        };
        match self.engine.docker.connect_network(&network.id, request).await {
            Err(error) if !error.to_string().contains("already exists") => {
                Err(refused("connect a container to a network")(error))
            }
            _ => Ok(()),
        }
    }

    /// Starts a link from the client's network to a server outside and waits until it forwards. [`Stack::sweep`] removes
    /// it. It may do what the stack's own link may.
    pub async fn start_outer_link(&self, client: &Network, outside: &Network, target: &str) -> Result<Healthy> {
        let labels = [(label::STACK, self.project.clone()), (label::HELPER, OUTER.into())];
        let memory = ["/run", "/tmp"].map(|place| (place.to_owned(), String::new()));
        let host = HostConfig {
            network_mode: Some(outside.id.clone()),
            init: Some(true),
            cap_add: Some(vec!["NET_ADMIN".into(), "NET_RAW".into()]),
            sysctls: Some(HashMap::from([("net.ipv4.ip_forward".to_owned(), "1".to_owned())])),
            tmpfs: Some(HashMap::from(memory)),
            ..Default::default()
        };
        let mut body = confined(self.image("link"), &["serve", "--target", target, "--listen", "5432"], &labels, host);
        body.user = Some("root".into()); // as the stack's own: SECURITY.md says why
        let id = self.engine.create(body, "make the outer link's container").await?;
        self.join(&id, client, Some(OUTER)).await?;
        let started = self.engine.docker.start_container(&id, None::<StartContainerOptions>).await;
        started.map_err(refused("start the outer link"))?;
        let container = Container { id, service: OUTER.into(), engine: self.engine.clone() };
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.exec(&container, &["/usr/local/bin/link", "status"]).await {
                Ok((0, ..)) => break,
                _ if Instant::now() < deadline => tokio::time::sleep(LOOK_AGAIN).await,
                failed => {
                    let said = failed.map_or_else(|error| format!("{error:#}"), |(_, _, err)| err.trim().to_owned());
                    let message = format!(
                        "the link to the external database does not forward ({said}): check that its host has an \
                         IPv4 address, or use link direct"
                    );
                    return Err(Failure::new(Exit::Engine, message).into());
                }
            }
        }
        let seen = self.inspect(&container).await?;
        Ok(healthy(container, seen))
    }
}
