//! One run from the job to its result: check, connect, feed the queue phase by phase, count, verify.
//!
//! ```text
//! reader thread ─► bounded queue ─► workers (scheme) ─► PostgreSQL
//!        └── messages ──► coordinator (here) ◄── messages ──┘
//! ```

use super::coordinator::{Run, tell_measured};
use super::reader::{self, FeedReader, Source};
use super::resume::{self, Earlier};
use super::worker::{Child, Ended};
use super::{children, cpu, lookup, scheme};
use crate::db;
use crate::model::ranges::Listed;
use crate::model::{Phase, Program, Reader, Scheme, Workload};
use crate::telemetry::{Collector, Telemetry};
use crate::wire::exit::{Exit, Failure};
use crate::wire::{Acknowledged, DbUrl, Event, Interrupt, Job, Retried, RunResult, SCHEMA, Verification};
use anyhow::{Context as _, Result, anyhow, ensure};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The program's name and version, as events and results carry it.
pub const PROGRAM: &str = concat!("ingester ", env!("CARGO_PKG_VERSION"));

/// What a run does besides the job.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extras<'a> {
    /// Reads the rows back in the end.
    pub verify: bool,
    /// Where a trace is written to.
    pub trace: Option<&'a Path>,
}

/// Runs a job. `interrupt` is set from outside (Ctrl-C) to end it in order. Events up to, not including, the last
/// one go to `emit`.
pub fn run(
    job: &Job,
    extras: Extras<'_>,
    interrupt: &Arc<AtomicBool>,
    emit: &mut dyn FnMut(Event),
) -> Result<RunResult> {
    job.check().map_err(|message| Failure::new(Exit::Usage, message))?;
    cpu::raise_open_files();
    emit(Event::Started { program: PROGRAM.into() });
    scheme::check(job)?;
    if job.workload == Workload::Lookup {
        lookup::check(job)?;
    }
    let cpu_before = cpu::used();
    let began = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let (source, reader_process) = source(job)?;
    let earlier = if job.child { None } else { on_control(preflight(job, interrupt))? };
    let already = earlier.as_ref().map(|earlier| earlier.acknowledged.clone());
    let telemetry = telemetry(job, extras);
    let mut collector = Collector::new(&telemetry, job.child);
    if job.retry {
        collector = collector.often();
    }
    let mut run = Run::start(job, (source, earlier), &telemetry, &mut collector, interrupt, emit)?;
    if let Some(child) = &reader_process {
        run.context().counts(child.id());
    }
    let outcome = run.connect().and_then(|()| run.phases());
    let windows = std::mem::take(&mut run.windows);
    let delivered = run.delivered();
    let ended = run.end(outcome.is_err());
    if let Some(mut child) = reader_process {
        let _ = child.kill(); // it may still be writing when the run was limited; its end was read if it mattered
        let _ = child.wait();
    }
    let (mut phases, (mut ended, lost)) = (outcome?, ended?); // the first error says more than what followed from it
    if let Some(file) = extras.trace {
        telemetry.write_trace(file).with_context(|| format!("write the trace {}", file.display()))?;
    }
    let children: Vec<_> = ended.iter_mut().filter_map(|one| one.child.take()).collect();
    children::account(&mut phases, &windows, &children, !job.share.is_whole());
    if job.scheme == Scheme::Processes {
        phases.iter().for_each(|phase| tell_measured(phase, emit)); // theirs came with their results
    }
    let child_memory = children.iter().map(|child| child.result.peak_memory).max().unwrap_or(0);
    let (retried, orphans) = (retried(&ended, &children), orphans(&ended)?);
    let mut acknowledged = Acknowledged::together(ended.into_iter().map(|one| one.acknowledged).chain(already));
    resume::adopt(job, &orphans, &mut acknowledged, interrupt)?;
    if let Some(delivered) = delivered {
        (acknowledged.lines, acknowledged.lookup) = (delivered.rows, Some(delivered));
    }
    let of_children: Vec<_> = children.into_iter().filter_map(|child| child.result.metrics).collect();
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
        interpreter_lock: false,
        lost,
        retried,
        metrics: collector.run(&of_children, job.child || !job.share.is_whole()).filter(|_| job.metrics),
        clients: Vec::new(),
    };
    if extras.verify && !job.child {
        result.verification = Some(on_control(check(job, &result))?);
    }
    Ok(result)
}

fn telemetry(job: &Job, extras: Extras<'_>) -> Telemetry {
    // What a tool is at, nobody can see from here.
    let own = job.scheme.program() == Program::Ingester;
    match own && (job.metrics || extras.trace.is_some()) {
        true => Telemetry::on(scheme::workers(job.scheme, job.pool), extras.trace.is_some()),
        false => Telemetry::off(),
    }
}

/// Runs the lab's own statements, before and after what is measured.
fn on_control<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// What broke on the way, of all workers and their processes.
fn retried(ended: &[Ended], children: &[Child]) -> Option<Retried> {
    let mut all = Retried::default();
    ended.iter().for_each(|one| all.merge(&one.retried));
    children.iter().filter_map(|child| child.result.retried).for_each(|one| all.merge(&one));
    all.if_any()
}

/// Records acknowledged by processes that died.
fn orphans(ended: &[Ended]) -> Result<Listed> {
    let mut all = Listed::default();
    for one in ended {
        ensure!(all.merge(&one.orphans), "two worker processes acknowledged the same record: this is a bug");
    }
    Ok(all)
}

/// Refuses what cannot come to a good end; gives what an earlier run committed, where this one resumes it.
async fn preflight(job: &Job, interrupt: &AtomicBool) -> Result<Option<Earlier>> {
    let client = db::connect_as(&job.dburl, job.tls.as_deref()).await?;
    match job.workload {
        Workload::Census => db::require_tables(&client).await?,
        Workload::Lookup => db::require_nodes(&client).await?,
    }
    if job.workload == Workload::Census && !job.resume {
        db::require_empty(&client, job.phases.contains(&Phase::Geo)).await?;
    }
    if job.progress {
        db::progress::fence(&client, None).await?;
    }
    let earlier = match job.resume {
        true => Some(Earlier::load(&client, job, interrupt).await?),
        false => None,
    };
    db::require_connections(&client, job.pool).await?;
    Ok(earlier)
}

/// Who opens connections again is as patient with the one that verifies.
async fn check(job: &Job, result: &RunResult) -> Result<Verification> {
    let authority = job.tls.as_deref();
    let client = match job.retry {
        true => db::connect_again(&job.dburl, authority).await?,
        false => db::connect_as(&job.dburl, authority).await?,
    };
    db::verify_run(&client, job, result).await
}

/// Where this job's records come from, and the reader process if there is one.
fn source(job: &Job) -> Result<(Source, Option<std::process::Child>)> {
    if job.child {
        return Ok((Source::Feed(FeedReader::new(Box::new(std::io::BufReader::new(std::io::stdin())))), None));
    }
    if job.workload == Workload::Lookup {
        return Ok((Source::Keys, None));
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
