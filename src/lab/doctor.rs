//! What this machine can measure, what is missing, and what would disturb.

use super::StackConfig;
use super::stack_stage::StackStage;
use crate::model::units;
use crate::wire::exit::{Exit, Failure};
use crate::wire::setup::{EngineFacts, LinkStatus};
use anyhow::Result;
use std::time::Duration;

/// Spins that the noise is told from.
const SPINS: usize = 8;

/// Free disk below which a series may not fit, bytes.
const LITTLE_DISK: u64 = 2 << 30;

/// Memory below which the database's caches hardly fit, bytes.
const LITTLE_MEMORY: i64 = 2 << 30;

/// A machine whose speed varies more than this shows small differences only with many runs.
const NOISY: f64 = 0.10;

/// What the stack says of itself.
#[derive(Debug, Clone)]
pub(super) struct Findings {
    /// The link.
    pub link: LinkStatus,
    /// Free bytes where the database keeps its files.
    pub disk: Option<u64>,
    /// How far the database's clock is from the lab's, seconds.
    pub clock: f64,
    /// How far the database's processor speed spread over some spins, as a part of the median.
    pub spread: f64,
    /// The share of a processor that a spin got.
    pub share: f64,
}

/// Prints what was found, a line each; what needs attention begins with `!`.
pub async fn doctor(config: &StackConfig) -> Result<()> {
    let stack = config.connect().await?;
    let facts = stack.engine().facts().await?;
    engine_lines(stack.engine().address(), &facts).iter().for_each(|line| println!("{line}"));
    for client in stack.client_facts().await? {
        println!("  client    on another host:");
        engine_lines("its address", &client).iter().for_each(|line| println!("{line}"));
    }
    println!("{}", battery());
    match StackStage::take_within(stack, Duration::ZERO).await {
        Ok(stage) => stage.examine(SPINS).await?.lines().iter().for_each(|line| println!("{line}")),
        Err(error) if Failure::exit_of(&error) == Exit::Busy => {
            println!("! stack     another lab is using it: what needs an idle stack was left out");
        }
        Err(error) => println!("! stack     {error}: forwarding, disk, clock and noise were left out"),
    }
    Ok(())
}

fn engine_lines(address: &str, facts: &EngineFacts) -> Vec<String> {
    let memory = u64::try_from(facts.memory).unwrap_or(0);
    let few = if facts.processors < 2 { "! " } else { "  " };
    let little = if facts.memory < LITTLE_MEMORY { "! " } else { "  " };
    vec![
        format!("  engine    {} at {address}, API {}", facts.version, facts.api),
        format!("  machine   {}, kernel {}, {}", facts.system, facts.kernel, facts.architecture),
        format!("{few}CPUs      {} (pinned placement needs 2), cgroup version {}", facts.processors, facts.cgroup),
        format!("{little}memory    {}", units::bytes(memory)),
    ]
}

impl Findings {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("  link      forwarding by {}", self.link.forwarding)];
        lines.extend(self.link.rejected.iter().map(|one| {
            format!("            not {}: {}", one.forwarding, one.reason.lines().next().unwrap_or_default())
        }));
        let emulation = &self.link.emulation;
        lines.push(format!("  emulation by {}: {}", emulation.backend, emulation.backend.summary()));
        lines.extend(
            emulation.rejected.iter().map(|one| {
                format!("            not {}: {}", one.backend, one.reason.lines().next().unwrap_or_default())
            }),
        );
        lines.push(match self.disk {
            None => "! disk      the database's container does not tell how much is free".into(),
            Some(free) if free < LITTLE_DISK => {
                format!("! disk      {} free: `make clean`, or make room", units::bytes(free))
            }
            Some(free) => format!("  disk      {} free", units::bytes(free)),
        });
        let (sign, clock) = (if self.clock.abs() > 1.0 { "! " } else { "  " }, self.clock.abs() * 1e3);
        lines.push(format!("{sign}clock     the database's and the lab's are {} ms apart", units::number(clock)));
        let (sign, spread) = (if self.spread > NOISY { "! " } else { "  " }, self.spread * 100.0);
        let share = self.share * 100.0;
        lines.push(format!(
            "{sign}noise     a processor's speed spread by {spread:.0} % over {SPINS} spins, which got {share:.0} % of it"
        ));
        lines
    }
}

/// Whether the machine runs on its battery, where processors are slower at times.
fn battery() -> String {
    let supplies = std::fs::read_dir("/sys/class/power_supply").into_iter().flatten().flatten();
    let states: Vec<String> = supplies
        .filter_map(|supply| std::fs::read_to_string(supply.path().join("status")).ok())
        .map(|state| state.trim().to_owned())
        .collect();
    match states.iter().any(|state| state == "Discharging") {
        true => "! battery   discharging: plug it in, processors are slower on battery".into(),
        false if states.is_empty() => "  battery   none".into(),
        false => format!("  battery   {}", states.join(", ").to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::setup::{Forwarding, Rejected};

    #[test]
    fn what_needs_attention_is_marked_and_says_why() {
        let rejected = vec![Rejected { forwarding: Forwarding::Nft, reason: "no NAT in this kernel\nmore".into() }];
        let mut link = crate::wire::testing::link();
        link.rejected = rejected;
        let findings = Findings { link, disk: Some(1 << 30), clock: 0.002, spread: 0.3, share: 0.97 };
        let lines = findings.lines();
        assert_eq!(lines[1], "            not nft: no NAT in this kernel");
        assert!(lines[3].starts_with("! disk      1.0 GiB free"), "{lines:?}");
        assert!(lines[4].starts_with("  clock"), "{lines:?}");
        assert!(lines[5].starts_with("! noise     a processor's speed spread by 30 %"), "{lines:?}");
    }
}
