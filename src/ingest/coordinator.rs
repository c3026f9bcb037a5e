//! The coordinator: feeds the queue phase by phase, follows the workers, keeps the phases' accounts.

use super::barrier::Words;
use super::children;
use super::cpu;
use super::filling;
use super::lookup::Delivery;
use super::reader::Source;
use super::resume::Earlier;
use super::scheme;
use super::stats::{Live, PhaseLog, timeline};
use super::ticker::{TICK, Ticker};
use super::worker::{Context, Ended, Message};
use super::workload::Record;
use crate::db;
use crate::model::lookup::Delivered;
use crate::model::{Phase, Reader, Scheme, Workload};
use crate::telemetry::{Collector, Telemetry};
use crate::wire::metrics::Second;
use crate::wire::{Cpu, Event, Job, PhaseResult, Rates};
use anyhow::{Context as _, Result, anyhow};
use async_channel::Sender;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often Ctrl-C is looked for.
pub(super) const LOOK: Duration = Duration::from_millis(100);
/// How long a run that failed waits for its other workers to finish what they are at. Its rows are not claimed.
const PATIENCE: Duration = Duration::from_secs(3);
/// A part of a phase shorter than this gives no rate: it would be mostly noise.
const SHORTEST: f64 = 0.25;

/// The coordinator's state while workers run.
pub(super) struct Run<'a> {
    job: &'a Job,
    context: Arc<Context>,
    collector: &'a mut Collector,
    /// Lets the workers close their connections when dropped.
    hold: Option<Sender<()>>,
    /// When each phase began and when its last worker was through with it.
    pub(super) windows: Vec<(Instant, Instant)>,
    queues: Vec<Option<Sender<Record>>>,
    source: Arc<Mutex<Source>>,
    threads: Vec<JoinHandle<()>>,
    messages: mpsc::Receiver<Message>,
    /// Where the words come from on which phases begin, if they do.
    pub(super) words: Option<Words>,
    pub(super) interrupt: &'a Arc<AtomicBool>,
    pub(super) emit: &'a mut dyn FnMut(Event),
    /// The accounts of the workers that ended well.
    ended: Vec<Ended>,
    /// Worker processes that died, a sentence each: others did their work.
    lost: Vec<String>,
    /// How many workers have ended, well or not.
    reported: usize,
    /// The first error of a worker or of the reader.
    pub(super) failed: Option<anyhow::Error>,
    workers: usize,
}

impl<'a> Run<'a> {
    /// Starts the workers; they pass over what is there of an earlier run.
    pub(super) fn start(
        job: &'a Job,
        (source, earlier): (Source, Option<Earlier>),
        telemetry: &Telemetry,
        collector: &'a mut Collector,
        interrupt: &'a Arc<AtomicBool>,
        emit: &'a mut dyn FnMut(Event),
    ) -> Result<Self> {
        let (sender, messages) = mpsc::channel();
        let (hold, held) = async_channel::bounded(1);
        let workers = scheme::workers(job.scheme, job.pool);
        let (mut queues, mut phases) = (Vec::new(), Vec::new());
        for phase in &job.phases {
            let (put, take) = match job.reader {
                Reader::Preload => async_channel::unbounded(),
                Reader::Thread | Reader::Process => async_channel::bounded(places(job)),
            };
            queues.push(Some(put));
            phases.push((*phase, take));
        }
        let address = db::Address::of(&job.dburl, job.tls.as_deref(), "ingester")?;
        let context = Arc::new(Context {
            job: job.clone(),
            address: if job.retry { address.impatient() } else { address },
            phases,
            live: std::iter::repeat_with(Live::default).take(workers).collect(),
            started: Instant::now(),
            phase_began: Arc::new(AtomicU64::new(0)),
            messages: sender,
            delivery: Delivery::default(),
            stop: Arc::new(AtomicBool::new(false)),
            interrupt: Arc::clone(interrupt),
            mark: job.progress.then(|| job.mark.unwrap_or_else(drawn_mark)),
            earlier,
            telemetry: telemetry.clone(),
            hold: held,
            helpers: Mutex::default(),
        });
        let threads = scheme::start(&context).context("start the workers")?;
        let source = Arc::new(Mutex::new(source));
        Ok(Self {
            job,
            context,
            collector,
            hold: Some(hold),
            windows: Vec::new(),
            queues,
            source,
            threads,
            messages,
            words: job.barrier.then(|| Words::from(Box::new(std::io::BufReader::new(std::io::stdin())))),
            interrupt,
            emit,
            ended: Vec::new(),
            lost: Vec::new(),
            reported: 0,
            failed: None,
            workers,
        })
    }

