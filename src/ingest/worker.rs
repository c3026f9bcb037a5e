//! A worker: takes records from the bounded queue, phase after phase, and ingests them over its connection.
//! The same function whatever runs it: a thread, a task, a process.

use super::census;
use super::lookup::{self, Delivery};
use super::resume::Earlier;
use super::retry::Trouble;
use super::session::Session;
use super::statement;
use super::stats::{Acks, Live, PhaseLog};
use super::workload::{self, Counters, IngestError, Manner, Record};
use crate::db::{self, Address, progress};
use crate::model::ranges::Listed;
use crate::model::{Phase, Stage, Workload};
use crate::telemetry::{Stages, Telemetry};
use crate::wire::{Acknowledged, Job, Retried, RunResult};
use anyhow::{Result, bail};
use async_channel::Receiver;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// What all workers of a run share.
pub struct Context {
    /// What was asked for.
    pub job: Job,
    /// Where and how to connect.
    pub address: Address,
    /// Each phase with the queue its records come from; a queue is empty until its phase begins.
    pub phases: Vec<(Phase, Receiver<Record>)>,
    /// Live counters, one a worker.
    pub live: Vec<Live>,
    /// When the workers started.
    pub started: Instant,
    /// When the phase under way began, nanoseconds after that: written while every worker waits for its first record.
    pub phase_began: Arc<AtomicU64>,
    /// To the coordinator.
    pub messages: mpsc::Sender<Message>,
    /// Where rows that were looked up are delivered.
    pub delivery: Delivery,
    /// Set when no further record may be taken.
    pub stop: Arc<AtomicBool>,
    /// Set when a person asked the run to end.
    pub interrupt: Arc<AtomicBool>,
    /// The mark of the run's first connection, where it writes progress.
    pub mark: Option<u32>,
    /// What an earlier run committed, where this one resumes it.
    pub earlier: Option<Earlier>,
    /// What measures the workers.
    pub telemetry: Telemetry,
    /// Closed when connections may be: until then the coordinator looks at them.
    pub hold: Receiver<()>,
    /// Processes that read records, or send rows in the workers' place, by their ids: while they run, too, their
    /// processor time is this program's.
    pub helpers: Mutex<Vec<u32>>,
}

/// What workers tell the coordinator.
pub enum Message {
    /// A connection is open and its statements are prepared.
    Connected,
    /// A worker finished records together (told by children of `processes` only).
    Done {
        /// The phase they belong to.
        phase: Phase,
        /// How many.
        records: u64,
        /// Their rows.
        rows: u64,
    },
    /// A worker of a child of `processes` read a chunk's rows.
    Rows {
        /// The number of the chunk's first request.
        first: u64,
        /// How many.
        rows: u64,
        /// The rows, as [`lookup::to_frame`] writes them.
        frame: Vec<u8>,
    },
    /// A worker's connection broke.
    ConnectionLost {
        /// The worker's number.
        worker: usize,
        /// One sentence.
        error: String,
    },
    /// A worker has a connection again.
    ConnectionBack {
        /// The worker's number.
        worker: usize,
        /// Seconds it was without.
        seconds: f64,
        /// How often it tried.
        attempts: u64,
    },
    /// A worker process died; others do its work.
    Lost {
        /// Its worker's number.
        worker: usize,
        /// One sentence.
        error: String,
    },
    /// The reader has put the phase's last record into the queue.
    Filled,
    /// The reader met something it cannot read; nothing follows.
    Unreadable(anyhow::Error),
    /// A worker found a phase's queue closed and empty.
    PhaseDone(PhaseLog),
    /// A worker ended.
    Ended(Result<Ended>),
}

/// A worker's account.
#[derive(Default)]
pub struct Ended {
    /// What the database confirmed to it.
    pub acknowledged: Acknowledged,
    /// The account of its child process, where it had one.
    pub child: Option<Child>,
    /// What broke on the way.
    pub retried: Retried,
    /// Records that its child processes acknowledged before they died: what they hold died with them.
    pub orphans: Listed,
}

/// A child process's account.
pub struct Child {
    /// Its worker's number.
    pub worker: usize,
    /// All that it told.
    pub result: Box<RunResult>,
    /// When it was handed its first record and when the last came back, a phase each.
    pub busy: Vec<Option<(Instant, Instant)>>,
}

impl Context {
    /// Takes the processor time of a process that is not waited for before the run ends for this program's.
    pub fn counts(&self, process: u32) {
        self.helpers.lock().unwrap_or_else(PoisonError::into_inner).push(process);
    }

