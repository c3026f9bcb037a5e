//! One run from the job to its result: check, connect, feed the queue phase by phase, count, verify.
//!
//! ```text
//! reader thread ─► bounded queue ─► workers (scheme) ─► PostgreSQL
//!        └── messages ──► coordinator (here) ◄── messages ──┘
//! ```

use super::census::Record;
use super::reader::{self, FeedReader, Source};
use super::stats::{Live, PhaseLog, merge_acknowledged, steady};
use super::worker::{Context, Ended, Message};
use super::{cpu, scheme};
use crate::db;
use crate::model::{Phase, Reader, Scheme};
use crate::wire::exit::{Exit, Failure};
use crate::wire::{Cpu, DbUrl, Event, Interrupt, Job, PhaseResult, Rates, RunResult, SCHEMA, Verification};
use anyhow::{Context as _, Result, anyhow};
use async_channel::Sender;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The program's name and version, as events and results carry it.
pub const PROGRAM: &str = concat!("ingester ", env!("CARGO_PKG_VERSION"));

/// How often progress is told.
const TICK: Duration = Duration::from_secs(2);
/// How often Ctrl-C is looked for.
const LOOK: Duration = Duration::from_millis(100);
/// How long a run that failed waits for its other workers to finish what they are at. Its rows are not claimed.
const PATIENCE: Duration = Duration::from_secs(3);
/// A part of a phase shorter than this gives no rate: it would be mostly noise.
const SHORTEST: f64 = 0.25;

/// Runs a job. `interrupt` is set from outside (Ctrl-C) to end it in order. Events up to, not including, the last
/// one go to `emit`.
pub fn run(job: &Job, verify: bool, interrupt: &Arc<AtomicBool>, emit: &mut dyn FnMut(Event)) -> Result<RunResult> {
    job.check().map_err(|message| Failure::new(Exit::Usage, message))?;
    cpu::raise_open_files();
    emit(Event::Started { program: PROGRAM.into() });
    let cpu_before = cpu::used();
    let began = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let (source, reader_process) = source(job)?;
    if !job.child {
        on_control(preflight(job))?;
    }
    let mut run = Run::start(job, source, interrupt, emit)?;
    let outcome = run.connect().and_then(|()| run.phases());
    let ended = run.end(outcome.is_err());
    if let Some(mut child) = reader_process {
        let _ = child.kill(); // it may still be writing when the run was limited; its end was read if it mattered
        let _ = child.wait();
    }
    let (mut phases, ended) = (outcome?, ended?); // the first error says more than what followed from it
    for one in &ended {
        for (phase, child) in phases.iter_mut().zip(&one.child_cpu) {
            phase.cpu = phase.cpu.plus(*child);
        }
    }
    let child_memory = ended.iter().map(|one| one.child_memory).max().unwrap_or(0);
    let acknowledged = merge_acknowledged(ended.into_iter().map(|one| one.acknowledged));
    let interrupted = interrupt.load(Ordering::Relaxed).then_some(Interrupt::Signal);
    let mut result = RunResult {
        schema: SCHEMA,
        program: PROGRAM.into(),
        job: Job { dburl: DbUrl(job.dburl.to_string()), ..job.clone() },
        began,
        phases,
        acknowledged,
        verification: None,
        cpu: cpu::used().since(cpu_before),
        peak_memory: cpu::peak_memory() + child_memory,
        interrupted,
    };
    if verify && !job.child {
        result.verification = Some(on_control(check(job, &result))?);
    }
    Ok(result)
}

/// Runs the lab's own statements, before and after what is measured.
fn on_control<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

async fn preflight(job: &Job) -> Result<()> {
    let client = db::connect(&job.dburl).await?;
    db::require_empty(&client, job.phases.contains(&Phase::Geo)).await?;
    db::require_connections(&client, job.pool).await
}

async fn check(job: &Job, result: &RunResult) -> Result<Verification> {
    let client = db::connect(&job.dburl).await?;
    db::verify(&client, &result.acknowledged, job.phases.contains(&Phase::Geo)).await
}

