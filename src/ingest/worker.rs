//! A worker: takes records from the bounded queue, phase after phase, and ingests them over its connection.
//! The same function whatever runs it: a thread, a task, a process.

use super::census;
use super::lookup::{self, Delivery};
use super::session::Session;
use super::statement;
use super::stats::{Acks, Live, PhaseLog};
use super::workload::{self, Counters, Manner, Record};
use crate::db::{self, Address};
use crate::model::{Phase, Stage, Workload};
use crate::telemetry::{Stages, Telemetry};
use crate::wire::{Acknowledged, Job, RunResult};
use anyhow::{Result, bail};
use async_channel::Receiver;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;

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
    /// The run's origin on the monotonic clock.
    pub origin: Instant,
    /// To the coordinator.
    pub messages: mpsc::Sender<Message>,
    /// Where rows that were looked up are delivered.
    pub delivery: Delivery,
    /// Set when no further record may be taken.
    pub stop: Arc<AtomicBool>,
    /// What measures the workers.
    pub telemetry: Telemetry,
    /// Closed when connections may be: until then the coordinator looks at them.
    pub hold: Receiver<()>,
    /// Programs that send rows in the workers' place, by their process ids: while they run, too, their processor time is
    /// this program's.
    pub tools: Mutex<Vec<u32>>,
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
    /// A worker process died; the others do its work.
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
pub struct Ended {
    /// What the database confirmed to it.
    pub acknowledged: Acknowledged,
    /// The account of its child process, where it had one.
    pub child: Option<Child>,
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
    /// How rows are sent in this run.
    pub fn manner(&self) -> Manner {
        let Job { statement, in_flight, batch, chunk, protocol, commit, inject, .. } = self.job;
        Manner { statement, in_flight, batch, chunk, protocol, commit, inject }
    }

    /// Tells the coordinator; one that is gone needs no telling.
    pub fn tell(&self, message: Message) {
        let _ = self.messages.send(message);
    }

    /// Tells the coordinator how a worker ended.
    pub fn ended(&self, result: Result<Acks>) {
        let ended = |acks: Acks| Ended { acknowledged: acks.into_acknowledged(), child: None };
        self.tell(Message::Ended(result.map(ended)));
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
    session: Session,
    prepared: Prepared,
}

/// The statements of the run's workload.
enum Prepared {
    Census(census::Prepared),
    Lookup(lookup::Prepared),
}

/// Opens a connection, prepares the workload's statements on it, and says so.
pub async fn ready(
    context: &Context,
    stages: &Stages,
    open: impl Future<Output = Result<Session, tokio_postgres::Error>>,
) -> Result<Bench> {
    let opened = async {
        let mut session = open.await?;
        let prepared = match context.job.workload {
            Workload::Census => Prepared::Census(census::Prepared::on(&mut session, context.manner()).await?),
            Workload::Lookup => Prepared::Lookup(lookup::Prepared::on(&mut session, context.manner()).await?),
        };
        Ok((session, prepared))
    };
    let opened = stages.time(Stage::Connect, opened).await;
    let (session, prepared) = opened.map_err(|error| context.explain(&error))?;
    stages.settled();
    context.tell(Message::Connected);
    Ok(Bench { session, prepared })
}

/// Works through all phases with the given connections in turn (one, except for `serial`).
pub async fn work(context: &Context, worker: usize, stages: &Stages, benches: &mut [Bench]) -> Result<Acks> {
    let mut acks = Acks::default();
    let mut turn = 0;
    for (phase, queue) in &context.phases {
        let mut log = PhaseLog::default();
        while let Some(batch) = take(context, *phase, queue, stages, log.first_taken.is_none()).await {
            log.first_taken.get_or_insert_with(Instant::now);
            let (live, origin) = (&context.live[worker], context.origin);
            let mut counters = Counters { live, log: &mut log, acks: &mut acks, origin, stages };
            process(context, *phase, &mut benches[turn], &batch, &mut counters).await?;
            turn = (turn + 1) % benches.len();
        }
        stages.phase_ends(context.job.child);
        context.tell(Message::PhaseDone(log));
    }
    let _ = context.hold.recv().await; // nothing is ever sent: it ends when the coordinator lets go
    Ok(acks)
}

async fn process(
    context: &Context,
    phase: Phase,
    bench: &mut Bench,
    batch: &[Record],
    counters: &mut Counters<'_>,
) -> Result<()> {
    let Bench { session, prepared } = bench;
    let prepared = match prepared {
        Prepared::Census(prepared) => prepared,
        Prepared::Lookup(prepared) => return look_up(context, session, prepared, batch, counters).await,
    };
    let ingested = match phase {
        Phase::Geo => statement::geo(session, prepared, context.manner(), batch, counters).await,
        Phase::Data => {
            statement::lines(session, prepared, context.manner(), batch, counters, &|| context.stopped()).await
        }
    };
    let done = ingested.map_err(|(which, error)| workload::explain(error, &batch[which], &context.job.dburl))?;
    if context.job.child {
        let rows = batch[..done].iter().map(Record::rows).sum();
        context.tell(Message::Done { phase, records: done as u64, rows });
    }
    Ok(())
}

/// Reads the rows of chunks and delivers them; a child's rows are its parent's to deliver.
async fn look_up(
    context: &Context,
    session: &mut Session,
    prepared: &lookup::Prepared,
    batch: &[Record],
    counters: &mut Counters<'_>,
) -> Result<()> {
    for record in batch {
        let Record::Keys(keys) = record else { bail!("something that is no chunk of keys reached a worker") };
        let read = lookup::read(session, prepared, context.manner(), *keys, counters).await;
        let nodes = read.map_err(|error| workload::explain(error, std::slice::from_ref(record), &context.job.dburl))?;
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
