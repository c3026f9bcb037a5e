//! The stack: the containers and networks of one compose project, found by compose's labels.

use super::swarm::Swarm;
use super::{Engine, is_missing, label, refused};
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, HealthStatusEnum};
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptionsBuilder, ListNetworksOptionsBuilder, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder, StartContainerOptions, StopContainerOptions,
};
use futures_util::StreamExt;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How often a container that isn't ready yet is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Lines of a container's log that an error quotes.
const LOG_TAIL: usize = 8;

/// One compose project: its services on one engine, its ingesters on the same one or on others.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Where the database and the link are.
    pub(super) engine: Engine,
    /// Where ingesters run: the same engine, unless the stack spans several hosts. Never empty.
    pub(super) clients: Vec<Engine>,
    /// Set where both are nodes of a swarm.
    pub(super) swarm: Option<Swarm>,
    /// The compose project's name.
    pub project: String,
    /// The tag of the project's images.
    pub tag: String,
}

/// A container of the stack, on the engine that holds it.
#[derive(Debug, Clone)]
pub struct Container {
    /// The engine's id for it.
    pub id: String,
    /// Its service in the compose file.
    pub service: String,
    pub(super) engine: Engine,
}

impl Container {
    /// The engine that holds it.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }
}

/// A container whose health check passed: only [`Stack::healthy`] makes one.
#[derive(Debug, Clone)]
pub struct Healthy {
    container: Container,
    image: String,
    addresses: HashMap<String, IpAddr>,
}

impl Healthy {
    /// The container.
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// The id of the image it was started from.
    pub fn image(&self) -> &str {
        &self.image
    }

    /// Its address on a network.
    pub fn address(&self, network: &Network) -> Option<IpAddr> {
        self.addresses.get(&network.id).copied()
    }
}

/// A network of the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The engine's id for it.
    pub id: String,
}

/// A container that belongs to the stack, as `lab list` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its service, or `ingester (run N of SERIES)`.
    pub what: String,
    /// The engine's words: `Up 3 minutes (healthy)`.
    pub status: String,
}

impl Stack {
    /// The stack of a compose project. Nothing is asked of the engine yet.
    pub fn new(engine: Engine, project: &str, tag: &str) -> Self {
        Self { clients: vec![engine.clone()], engine, swarm: None, project: project.into(), tag: tag.into() }
    }

    /// The name of one of the project's images.
    pub fn image(&self, role: &str) -> String {
        format!("ingest-lab-{role}:{}", self.tag)
    }

    /// The container of a service, if it has one.
    pub async fn find_any(&self, service: &str) -> Result<Option<Container>> {
        let labels = [
            format!("{}={}", label::PROJECT, self.project),
            format!("{}={service}", label::SERVICE),
            format!("{}=False", label::ONE_OFF),
        ];
        let id = self.engine.list(&labels).await?.into_iter().find_map(|container| container.id);
        Ok(id.map(|id| Container { id, service: service.into(), engine: self.engine.clone() }))
    }

    /// The container of a service.
    pub async fn find(&self, service: &str) -> Result<Container> {
        self.find_any(service).await?.ok_or_else(|| {
            let project = &self.project;
            let message =
                format!("the stack {project} has no container of the service {service}: `make up` starts the stack");
            Failure::new(Exit::Engine, message).into()
        })
    }

    /// Starts a service that the compose file made and left at rest.
    pub async fn start_service(&self, container: &Container) -> Result<()> {
        let started = container.engine.docker.start_container(&container.id, None::<StartContainerOptions>).await;
        started.map_err(refused(format!("start the service {}", container.service)))
    }

    /// Puts it at rest again. Says whether it was running.
    pub async fn stop_service(&self, container: &Container) -> Result<bool> {
        let running = self.runs(container).await?;
        if running {
            let stopped = container.engine.docker.stop_container(&container.id, None::<StopContainerOptions>).await;
            stopped.map_err(refused(format!("stop the service {}", container.service)))?;
        }
        Ok(running)
    }

    /// Whether a service's container runs.
    pub async fn runs(&self, container: &Container) -> Result<bool> {
        Ok(self.inspect(container).await?.state.and_then(|state| state.running).unwrap_or(false))
    }

