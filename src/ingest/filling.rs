//! The thread that fills a phase's queue.

use super::reader::Source;
use super::worker::{Context, Message};
use super::workload::Record;
use crate::model::{Phase, Scheme, Stage};
use anyhow::{Result, anyhow};
use async_channel::Sender;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Starts it: what it puts into the queue comes from `source`, or was read before.
pub(super) fn start(
    context: &Arc<Context>,
    source: &Arc<Mutex<Source>>,
    phase: Phase,
    queue: Sender<Record>,
    preloaded: Option<Vec<Record>>,
) -> Result<JoinHandle<()>> {
    let (context, source) = (Arc::clone(context), Arc::clone(source));
    let body = move || {
        let complete = match preloaded {
            Some(records) => Ok(records.into_iter().all(|record| queue.send_blocking(record).is_ok())),
            None => fill(&context, &source, phase, &queue),
        };
        context.telemetry.departing();
        match complete {
            Ok(true) => context.tell(Message::Filled),
            Ok(false) => {} // stopped
            Err(error) => {
                context.tell(Message::Unreadable(error));
                context.stop.store(true, Ordering::Relaxed);
            }
        }
        // Only now the queue's end goes: whoever sees it closed speaks after what was told here.
        drop(queue);
    };
    Ok(std::thread::Builder::new().name("reader".into()).spawn(body)?)
}

/// Reads until there is no more, or nobody wants it: true in the first case.
fn fill(context: &Context, source: &Mutex<Source>, phase: Phase, queue: &Sender<Record>) -> Result<bool> {
    let stages = context.telemetry.reader();
    let raw = context.job.scheme == Scheme::Processes;
    let pause = if phase == Phase::Data { context.job.inject.read.duration() } else { Duration::ZERO };
    let mut put = |record| {
        if context.earlier.as_ref().is_some_and(|earlier| earlier.skips(&record)) {
            return !context.stopped();
        }
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
        stages.end(Stage::Read);
        let taken = queue.send_blocking(record).is_ok();
        stages.begin(Stage::Read);
        taken
    };
    stages.begin(Stage::Read);
    let mut source = source.lock().map_err(|_| anyhow!("the reader panicked"))?;
    source.read(&context.job, phase, raw, &mut put)
}
