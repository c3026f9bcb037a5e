//! Putting back whatever a lab may have changed: this one at its end, or one that was killed before.

use super::StackStage;
use super::server::{service, target};
use crate::db;
use crate::engine::{Container, Limits, Standing};
use crate::model::link::LinkProfile;
use crate::model::{Storage, Switch};
use anyhow::Result;

impl StackStage {
    /// Leaves the stack as `make up` made it, whoever changed it. Says what there was to put back. What fails keeps
    /// nothing else from being put back; the first failure is told.
    pub(super) async fn tidy(&mut self) -> Result<Vec<String>> {
        self.at = 0;
        let done = [
            self.tidy_containers().await,
            self.tidy_database().await,
            self.tidy_link().await,
            // Only now: the link doesn't lead there any more.
            self.tidy_memory().await,
            self.tidy_outside().await,
        ];
        let mut put_back = Vec::new();
        for one in done {
            put_back.extend(one?);
        }
        Ok(put_back)
    }

    /// What a series started, and the limits of what was there before.
    async fn tidy_containers(&self) -> Result<Vec<String>> {
        let mut put_back = Vec::new();
        let containers = self.stack.sweep().await?;
        if containers > 0 {
            put_back.push(format!("{containers} containers"));
        }
        for container in [&self.server().container, self.link.container()] {
            if self.lift(container).await? {
                put_back.push(format!("the CPU limit of {}", container.service));
            }
            if self.lift_memory(container).await? {
                put_back.push(format!("the memory limit of {}", container.service));
            }
        }
        Ok(put_back)
    }

    /// The way out of this machine. What was on it went with the containers.
    async fn tidy_outside(&self) -> Result<Vec<String>> {
        let left = self.stack.leave_outside().await?;
        Ok(if left { vec!["the network that leads out".into()] } else { Vec::new() })
    }

    async fn tidy_database(&self) -> Result<Vec<String>> {
        let mut put_back = Vec::new();
        let control = &self.server().control;
        if db::reset_settings(control).await? {
            put_back.push("settings of the database".into());
        }
        if db::foreign_keys(control).await?.is_some_and(|keys| keys < db::FOREIGN_KEYS.len() as i64) {
            db::empty(control).await?;
            db::set_foreign_keys(control, Switch::On).await?;
            put_back.push("foreign keys".into());
        }
        Ok(put_back)
    }

    /// The database in memory goes, with everything in it.
    async fn tidy_memory(&mut self) -> Result<Vec<String>> {
        self.servers.truncate(1);
        let Some(container) = self.stack.find_any(service(Storage::Tmpfs)).await? else { return Ok(Vec::new()) };
        // One that stands still cannot be stopped.
        if self.stack.standing(&container).await? == Standing::Paused {
            self.stack.unpause(&container).await?;
        }
        let limited = self.lift(&container).await? | self.lift_memory(&container).await?;
        let ran = self.stack.stop_service(&container).await?;
        Ok(if limited || ran { vec!["the database in memory".into()] } else { Vec::new() })
    }

    /// The link: nothing set, its own backend, and the way to the database.
    async fn tidy_link(&self) -> Result<Vec<String>> {
        let mut put_back = Vec::new();
        let found = self.link_status().await?;
        if let Some(fault) = found.fault {
            self.ask_link(&["break"]).await?;
            put_back.push(format!("the path, which was broken ({fault})"));
        }
        if found.emulation.backend != found.default_backend {
            self.set_link_with(&LinkProfile::local(), 0, Some(found.default_backend)).await?;
            put_back.push(format!("the link's backend ({})", found.default_backend));
        } else if !found.emulation.profile.is_local() {
            self.set_link(&LinkProfile::local(), 0).await?;
            put_back.push("the link".into());
        }
        if found.target != target(Storage::Volume) {
            self.ask_link(&["point"]).await?;
            put_back.push("where the link leads".into());
        }
        Ok(put_back)
    }

    /// Takes a container's limits away. Says whether there were any.
    pub(super) async fn lift(&self, container: &Container) -> Result<bool> {
        let (none, found) = (Limits::none(self.cores.count()), self.stack.limits(container).await?);
        if found.cpus == none.cpus && (found.cpuset.is_empty() || found.cpuset == none.cpuset) {
            return Ok(false);
        }
        self.stack.set_limits(container, &none).await?;
        Ok(true)
    }
}
