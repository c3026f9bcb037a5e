//! Metrics: spans of the workers' stages become histograms and ledgers, one account a worker, merged when somebody
//! reads them. It knows stages and processes; it knows nothing of databases or records.
//!
//! ```text
//! worker ─ begin, end ─► span ─► Stopwatch (layer) ─► the worker's notes ───┐ added up once a second
//! /proc/…/schedstat, TCP_INFO ─────────────────────────────────────────────►├─► Collector ─► wire::metrics
//! children of `processes` ─ the same, in full ─────────────────────────────►┘
//! ```
//! docs/metrics.md says what each figure contains.

mod collect;
mod durations;
mod layer;
mod notes;
mod polled;
mod spent;
mod tcp;
mod threads;
mod trace;
mod worker;

pub use collect::{Child, Collector, with_children};
pub use polled::polled;
pub(crate) use tcp::connections_in;
pub use trace::MOST_SLICES;

use crate::model::Stage;
use durations::ByStage;
use layer::Stopwatch;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use threads::{Meter, Thread};
use tracing::{Dispatch, Span};
use worker::{RunsOn, Worker};

/// Nanoseconds since the run's origin.
#[derive(Debug, Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn now(self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

/// The measuring of a run: what workers get their stages from, and the coordinator its figures.
#[derive(Debug, Clone)]
pub struct Telemetry(Option<Arc<Measuring>>);

#[derive(Debug)]
struct Measuring {
    clock: Clock,
    dispatch: Dispatch,
    /// One a worker, and one more for the reader.
    workers: Arc<[Worker]>,
    /// Threads that ended during the phase.
    departed: Mutex<Vec<Thread>>,
    /// What children of `processes` told of the current second.
    from_children: Mutex<ByStage>,
}

impl Telemetry {
    /// Measures nothing, and costs nothing but a comparison an operation.
    pub fn off() -> Self {
        Self(None)
    }

    /// Measures so many workers; keeps operations for a trace if there is to be one.
    pub fn on(workers: usize, traced: bool) -> Self {
        let slices = if traced { MOST_SLICES / (workers + 1) } else { 0 };
        let all = workers + 1;
        let all: Arc<[Worker]> = std::iter::repeat_with(|| Worker::new(slices)).take(all).collect();
        let clock = Clock(Instant::now());
        Self(Some(Arc::new(Measuring {
            clock,
            dispatch: Stopwatch::dispatch(Arc::clone(&all), clock),
            workers: all,
            departed: Mutex::default(),
            from_children: Mutex::default(),
        })))
    }

    /// Whether anything is measured.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The stages of a worker that has the calling thread to itself.
    pub fn thread(&self, worker: usize) -> Arc<Stages> {
        self.stages(worker, || RunsOn::Thread(Meter::here()))
    }

    /// The stages of a worker that is a task; it is to be run by [`polled()`].
    pub fn task(&self, worker: usize) -> Arc<Stages> {
        self.stages(worker, || RunsOn::Task)
    }

    /// The stages of the thread that reads records.
    pub fn reader(&self) -> Arc<Stages> {
        let last = self.0.as_ref().map_or(0, |measuring| measuring.workers.len() - 1);
        self.stages(last, || RunsOn::Task)
    }

    fn stages(&self, number: usize, runs_on: impl FnOnce() -> RunsOn) -> Arc<Stages> {
        let Some(measuring) = &self.0 else {
            return Arc::new(Stages { of: None, _spans: Vec::new() });
        };
        measuring.workers[number].runs_on(runs_on());
        let spans = tracing::dispatcher::with_default(&measuring.dispatch, || {
            Stage::ALL.iter().map(|stage| layer::span(*stage, number)).collect()
        });
        Arc::new(Stages { of: Some((Arc::clone(measuring), number)), _spans: spans })
    }

    /// Takes what a child of `processes` told of its last second.
    pub fn child_second(&self, second: &crate::wire::metrics::Second) {
        if let Some(measuring) = &self.0 {
            let mut from_children = measuring.from_children.lock().unwrap_or_else(PoisonError::into_inner);
            from_children.add_wire(&second.histograms, Stage::Read);
        }
    }

    /// The calling thread is about to end: what it used belongs to the phase.
    pub fn departing(&self) {
        if let Some(measuring) = &self.0 {
            measuring.departed.lock().unwrap_or_else(PoisonError::into_inner).push(threads::departing());
        }
    }

    /// Writes the operations kept as a trace for Chrome or Perfetto.
    pub fn write_trace(&self, file: &Path) -> std::io::Result<()> {
        let Some(measuring) = &self.0 else { return Ok(()) };
        let kept: Vec<_> = measuring.workers.iter().map(Worker::slices).collect();
        trace::write(file, &kept)
    }
}

/// A worker's stages: begun and ended by the worker alone, in turn.
#[derive(Debug)]
pub struct Stages {
    /// Whose they are; absent where nothing is measured.
    of: Option<(Arc<Measuring>, usize)>,
    /// What is begun and ended; that goes by their numbers, see [`layer::id`].
    _spans: Vec<Span>,
}

impl Stages {
    /// An operation of this stage begins.
    pub fn begin(&self, stage: Stage) {
        if let Some((measuring, worker)) = &self.of {
            measuring.dispatch.enter(&layer::id(*worker, stage));
        }
    }

    /// It ends.
    pub fn end(&self, stage: Stage) {
        if let Some((measuring, worker)) = &self.of {
            measuring.dispatch.exit(&layer::id(*worker, stage));
        }
    }

    /// Measures something that is waited for.
    pub async fn time<F: Future>(&self, stage: Stage, work: F) -> F::Output {
        self.begin(stage);
        let output = work.await;
        self.end(stage);
        output
    }

    /// The worker is connected: what it used up to here belongs to no phase.
    pub fn settled(&self) {
        if let Some((measuring, number)) = &self.of {
            measuring.workers[*number].settle();
        }
    }

    /// A child's worker got its phase's first record: only now its phase begins.
    pub fn phase_begins(&self) {
        if let Some((measuring, number)) = &self.of {
            measuring.workers[*number].reopen(measuring.clock);
        }
    }

    /// The worker is through with the phase. Of a child the last wait is left out: what it waited for was its parent's
    /// next phase.
    pub fn phase_ends(&self, child: bool) {
        if let Some((measuring, number)) = &self.of {
            measuring.workers[*number].close(*number, measuring.clock, !child);
        }
    }
}

#[cfg(test)]
mod tests;