    /// How rows are sent in this run.
    pub fn manner(&self) -> Manner {
        let Job { statement, in_flight, batch, chunk, protocol, commit, inject, progress, share, .. } = self.job;
        Manner { statement, in_flight, batch, chunk, protocol, commit, inject, progress, share }
    }

    /// The origin of the phase under way on the monotonic clock.
    pub fn origin(&self) -> Instant {
        self.started + Duration::from_nanos(self.phase_began.load(Ordering::Relaxed))
    }

    /// Tells the coordinator; one that is gone needs no telling.
    pub fn tell(&self, message: Message) {
        let _ = self.messages.send(message);
    }

    /// Tells the coordinator how a worker ended.
    pub fn ended(&self, result: Result<Acks>) {
        let ended = |acks: Acks| {
            let retried = acks.retried;
            Ended { acknowledged: acks.into_acknowledged(), child: None, retried, orphans: Listed::default() }
        };
        self.tell(Message::Ended(result.map(ended)));
    }

    /// The mark of a connection, by its number.
    pub fn mark(&self, connection: usize) -> Option<u32> {
        self.mark.map(|first| first + connection as u32)
    }

    /// Whether a person asked the run to end.
    pub fn interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }

    /// An error of connecting or preparing, as a sentence.
    pub fn explain(&self, error: &tokio_postgres::Error) -> anyhow::Error {
        db::explain(error, &self.job.dburl).into()
    }

    /// True once no further record may be taken.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A connection ready for work.
pub struct Bench {
    pub(super) session: Session,
    pub(super) prepared: Prepared,
    /// By what number the database knows it, where it writes progress.
    pub(super) mark: Option<u32>,
}

/// The statements of the run's workload.
pub enum Prepared {
    /// Of an ingest.
    Census(census::Prepared),
    /// Of a lookup.
    Lookup(lookup::Prepared),
}

impl Prepared {
    /// On a connection.
    pub(super) async fn on(session: &mut Session, context: &Context) -> Result<Self, tokio_postgres::Error> {
        Ok(match context.job.workload {
            Workload::Census => Self::Census(census::Prepared::on(session, context.manner()).await?),
            Workload::Lookup => Self::Lookup(lookup::Prepared::on(session, context.manner()).await?),
        })
    }
}

/// Opens a connection, the run's so-manieth, prepares the workload's statements on it, and says so.
pub async fn ready(
    context: &Context,
    stages: &Stages,
    connection: usize,
    open: impl Future<Output = Result<Session, tokio_postgres::Error>>,
) -> Result<Bench> {
    let mark = context.mark(connection);
    let opened = async {
        let mut session = open.await?;
        if let Some(mark) = mark {
            session.simple(&progress::wait_for(mark)).await?; // nobody has it: it is this connection's
        }
        let prepared = Prepared::on(&mut session, context).await?;
        Ok((session, prepared))
    };
    let opened = stages.time(Stage::Connect, opened).await;
    let (session, prepared) = opened.map_err(|error| context.explain(&error))?;
    stages.settled();
    context.tell(Message::Connected);
    Ok(Bench { session, prepared, mark })
}

/// Works through all phases with the given connections in turn (one, except for `serial`).
pub async fn work(context: &Context, worker: usize, stages: &Stages, benches: &mut [Bench]) -> Result<Acks> {
    let mut acks = Acks::default();
    let mut turn = 0;
    for (phase, queue) in &context.phases {
        let mut log = PhaseLog::default();
        while let Some(batch) = take(context, *phase, queue, stages, log.first_taken.is_none()).await {
            log.first_taken.get_or_insert_with(Instant::now);
            let (live, origin) = (&context.live[worker], context.origin());
            let mut counters = Counters { live, log: &mut log, acks: &mut acks, origin, stages, through: 0 };
            process(context, (worker, *phase), &mut benches[turn], batch, &mut counters).await?;
            turn = (turn + 1) % benches.len();
        }
        stages.phase_ends(context.job.child);
        context.tell(Message::PhaseDone(log));
    }
    let _ = context.hold.recv().await; // nothing is ever sent: it ends when the coordinator lets go
    Ok(acks)
}