    /// Waits until a service's health check passes.
    pub async fn healthy(&self, service: &str, patience: Duration) -> Result<Healthy> {
        let deadline = Instant::now() + patience;
        let container = self.find(service).await?;
        loop {
            let seen = self.inspect(&container).await?;
            let state = seen.state.clone().unwrap_or_default();
            let health = state.health.and_then(|health| health.status).unwrap_or(HealthStatusEnum::NONE);
            let running = state.status == Some(ContainerStateStatusEnum::RUNNING);
            if running && health == HealthStatusEnum::HEALTHY {
                return Ok(healthy(container, seen));
            }
            let word = match (running, health) {
                (true, HealthStatusEnum::NONE) => "has no health check, so nobody can tell whether it is ready".into(),
                (true, health) if Instant::now() > deadline => {
                    format!("is not healthy after {} s ({health})", patience.as_secs())
                }
                (false, _) if state.restarting != Some(true) || Instant::now() > deadline => {
                    format!("is not running (exit code {})", state.exit_code.unwrap_or_default())
                }
                _ => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                    continue;
                }
            };
            let log = self.log_tail(&container).await;
            let message = format!("the service {service} {word}: `make up` starts it anew; its last words:\n{log}");
            return Err(Failure::new(Exit::Engine, message).into());
        }
    }

    /// A network by its key in the compose file.
    pub async fn network(&self, key: &str) -> Result<Network> {
        let labels = vec![format!("{}={}", label::PROJECT, self.project), format!("{}={key}", label::NETWORK)];
        let options = ListNetworksOptionsBuilder::default().filters(&HashMap::from([("label", labels)])).build();
        // A worker of a swarm knows only the networks that its own containers are on.
        let engine = self.swarm.as_ref().map_or(&self.engine, Swarm::manager);
        let found = engine.docker.list_networks(Some(options)).await.map_err(refused("list networks"))?;
        let id = found.into_iter().find_map(|network| network.id).ok_or_else(|| {
            let message = format!("the stack {} has no network {key}: `make up` makes it", self.project);
            Failure::new(Exit::Engine, message)
        })?;
        Ok(Network { id })
    }

    /// Runs a command in a container of the stack: its exit code, its output, its complaints.
    pub async fn exec(&self, container: &Container, command: &[&str]) -> Result<(i64, String, String)> {
        let docker = &container.engine.docker;
        let what = format!("run {} in {}", command.join(" "), container.service);
        let options = CreateExecOptions {
            cmd: Some(command.to_vec()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..Default::default()
        };
        let exec = docker.create_exec(&container.id, options).await.map_err(refused(&what))?;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let started = docker.start_exec(&exec.id, None).await.map_err(refused(&what))?;
        if let StartExecResults::Attached { mut output, .. } = started {
            while let Some(piece) = output.next().await {
                match piece.map_err(refused(&what))? {
                    LogOutput::StdErr { message } => err.extend_from_slice(&message),
                    other => out.extend_from_slice(&other.into_bytes()),
                }
            }
        }
        let code = docker.inspect_exec(&exec.id).await.map_err(refused(&what))?.exit_code.unwrap_or(-1);
        Ok((code, String::from_utf8_lossy(&out).into_owned(), String::from_utf8_lossy(&err).into_owned()))
    }

    /// A small file of one of the stack's containers; none where it isn't there.
    pub async fn read_file(&self, container: &Container, path: &str) -> Result<Option<Vec<u8>>> {
        container.engine.download(&container.id, path).await
    }

    /// The containers in which labs of this stack run: none where the lab runs on the host.
    pub async fn labs(&self) -> Result<Vec<Container>> {
        let labels = [format!("{}={}", label::STACK, self.project), format!("{}=cli", label::ROLE)];
        let running = self
            .engine
            .list(&labels)
            .await?
            .into_iter()
            .filter(|lab| lab.status.as_ref().is_some_and(|s| s.starts_with("Up")));
        let lab = |id| Container { id, service: "lab".into(), engine: self.engine.clone() };
        Ok(running.filter_map(|lab| lab.id).map(lab).collect())
    }

    /// Everything of this stack that exists: its services, and ingesters of a series.
    pub async fn running(&self) -> Result<Vec<Running>> {
        let mut found = Vec::new();
        for engine in self.engines() {
            found.extend(engine.list(&[format!("{}={}", label::PROJECT, self.project)]).await?);
            found.extend(engine.list(&[format!("{}={}", label::STACK, self.project)]).await?);
        }
        let mut running: Vec<Running> = found
            .into_iter()
            .map(|container| {
                let labels = container.labels.unwrap_or_default();
                let get = |key: &str| labels.get(key).map_or("?", String::as_str);
                let what = if labels.contains_key(label::RUN) {
                    format!("ingester (run {} of {})", get(label::RUN), get(label::SERIES))
                } else if labels.contains_key(label::HELPER) {
                    format!("helper ({})", get(label::HELPER))
                } else if labels.get(label::ROLE).is_some_and(|role| role == "cli") {
                    "lab".to_owned()
                } else {
                    get(label::SERVICE).to_owned()
                };
                Running { what, status: container.status.unwrap_or_default() }
            })
            .collect();
        running.sort_by(|a, b| a.what.cmp(&b.what));
        running.dedup();
        Ok(running)
    }

    /// Removes ingesters and helpers that a killed lab left behind, by label. Returns how many.
    /// Only the lab that holds the stack's lock may do this: they could be another's.
    pub async fn sweep(&self) -> Result<usize> {
        let mut removed = 0;
        for engine in self.engines() {
            for kind in [label::RUN, label::HELPER] {
                for container in engine.list(&[format!("{}={}", label::STACK, self.project), kind.into()]).await? {
                    if let Some(id) = container.id {
                        engine.remove(&id).await?;
                        removed += 1;
                    }
                }
            }
        }
        Ok(removed)
    }

    /// The end of a container's log, indented, for an error.
    async fn log_tail(&self, container: &Container) -> String {
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail(&LOG_TAIL.to_string()).build();
        let mut log = String::new();
        let mut output = container.engine.docker.logs(&container.id, Some(options));
        while let Some(Ok(piece)) = output.next().await {
            log.push_str(&piece.to_string());
        }
        if log.trim().is_empty() { "  (it said nothing)".into() } else { indent(&log) }
    }

    pub(super) async fn inspect(&self, container: &Container) -> Result<ContainerInspectResponse> {
        let what = format!("inspect the service {}", container.service);
        container
            .engine
            .docker
            .inspect_container(&container.id, None::<InspectContainerOptions>)
            .await
            .map_err(refused(what))
    }

    /// Every engine of the stack, each once: the database's first.
    pub(super) fn engines(&self) -> impl Iterator<Item = &Engine> {
        let others = self.clients.iter().filter(|client| !client.is(&self.engine));
        std::iter::once(&self.engine).chain(others)
    }
}