/// Where this job's records come from, and the reader process if there is one.
fn source(job: &Job) -> Result<(Source, Option<Child>)> {
    if job.child {
        return Ok((Source::Feed(FeedReader::new(Box::new(std::io::BufReader::new(std::io::stdin())))), None));
    }
    let files = reader::open(job)?;
    if job.reader != Reader::Process {
        return Ok((Source::Files(files), None));
    }
    let program = std::env::current_exe().context("find this program's own file")?;
    let mut child = Command::new(program)
        .args(["feed", "--job", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0) // a terminal's Ctrl-C is for the parent, which closes the pipe
        .spawn()
        .context("start the reader process")?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (Some(stdin), Some(stdout)) = (stdin, stdout) else { return Err(anyhow!("the reader process has no pipes")) };
    serde_json::to_writer(stdin, job).context("tell the reader process its job")?;
    Ok((Source::Feed(FeedReader::new(Box::new(std::io::BufReader::new(stdout)))), Some(child)))
}

/// The coordinator's state while workers run.
struct Run<'a> {
    job: &'a Job,
    context: Arc<Context>,
    queues: Vec<Option<Sender<Record>>>,
    source: Arc<Mutex<Source>>,
    threads: Vec<JoinHandle<()>>,
    messages: mpsc::Receiver<Message>,
    interrupt: &'a AtomicBool,
    emit: &'a mut dyn FnMut(Event),
    /// The accounts of the workers that ended well.
    ended: Vec<Ended>,
    /// How many workers have ended, well or not.
    reported: usize,
    /// The first error of a worker or of the reader.
    failed: Option<anyhow::Error>,
    workers: usize,
}

impl<'a> Run<'a> {
    /// Starts the workers.
    fn start(job: &'a Job, source: Source, interrupt: &'a AtomicBool, emit: &'a mut dyn FnMut(Event)) -> Result<Self> {
        let (sender, messages) = mpsc::channel();
        let workers = scheme::workers(job.scheme, job.pool);
        let (mut queues, mut phases) = (Vec::new(), Vec::new());
        for phase in &job.phases {
            let (put, take) = match job.reader {
                Reader::Preload => async_channel::unbounded(),
                Reader::Thread | Reader::Process => async_channel::bounded(job.queue),
            };
            queues.push(Some(put));
            phases.push((*phase, take));
        }
        let context = Arc::new(Context {
            job: job.clone(),
            config: db::config(&job.dburl, "ingester")?,
            phases,
            live: std::iter::repeat_with(Live::default).take(workers).collect(),
            origin: Instant::now(),
            messages: sender,
            stop: Arc::new(AtomicBool::new(false)),
        });
        let threads = scheme::start(&context).context("start the workers")?;
        let source = Arc::new(Mutex::new(source));
        let (ended, reported, failed) = (Vec::new(), 0, None);
        Ok(Self { job, context, queues, source, threads, messages, interrupt, emit, ended, reported, failed, workers })
    }

    /// Waits until every connection is open.
    fn connect(&mut self) -> Result<()> {
        let begun = Instant::now();
        let mut connected = 0;
        while connected < self.job.pool {
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
    fn next(&mut self, deadline: Instant) -> Result<Option<Message>> {
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
            message => return Ok(Some(message)),
        }
        Ok(None)
    }

    fn phases(&mut self) -> Result<Vec<PhaseResult>> {
        let phases = self.job.phases.clone();
        let mut results = Vec::new();
        for (index, phase) in phases.into_iter().enumerate() {
            if self.interrupt.load(Ordering::Relaxed) {
                break;
            }
            let result = self.phase(index, phase)?;
            if !self.job.child {
                let average = result.rows as f64 / result.seconds.max(1e-3);
                let (records, rows) = (result.records, result.rows);
                (self.emit)(Event::Progress { phase, records, rows, current: average, average });
            }
            results.push(result);
        }
        Ok(results)
    }

    fn phase(&mut self, index: usize, phase: Phase) -> Result<PhaseResult> {
        Live::reset(&self.context.live);
        let queue = self.queues[index].take().expect("each phase runs once");
        let preloaded = match self.job.reader {
            Reader::Preload => Some(self.preload(phase)?),
            Reader::Thread | Reader::Process => None,
        };
        let cpu_before = cpu::used();
        let begun = Instant::now();
        (self.emit)(Event::Phase { phase });
        let reader = self.read(phase, queue, preloaded)?;
        let watched = self.watch(phase, begun)?;
        self.context.phases[index].1.close(); // a reader that is still putting records learns that nobody wants them
        reader.join().map_err(|_| anyhow!("the reader panicked"))?;
        Ok(self.account(phase, begun, cpu_before, &watched))
    }

    /// Reads a phase to memory before its clock starts.
    fn preload(&self, phase: Phase) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        let raw = self.job.scheme == Scheme::Processes;
        let mut source = self.source.lock().map_err(|_| anyhow!("the reader panicked"))?;
        source.read(self.job, phase, raw, &mut |record| {
            records.push(record);
            !self.interrupt.load(Ordering::Relaxed)
        })?;
        Ok(records)
    }

