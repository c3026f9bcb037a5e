//! What every container has in common that the lab makes for itself: it can do nothing but its job.

use super::files::USER;
use super::{Engine, refused};
use anyhow::Result;
use bollard::container::AttachContainerResults;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{AttachContainerOptionsBuilder, StartContainerOptions};

/// No capability, nothing writable, no privilege to gain, not root.
pub(super) fn confined(
    image: String,
    command: &[&str],
    labels: &[(&str, String)],
    host: HostConfig,
) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image),
        user: Some(format!("{USER}:{USER}")),
        cmd: Some(command.iter().map(|word| (*word).to_owned()).collect()),
        labels: Some(labels.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()),
        host_config: Some(HostConfig {
            readonly_rootfs: Some(true),
            cap_drop: Some(vec!["ALL".into()]),
            security_opt: Some(vec!["no-new-privileges".into()]),
            ..host
        }),
        ..Default::default()
    }
}

/// The same, spoken to on standard input, which ends when whoever speaks leaves.
pub(super) fn spoken_to(body: ContainerCreateBody) -> ContainerCreateBody {
    ContainerCreateBody {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        stdin_once: Some(true),
        ..body
    }
}

impl Engine {
    /// Attaches to a container and starts it, in this order: no line is lost.
    pub(super) async fn attach_and_start(&self, id: &str, name: &str) -> Result<AttachContainerResults> {
        let docker = &self.docker;
        let options =
            AttachContainerOptionsBuilder::default().stream(true).stdin(true).stdout(true).stderr(true).build();
        let attached =
            docker.attach_container(id, Some(options)).await.map_err(refused(format!("attach to the {name}")))?;
        let started = docker.start_container(id, None::<StartContainerOptions>).await;
        started.map_err(refused(format!("start the {name}")))?;
        Ok(attached)
    }
}
