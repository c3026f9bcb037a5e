//! Where a worker's time went, added up from its notes and from what was looked at closely.

use super::notes::Note;
use super::threads::Reading;
use crate::model::Stage;
use crate::wire::metrics::Ledger;

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
    /// By those that were looked at closely, each of which stands for itself and those since the one before: how many
    /// that is, how long the thread was busy (on a processor or waiting for one) in them, and how long between each of
    /// them and the operation that followed it.
    looked: u64,
    busy: u64,
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

    /// One that stands for so many was looked at, and the thread was busy in it for so many ns.
    pub fn looked_at(&mut self, stands_for: u64, busy: u64) {
        self.looked += stands_for;
        self.busy += stands_for * busy;
    }
}

/// Where a worker's time went, but for what the kernel knows of its thread.
#[derive(Debug, Default)]
pub(super) struct Spent {
    pub waiting: [Waiting; STAGES],
    /// Of a task, ns.
    pub polled: u64,
    ready: u64,
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
    fn asleep(&self, busy: u64, looked_at: &[Busy; STAGES]) -> [f64; STAGES] {
        let each = || self.waiting.iter().zip(looked_at);
        // Nobody is busy in an operation for longer than it took.
        let within = |one: &Waiting, each: &Busy| (one.operations as f64 * each.within).min(one.wall as f64);
        let all: f64 = each().map(|(one, each)| within(one, each) + one.operations as f64 * each.after).sum();
        let share = if all > 0.0 { busy as f64 / all } else { 0.0 };
        std::array::from_fn(|stage| {
            let one = &self.waiting[stage];
            let busy = within(one, &looked_at[stage]) * share;
            (one.wall as f64 - busy).max(0.0) + one.asleep as f64
        })
    }
}

/// How long a thread was busy in an operation of a stage, and from there to the next operation, ns.
#[derive(Debug, Clone, Copy)]
struct Busy {
    within: f64,
    after: f64,
}

/// The means of what was looked at: of all workers together, since they do the same, and a worker that does little was
/// looked at a few times only.
fn looked_at(all: &[Over]) -> [Busy; STAGES] {
    std::array::from_fn(|stage| {
        let sum = |of: fn(&Waiting) -> u64| all.iter().map(|over| of(&over.spent.waiting[stage])).sum::<u64>() as f64;
        let looked = sum(|one| one.looked).max(1.0);
        Busy { within: sum(|one| one.busy) / looked, after: sum(|one| one.between) / looked }
    })
}

/// A worker's phase that is over.
#[derive(Debug)]
pub(super) struct Over {
    /// The worker's number.
    pub worker: usize,
    /// From the phase's start to where the worker was through with it, ns.
    pub wall: u64,
    pub spent: Spent,
    /// What the worker's thread used, if it has one of its own.
    pub thread: Option<Reading>,
}

impl Over {
    fn ledger(&self, looked_at: &[Busy; STAGES]) -> Ledger {
        let seconds = |ns: u64| ns as f64 / 1e9;
        let each = self.spent.asleep(self.thread.map_or(0, Reading::busy), looked_at);
        let asleep = |kind: For| -> f64 {
            let stages = Stage::ALL.iter().zip(each).filter(|(stage, _)| waits_for(**stage) == Some(kind));
            stages.map(|(_, ns)| ns / 1e9).sum()
        };
        let ledger = Ledger {
            worker: self.worker,
            wall: seconds(self.wall),
            on_cpu: seconds(self.thread.map_or(self.spent.polled, |used| used.cpu)),
            run_queue: self.thread.and_then(|used| used.run_queue).map(seconds),
            ready: self.thread.is_none().then(|| seconds(self.spent.ready)),
            records: asleep(For::Records),
            database: asleep(For::Database),
            connecting: asleep(For::Connecting),
            unexplained: 0.0,
        };
        ledger.balance()
    }
}

/// The ledgers of a phase, by the workers' numbers.
pub(super) fn ledgers(all: &[Over]) -> Vec<Ledger> {
    let looked_at = looked_at(all);
    let mut ledgers: Vec<Ledger> = all.iter().map(|over| over.ledger(&looked_at)).collect();
    ledgers.sort_by_key(|ledger| ledger.worker);
    ledgers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker of 200 operations of 1 ms, busy for 10 ms: 6 in `execute`, 2 after it, 2 in `queue`.
    fn over(worker: usize, is_looked_at: bool) -> Over {
        let mut spent = Spent::default();
        for (stage, busy, between) in [(Stage::Execute, 60_000, 20_000), (Stage::Queue, 20_000, 0)] {
            let one = &mut spent.waiting[stage as usize];
            (0..100).for_each(|_| one.passed(1_000_000));
            if is_looked_at {
                one.looked_at(10, busy);
                one.between += 10 * between;
            }
        }
        let thread = Some(Reading { cpu: 9_000_000, run_queue: Some(1_000_000) });
        Over { worker, wall: 202_000_000, spent, thread }
    }

    #[test]
    fn what_was_looked_at_goes_for_a_worker_that_was_not() {
        let found = ledgers(&[over(1, false), over(0, true)]);
        assert_eq!([found[0].worker, found[1].worker], [0, 1]);
        for one in found {
            assert!((one.database - 0.094).abs() < 1e-9 && (one.records - 0.098).abs() < 1e-9, "{one:?}");
            assert!(one.unexplained.abs() < 1e-9, "{one:?}");
        }
    }

    #[test]
    fn a_look_weighs_as_much_as_what_it_stands_for() {
        let mut long = over(0, false);
        long.spent.waiting[Stage::Execute as usize].looked_at(1, 900_000);
        long.spent.waiting[Stage::Execute as usize].looked_at(99, 100_000);
        let busy = looked_at(&[long])[Stage::Execute as usize].within;
        assert!((busy - 108_000.0).abs() < 1e-6, "{busy}");
    }

    #[test]
    fn nobody_is_busy_in_an_operation_longer_than_it_took() {
        // Its waits were of 5 µs, of which the other worker says that it was busy for 20.
        let mut short = over(0, false);
        short.spent.waiting[Stage::Queue as usize].wall = 100 * 5_000;
        short.wall = 102_500_000;
        let one = ledgers(&[over(1, true), short])[0];
        // Not 1.5 ms more than it lasted.
        assert!(one.records < 1e-9 && one.unexplained.abs() < 0.5e-3, "{one:?}");
    }
}
