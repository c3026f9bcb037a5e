//! Containers that are killed, held still and brought back: what a fault does, and what takes it back.

use super::{Container, Stack, refused};
use anyhow::Result;
use bollard::errors::Error;
use bollard::models::ContainerStateStatusEnum;
use bollard::query_parameters::KillContainerOptionsBuilder;

/// How a container stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its program runs.
    Running,
    /// Its program is held still.
    Paused,
    /// Its program has ended, or was never begun.
    Ended {
        /// The exit code: 137 where it was killed.
        code: i64,
    },
}

impl Stack {
    /// How a container stands now.
    pub async fn standing(&self, container: &Container) -> Result<Standing> {
        let state = self.inspect(container).await?.state.unwrap_or_default();
        Ok(match state.status {
            Some(ContainerStateStatusEnum::RUNNING) => Standing::Running,
            Some(ContainerStateStatusEnum::PAUSED) => Standing::Paused,
            _ => Standing::Ended { code: state.exit_code.unwrap_or_default() },
        })
    }

    /// Ends a container's program without a word (SIGKILL). One that has just ended is fine.
    pub async fn kill(&self, container: &Container) -> Result<()> {
        let options = KillContainerOptionsBuilder::default().signal("SIGKILL").build();
        match container.engine.docker.kill_container(&container.id, Some(options)).await {
            Err(Error::DockerResponseServerError { status_code: 404 | 409, .. }) | Ok(()) => Ok(()),
            Err(error) => Err(refused(format!("kill {}", container.service))(error)),
        }
    }

    /// Holds a container's program still.
    pub async fn pause(&self, container: &Container) -> Result<()> {
        let paused = container.engine.docker.pause_container(&container.id).await;
        paused.map_err(refused(format!("pause {}", container.service)))
    }

    /// Lets it go on.
    pub async fn unpause(&self, container: &Container) -> Result<()> {
        let unpaused = container.engine.docker.unpause_container(&container.id).await;
        unpaused.map_err(refused(format!("let {} go on", container.service)))
    }

    /// Brings a service back that was held still or has ended. Says how it stood.
    pub async fn bring_back(&self, container: &Container) -> Result<Standing> {
        let standing = self.standing(container).await?;
        match standing {
            Standing::Running => {}
            Standing::Paused => self.unpause(container).await?,
            Standing::Ended { .. } => self.start_service(container).await?,
        }
        Ok(standing)
    }
}
