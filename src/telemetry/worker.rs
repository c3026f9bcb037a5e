//! One worker's account: what its stages took, and where its wall-clock time went.
//!
//! ```text
//! thread   ├─ queue ─┤├─ select ─┤├─ execute ─┤├─ execute ─┤     begin and end of each; of some, what of it was spent
//!                                                              on a processor and waiting for one
//! task     poll│ asleep │ready│poll│ asleep │ready│poll        asleep counts for the stage it happens in
//! ```
//! Whoever begins and ends stages is the worker. It notes what they took. The lock of its account is the coordinator's once a
//! second; the worker takes it around operations that are looked at closely, and where its notes are full.

use super::Clock;
use super::durations::ByStage;
use super::notes::{Note, Notes};
use super::spent::{Over, STAGES, Spent, waits_for};
use super::threads::{Meter, Reading};
use super::trace::Slice;
use crate::model::Stage;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// No stage is under way.
const NONE: u8 = u8::MAX;

/// A thread's processor time and run-queue time are read around the first operations of each stage, then around ever fewer,
/// down to each so-manieth: 4 µs each time with everything in the caches, twice that without, so 0.04 µs an operation. A
/// prime, so that it does not keep step with the two SELECTs or the number of items of a line.
const LOOK_EVERY: u32 = 211;
/// Where an operation took so much processor time, ns, the next is looked at, too: there it costs 1 %.
const LONG: u64 = 500_000;

/// What a worker runs on.
#[derive(Debug)]
pub(super) enum RunsOn {
    /// A thread of its own.
    Thread(Meter),
    /// A task of a runtime.
    Task,
}

/// A worker as it is being measured. What each operation touches lies together: between two operations of a worker others
/// had the processor, so each cache line costs a row as much as reading the clock does.
#[derive(Debug)]
#[repr(C, align(128))] // in this order, and alone on its cache lines, like the live counters
pub(super) struct Worker {
    /// Nothing before this moment counts.
    from: AtomicU64,
    /// The stage that is waited in, if any.
    waiting: AtomicU8,
    /// Whether the operation under way is looked at.
    is_looked_at: AtomicBool,
    /// Whether the time since the last operation is looked at.
    between: AtomicBool,
    /// Whether there is room for operations to be kept for the trace.
    is_traced: AtomicBool,
    runs_on: OnceLock<RunsOn>,
    /// When the last poll of a task ended.
    poll_ended: AtomicU64,
    notes: Notes,
    /// What is begun; behind the first cache line, on which the rest of an operation lies.
    begun: [Begun; STAGES],
    account: Mutex<Account>,
}

/// A stage of a worker's: when it last began, and how often it did.
#[derive(Debug, Default)]
struct Begun {
    at: AtomicU64,
    times: AtomicU32,
    /// How often it will have begun before the one that is looked at next.
    next: AtomicU32,
}

impl Begun {
    /// Counts a beginning, and says whether the operation is to be looked at.
    fn is_looked_at(&self) -> bool {
        let before = self.times.load(Relaxed); // the worker alone counts: no need for an atomic addition
        self.times.store(before.wrapping_add(1), Relaxed);
        before >= self.next.load(Relaxed)
    }

    /// One was looked at that took so much processor time, ns. How often the stage has begun.
    fn was_looked_at(&self, cpu: u64) -> u32 {
        let times = self.times.load(Relaxed);
        let left_out = if cpu > LONG { 0 } else { (times / 2).min(LOOK_EVERY - 1) };
        self.next.store(times.wrapping_add(left_out), Relaxed);
        times
    }

    fn forget(&self) {
        self.times.store(0, Relaxed);
        self.next.store(0, Relaxed);
    }
}

#[derive(Debug, Default)]
struct Account {
    /// Durations that were added up before anybody drained the worker.
    stages: ByStage,
    spent: Spent,
    /// The reading at the beginning of the operation under way, where it is looked at.
    look: Reading,
    /// How often each stage had begun when it was looked at last.
    seen: [u32; STAGES],
    /// The reading at the end of one that was, its stage and how many it stands for, until the next begins.
    after: Option<(Stage, Reading, u64)>,
    /// What the thread had used when the phase began.
    base: Reading,
    over: Option<Over>,
    slices: Vec<Slice>,
}

