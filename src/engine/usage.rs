//! What a container's control group has used: read through the engine, without a process inside.

use super::{Container, Stack, refused};
use crate::wire::watched::Used;
use anyhow::Result;
use bollard::query_parameters::StatsOptionsBuilder;
use futures_util::StreamExt;

impl Stack {
    /// What a container has used so far, noted as of `at`; none once it has ended. Every field is optional in the engine's answer.
    pub async fn usage(&self, container: &Container, at: f64) -> Result<Option<Used>> {
        let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
        let Some(answer) = self.engine.docker.stats(&container.id, Some(options)).next().await else { return Ok(None) };
        let stats = match answer {
            Ok(stats) => stats,
            Err(error) if super::is_missing(&error) => return Ok(None),
            Err(error) => return Err(refused(format!("tell what {} uses", container.service))(error)),
        };
        let Some(cpu) = stats.cpu_stats else { return Ok(None) };
        let used = cpu.cpu_usage.and_then(|usage| usage.total_usage).unwrap_or(0);
        let throttling = cpu.throttling_data.unwrap_or_default();
        Ok((used > 0).then(|| Used {
            at,
            cpu: used as f64 / 1e9,
            throttled_periods: throttling.throttled_periods.unwrap_or(0),
            periods: throttling.periods.unwrap_or(0),
            throttled: throttling.throttled_time.unwrap_or(0) as f64 / 1e9,
        }))
    }
}
