//! What lasts as long as a stack on a swarm: two overlay networks, the services `db` and `link`. Their containers carry
//! the labels that compose would give them: they are found on their node as on one machine. docker/stack.yml is the
//! same for people to read; a test compares them.

use super::super::{Engine, Stack, is_missing, label, refused, sentence};
use super::nodes::ROLE;
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use bollard::models::{
    EndpointSpec, EndpointSpecModeEnum, HealthConfig, Mount, MountTmpfsOptions, MountType, MountVolumeOptions,
    NetworkAttachmentConfig, NetworkCreateRequest, ServiceSpec, ServiceSpecMode, ServiceSpecModeReplicated, TaskSpec,
    TaskSpecContainerSpec, TaskSpecContainerSpecPrivileges, TaskSpecPlacement, TaskSpecRestartPolicy,
    TaskSpecRestartPolicyConditionEnum, TaskState,
};
use bollard::query_parameters::{ListNetworksOptionsBuilder, ListServicesOptionsBuilder, ListTasksOptionsBuilder};
use std::collections::HashMap;
use std::future::Future;
use std::time::{Duration, Instant};

/// How long a service may take until it is healthy: the first start makes the cluster.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a service is made whose task never ran, and how long is waited in between.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// How long what is removed may be in use by containers that are just going.
const GOING: Duration = Duration::from_secs(60);

/// How often it is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;

/// The networks' keys.
const NETWORKS: [&str; 2] = ["client", "database"];

/// The volumes' keys, all of them the database's.
const VOLUMES: [&str; 2] = ["pgdata", "secret"];

/// Shared memory of the database, bytes: parallel queries share it.
const SHARED_MEMORY: i64 = 256 << 20;

/// How a stack on a swarm stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raised {
    /// There is none of it.
    No,
    /// Some of it is there, and somebody may be making the rest: it was begun so long ago.
    Partly(Duration),
    /// The database answers.
    Whole,
}

impl Stack {
    /// How much of it is there. A stack on one machine is whole: others make it.
    pub async fn raised(&self) -> Result<Raised> {
        let Some(swarm) = &self.swarm else { return Ok(Raised::Whole) };
        let services = swarm.manager.services(&self.project).await?;
        let networks = swarm.manager.networks(&self.project).await?;
        let youngest = services.iter().filter_map(|(_, age)| *age).min().unwrap_or(Duration::MAX);
        if services.is_empty() {
            return Ok(if networks.is_empty() { Raised::No } else { Raised::Partly(Duration::MAX) });
        }
        match self.healthy("db", Duration::ZERO).await {
            Ok(_) => Ok(Raised::Whole),
            Err(_) => Ok(Raised::Partly(youngest)),
        }
    }

    /// Makes networks and services on the swarm, and waits until they are healthy. On one machine there is nothing to do.
    pub async fn raise(&self) -> Result<()> {
        let Some(swarm) = &self.swarm else { return Ok(()) };
        swarm.manager.nodes_ready(PATIENCE).await?;
        for key in NETWORKS {
            let made = swarm.manager.docker.create_network(self.overlay(key)).await;
            made.map_err(refused(format!("make the network {key}")))?;
        }
        for (service, spec) in [("db", self.db_service()), ("link", self.link_service())] {
            // Its own image, by id: no registry is asked, and no other image of that name is taken.
            let image = self.engine.docker.inspect_image(&self.image(service)).await;
            let image = image.map_err(refused(format!("inspect the image {service}")))?.id;
            let spec = with_image(spec, image);
            self.start_on(&swarm.manager, service, &spec).await?;
            self.healthy(service, PATIENCE).await?;
        }
        Ok(())
    }

