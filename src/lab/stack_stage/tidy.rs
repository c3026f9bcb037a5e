//! Putting back whatever a lab may have changed: this one at its end, or one that was killed before.

use super::StackStage;
use crate::db;
use crate::engine::{Container, Limits};
use crate::model::Switch;
use crate::model::link::LinkProfile;
use anyhow::Result;

impl StackStage {
    /// Leaves the stack as `make up` made it, whoever changed it. Says what there was to put back.
    pub(super) async fn tidy(&self) -> Result<Vec<String>> {
        let mut put_back = Vec::new();
        let containers = self.stack.sweep().await?;
        if containers > 0 {
            put_back.push(format!("{containers} containers"));
        }
        for container in [&self.db, &self.link] {
            if self.lift(container).await? {
                put_back.push(format!("the CPU limit of {}", container.service));
            }
        }
        if !self.link_status().await?.emulation.profile.is_local() {
            self.set_link(&LinkProfile::local(), 0).await?;
            put_back.push("the link".into());
        }
        if db::reset_settings(&self.control).await? {
            put_back.push("settings of the database".into());
        }
        if db::foreign_keys(&self.control).await?.is_some_and(|keys| keys < db::FOREIGN_KEYS.len() as i64) {
            db::empty(&self.control).await?;
            db::set_foreign_keys(&self.control, Switch::On).await?;
            put_back.push("foreign keys".into());
        }
        Ok(put_back)
    }

    /// Takes a container's limits away. Says whether there were any.
    pub(super) async fn lift(&self, container: &Container) -> Result<bool> {
        let (none, found) = (Limits::none(self.processors), self.stack.limits(container).await?);
        if found.cpus == none.cpus && (found.cpuset.is_empty() || found.cpuset == none.cpuset) {
            return Ok(false);
        }
        self.stack.set_limits(container, &none).await?;
        Ok(true)
    }
}