    /// Starts the thread that fills a phase's queue.
    fn read(&self, phase: Phase, queue: Sender<Record>, preloaded: Option<Vec<Record>>) -> Result<JoinHandle<()>> {
        let (context, source) = (Arc::clone(&self.context), Arc::clone(&self.source));
        let body = move || {
            let mut put = |record| queue.send_blocking(record).is_ok();
            let complete = match preloaded {
                Some(records) => Ok(records.into_iter().all(put)),
                None => {
                    let raw = context.job.scheme == Scheme::Processes;
                    let source = source.lock().map_err(|_| anyhow!("the reader panicked"));
                    source.and_then(|mut source| source.read(&context.job, phase, raw, &mut put))
                }
            };
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
            let deadline = end.filter(|_| !self.context.stopped()).map_or(deadline, |end| end.min(deadline));
            match self.next(deadline)? {
                Some(Message::PhaseDone(log)) => logs.push(log),
                Some(Message::Filled) => {
                    filled = Some((begun.elapsed().as_secs_f64(), Live::sum(&self.context.live).1));
                    (self.emit)(Event::QueueFilled { phase });
                }
                Some(Message::Done(phase, rows)) => (self.emit)(Event::Done { phase, rows }),
                Some(Message::Connected | Message::Ended(_) | Message::Unreadable(_)) | None => {}
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            let over = end.is_some_and(|end| Instant::now() >= end);
            if (over || self.interrupt.load(Ordering::Relaxed)) && !self.context.stopped() {
                self.stop();
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
        let last = logs.iter().filter_map(|log| log.last_done).max().unwrap_or(begun);
        let seconds = last.duration_since(begun).as_secs_f64();
        let rate = |rows: u64, seconds: f64| (seconds >= SHORTEST && rows > 0).then(|| rows as f64 / seconds);
        let (filling, after) = match watched.filled {
            Some((at, by_then)) => (rate(by_then, at.min(seconds)), rate(rows.saturating_sub(by_then), seconds - at)),
            None => (rate(rows, seconds), None),
        };
        PhaseResult {
            phase,
            records,
            rows,
            seconds,
            cpu: cpu::used().since(cpu_before),
            rates: Rates {
                whole: rate(rows, seconds),
                while_filling: filling,
                after,
                steady: steady(logs, self.context.origin, begun),
            },
        }
    }

    /// Lets the workers end and collects their accounts. After a failure it does not wait for long: a worker may
    /// hang on a connection that is dead, and its thread or process ends with this one.
    fn end(mut self, failed: bool) -> Result<Vec<Ended>> {
        if failed || self.interrupt.load(Ordering::Relaxed) {
            self.stop();
        }
        self.queues.clear();
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
        Ok(self.ended)
    }
}

/// What the coordinator saw of a phase.
struct Watched {
    logs: Vec<PhaseLog>,
    /// When the queue was filled, seconds into the phase, and the rows acknowledged by then.
    filled: Option<(f64, u64)>,
}

/// Turns live counters into progress lines.
struct Ticker {
    begun: Instant,
    last: Instant,
    last_rows: u64,
    next: Instant,
}

impl Ticker {
    fn new(begun: Instant) -> Self {
        Self { begun, last: begun, last_rows: 0, next: begun + TICK }
    }

    fn tick(&mut self, phase: Phase, live: &[Live]) -> Event {
        let now = Instant::now();
        let (records, rows) = Live::sum(live);
        let current =
            rows.saturating_sub(self.last_rows) as f64 / now.duration_since(self.last).as_secs_f64().max(1e-9);
        let average = rows as f64 / now.duration_since(self.begun).as_secs_f64().max(1e-9);
        (self.last, self.last_rows, self.next) = (now, rows, now + TICK);
        Event::Progress { phase, records, rows, current, average }
    }
}
