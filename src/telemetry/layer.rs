//! Where spans become figures: a [`Layer`] that keeps time for each worker and stage.
//!
//! A worker has one span a stage, made once, begun and ended as often as the stage is. Making a span a row would cost
//! a microsecond of the 25 a row takes; beginning and ending one that is there costs a clock reading each. Its number
//! says whose it is, so nothing is looked up and no lock is shared.
//!
//! Unlike with the usual registry a span stays begun across `await`, whichever thread goes on: nobody here asks for
//! "the current span". Stages go to a dispatcher of their own; what `RUST_LOG` asks for is untouched by them.

use super::Clock;
use super::worker::Worker;
use crate::model::Stage;
use std::str::FromStr as _;
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Metadata, Span, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// What the stages' spans have as their target.
const TARGET: &str = "ingest_lab::stage";

/// Gives a stage's span the number that says whose it is.
struct Numbers;

impl Subscriber for Numbers {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target() == TARGET
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut worker = WorkerField(0);
        span.record(&mut worker);
        let stage = Stage::from_str(span.metadata().name()).expect("a stage's span has the stage's name");
        id(worker.0 as usize, stage)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Reads the number of the worker off a span.
struct WorkerField(u64);

impl Visit for WorkerField {
    fn record_u64(&mut self, _: &Field, value: u64) {
        self.0 = value;
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// The number of a worker's span of a stage. Who begins and ends spans reckons it, too: ten spans of forty bytes lay on
/// seven cache lines, of which a task's row fetched four.
pub(super) fn id(worker: usize, stage: Stage) -> Id {
    Id::from_u64((worker * Stage::ALL.len() + stage as usize) as u64 + 1)
}

/// Turns begin and end of spans into the workers' accounts.
pub(super) struct Stopwatch {
    workers: Arc<[Worker]>,
    clock: Clock,
}

impl Stopwatch {
    /// The dispatcher that stages go to.
    pub fn dispatch(workers: Arc<[Worker]>, clock: Clock) -> Dispatch {
        Dispatch::new(Numbers.with(Self { workers, clock }))
    }

    fn of(&self, span: &Id) -> Option<(&Worker, Stage)> {
        let number = span.into_u64() as usize - 1;
        Some((self.workers.get(number / Stage::ALL.len())?, Stage::ALL[number % Stage::ALL.len()]))
    }
}

impl<S: Subscriber> Layer<S> for Stopwatch {
    fn on_enter(&self, span: &Id, _: Context<'_, S>) {
        if let Some((worker, stage)) = self.of(span) {
            worker.begin(stage, self.clock);
        }
    }

    fn on_exit(&self, span: &Id, _: Context<'_, S>) {
        if let Some((worker, stage)) = self.of(span) {
            worker.end(stage, self.clock);
        }
    }
}

/// A worker's span of a stage, from the dispatcher that is the default right now.
pub(super) fn span(stage: Stage, worker: usize) -> Span {
    macro_rules! named {
        ($name:literal) => {
            tracing::info_span!(target: TARGET, $name, worker)
        };
    }
    match stage {
        Stage::Read => named!("read"),
        Stage::Queue => named!("queue"),
        Stage::Connect => named!("connect"),
        Stage::Begin => named!("begin"),
        Stage::Select => named!("select"),
        Stage::Execute => named!("execute"),
        Stage::Commit => named!("commit"),
        Stage::Encode => named!("encode"),
        Stage::Ready => named!("ready"),
        Stage::Poll => named!("poll"),
    }
}