    /// Makes a service and waits until its container runs. A node that has just got a network may not be ready for it:
    /// a task that never ran is tried again.
    async fn start_on(&self, manager: &Engine, service: &str, spec: &ServiceSpec) -> Result<()> {
        let mut attempt = 1;
        loop {
            let made = manager.docker.create_service(spec.clone(), None).await;
            let id = made.map_err(refused(format!("make the service {service}")))?.id.unwrap_or_default();
            match self.placed(manager, service).await {
                Err(error) if attempt < ATTEMPTS => {
                    tracing::debug!(%error, service, "tried again");
                    attempt += 1;
                    let removed = manager.docker.delete_service(&id).await;
                    removed.map_err(refused(format!("remove the service {service}")))?;
                    tokio::time::sleep(PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Waits until a service's container runs on its node.
    async fn placed(&self, manager: &Engine, service: &str) -> Result<()> {
        let (name, deadline) = (self.name_of(service), Instant::now() + PATIENCE);
        loop {
            // One that cannot be started is removed by the swarm, maybe just now.
            if let Some(container) = self.find_any(service).await?
                && self.runs(&container).await.unwrap_or(false)
            {
                return Ok(());
            }
            let (over, said) = manager.task(&name).await?;
            if over || Instant::now() >= deadline {
                let message = format!(
                    "the swarm does not start the service {service}: {}; `docker service ps {name}` on the manager says more",
                    said.as_deref().unwrap_or("it does not say why")
                );
                return Err(Failure::new(Exit::Engine, message).into());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Removes everything of the stack on every node, whoever made it, but data volumes and images. What fails keeps
    /// nothing else from going; the first failure is told. Says how much there was.
    pub async fn lower(&self) -> Result<usize> {
        let Some(swarm) = &self.swarm else { return Ok(0) };
        let mut removed = Vec::new();
        removed.push(swarm.manager.remove_services(&self.project).await);
        for engine in self.engines() {
            removed.push(engine.remove_all(&self.project).await);
        }
        removed.push(swarm.manager.remove_networks(&self.project).await);
        for key in VOLUMES {
            let name = self.name_of(key);
            removed.push(once_unused(|| self.engine.remove_volume(&name)).await.map(|()| 0));
        }
        removed.into_iter().sum()
    }

    fn overlay(&self, key: &str) -> NetworkCreateRequest {
        let labels = [(label::STACK, self.project.as_str()), (label::PROJECT, &self.project), (label::NETWORK, key)];
        NetworkCreateRequest {
            name: self.name_of(key),
            driver: Some("overlay".into()),
            internal: Some(true),
            attachable: Some(true),
            labels: Some(texts(&labels)),
            ..Default::default()
        }
    }

    fn db_service(&self) -> ServiceSpec {
        let container = TaskSpecContainerSpec {
            mounts: Some(vec![
                self.volume("pgdata", "/var/lib/postgresql/data"),
                self.volume("secret", "/run/ingest-lab"),
                memory("/tmp", None),
                memory("/dev/shm", Some(SHARED_MEMORY)),
            ]),
            stop_grace_period: Some(60 * SECOND),
            ..Default::default()
        };
        self.service("db", container, &["database"])
    }

    fn link_service(&self) -> ServiceSpec {
        let health = HealthConfig {
            test: Some(words(&["CMD", "/usr/local/bin/link", "status"])),
            interval: Some(2 * SECOND),
            timeout: Some(3 * SECOND),
            retries: Some(30),
            ..Default::default()
        };
        let container = TaskSpecContainerSpec {
            args: Some(words(&["serve", "--target", "db:5432", "--listen", "5432"])),
            init: Some(true),
            capability_add: Some(words(&["NET_ADMIN", "NET_RAW"])),
            sysctls: Some(texts(&[("net.ipv4.ip_forward", "1")])),
            mounts: Some(vec![memory("/run", None), memory("/tmp", None)]),
            health_check: Some(health),
            stop_grace_period: Some(5 * SECOND),
            ..Default::default()
        };
        self.service("link", container, &NETWORKS)
    }

    /// A service on the database's node: one container, which nothing starts again (a crash is a finding).
    fn service(&self, service: &str, container: TaskSpecContainerSpec, networks: &[&str]) -> ServiceSpec {
        let labels = [
            (label::STACK, self.project.as_str()),
            (label::PROJECT, &self.project),
            (label::SERVICE, service),
            (label::ONE_OFF, "False"),
        ];
        let attached = networks.iter().map(|key| NetworkAttachmentConfig {
            target: Some(self.name_of(key)),
            aliases: Some(words(&[service])),
            ..Default::default()
        });
        let container = TaskSpecContainerSpec {
            labels: Some(texts(&labels)),
            read_only: Some(true),
            capability_drop: Some(words(&["ALL"])),
            // Engines before API 1.44 leave it out.
            privileges: Some(TaskSpecContainerSpecPrivileges { no_new_privileges: Some(true), ..Default::default() }),
            ..container
        };
        let never = TaskSpecRestartPolicyConditionEnum::NONE;
        ServiceSpec {
            name: Some(self.name_of(service)),
            labels: Some(texts(&[(label::STACK, &self.project)])),
            task_template: Some(TaskSpec {
                container_spec: Some(container),
                restart_policy: Some(TaskSpecRestartPolicy { condition: Some(never), ..Default::default() }),
                placement: Some(TaskSpecPlacement {
                    constraints: Some(vec![format!("node.labels.{ROLE}==database")]),
                    ..Default::default()
                }),
                networks: Some(attached.collect()),
                ..Default::default()
            }),
            mode: Some(ServiceSpecMode {
                replicated: Some(ServiceSpecModeReplicated { replicas: Some(1) }),
                ..Default::default()
            }),
            // Virtual addresses want IPVS in the kernel, and are one more thing on the path.
            endpoint_spec: Some(EndpointSpec { mode: Some(EndpointSpecModeEnum::DNSRR), ports: None }),
            ..Default::default()
        }
    }

    /// The name that something of the stack has on the swarm, by its key in the file.
    fn name_of(&self, key: &str) -> String {
        format!("{}_{key}", self.project)
    }

    fn volume(&self, key: &str, target: &str) -> Mount {
        let labels = texts(&[(label::STACK, &self.project)]);
        Mount {
            target: Some(target.into()),
            source: Some(self.name_of(key)),
            typ: Some(MountType::VOLUME),
            volume_options: Some(MountVolumeOptions { labels: Some(labels), ..Default::default() }),
            ..Default::default()
        }
    }
}

impl Engine {
    /// A stack's services on this manager, and how long each has been there.
    async fn services(&self, project: &str) -> Result<Vec<(String, Option<Duration>)>> {
        let options = ListServicesOptionsBuilder::default().filters(&of_stack(project)).build();
        let found = self.docker.list_services(Some(options)).await.map_err(refused("list services"))?;
        let now = time::OffsetDateTime::now_utc();
        let age = |made: time::OffsetDateTime| Duration::try_from(now - made).unwrap_or_default();
        Ok(found.into_iter().filter_map(|one| Some((one.id?, one.created_at.map(age)))).collect())
    }

    async fn networks(&self, project: &str) -> Result<Vec<String>> {
        let options = ListNetworksOptionsBuilder::default().filters(&of_stack(project)).build();
        let found = self.docker.list_networks(Some(options)).await.map_err(refused("list networks"))?;
        Ok(found.into_iter().filter_map(|network| network.id).collect())
    }

    /// Whether a service's task ended or was refused, and what the swarm says of it.
    async fn task(&self, service: &str) -> Result<(bool, Option<String>)> {
        let filters = HashMap::from([("service", vec![service.to_owned()])]);
        let options = ListTasksOptionsBuilder::default().filters(&filters).build();
        let tasks = self.docker.list_tasks(Some(options)).await.map_err(refused("list tasks"))?;
        let status = tasks.into_iter().next().and_then(|task| task.status).unwrap_or_default();
        let over = matches!(status.state, Some(TaskState::FAILED | TaskState::REJECTED | TaskState::ORPHANED));
        Ok((over, status.err.or(status.message)))
    }

    async fn remove_services(&self, project: &str) -> Result<usize> {
        let services = self.services(project).await?;
        for (id, _) in &services {
            match self.docker.delete_service(id).await {
                Err(error) if !is_missing(&error) => return Err(refused("remove a service")(error)),
                _ => {}
            }
        }
        Ok(services.len())
    }

    /// Removes them, and waits until they are gone: the manager takes its own part of one away a moment later.
    async fn remove_networks(&self, project: &str) -> Result<usize> {
        let networks = self.networks(project).await?;
        for id in &networks {
            once_unused(|| self.remove_network(id)).await?;
        }
        once_unused(|| async {
            if self.networks(project).await?.is_empty() {
                return Ok(());
            }
            Err(Failure::new(Exit::Engine, "a network of the stack does not go: `docker network rm` says why").into())
        })
        .await?;
        Ok(networks.len())
    }

    async fn remove_network(&self, id: &str) -> Result<()> {
        match self.docker.remove_network(id).await {
            Err(error) if !is_missing(&error) && !sentence(&error).contains("not found") => {
                Err(refused("remove a network")(error))
            }
            _ => Ok(()),
        }
    }
}

/// Does it as soon as it can be done: containers that use something leave it a moment after they are told to go.
async fn once_unused<F: Future<Output = Result<()>>>(work: impl Fn() -> F) -> Result<()> {
    let deadline = Instant::now() + GOING;
    loop {
        match work().await {
            Err(_) if Instant::now() < deadline => tokio::time::sleep(LOOK_AGAIN).await,
            outcome => return outcome,
        }
    }
}

fn with_image(mut spec: ServiceSpec, image: Option<String>) -> ServiceSpec {
    if let Some(container) = spec.task_template.as_mut().and_then(|task| task.container_spec.as_mut()) {
        container.image = image;
    }
    spec
}

/// Memory in place of a folder.
fn memory(target: &str, bytes: Option<i64>) -> Mount {
    Mount {
        target: Some(target.into()),
        typ: Some(MountType::TMPFS),
        tmpfs_options: bytes.map(|bytes| MountTmpfsOptions { size_bytes: Some(bytes), ..Default::default() }),
        ..Default::default()
    }
}

fn of_stack(project: &str) -> HashMap<&'static str, Vec<String>> {
    HashMap::from([("label", vec![format!("{}={project}", label::STACK)])])
}

fn texts(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
#[path = "services_tests.rs"]
mod tests;