    /// What its parts share.
    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// Waits until every connection is open.
    pub(super) fn connect(&mut self) -> Result<()> {
        let begun = Instant::now();
        let mut connected = 0;
        while connected + self.lost.len() < self.job.pool {
            if let Some(Message::Connected) = self.next(Instant::now() + TICK)? {
                connected += 1;
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
        }
        (self.emit)(Event::Connected { connections: connected, seconds: begun.elapsed().as_secs_f64() });
        Ok(())
    }

    /// The next message, or none at the deadline. Endings are booked here.
    pub(super) fn next(&mut self, deadline: Instant) -> Result<Option<Message>> {
        let wait = deadline.saturating_duration_since(Instant::now());
        let message = match self.messages.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) if self.threads.iter().all(JoinHandle::is_finished) => {
                // Their last words may have arrived between the timeout and this look.
                self.messages.try_recv().map_err(|_| anyhow!("the workers ended without a word: this is a bug"))?
            }
            Err(RecvTimeoutError::Timeout) => return Ok(None),
            Err(RecvTimeoutError::Disconnected) => return Err(anyhow!("the workers are gone: this is a bug")),
            Ok(message) => message,
        };
        match message {
            Message::Ended(ended) => {
                self.reported += 1;
                match ended {
                    Ok(ended) => self.ended.push(ended),
                    Err(error) => drop(self.failed.get_or_insert(error)),
                }
            }
            Message::Unreadable(error) => drop(self.failed.get_or_insert(error)),
            Message::ConnectionLost { worker, error } => (self.emit)(Event::ConnectionLost { worker, error }),
            Message::ConnectionBack { worker, seconds, attempts } => {
                (self.emit)(Event::ConnectionBack { worker, seconds, attempts });
            }
            Message::Lost { worker, error } => {
                self.lost.push(error.clone());
                (self.emit)(Event::WorkerLost { worker, error });
            }
            message => return Ok(Some(message)),
        }
        Ok(None)
    }

    pub(super) fn phases(&mut self) -> Result<Vec<PhaseResult>> {
        let phases = self.job.phases.clone();
        let mut results = Vec::new();
        for (index, phase) in phases.into_iter().enumerate() {
            if self.interrupt.load(Ordering::Relaxed) {
                break;
            }
            let Some(result) = self.phase(index, phase)? else { break };
            if !self.job.child {
                let average = result.rows as f64 / result.seconds.max(1e-3);
                let (records, rows) = (result.records, result.rows);
                (self.emit)(Event::Progress { phase, records, rows, current: average, average });
            }
            if !self.job.child && self.job.scheme != Scheme::Processes {
                tell_measured(&result, &mut *self.emit);
            }
            results.push(result);
        }
        Ok(results)
    }

    /// One phase; none where the run was to end before it began.
    fn phase(&mut self, index: usize, phase: Phase) -> Result<Option<PhaseResult>> {
        Live::reset(&self.context.live);
        let queue = self.queues[index].take().expect("each phase runs once");
        let preloaded = match self.job.reader {
            Reader::Preload => Some(self.preload(phase)?),
            Reader::Thread | Reader::Process => None,
        };
        let told = match self.job.barrier {
            true => Some(self.told_to_begin(phase)?),
            false => None,
        };
        if told == Some(None) {
            return Ok(None);
        }
        self.collector.phase_begins();
        let cpu_before = cpu::used_with(&self.context.helpers);
        let begun = told.flatten().unwrap_or_else(Instant::now);
        let since = begun.saturating_duration_since(self.context.started);
        self.context.phase_began.store(since.as_nanos() as u64, Ordering::Relaxed);
        (self.emit)(Event::Phase { phase });
        let reader = filling::start(&self.context, &self.source, phase, queue, preloaded)?;
        let watched = self.watch(phase, begun)?;
        let ended = Instant::now();
        if self.context.delivery.waiting() > 0 {
            return Err(anyhow!("keys were handed out whose rows never came: this is a bug"));
        }
        self.context.phases[index].1.close(); // a reader that is still putting records learns that nobody wants them
        reader.join().map_err(|_| anyhow!("the reader panicked"))?;
        let mut result = self.account(phase, begun, cpu_before, &watched);
        let port = self.context.address.port();
        result.metrics = self.collector.phase_ends(port).filter(|_| self.job.metrics).map(Box::new);
        if !self.job.child && self.job.scheme != Scheme::Processes && self.job.share.is_whole() {
            children::none(&mut result);
        }
        self.windows.push((begun, ended));
        Ok(Some(result))
    }

    /// Reads a phase to memory before its clock starts.
    fn preload(&self, phase: Phase) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        let raw = self.job.scheme == Scheme::Processes;
        let mut source = self.source.lock().map_err(|_| anyhow!("the reader panicked"))?;
        source.read(self.job, phase, raw, &mut |record| {
            if !self.context.earlier.as_ref().is_some_and(|earlier| earlier.skips(&record)) {
                records.push(record);
            }
            !self.interrupt.load(Ordering::Relaxed)
        })?;
        Ok(records)
    }

    /// Follows a phase until every worker is through with it, or one of them or the reader fails.
    fn watch(&mut self, phase: Phase, begun: Instant) -> Result<Watched> {
        let (mut logs, mut filled) = (Vec::new(), None);
        let end = match (phase, self.job.seconds) {
            (Phase::Data, Some(seconds)) => Some(begun + Duration::from_secs_f64(seconds)),
            _ => None,
        };
        let mut progress = Ticker::new(begun);
        while logs.len() < self.workers {
            let deadline = progress.next.min(Instant::now() + LOOK);
            let deadline = self.collector.next().map_or(deadline, |next| next.min(deadline));
            let deadline = end.filter(|_| !self.context.stopped()).map_or(deadline, |end| end.min(deadline));
            match self.next(deadline)? {
                Some(Message::PhaseDone(log)) => logs.push(log),
                Some(Message::Filled) => {
                    filled = Some((begun.elapsed().as_secs_f64(), Live::sum(&self.context.live).1));
                    (self.emit)(Event::QueueFilled { phase });
                }
                Some(Message::Done { phase, records, rows }) => (self.emit)(Event::Done { phase, records, rows }),
                Some(Message::Rows { first, rows, frame }) => {
                    (self.emit)(Event::Rows { first, rows, bytes: frame.len(), frame });
                }
                Some(_) | None => {} // booked by `next`, or said before the phase began
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            let over = end.is_some_and(|end| Instant::now() >= end);
            if (over || self.interrupt.load(Ordering::Relaxed)) && !self.context.stopped() {
                self.stop();
            }
            if let Some(second) = self.collector.second(|| Live::sum(&self.context.live)) {
                self.tell_second(phase, second);
            }
            if Instant::now() >= progress.next {
                let standing = progress.tick(phase, &self.context.live);
                if !self.job.child {
                    (self.emit)(standing);
                }
            }
        }
        Ok(Watched { logs, filled })
    }

    fn tell_second(&mut self, phase: Phase, second: Second) {
        // A child that waits for its parent has nothing to say; nobody may be listening at that moment.
        if self.job.metrics && (!self.job.child || !second.histograms.is_empty()) {
            (self.emit)(Event::Second { phase, second });
        }
    }

    /// No worker takes another record.
    fn stop(&self) {
        self.context.stop.store(true, Ordering::Relaxed);
        for (_, queue) in &self.context.phases {
            queue.close();
        }
    }

    fn account(&self, phase: Phase, begun: Instant, cpu_before: Cpu, watched: &Watched) -> PhaseResult {
        let logs = &watched.logs;
        let (records, rows) = Live::sum(&self.context.live);
        // A lookup's clock ends with the last delivery, which may come after its worker's last row.
        let last = logs.iter().map(|log| log.last_done).max().flatten().max(self.context.delivery.last());
        let last = last.unwrap_or(begun);
        let seconds = last.duration_since(begun).as_secs_f64();
        let timeline = timeline(logs, begun, watched.filled.map(|(at, _)| at));
        let rate = |rows: u64, seconds: f64| (seconds >= SHORTEST && rows > 0).then(|| rows as f64 / seconds);
        let (filling, after) = match watched.filled {
            Some((at, by_then)) => (rate(by_then, at.min(seconds)), rate(rows.saturating_sub(by_then), seconds - at)),
            None => (rate(rows, seconds), None),
        };
        PhaseResult {
            phase,
            records,
            rows,
            skipped: self.context.earlier.as_ref().map_or(0, Earlier::skipped),
            seconds,
            cpu: cpu::used_with(&self.context.helpers).since(cpu_before),
            rates: Rates { whole: rate(rows, seconds), while_filling: filling, after, steady: timeline.steady() },
            metrics: None,
            timeline: (!self.job.share.is_whole()).then_some(timeline),
        }
    }

    /// What was delivered, of a lookup; a child delivers nothing.
    pub(super) fn delivered(&self) -> Option<Delivered> {
        (self.job.workload == Workload::Lookup && !self.job.child).then(|| self.context.delivery.delivered())
    }

    /// Lets the workers end and collects their accounts, and what is to be said of those that died. After a failure it does not wait for long: a worker may
    /// hang on a connection that is dead, and its thread or process ends with this one.
    pub(super) fn end(mut self, failed: bool) -> Result<(Vec<Ended>, Vec<String>)> {
        if failed || self.interrupt.load(Ordering::Relaxed) {
            self.stop();
        }
        self.queues.clear();
        self.hold = None;
        let mut give_up = failed.then(|| Instant::now() + PATIENCE);
        while self.reported < self.workers && give_up.is_none_or(|at| Instant::now() < at) {
            self.next(Instant::now() + LOOK)?;
            if self.failed.is_some() {
                self.stop();
                give_up.get_or_insert(Instant::now() + PATIENCE);
            }
        }
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.reported == self.workers {
            for thread in self.threads {
                let _ = thread.join(); // a panic has been printed and reported
            }
        }
        Ok((self.ended, self.lost))
    }
}

/// The mark of the first connection of a run that draws its own number.
fn drawn_mark() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let number = now.as_nanos() as u64 ^ u64::from(std::process::id()) << 7;
    db::progress::first_mark((number ^ number >> 16 ^ number >> 32) as u16)
}

/// What the queue has room for: records, or chunks of them.
fn places(job: &Job) -> usize {
    match job.workload {
        Workload::Census => job.queue,
        Workload::Lookup => job.queue.div_ceil(job.chunk),
    }
}

/// What the coordinator saw of a phase.
struct Watched {
    logs: Vec<PhaseLog>,
    /// When the queue was filled, seconds into the phase, and the rows acknowledged by then.
    filled: Option<(f64, u64)>,
}

/// Tells what was measured in a phase, if anything was.
pub(super) fn tell_measured(result: &PhaseResult, emit: &mut dyn FnMut(Event)) {
    if let Some(metrics) = &result.metrics {
        emit(Event::Measured { phase: result.phase, metrics: metrics.clone() });
    }
}