/// Does what `at`, a worker in a phase, has at hand; again, as far as it is not there, where its connection breaks.
async fn process(
    context: &Context,
    at: (usize, Phase),
    bench: &mut Bench,
    mut batch: Vec<Record>,
    counters: &mut Counters<'_>,
) -> Result<()> {
    if context.job.workload == Workload::Lookup {
        return look_up(context, at.0, bench, &batch, counters).await;
    }
    let mut trouble = None;
    loop {
        let done = attempt(context, at.1, bench, &batch, counters).await;
        let through = std::mem::take(&mut counters.through);
        tell_done(context, at.1, through as u64, batch[..through].iter().map(Record::rows).sum());
        let (which, error) = match done {
            Ok(()) => return Ok(()),
            Err(failed) => failed,
        };
        let mut error = match error {
            IngestError::Database(error) if context.job.retry && db::is_curable(&error) => error,
            error => return Err(workload::explain(error, &batch[which], &context.job.dburl)),
        };
        batch.drain(..through);
        let trouble = trouble.get_or_insert_with(|| Trouble::new(at.0));
        let told = loop {
            let again = bench.reopen(context, at.0, counters.stages, trouble, &error).await?;
            counters.acks.retried.merge(&again);
            match bench.find(&mut batch, counters).await {
                Ok(told) => break told,
                Err(broken) if db::is_curable(&broken) => error = broken,
                Err(broken) => return Err(context.explain(&broken)),
            }
        };
        counters.through = 0;
        tell_done(context, at.1, told.records, told.rows);
        counters.acks.retried.found += told.records;
        counters.acks.retried.redone += batch.len() as u64;
        if batch.is_empty() {
            return Ok(());
        }
    }
}

async fn attempt(
    context: &Context,
    phase: Phase,
    bench: &mut Bench,
    batch: &[Record],
    counters: &mut Counters<'_>,
) -> Result<(), workload::Failed> {
    let Bench { session, prepared: Prepared::Census(prepared), .. } = bench else {
        unreachable!("an ingest prepares an ingest's statements");
    };
    match phase {
        Phase::Geo => statement::geo(session, prepared, context.manner(), batch, counters).await,
        Phase::Data => {
            statement::lines(session, prepared, context.manner(), batch, counters, &|| context.stopped()).await
        }
    }
}

/// A child tells its parent what is acknowledged.
fn tell_done(context: &Context, phase: Phase, records: u64, rows: u64) {
    if context.job.child && records > 0 {
        context.tell(Message::Done { phase, records, rows });
    }
}

/// Reads the rows of chunks and delivers them; a child's rows are its parent's to deliver. Where the connection breaks,
/// the rest is read over another.
async fn look_up(
    context: &Context,
    worker: usize,
    bench: &mut Bench,
    batch: &[Record],
    counters: &mut Counters<'_>,
) -> Result<()> {
    for record in batch {
        let Record::Keys(keys) = record else { bail!("something that is no chunk of keys reached a worker") };
        let mut nodes = Vec::with_capacity(keys.count as usize);
        let mut trouble = None;
        loop {
            let Bench { session, prepared: Prepared::Lookup(prepared), .. } = &mut *bench else {
                bail!("a lookup works with an ingest's statements: this is a bug");
            };
            match lookup::read(session, prepared, context.manner(), *keys, counters, &mut nodes).await {
                Ok(()) => break,
                Err(IngestError::Database(error)) if context.job.retry && db::is_curable(&error) => {
                    let trouble = trouble.get_or_insert_with(|| Trouble::new(worker));
                    let again = bench.reopen(context, worker, counters.stages, trouble, &error).await?;
                    counters.acks.retried.merge(&again);
                    counters.acks.retried.redone += keys.count - nodes.len() as u64;
                }
                Err(error) => return Err(workload::explain(error, std::slice::from_ref(record), &context.job.dburl)),
            }
        }
        if context.job.child {
            let frame = lookup::to_frame(&nodes);
            context.tell(Message::Rows { first: keys.first, rows: keys.count, frame });
        } else {
            context.delivery.take(keys.first, nodes);
        }
    }
    Ok(())
}

/// The next record, or none when the phase is over; with it what is there without waiting, where several go to the
/// database together.
async fn take(
    context: &Context,
    phase: Phase,
    queue: &Receiver<Record>,
    stages: &Stages,
    first: bool,
) -> Option<Vec<Record>> {
    if context.stopped() {
        return None;
    }
    stages.begin(Stage::Queue);
    let mut batch = vec![queue.recv().await.ok()?]; // the end of the phase ends the wait for it
    if first && context.job.child {
        stages.phase_begins();
    }
    stages.end(Stage::Queue);
    let most = statement::together(context.manner(), phase);
    while batch.len() < most
        && !context.stopped()
        && let Ok(record) = queue.try_recv()
    {
        batch.push(record);
    }
    Some(batch)
}
