//! The chunks of keys that are out with worker processes, and those that came back from one that died.
//!
//! ```text
//! queue ─► next ─► a child ─► done
//!           ▲         └─ died ─► lost: first in line for the others
//!           └──────────────────────┘
//! ```

use crate::ingest::lookup::Keys;
use crate::ingest::worker::Context;
use crate::ingest::workload::Record;
use async_channel::Receiver;
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What the feeders of a lookup share. They run on one thread: nobody waits for its lock.
pub(super) struct Handout {
    state: Mutex<State>,
    /// Stirred when somebody who waits may go on.
    stirred: Notify,
}

#[derive(Debug)]
struct State {
    /// Chunks that nobody has any more.
    returned: VecDeque<Keys>,
    /// How many are with a child.
    out: usize,
    /// The queue will give no more.
    over: bool,
    /// A feeder failed: nothing of this run counts.
    failed: bool,
    /// Children that are not known to be dead.
    living: usize,
}

impl State {
    /// Every chunk is done, or nobody cares any more.
    fn ended(&self) -> bool {
        self.failed || (self.over && self.out == 0 && self.returned.is_empty())
    }
}

impl Handout {
    /// For so many children.
    pub(super) fn new(living: usize) -> Self {
        let state = State { returned: VecDeque::new(), out: 0, over: false, failed: false, living };
        Self { state: Mutex::new(state), stirred: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next chunk; none when all are done. While others have some, theirs may come back: that is waited for. A call
    /// that is given up takes nothing.
    pub(super) async fn next(&self, context: &Context, queue: &Receiver<Record>) -> Option<Keys> {
        loop {
            let mut stirred = pin!(self.stirred.notified());
            stirred.as_mut().enable(); // what happens from here on is not missed
            {
                let mut state = self.state();
                state.over |= context.stopped();
                if state.ended() {
                    self.stirred.notify_waiters();
                    return None;
                }
                if let Some(keys) = state.returned.pop_front() {
                    state.out += 1;
                    return Some(keys);
                }
            }
            let open = !self.state().over;
            tokio::select! {
                biased;
                record = queue.recv(), if open => match record {
                    Ok(Record::Keys(keys)) => {
                        self.state().out += 1;
                        return Some(keys);
                    }
                    Ok(_) => unreachable!("the reader of a lookup hands out keys"),
                    Err(_) => self.state().over = true,
                },
                () = &mut stirred => {}
            }
        }
    }

    /// A chunk's rows are here.
    pub(super) fn done(&self) {
        let mut state = self.state();
        state.out -= 1;
        if state.ended() {
            self.stirred.notify_waiters();
        }
    }

    /// A child died with these chunks: others do them. Gives how many others there are.
    pub(super) fn lost(&self, keys: impl IntoIterator<Item = Keys>) -> usize {
        let mut state = self.state();
        for keys in keys {
            state.out -= 1;
            state.returned.push_back(keys);
        }
        state.living -= 1;
        self.stirred.notify_waiters();
        state.living
    }

    /// A feeder failed: nobody need wait any longer.
    pub(super) fn fail(&self) {
        self.state().failed = true;
        self.stirred.notify_waiters();
    }

    /// Waits until every chunk is done, by others.
    pub(super) async fn ended(&self) {
        loop {
            let mut stirred = pin!(self.stirred.notified());
            stirred.as_mut().enable();
            if self.state().ended() {
                return;
            }
            stirred.await;
        }
    }
}
