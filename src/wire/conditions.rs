//! The conditions a run ran under: what was asked for next to what was found, and what preparing it took.

use super::clocks::Clocks;
use super::external::External;
use super::fault::FaultSeen;
use super::measured::{LinkMeasured, Quantiles};
use super::setup::{EngineFacts, ImageFacts, LinkStatus, MachineFacts};
use super::spin::Spin;
use super::watched::{Observed, Statements};
use crate::model::limits::Cpus;
use crate::model::link::LinkProfile;
use serde::{Deserialize, Serialize};

/// What a run found when it started, and what was seen around it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// The container engine and the machine.
    pub engine: EngineFacts,
    /// The machine as the database's container sees it.
    #[serde(default)]
    pub machine: MachineFacts,
    /// The engine of the client's host, where that is another one than the database's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_engine: Option<EngineFacts>,
    /// How far the clocks of both hosts were ahead of the lab's; none where all of it is one machine. Times that were
    /// seen there are on the lab's clock already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clocks: Option<Clocks>,
    /// The images that took part.
    pub images: Vec<ImageFacts>,
    /// The way through the link: what was set, by what, and what it counted until the run's end. None where the run's
    /// rows went past it (`direct`): what the link counts was not seen.
    pub link: Option<LinkStatus>,
    /// What the link was asked to be.
    #[serde(default)]
    pub link_asked: Option<LinkProfile>,
    /// What the link, or the way past it, turned out to be, measured from the ingester's container just before the run.
    #[serde(default)]
    pub link_measured: Option<LinkMeasured>,
    /// The round trip to a server that is not the lab's, by handshakes with itself just before the run: the link's part
    /// is in it. None where the database is the lab's, or where the link answers handshakes itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<Quantiles>,
    /// The server, where it is not the lab's, and what could not be seen of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// Checksum of the data files (see `ingest-lab.data` on the volume).
    pub data: String,
    /// The processors of the client's container, measured before its ingester began; of several clients the first one's.
    #[serde(default)]
    pub client: Option<CpuCheck>,
    /// Those of the other clients' containers, in order; absent where there was one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_clients: Vec<CpuCheck>,
    /// The processors of the database's container.
    #[serde(default)]
    pub database: Option<CpuCheck>,
    /// Settings of the database and of TCP.
    #[serde(default)]
    pub settings: Vec<Setting>,
    /// Checkpoints that began while the ingester ran.
    #[serde(default)]
    pub checkpoints: i64,
    /// How far the wall clock and the steady clock went apart while the ingester ran, seconds.
    #[serde(default)]
    pub clock_jump: f64,
    /// Client and database ran on hardware threads of the same core, although they were to be apart.
    #[serde(default)]
    pub shared_core: bool,
    /// What was seen of both sides while the ingester ran.
    #[serde(default)]
    pub observed: Option<Observed>,
    /// What was broken while rows were inserted, and what that did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultSeen>,
    /// What measuring cost while the ingester ran.
    #[serde(default)]
    pub harness: Harness,
    /// Where the lab's own time went.
    #[serde(default)]
    pub own_time: OwnTime,
}

impl Conditions {
    /// The processors of every client's container, in order.
    pub fn clients(&self) -> impl Iterator<Item = &CpuCheck> {
        self.client.iter().chain(&self.more_clients)
    }

    /// The round trip to the database: as an exchange found it, or handshakes with a server where nothing of the lab's
    /// answers.
    pub fn round_trip(&self) -> Option<Quantiles> {
        self.way.or_else(|| Some(self.link_measured.as_ref()?.exchange))
    }

    /// What the server says of the run's statements; none where it doesn't say.
    pub fn statements(&self) -> Option<Statements> {
        let counted = self.observed.as_ref().and_then(|seen| seen.counted?.statements);
        counted.or_else(|| self.external.as_ref()?.statements)
    }
}

