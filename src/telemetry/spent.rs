//! Where a worker's time went, added up from its notes and from what was looked at closely.

use super::notes::Note;
use crate::model::Stage;

pub(super) const STAGES: usize = Stage::ALL.len();

/// What a worker waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    Records,
    Database,
    Connecting,
}

/// What is waited for in a stage, if anything.
pub(super) fn waits_for(stage: Stage) -> Option<For> {
    match stage {
        Stage::Queue => Some(For::Records),
        Stage::Begin | Stage::Select | Stage::Execute | Stage::Commit => Some(For::Database),
        Stage::Connect => Some(For::Connecting),
        Stage::Read | Stage::Encode | Stage::Ready | Stage::Poll => None,
    }
}

/// Waiting in one stage, ns.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Waiting {
    /// A thread's operations, and their wall-clock time.
    operations: u64,
    wall: u64,
    /// How many of them were looked at closely, how long the thread was busy (on a processor or waiting for one) in
    /// these, and how long between each of these and the operation that followed it.
    pub looked: u64,
    pub busy: u64,
    pub between: u64,
    /// How long a task was asleep.
    asleep: u64,
}

impl Waiting {
    /// Of a thread: an operation is over.
    pub fn passed(&mut self, wall: u64) {
        self.operations += 1;
        self.wall += wall;
    }

    /// Busy in all operations and after them, going by those that were looked at.
    fn estimate(&self) -> (f64, f64) {
        let all = self.operations as f64 / self.looked.max(1) as f64;
        (self.busy as f64 * all, self.between as f64 * all)
    }
}

/// Where a worker's time went, but for what the kernel knows of its thread.
#[derive(Debug, Default)]
pub(super) struct Spent {
    pub waiting: [Waiting; STAGES],
    /// Of a task, ns.
    pub polled: u64,
    pub ready: u64,
}

impl Spent {
    /// What a note says of it.
    pub fn add(&mut self, note: Note, is_thread: bool) {
        match note {
            Note::Asleep(stage, nanos) => self.waiting[stage as usize].asleep += nanos,
            Note::Took(Stage::Ready, nanos) => self.ready += nanos,
            Note::Took(Stage::Poll, nanos) => self.polled += nanos,
            Note::Took(stage, nanos) if is_thread && waits_for(stage).is_some() => {
                self.waiting[stage as usize].passed(nanos);
            }
            Note::Took(..) => {}
        }
    }

    /// Asleep in each stage, ns. How long a thread was busy in a phase is known exactly, `busy`; which share of it belongs
    /// to each stage, and which to none, is as it was where that was looked at. (What a stage's operations take together
    /// would be a bad guess: a thread waits for a processor mostly briefly and sometimes for long.)
    pub fn asleep(&self, busy: u64) -> [f64; STAGES] {
        let all: f64 = self.waiting.iter().map(|one| one.estimate().0 + one.estimate().1).sum();
        let share = |one: &Waiting| if all > 0.0 { one.estimate().0 / all } else { 0.0 };
        self.waiting.map(|one| (one.wall as f64 - share(&one) * busy as f64).max(0.0) + one.asleep as f64)
    }
}
