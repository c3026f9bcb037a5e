//! A container on the database's side of the link that answers measurements: not the database, whose own time
//! would be in every figure.

use super::confined::confined;
use super::{Engine, Network, Stack, label, refused};
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use bollard::models::HostConfig;
use bollard::query_parameters::{InspectContainerOptions, LogsOptionsBuilder, StartContainerOptions};
use futures_util::StreamExt;
use std::time::Duration;

/// Where it listens. A port of its own: nobody takes it for the database.
const PORT: u16 = 5433;

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A responder that listens.
#[derive(Debug, Clone)]
pub struct Responder {
    /// Its `address:port` on the network it was started on.
    pub address: String,
}

impl Stack {
    /// Starts a responder and waits until it listens. [`Stack::sweep`] removes it.
    pub async fn start_responder(&self, network: &Network, cpuset: &str) -> Result<Responder> {
        let labels = [(label::STACK, self.project.clone()), (label::HELPER, "responder".into())];
        let host = HostConfig {
            network_mode: Some(network.id.clone()),
            cpuset_cpus: Some(cpuset.to_owned()),
            init: Some(true),
            ..Default::default()
        };
        let body = confined(self.image("link"), &["respond", "--listen", &format!("0.0.0.0:{PORT}")], &labels, host);
        let id = self.engine.create(body, "make the responder's container").await?;
        let docker = &self.engine.docker;
        docker.start_container(&id, None::<StartContainerOptions>).await.map_err(refused("start the responder"))?;
        let ready = tokio::time::timeout(PATIENCE, self.engine.says_ready(&id)).await.unwrap_or(false);
        let seen = docker.inspect_container(&id, None::<InspectContainerOptions>).await;
        let networks = seen.map_err(refused("inspect the responder"))?.network_settings.and_then(|all| all.networks);
        let address = networks
            .unwrap_or_default()
            .into_values()
            .find(|one| one.network_id.as_ref() == Some(&network.id))
            .and_then(|one| one.ip_address)
            .filter(|address| ready && !address.is_empty());
        match address {
            Some(address) => Ok(Responder { address: format!("{address}:{PORT}") }),
            None => {
                let message = "the responder that the link is measured against did not start: `make images` builds its image anew";
                Err(Failure::new(Exit::Engine, message).into())
            }
        }
    }
}

impl Engine {
    /// Reads its log until it says that it listens. False when the log ends before.
    async fn says_ready(&self, id: &str) -> bool {
        let options = LogsOptionsBuilder::default().stdout(true).follow(true).build();
        let mut output = self.docker.logs(id, Some(options));
        let mut said = String::new();
        while let Some(Ok(piece)) = output.next().await {
            said.push_str(&piece.to_string());
            if said.lines().any(|line| line == crate::wire::measured::READY) {
                return true;
            }
        }
        false
    }
}
