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

/// A thread's processor time and run-queue time are read around so many first operations of each stage …
const SAMPLES_FIRST: u32 = 8;
/// … and around each so-manieth later: 4 µs each time with everything in the caches, twice that without, so 0.04 µs an
/// operation. A prime, so that it does not keep step with the two SELECTs or the number of items of a line …
const SAMPLE_EVERY: u32 = 211;
/// … and around each that follows one with so much processor time, ns: there it costs 1 %.
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
    /// The last operation that was looked at was long.
    is_long: AtomicBool,
}

impl Begun {
    /// Counts a beginning, and says whether the operation is to be looked at.
    fn is_looked_at(&self) -> bool {
        let before = self.times.load(Relaxed); // the worker alone counts: no need for an atomic addition
        self.times.store(before.wrapping_add(1), Relaxed);
        before < SAMPLES_FIRST || before.is_multiple_of(SAMPLE_EVERY) || self.is_long.load(Relaxed)
    }

    fn forget(&self) {
        self.times.store(0, Relaxed);
        self.is_long.store(false, Relaxed);
    }
}

#[derive(Debug, Default)]
struct Account {
    /// Durations that were added up before anybody drained the worker.
    stages: ByStage,
    spent: Spent,
    /// The reading at the beginning of the operation under way, where it is looked at.
    look: Reading,
    /// The reading at the end of one that was, and its stage, until the next begins.
    after: Option<(Stage, Reading)>,
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
        let (looked_at, between) = (begun.is_looked_at(), self.between.load(Relaxed));
        if !looked_at && !between {
            return begun.at.store(clock.now(), Relaxed);
        }
        self.look_at_begin(meter, begun, clock, looked_at);
    }

    /// A look at the beginning of an operation. Apart, so that operations without one have less code to fetch; so is the
    /// look at the end.
    #[cold]
    #[inline(never)]
    fn look_at_begin(&self, meter: &Meter, begun: &Begun, clock: Clock, looked_at: bool) {
        let run_queue = meter.run_queue();
        begun.at.store(clock.now(), Relaxed);
        let here = Reading { cpu: meter.cpu(), run_queue };
        let mut account = self.account();
        if let Some((before, then)) = account.after.take() {
            account.spent.waiting[before as usize].between += here.since(then).busy();
        }
        account.look = here;
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

    #[cold]
    #[inline(never)]
    fn look_at_end(&self, meter: &Meter, stage: Stage, cpu: u64) {
        let here = Reading { cpu, run_queue: meter.run_queue() };
        let mut account = self.account();
        let used = here.since(account.look);
        let waiting = &mut account.spent.waiting[stage as usize];
        waiting.looked += 1;
        waiting.busy += used.busy();
        self.begun[stage as usize].is_long.store(used.cpu > LONG, Relaxed);
        account.after = Some((stage, here));
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
        (account.after, account.over) = (None, None);
    }

    /// The worker's own phase begins only now. Said by a child's worker thread when its first record has come.
    pub fn reopen(&self, clock: Clock) {
        self.open(clock.now());
        self.settle();
    }

    /// The worker found the phase's queue closed: where its time went is kept. `waited` says whether
    /// waiting for that counts.
    pub fn close(&self, worker: usize, clock: Clock, waited: bool) {
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
        self.add_up(into, &mut account.spent); // straight into what others took: the worker's own histograms are cold
        into.add(&account.stages);
        account.stages.clear();
    }

    /// The operations kept for the trace.
    pub fn slices(&self) -> Vec<Slice> {
        self.is_traced.store(false, Relaxed);
        std::mem::take(&mut self.account().slices)
    }
}
