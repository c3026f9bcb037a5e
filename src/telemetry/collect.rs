//! What the coordinator gathers: each second, each phase, the run.

use super::durations::{ByStage, Durations};
use super::spent::ledgers;
use super::threads::{self, Snapshot};
use super::worker::Worker;
use super::{Telemetry, tcp};
use crate::model::Stage;
use crate::wire::metrics::{PhaseMetrics, RunMetrics, Second};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// How often what happened is told.
const EVERY: Duration = Duration::from_secs(1);

/// The same of a run whose connections may break: an outage is told to this.
const OFTEN: Duration = Duration::from_millis(200);

/// The coordinator's end of a run's [`Telemetry`].
#[derive(Debug)]
pub struct Collector {
    telemetry: Telemetry,
    /// Whether this is a child of `processes`, which tells its durations in full.
    child: bool,
    connect: Durations,
    phase: ByStage,
    process: Snapshot,
    every: Duration,
    begun: Instant,
    told: Instant,
    /// (records, rows) at `told`.
    standing: (u64, u64),
}

/// What a child of `processes` measured in a phase, and its worker's number here.
#[derive(Debug)]
pub struct Child {
    /// The worker's number.
    pub worker: usize,
    /// When the worker handed out its first record of the phase and when the last came back, seconds into the
    /// phase; none if it had no records.
    pub busy: Option<(f64, f64)>,
    /// What the child told.
    pub metrics: PhaseMetrics,
}

impl Collector {
    /// Collects from here.
    pub fn new(telemetry: &Telemetry, child: bool) -> Self {
        let now = Instant::now();
        Self {
            telemetry: telemetry.clone(),
            child,
            connect: Durations::default(),
            phase: ByStage::default(),
            process: Snapshot::default(),
            every: EVERY,
            begun: now,
            told: now,
            standing: (0, 0),
        }
    }

    /// Tells what happened five times a second.
    pub fn often(self) -> Self {
        Self { every: OFTEN, ..self }
    }

    /// A phase's clock is about to start; every worker waits for records.
    pub fn phase_begins(&mut self) {
        let Some(measuring) = &self.telemetry.0 else { return };
        let mut before = drained(&measuring.workers);
        self.connect.add(before.of(Stage::Connect));
        self.phase = ByStage::default();
        measuring.departed.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.process = Snapshot::take();
        let now = measuring.clock.now();
        measuring.workers.iter().for_each(|worker| worker.open(now));
        self.begun = Instant::now();
        (self.told, self.standing) = (self.begun, (0, 0));
    }

    /// When the next second is over; never where nothing is measured.
    pub fn next(&self) -> Option<Instant> {
        self.telemetry.is_on().then(|| self.told + self.every)
    }

    /// What happened since it was last told, if a second is over. `standing` gives (records, rows) of the phase so far.
    pub fn second(&mut self, standing: impl FnOnce() -> (u64, u64)) -> Option<Second> {
        let now = Instant::now();
        self.next().filter(|next| now >= *next)?;
        let standing = standing();
        let mut second = self.drain();
        let histograms = if self.child { second.to_wire() } else { Vec::new() };
        if let Some(measuring) = &self.telemetry.0 {
            // Children's durations reach the phase with their results, in full: here they only show.
            let mut from_children = measuring.from_children.lock().unwrap_or_else(PoisonError::into_inner);
            second.add(&from_children);
            from_children.clear();
        }
        let seconds = now.duration_since(self.told).as_secs_f64();
        let (records, rows) = (standing.0.saturating_sub(self.standing.0), standing.1.saturating_sub(self.standing.1));
        (self.told, self.standing) = (now, standing);
        Some(Second { seconds, records, rows, rate: rows as f64 / seconds, stages: second.summaries(), histograms })
    }

    /// Moves what the workers measured to the phase, and gives it.
    fn drain(&mut self) -> ByStage {
        let all = self.telemetry.0.as_ref().map(|measuring| drained(&measuring.workers)).unwrap_or_default();
        self.phase.add(&all);
        all
    }

    /// The phase is over: every worker was through with it. `port` is the database's. The durations are there in
    /// full, for [`with_children`] or for a parent.
    pub fn phase_ends(&mut self, port: u16) -> Option<PhaseMetrics> {
        self.drain();
        let measuring = self.telemetry.0.as_ref()?;
        let departed = std::mem::take(&mut *measuring.departed.lock().unwrap_or_else(PoisonError::into_inner));
        let seconds = self.begun.elapsed().as_secs_f64();
        let over: Vec<_> = measuring.workers.iter().filter_map(Worker::over).collect();
        Some(PhaseMetrics {
            stages: self.phase.summaries(),
            workers: ledgers(&over),
            process: Snapshot::take().since(&self.process, &departed, seconds),
            connections: tcp::connections(port),
            histograms: self.phase.to_wire(),
        })
    }

    /// What was measured outside the phases.
    /// The durations stay `in_full` where somebody else adds them up.
    pub fn run(mut self, children: &[RunMetrics], in_full: bool) -> Option<RunMetrics> {
        self.telemetry.0.as_ref()?;
        for histogram in children.iter().filter_map(|child| child.histogram.as_ref()) {
            self.connect.add_wire(histogram);
        }
        let histogram = if in_full { self.connect.to_wire(Stage::Connect) } else { None };
        Some(RunMetrics { connect: self.connect.summary(Stage::Connect), histogram })
    }
}

/// What workers measured since the last time.
fn drained(workers: &[Worker]) -> ByStage {
    let mut all = ByStage::default();
    workers.iter().for_each(|worker| worker.drain(&mut all));
    all
}

/// Adds what children measured, if there are any, to what their parent did in a phase of so many seconds, and leaves
/// figures only, unless they are to stay `in_full`.
pub fn with_children(own: &mut PhaseMetrics, children: &[Child], seconds: f64, in_full: bool) {
    let mut stages = ByStage::default();
    for histogram in &own.histograms {
        stages.of(histogram.stage).add_wire(histogram);
    }
    for Child { worker, busy, metrics } in children {
        // A child reads its records from a pipe, where it waits for its parent: not what reading an archive is.
        stages.add_wire(&metrics.histograms, Stage::Read);
        threads::together(&mut own.process, &metrics.process, *worker);
        own.connections.extend(&metrics.connections);
        for ledger in &metrics.workers {
            // A child's ledger begins with its first record and ends with its last. What lies before is waiting for
            // records, on its parent's clock; once it is through with the phase nothing counts, as for a thread.
            let idle = busy.map_or(seconds, |(from, _)| from);
            let mut ledger = *ledger;
            ledger.worker = *worker;
            ledger.wall += idle;
            ledger.records += idle;
            own.workers.push(ledger.balance());
        }
    }
    own.workers.sort_by_key(|ledger| ledger.worker);
    own.connections.sort_by_key(|connection| connection.port);
    own.stages = stages.summaries();
    own.histograms = if in_full { stages.to_wire() } else { Vec::new() };
}
