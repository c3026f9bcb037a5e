//! CPU limits of containers: set live, read back from the engine and from the control group itself.

use super::{Container, Stack, refused};
use crate::model::limits::Cpus;
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use bollard::models::{ContainerUpdateBody, HostConfig};

/// The engine's period for CPU quotas, µs.
const PERIOD: i64 = 100_000;

/// Prints what the container's control group says, version 2 or 1: quota and period in a line, then `cpu.stat`, then
/// the processors it may run on.
const READ_CGROUP: &str = "cd /sys/fs/cgroup; if [ -e cpu.max ]; then cat cpu.max cpu.stat; \
    else for d in cpu cpu,cpuacct; do if [ -e $d/cpu.stat ]; then cd $d; break; fi; done; \
    echo $(cat cpu.cfs_quota_us cpu.cfs_period_us); cat cpu.stat; fi; \
    cd /sys/fs/cgroup; for f in cpuset.cpus.effective cpuset/cpuset.effective_cpus cpuset/cpuset.cpus; do \
    if [ -e $f ]; then echo cpuset $(cat $f); break; fi; done";

/// What a container may use of the processors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Processors' worth of time.
    pub cpus: Cpus,
    /// The processors it may run on, as `0` or `0-1,3`. Empty where nothing was ever set: all of them.
    pub cpuset: String,
}

/// What a control group says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Processors' worth of time it allows.
    pub cpus: Cpus,
    /// Periods in which it held somebody back, since the container began.
    pub throttled: u64,
    /// Processors it may run on, as `0-1,3`; none where it doesn't tell.
    pub cpuset: Option<String>,
}

impl Limits {
    /// No limit on a machine with so many processors. Written out: an empty list would not clear one that is set.
    pub fn none(processors: usize) -> Self {
        Self { cpus: Cpus::UNLIMITED, cpuset: format!("0-{}", processors.max(1) - 1) }
    }

    /// The quota in µs a period. -1 says unlimited; 0 would say "leave it as it is".
    fn quota(&self) -> i64 {
        self.cpus.count().map_or(-1, |cpus| (cpus * PERIOD as f64).round() as i64)
    }

    /// For a container that is to be made.
    pub(super) fn apply(&self, config: &mut HostConfig) {
        if self.cpus != Cpus::UNLIMITED {
            config.cpu_period = Some(PERIOD);
            config.cpu_quota = Some(self.quota());
        }
        config.cpuset_cpus = Some(self.cpuset.clone()).filter(|cpuset| !cpuset.is_empty());
    }
}

impl Stack {
    /// Sets a running container's limits. The engine keeps its warnings to itself: read back what came of it.
    pub async fn set_limits(&self, container: &Container, limits: &Limits) -> Result<()> {
        let update = ContainerUpdateBody {
            cpu_period: Some(PERIOD),
            cpu_quota: Some(limits.quota()),
            cpuset_cpus: Some(limits.cpuset.clone()).filter(|cpuset| !cpuset.is_empty()),
            ..Default::default()
        };
        let updated = container.engine.docker.update_container(&container.id, update).await;
        updated.map_err(refused(format!("limit the CPUs of {} to {}", container.service, limits.cpus)))
    }

    /// A container's limits as the engine has them.
    pub async fn limits(&self, container: &Container) -> Result<Limits> {
        let config = self.inspect(container).await?.host_config.unwrap_or_default();
        let nano = config.nano_cpus.filter(|nano| *nano > 0).map(|nano| nano as f64 / 1e9);
        let period = config.cpu_period.filter(|period| *period > 0).unwrap_or(PERIOD);
        let quota = config.cpu_quota.filter(|quota| *quota > 0).map(|quota| quota as f64 / period as f64);
        let cpus = nano.or(quota).map_or(Ok(Cpus::UNLIMITED), Cpus::new);
        let cpus = cpus.map_err(|error| Failure::new(Exit::Engine, error))?;
        Ok(Limits { cpus, cpuset: config.cpuset_cpus.unwrap_or_default() })
    }

    /// A container's limit as its control group has it; none where the container cannot tell.
    pub async fn held(&self, container: &Container) -> Result<Option<Held>> {
        let (_, out, _) = self.exec(container, &["/bin/sh", "-c", READ_CGROUP]).await?;
        Ok(parse(&out))
    }
}

/// Reads `cpu.max` and `cpu.stat`, or version 1's files in the same form.
fn parse(text: &str) -> Option<Held> {
    let mut lines = text.lines();
    let (quota, period) = lines.next()?.split_once(' ')?;
    let cpus = match quota {
        "max" | "-1" => Cpus::UNLIMITED,
        quota => Cpus::new(quota.parse::<f64>().ok()? / period.trim().parse::<f64>().ok()?).ok()?,
    };
    let throttled = lines.find_map(|line| line.strip_prefix("nr_throttled ")?.trim().parse().ok()).unwrap_or(0);
    let cpuset = text.lines().find_map(|line| line.strip_prefix("cpuset ")).map(|list| list.trim().to_owned());
    Some(Held { cpus, throttled, cpuset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_written_as_quota_and_no_limit_is_not_zero() {
        assert_eq!(Limits { cpus: "0.25".parse().unwrap(), cpuset: String::new() }.quota(), 25_000);
        assert_eq!(Limits::default().quota(), -1);
        assert_eq!(Limits::none(2).cpuset, "0-1");
    }

    #[test]
    fn both_versions_of_control_groups_are_read() {
        let half = Held { cpus: "0.5".parse().unwrap(), throttled: 7, cpuset: Some("0-1,3".into()) };
        assert_eq!(
            parse("50000 100000\nusage_usec 12\nnr_periods 9\nnr_throttled 7\nthrottled_usec 4\ncpuset 0-1,3"),
            Some(half.clone())
        );
        assert_eq!(parse("50000 100000\nnr_periods 9\nnr_throttled 7\nthrottled_time 4\ncpuset 0-1,3"), Some(half));
        let free = Held { cpus: Cpus::UNLIMITED, throttled: 0, cpuset: None };
        assert_eq!(parse("max 100000\nnr_throttled 0"), Some(free.clone()));
        assert_eq!(parse("-1 100000\nnr_throttled 0"), Some(free));
        assert_eq!(parse(""), None);
    }
}