impl Worker {
    /// `slices` is how many operations are kept for the trace.
    pub fn new(slices: usize) -> Self {
        Self {
            from: AtomicU64::new(0),
            waiting: AtomicU8::new(NONE),
            is_looked_at: AtomicBool::new(false),
            between: AtomicBool::new(false),
            is_traced: AtomicBool::new(slices > 0),
            runs_on: OnceLock::new(),
            poll_ended: AtomicU64::new(0),
            notes: Notes::default(),
            begun: Default::default(),
            account: Mutex::new(Account { slices: Vec::with_capacity(slices), ..Account::default() }),
        }
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what the worker runs on; a thread says so itself.
    pub fn runs_on(&self, what: RunsOn) {
        let _ = self.runs_on.set(what); // the first word holds
        self.settle();
    }

    fn meter(&self) -> Option<&Meter> {
        match self.runs_on.get() {
            Some(RunsOn::Thread(meter)) => Some(meter),
            Some(RunsOn::Task) | None => None,
        }
    }

    /// Of a thread: what it used up to here belongs to no phase.
    pub fn settle(&self) {
        if let Some(meter) = self.meter() {
            self.account().base = meter.read();
        }
    }

    /// A stage begins.
    pub fn begin(&self, stage: Stage, clock: Clock) {
        let begun = &self.begun[stage as usize];
        if waits_for(stage).is_none() {
            return begun.at.store(clock.now(), Relaxed);
        }
        self.waiting.store(stage as u8, Relaxed);
        let Some(meter) = self.meter() else { return begun.at.store(clock.now(), Relaxed) };
        let looked_at = begun.is_looked_at();
        // A look is left over where a connection broke in the middle of one.
        if !looked_at && !self.between.load(Relaxed) && !self.is_looked_at.load(Relaxed) {
            return begun.at.store(clock.now(), Relaxed);
        }
        self.look_at_begin(meter, begun, clock, looked_at);
    }

    /// A look at the beginning of an operation. Apart, so that operations without one have less code to fetch; so is the
    /// look at the end.
    #[cold]
    #[inline(never)]
    fn look_at_begin(&self, meter: &Meter, begun: &Begun, clock: Clock, looked_at: bool) {
        let before = meter.read();
        begun.at.store(clock.now(), Relaxed);
        let mut account = self.account();
        if let Some((stage, then, stands_for)) = account.after.take() {
            account.spent.waiting[stage as usize].between += stands_for * before.since(then).busy();
        }
        account.look = Reading { cpu: meter.cpu(), ..before };
        self.is_looked_at.store(looked_at, Relaxed);
        self.between.store(false, Relaxed);
    }

    /// A stage ends.
    pub fn end(&self, stage: Stage, clock: Clock) {
        match stage {
            Stage::Ready => self.awake(clock.now()),
            Stage::Poll => self.poll_ended(clock.now()),
            _ => self.operation_ended(stage, clock, true),
        }
    }

    fn operation_ended(&self, stage: Stage, clock: Clock, counts: bool) {
        let waits = waits_for(stage).is_some();
        let is_looked_at = waits && self.is_looked_at.load(Relaxed);
        let cpu = self.meter().filter(|_| is_looked_at).map(Meter::cpu);
        let now = clock.now();
        let from = self.from.load(Relaxed);
        let begun = self.begun(stage);
        let took = now.saturating_sub(begun.max(from));
        if counts {
            self.note(Note::Took(stage, took));
            self.keep(stage, begun, now);
        } else if self.meter().is_some() {
            self.account().spent.waiting[stage as usize].passed(took);
        }
        if waits {
            self.waiting.store(NONE, Relaxed);
        }
        let (Some(meter), Some(cpu)) = (self.meter(), cpu) else { return };
        self.is_looked_at.store(false, Relaxed);
        if begun >= from {
            self.look_at_end(meter, stage, cpu);
        }
    }

    /// A look at the end of an operation.
    #[cold]
    #[inline(never)]
    fn look_at_end(&self, meter: &Meter, stage: Stage, cpu: u64) {
        let here = Reading { cpu, run_queue: meter.run_queue() };
        let mut account = self.account();
        let used = here.since(account.look);
        let times = self.begun[stage as usize].was_looked_at(used.cpu);
        let before = std::mem::replace(&mut account.seen[stage as usize], times);
        let stands_for = u64::from(times.saturating_sub(before).max(1)); // `open` may come between the two
        account.spent.waiting[stage as usize].looked_at(stands_for, used.busy());
        // What looking takes is no part of what lies between.
        account.after = Some((stage, Reading { cpu: meter.cpu(), ..here }, stands_for));
        self.between.store(true, Relaxed);
    }

    /// When a stage last began.
    fn begun(&self, stage: Stage) -> u64 {
        self.begun[stage as usize].at.load(Relaxed)
    }

    /// A task that was woken is polled: what lies behind it is sleep up to the wake, then delay.
    fn awake(&self, now: u64) {
        let asleep_from = self.poll_ended.load(Relaxed).max(self.from.load(Relaxed));
        let woken = self.begun(Stage::Ready).clamp(asleep_from, now.max(asleep_from));
        self.note(Note::Took(Stage::Ready, now.saturating_sub(woken)));
        if let Some(stage) = Stage::ALL.get(usize::from(self.waiting.load(Relaxed))) {
            self.note(Note::Asleep(*stage, woken - asleep_from));
        }
        self.keep(Stage::Ready, woken, now);
        self.begun[Stage::Poll as usize].at.store(now, Relaxed);
    }

    fn poll_ended(&self, now: u64) {
        let begun = self.begun(Stage::Poll);
        self.note(Note::Took(Stage::Poll, now.saturating_sub(begun.max(self.from.load(Relaxed)))));
        self.poll_ended.store(now, Relaxed);
        self.keep(Stage::Poll, begun, now);
    }

    /// Notes what happened; where there is no room, adds up what was noted before.
    fn note(&self, note: Note) {
        while !self.notes.write(note) {
            let Account { stages, spent, .. } = &mut *self.account();
            self.add_up(stages, spent);
        }
    }

    /// Adds up what was noted. Said by who has the account's lock.
    fn add_up(&self, stages: &mut ByStage, spent: &mut Spent) {
        let is_thread = self.meter().is_some();
        self.notes.read(|note| {
            if let Note::Took(stage, nanos) = note {
                stages.of(stage).record(nanos);
            }
            spent.add(note, is_thread);
        });
    }

    /// Keeps an operation for the trace while there is room.
    fn keep(&self, stage: Stage, begun: u64, ended: u64) {
        if self.is_traced.load(Relaxed) {
            let slices = &mut self.account().slices;
            slices.push(Slice { stage, begun, ended });
            self.is_traced.store(slices.len() < slices.capacity(), Relaxed);
        }
    }

    /// A phase begins: everything before is forgotten. Said by the coordinator while the worker waits for records.
    pub fn open(&self, now: u64) {
        self.from.store(now, Relaxed);
        self.begun.iter().for_each(Begun::forget);
        self.is_looked_at.store(false, Relaxed);
        let mut account = self.account();
        self.notes.read(drop);
        account.stages.clear();
        account.spent = Spent::default();
        (account.after, account.over, account.seen) = (None, None, [0; STAGES]);
    }

    /// The worker's own phase begins only now. Said by a child's worker thread when its first record has come.
    pub fn reopen(&self, clock: Clock) {
        self.open(clock.now());
        self.settle();
    }

    /// The worker found the phase's queue closed: where its time went is kept. `waited` says whether waiting
    /// for that counts.
    pub fn close(&self, worker: usize, clock: Clock, waited: bool) {
        if self.account().over.is_some() {
            return; // a stop ends the phases that follow at once
        }
        let waiting_for_records = self.waiting.load(Relaxed) == Stage::Queue as u8;
        let mut end = clock.now();
        if waiting_for_records && waited {
            self.operation_ended(Stage::Queue, clock, false);
        } else if waiting_for_records {
            self.waiting.store(NONE, Relaxed);
            end = self.begun(Stage::Queue);
        }
        let now = clock.now();
        let from = self.from.load(Relaxed);
        let used = self.meter().map(Meter::read);
        let mut account = self.account();
        // A task is inside a poll here; what follows of it belongs to the next phase.
        if used.is_none() {
            account.spent.polled +=
                now.saturating_sub(self.begun[Stage::Poll as usize].at.swap(now, Relaxed).max(from));
        }
        let Account { stages, spent, .. } = &mut *account;
        self.add_up(stages, spent);
        let spent = std::mem::take(spent);
        let thread = used.map(|used| used.since(account.base));
        account.over = Some(Over { worker, wall: end.max(from) - from, spent, thread });
        account.base = used.unwrap_or_default();
    }

    /// The phase that is over.
    pub fn over(&self) -> Option<Over> {
        self.account().over.take()
    }

    /// Moves what was measured since the last time. It holds the worker up for some µs, if at all.
    pub fn drain(&self, into: &mut ByStage) {
        let mut account = self.account();
        self.add_up(into, &mut account.spent); // what is left, straight into what others took
        into.add(&account.stages);
        account.stages.clear();
    }

    /// The operations kept for the trace.
    pub fn slices(&self) -> Vec<Slice> {
        self.is_traced.store(false, Relaxed);
        std::mem::take(&mut self.account().slices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ever_fewer_operations_are_looked_at_but_where_they_are_long() {
        let begun = Begun::default();
        let looked_at = |cpu: u64, operations: u32| -> Vec<u32> {
            let all = (0..operations).map(|_| (begun.times.load(Relaxed), begun.is_looked_at()));
            let all = all.filter(|(_, is)| *is).map(|(at, _)| {
                begun.was_looked_at(cpu);
                at
            });
            all.collect()
        };
        assert_eq!(looked_at(LONG, 700), [0, 1, 3, 6, 10, 16, 25, 39, 60, 91, 138, 208, 313, 471, 682]);
        assert_eq!(looked_at(LONG + 1, 500), (893..1_200).collect::<Vec<_>>());
        begun.forget();
        assert_eq!(looked_at(0, 3), [0, 1]);
    }
}
