//! The thread that fills a phase's queue.

use super::reader::Source;
use super::worker::{Context, Message};
use super::workload::Record;
use crate::model::{Phase, Scheme, Stage};
use crate::wire::Job;
use anyhow::{Result, anyhow};
use async_channel::Sender;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Rows of a lookup that may be handed out beyond those delivered, at least: behind a connection that stalls no more than
/// about so many wait for their turn, some 100 MB of them. As in the Python peers.
const EARLY: u64 = 10_000;

/// How often is looked whether enough was delivered.
const LOOK: Duration = Duration::from_millis(5);

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
    // What a child is handed is its parent's to hold back: rows are delivered there.
    let mut ahead = (!context.job.child).then(|| Ahead::of(&context.job));
    let mut put = |record: Record| {
        if context.earlier.as_ref().is_some_and(|earlier| earlier.skips(&record)) {
            return !context.stopped();
        }
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
        stages.end(Stage::Read);
        let (delivered, stopped) = (|| context.delivery.delivered().rows, || context.stopped());
        let may_go = ahead.as_mut().is_none_or(|ahead| ahead.has_room(&record, delivered, stopped));
        let taken = may_go && queue.send_blocking(record).is_ok();
        stages.begin(Stage::Read);
        taken
    };
    stages.begin(Stage::Read);
    let mut source = source.lock().map_err(|_| anyhow!("the reader panicked"))?;
    source.read(&context.job, phase, raw, &mut put)
}

/// How far a lookup's keys may be ahead of what was delivered.
struct Ahead {
    most: u64,
    /// Rows delivered when that was looked at last.
    delivered: u64,
}

impl Ahead {
    /// So far that nobody waits while all go on: what the queue holds, and two chunks a worker, are always out.
    fn of(job: &Job) -> Self {
        let out = job.queue + (1 + 2 * job.pool) * job.chunk;
        Self { most: EARLY.max(out as u64), delivered: 0 }
    }

    /// Waits until a chunk of keys is no farther ahead; false where nobody wants it any more. What is to be delivered next
    /// is out already, and whoever has it is not held back: it comes, whatever waits behind it.
    fn has_room(&mut self, record: &Record, delivered: impl Fn() -> u64, stopped: impl Fn() -> bool) -> bool {
        let Record::Keys(keys) = record else { return true };
        let least = keys.requests().end.saturating_sub(self.most);
        while self.delivered < least {
            self.delivered = delivered();
            if self.delivered < least {
                if stopped() {
                    return false;
                }
                std::thread::sleep(LOOK);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::lookup::Keys;
    use crate::ingest::testing::job;
    use std::cell::Cell;

    fn keys(first: u64) -> Record {
        Record::Keys(Keys { first, count: 100 })
    }

    #[test]
    fn keys_too_far_ahead_wait_for_a_delivery_or_for_the_end() {
        let mut ahead = Ahead::of(&Job { pool: 2, chunk: 100, ..job() });
        let looks = Cell::new(0);
        let delivered = || {
            looks.set(looks.get() + 1);
            looks.get() * 50
        };
        assert!(ahead.has_room(&keys(9_900), delivered, || false) && looks.get() == 0, "nobody is asked");
        assert!(ahead.has_room(&keys(10_000), delivered, || false) && looks.get() == 2, "100 have to be delivered");
        assert!(!ahead.has_room(&keys(10_100), || 100, || true));
        assert!(ahead.has_room(&keys(10_000), || 100, || true), "what was delivered once is known");
    }

    #[test]
    fn what_the_queue_and_the_workers_hold_is_always_out() {
        let crowd = Job { pool: 500, chunk: 1_000, queue: 2_000, ..job() };
        assert_eq!(Ahead::of(&crowd).most, 2_000 + 1_001 * 1_000);
        assert_eq!(Ahead::of(&Job { pool: 4, chunk: 10, ..job() }).most, EARLY);
    }
}