impl Engine {
    /// Containers, running or not, that carry all these labels.
    pub(super) async fn list(&self, labels: &[String]) -> Result<Vec<bollard::models::ContainerSummary>> {
        let filters = HashMap::from([("label", labels.to_vec())]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        self.docker.list_containers(Some(options)).await.map_err(refused("list containers"))
    }

    /// Removes a container of the lab's own, running or not. One that is gone already is fine.
    pub(super) async fn remove(&self, id: &str) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        match self.docker.remove_container(id, Some(options)).await {
            Err(error) if !is_missing(&error) && !is_being_removed(&error) => Err(refused("remove a container")(error)),
            _ => Ok(()),
        }
    }
}

/// Two removals met: the engine is at it already.
fn is_being_removed(error: &bollard::errors::Error) -> bool {
    matches!(error, bollard::errors::Error::DockerResponseServerError { status_code: 409, .. })
}

pub(super) fn healthy(container: Container, seen: ContainerInspectResponse) -> Healthy {
    let networks = seen.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let addresses = networks
        .into_values()
        .filter_map(|endpoint| Some((endpoint.network_id?, endpoint.ip_address?.parse().ok()?)))
        .collect();
    Healthy { container, image: seen.image.unwrap_or_default(), addresses }
}

/// Sets quoted lines off from the sentence before them.
pub(super) fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
