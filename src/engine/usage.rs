//! What a container's control group has used: read through the engine, without a process inside.

use super::{Container, Engine, Stack, refused};
use crate::model::clock;
use crate::wire::watched::Used;
use anyhow::Result;
use bollard::query_parameters::StatsOptionsBuilder;
use futures_util::StreamExt;
use time::OffsetDateTime;

impl Stack {
    /// What a container has used so far; none once it has ended. Every field is optional in the engine's answer.
    pub async fn usage(&self, container: &Container) -> Result<Option<Used>> {
        let asked = clock::seconds();
        let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
        let Some(answer) = container.engine.docker.stats(&container.id, Some(options)).next().await else {
            return Ok(None);
        };
        let stats = match answer {
            Ok(stats) => stats,
            Err(error) if super::is_missing(&error) => return Ok(None),
            Err(error) => return Err(refused(format!("tell what {} uses", container.service))(error)),
        };
        let at = read_at(asked, clock::seconds(), stats.read.map(|read| container.engine.ago(read)));
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

impl Engine {
    /// How long ago a time was that the engine says, by its own clock.
    fn ago(&self, said: OffsetDateTime) -> time::Duration {
        OffsetDateTime::now_utc() - said + time::Duration::seconds_f64(self.wall_ahead())
    }
}

/// When the engine read a control group. An engine that is asked for two containers at once reads one after the other,
/// and a tenth of a second between the reading and the answer would be a fifth of a run's share. What it says of the
/// time counts where it lies between question and answer; an engine with another clock is taken at the middle.
fn read_at(asked: f64, answered: f64, ago: Option<time::Duration>) -> f64 {
    let said = ago.map(|ago| answered - ago.as_seconds_f64());
    said.filter(|at| (asked..=answered).contains(at)).unwrap_or((asked + answered) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_of_the_time_the_engine_says_where_that_can_be() {
        let ago = |seconds| Some(time::Duration::seconds_f64(seconds));
        assert_eq!(read_at(10.0, 10.5, ago(0.125)), 10.375);
        assert_eq!(read_at(10.0, 10.5, ago(7200.0)), 10.25, "another clock");
        assert_eq!(read_at(10.0, 10.5, ago(-1.0)), 10.25);
        assert_eq!(read_at(10.0, 10.5, None), 10.25);
    }
}