/// A limit on processors as it was asked for, as the engine and the kernel have it, and as it was felt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CpuCheck {
    /// Processors' worth of time asked for.
    pub asked: Cpus,
    /// Processors it was to run on, as `0-1,3`.
    #[serde(default)]
    pub cpuset_asked: String,
    /// Processors it may run on, by its control group, else by the engine.
    pub cpuset: String,
    /// Which of the hosts of its side it is on, from 0: processors of the same number on two hosts are two.
    #[serde(default, skip_serializing_if = "is_first")]
    pub host: usize,
    /// What the engine says the limit is.
    pub engine: Cpus,
    /// What the control group inside the container says; none where it says nothing.
    pub cgroup: Option<Cpus>,
    /// Processors' worth of time that a spin on [`Self::threads`] threads got.
    pub measured: f64,
    /// Threads that spun at once: more than the limit lets run.
    pub threads: usize,
    /// Times a spin was repeated because something else on the machine took its time.
    pub repeated: u32,
    /// Periods in which the kernel held the spin back.
    pub throttled: u64,
    /// Time that a fixed piece of work took, seconds: the processor's speed.
    pub work: f64,
    /// The same after the run, where it could be measured.
    pub work_after: Option<f64>,
    /// How long the lab waited for the processors to be as fast as in the runs before, seconds; none where they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited: Option<f64>,
}

fn is_first(host: &usize) -> bool {
    *host == 0
}

impl CpuCheck {
    /// How far a measured share may lie from the one asked for, as a part of it.
    pub const TOLERANCE: f64 = 0.05;

    /// Whether the share was what was asked for. Without a limit nothing was asked for.
    pub fn within_tolerance(&self) -> bool {
        self.asked.count().is_none_or(|asked| (self.measured - asked).abs() <= Self::TOLERANCE * asked)
    }

    /// Takes over what a spin on several threads found.
    pub fn take(&mut self, spins: &[Spin]) {
        let share = if self.asked == Cpus::UNLIMITED { Spin::share } else { Spin::share_of_periods };
        self.measured = spins.iter().map(share).sum();
        self.threads = spins.len();
        self.work = Spin::quickest(spins);
    }
}

/// A setting as it was asked for and as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// What was asked for.
    pub asked: String,
    /// What was found.
    pub found: String,
}

/// Processor time of what isn't measured, while the ingester ran, seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Harness {
    /// The lab's process.
    pub lab: f64,
    /// The link's agent. What the kernel does to forward is billed to whoever runs at that moment, not to it.
    pub link: f64,
}

/// Seconds the lab itself took for a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct OwnTime {
    /// Bringing database, link and limits to the state asked for.
    pub prepare: f64,
    /// Measuring link and limits.
    pub calibrate: f64,
    /// Starting the ingester's container, without what it was measured for.
    pub start: f64,
    /// Comparing the rows, and lifting the limits.
    pub verify: f64,
}

impl OwnTime {
    /// Everything that is neither ingest nor calibration.
    pub fn beyond(&self) -> f64 {
        self.prepare + self.start + self.verify
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::watched::Counted;

    #[test]
    fn a_share_is_judged_against_what_was_asked_and_against_nothing_without_a_limit() {
        let check = |asked: &str, measured| CpuCheck { asked: asked.parse().unwrap(), measured, ..Default::default() };
        assert!(check("0.25", 0.26).within_tolerance());
        assert!(!check("0.25", 0.27).within_tolerance());
        assert!(!check("1", 0.9).within_tolerance());
        assert!(check("unlimited", 0.1).within_tolerance());
    }

    #[test]
    fn statements_are_found_where_older_records_have_them_too() {
        let statements = |calls| Some(Statements { calls, seconds: 0.5 });
        let mut found = Conditions {
            external: Some(External { statements: statements(7.0), ..Default::default() }),
            ..Default::default()
        };
        assert_eq!(found.statements(), statements(7.0));
        let counted = Some(Counted { statements: statements(9.0), pages: None });
        found.observed = Some(Observed { counted, ..Default::default() });
        assert_eq!(found.statements(), statements(9.0));
        assert_eq!(Conditions::default().statements(), None);
    }
}
