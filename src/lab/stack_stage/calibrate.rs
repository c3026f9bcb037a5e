//! Setting the limits of a run and feeling what came of them: asked-for and measured stand side by side.

use super::super::pace;
use super::super::placement::Place;
use super::StackStage;
use crate::db;
use crate::engine::{Container, Limits, Waiting};
use crate::model::cell::Cell;
use crate::model::limits::Cpus;
use crate::wire::conditions::{Conditions, CpuCheck, Setting};
use crate::wire::exit::{Exit, Failure};
use crate::wire::spin::Spin;
use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// How long a spin goes on, seconds: five periods of the kernel's CPU quota.
const SPIN: f64 = 0.5;

/// After a run only the speed is asked for.
const SHORT_SPIN: f64 = 0.1;

/// A machine that is shared is slower for seconds at a time: how long it is waited for, of each side …
const PATIENCE: Duration = Duration::from_secs(5);

/// … and how often its speed is looked at.
const PAUSE: Duration = Duration::from_millis(400);

/// Spins at most until the share is as it should be: what else runs on the machine can only take from one.
const ATTEMPTS: u32 = 3;

impl StackStage {
    /// Limits the database's container, and measures what that does.
    pub(super) async fn limit_database(&mut self, asked: Cpus, place: &Place) -> Result<CpuCheck> {
        let limits = Limits { cpus: asked, cpuset: place.to_string() };
        let db = self.server().container.clone();
        self.stack.set_limits(&db, &limits).await?;
        let threads = threads(asked, place);
        while self.server().spinners.len() + 1 < threads {
            let another = db::connect(&self.server().url).await?;
            self.server_mut().spinners.push(another);
        }
        let before = self.throttled(&db).await?;
        let check =
            self.felt(pace::DATABASE, asked, async |seconds| self.database_spins(seconds, threads).await).await?;
        self.read_back(&db, limits, before, check).await
    }

    /// Measures the limits of an ingester's container from within, while the ingester waits for its job.
    pub(super) async fn check_client(&self, waiting: &Waiting, limits: &Limits, place: &Place) -> Result<CpuCheck> {
        let threads = threads(limits.cpus, place);
        let spins = async |seconds| self.client_spins(waiting, seconds, threads).await;
        let check = self.felt(pace::CLIENT, limits.cpus, spins).await?;
        self.read_back(waiting.container(), limits.clone(), 0, check).await
    }

    /// Spins where the database's backends run.
    async fn database_spins(&self, seconds: f64, threads: usize) -> Result<Vec<Spin>> {
        let clients: Vec<_> = self.server().clients().take(threads).collect();
        db::spin(&clients, seconds).await
    }

    /// Spins where an ingester waits for its job.
    async fn client_spins(&self, waiting: &Waiting, seconds: f64, threads: usize) -> Result<Vec<Spin>> {
        let (seconds, threads) = (seconds.to_string(), threads.to_string());
        let command = ["ingester", "spin", "--seconds", &seconds, "--threads", &threads];
        let (code, out, err) = self.stack.exec(waiting.container(), &command).await?;
        if code != 0 {
            let message = format!("the client's CPUs cannot be measured: {}", err.trim());
            return Err(Failure::new(Exit::Engine, message).into());
        }
        serde_json::from_str(&out).context("read the client's spin")
    }

    /// What spins of so many seconds find on a side: its share, and its speed. Waits while its processors are faster or slower
    /// than in the runs before: a run that begins so doesn't count.
    async fn felt(&self, side: usize, asked: Cpus, spins: impl AsyncFn(f64) -> Result<Vec<Spin>>) -> Result<CpuCheck> {
        let mut check = CpuCheck::default();
        for attempt in 0..ATTEMPTS {
            check = closer(check, taken(asked, attempt, &spins(SPIN).await?));
            if check.within_tolerance() {
                break;
            }
        }
        let Some((pace, stop)) = &self.pace else { return Ok(check) };
        let begun = Instant::now();
        while pace.off(side, check.work).is_some() && begun.elapsed() < PATIENCE && !stop.is_asked() {
            tokio::time::sleep(PAUSE).await;
            check.work = Spin::quickest(&spins(SHORT_SPIN).await?);
            check.waited = Some(begun.elapsed().as_secs_f64());
        }
        Ok(check)
    }

    /// What the engine and the control group say, beside what was felt.
    pub(super) async fn read_back(
        &self,
        container: &Container,
        limits: Limits,
        before: u64,
        mut check: CpuCheck,
    ) -> Result<CpuCheck> {
        let (engine, held) = (self.stack.limits(container).await?, self.stack.held(container).await?);
        check.engine = engine.cpus;
        check.cpuset_asked = limits.cpuset;
        check.cpuset = held.as_ref().and_then(|held| held.cpuset.clone()).unwrap_or(engine.cpuset);
        check.cgroup = held.as_ref().map(|held| held.cpus);
        check.throttled = held.map_or(0, |held| held.throttled.saturating_sub(before));
        Ok(check)
    }

    async fn throttled(&self, container: &Container) -> Result<u64> {
        Ok(self.stack.held(container).await?.map_or(0, |held| held.throttled))
    }

    /// Keeps link and lab where they disturb least. The lab's own container goes when it ends.
    pub(super) async fn place_others(&self, place: &Place) -> Result<()> {
        let limits = Limits { cpus: Cpus::UNLIMITED, cpuset: place.to_string() };
        for container in std::iter::once(self.link.container().clone()).chain(self.stack.labs().await?) {
            if self.stack.limits(&container).await?.cpuset != limits.cpuset {
                self.stack.set_limits(&container, &limits).await?;
            }
        }
        Ok(())
    }

    /// After a run: the database's processors once more against drift, then its limits are lifted, so that
    /// comparing the rows doesn't crawl.
    pub(super) async fn after(&self, conditions: &mut Conditions) -> Result<()> {
        let spins = self.database_spins(SHORT_SPIN, 1).await?;
        if let Some(check) = &mut conditions.database {
            check.work_after = spins.first().map(|spin| spin.work);
        }
        self.lift(&self.server().container).await.map(drop)
    }

    /// The congestion control that the client's end really uses.
    pub(super) async fn congestion(&self, waiting: &Waiting, cell: &Cell) -> Result<Setting> {
        let file = ["cat", "/proc/sys/net/ipv4/tcp_congestion_control"];
        let (_, out, _) = self.stack.exec(waiting.container(), &file).await?;
        Ok(Setting { name: "congestion".into(), asked: cell.congestion.to_string(), found: out.trim().into() })
    }
}

/// Threads for a spin: more than the limit lets run at once, else it would not be felt; one where there is none.
fn threads(asked: Cpus, place: &Place) -> usize {
    asked.count().map_or(1, |cpus| (cpus.floor() as usize + 1).min(place.count()))
}

fn taken(asked: Cpus, attempt: u32, spins: &[Spin]) -> CpuCheck {
    let mut check = CpuCheck { asked, repeated: attempt, ..Default::default() };
    check.take(spins);
    check
}

/// Of two attempts the one closer to what was asked: a limit holds in each, others on the machine disturb.
fn closer(one: CpuCheck, other: CpuCheck) -> CpuCheck {
    let repeated = other.repeated;
    let off = |check: &CpuCheck| check.asked.count().map_or(0.0, |asked| (check.measured - asked).abs());
    let better = if one.threads == 0 || off(&other) < off(&one) { other } else { one };
    CpuCheck { repeated, ..better }
}
