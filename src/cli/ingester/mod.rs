//! The `ingester` command line.

mod data;
mod table;

use super::probe::ProbeArgs;
use super::progress::Progress;
use super::words::word;
use crate::ingest::Extras;
use crate::model::inject::Inject;
use crate::model::units::count;
use crate::model::{Commit, Phase, Program, Protocol, Reader, Scheme, Statement, Workload};
use crate::wire::exit::{Exit, Failure};
use crate::wire::{DbUrl, Event, Job, Line, RunResult, SCHEMA};
use crate::{db, ingest};
use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use std::io::{BufRead, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Ingests Census 2000 Summary File 1 records into PostgreSQL, row by row, in the ways people argue about.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = exit_codes())]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// The table of exit codes, for the end of the help.
fn exit_codes() -> String {
    let lines = Exit::ALL.iter().map(|exit| format!("  {:>3}  {}", exit.code(), exit.meaning()));
    std::iter::once("Exit codes:".to_owned()).chain(lines).collect::<Vec<_>>().join("\n")
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Ingest the records of a data folder, then verify every row
    Run(Box<RunArgs>),
    /// List the workloads, schemes and statement kinds
    List,
    /// Drop and create the tables, load the dictionary of all 39 segments; every record is lost
    Rebuild(Database),
    /// Write generated SF1 files in the Bureau's format, the same bytes for a seed on every machine
    Generate(data::GenerateArgs),
    /// Derive a geographic header file from a segment's record numbers
    GeoFrom(data::GeoFromArgs),
    /// Get real files from the Census Bureau
    Fetch(data::FetchArgs),
    /// Read a job's records and write them to standard output (what `--reader process` starts)
    #[command(hide = true)]
    Feed {
        /// `-`: the job comes as JSON on standard input
        #[arg(long)]
        job: String,
    },
    /// Spin on the processor for a moment and say as JSON how much of it there was
    #[command(hide = true)]
    Spin {
        /// How long
        #[arg(long, value_name = "S")]
        seconds: f64,
        /// On so many threads at once
        #[arg(long, value_name = "N")]
        threads: usize,
    },
    /// Look at a database's backends from beside it and say as JSON lines what they do; told by JSON on standard
    /// input, ends when that does
    #[command(hide = true)]
    Watch,
    /// Measure the link, which is pointed at a responder, and say as JSON what was found
    #[command(hide = true)]
    Probe(ProbeArgs),
    /// Say what time it is for every line of standard input
    #[command(hide = true)]
    Clock,
}

#[derive(Debug, Args)]
struct Database {
    /// The database: postgresql://user:password@host:port/name
    #[arg(long, value_name = "URL", env = "INGEST_LAB_DBURL", hide_env_values = true)]
    dburl: String,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Take the whole job as JSON on standard input (`-`) instead of flags, answer with JSON lines, and leave
    /// verifying to whoever sent the job (docs/peer-contract.md)
    #[arg(long, value_name = "-", value_parser = ["-"])]
    job: Option<String>,
    /// The database: postgresql://user:password@host:port/name; its tables must be there and empty (`rebuild`).
    /// Encrypted with ?sslmode=require; the database verified, too, with ?sslmode=verify-full&sslrootcert=FILE
    #[arg(long, value_name = "URL", env = "INGEST_LAB_DBURL", hide_env_values = true, required_unless_present = "job")]
    dburl: Option<String>,
    /// What is done; a lookup has the phase data only, commits nothing and reads no data folder
    #[arg(long, default_value = Workload::Census.word(), value_parser = word(Workload::ALL, Workload::summary))]
    workload: Workload,
    /// How the client schedules work
    #[arg(long, default_value = Scheme::Threads.word(), value_parser = word(Scheme::OWN, Scheme::summary))]
    scheme: Scheme,
    /// How rows are sent
    #[arg(long, default_value = Statement::Row.word(), value_parser = word(Statement::ALL, Statement::summary))]
    statement: Statement,
    /// Requests sent before waiting for their answers, in rows, 1 to 100000; `row` always waits for each
    #[arg(long, value_name = "REQUESTS", default_value_t = Job::IN_FLIGHT)]
    in_flight: usize,
    /// Rows of one INSERT, 1 to 21845; only `multirow` uses it
    #[arg(long, value_name = "ROWS", default_value_t = Job::BATCH)]
    batch: usize,
    /// Records of one transaction under `--commit chunk`, at most: what is ready is taken; of a lookup the keys handed
    /// out to a worker together, 1 to 1000
    #[arg(long, value_name = "RECORDS", default_value_t = Job::CHUNK)]
    chunk: usize,
    /// How statements and their parameters reach the database; COPY has no parameters, its SELECTs have
    #[arg(long, default_value = Protocol::Prepared.word(), value_parser = word(Protocol::ALL, Protocol::summary))]
    protocol: Protocol,
    /// Workers, each with one connection of its own, 1 to 500
    #[arg(long, value_name = "CONNECTIONS", default_value_t = 15)]
    pool: usize,
    /// Transaction grain: how many rows a commit makes durable together
    #[arg(long, default_value = Commit::Auto.word(), value_parser = word(Commit::ALL, Commit::summary))]
    commit: Commit,
    /// Where records are read out of their archives
    #[arg(long, default_value = Reader::Thread.word(), value_parser = word(Reader::ALL, Reader::summary))]
    reader: Reader,
    /// Folder with the SF1 zip files: a state's header (nygeo_uf1.zip) and segments (ny00001_uf1.zip …)
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// Records the queue between reader and workers holds, 1 to 1000000; a full queue holds the reader up
    #[arg(long, value_name = "RECORDS", default_value_t = Job::QUEUE)]
    queue: usize,
    /// Which phases to run: geo, data, or both; of a lookup data
    #[arg(long, value_delimiter = ',', default_values = [Phase::Geo.word(), Phase::Data.word()],
          default_value_if("workload", Workload::Lookup.word(), Phase::Data.word()),
          value_parser = word(Phase::ALL, Phase::summary))]
    phases: Vec<Phase>,
    /// Stop the geo phase after so many geographic records [default: all]
    #[arg(long, value_name = "RECORDS")]
    limit_geo: Option<u64>,
    /// Stop the data phase after so many lines, over all segments [default: all]; of a lookup after so many keys
    /// [default: 10000, without --seconds]
    #[arg(long, value_name = "LINES")]
    limit_lines: Option<u64>,
    /// Take no new line after so many seconds of the data phase, above 0 to 86400; lines begun are finished
    /// [default: no limit]
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Answer with JSON lines on standard output instead of a table
    #[arg(long)]
    json: bool,
    /// Measure rows and processor time only, not where the time goes: shows what measuring costs
    #[arg(long)]
    no_metrics: bool,
    /// Put in on purpose: spin=20us of CPU a row, sleep=5ms a line, read=2ms before each line is read
    #[arg(long, value_name = "WHAT", default_value_t)]
    inject: Inject,
    /// Continue an ingest that broke off, with whatever scheme, statement and pool: skip the records that were
    /// committed, do the others, verify all; under --commit record and chunk
    #[arg(long, conflicts_with = "job")]
    resume: bool,
    /// Open a connection that breaks again, with pauses that grow, and do again what was not committed; under
    /// --commit record and chunk, and in a lookup
    #[arg(long, conflicts_with = "job")]
    retry: bool,
    /// Write what each worker did first as a trace for Perfetto (ui.perfetto.dev) or chrome://tracing, 400,000
    /// operations at most; of `processes` what the parent did
    #[arg(long, value_name = "FILE", conflicts_with = "job")]
    trace_out: Option<PathBuf>,
}

/// The whole program.
pub fn main() -> Result<Exit> {
    super::start_logging(tracing::Level::WARN);
    match Cli::parse().verb {
        Verb::Run(args) => run(*args),
        Verb::List => list(),
        Verb::Rebuild(database) => rebuild(database),
        Verb::Generate(args) => data::generate_files(args),
        Verb::GeoFrom(args) => data::derive_header(&args),
        Verb::Fetch(args) => data::fetch_files(args),
        Verb::Feed { .. } => {
            let job = job_from_stdin()?;
            ingest::reader::write_feed(&job, &mut std::io::BufWriter::new(std::io::stdout().lock()))?;
            Ok(Exit::Ok)
        }
        Verb::Watch => watch(),
        Verb::Clock => super::clock::tell().map(|()| Exit::Ok),
        Verb::Probe(args) => {
            println!("{}", args.measured()?);
            Ok(Exit::Ok)
        }
        Verb::Spin { seconds, threads } => {
            let length = Duration::try_from_secs_f64(seconds).context("read --seconds")?;
            println!("{}", serde_json::to_string(&ingest::spin(length, threads)).context("write the spin")?);
            Ok(Exit::Ok)
        }
    }
}

fn run(args: RunArgs) -> Result<Exit> {
    if args.job.is_some() {
        return match job_from_stdin() {
            Ok(job) => run_in_json(&job, Extras::default()),
            Err(error) => JsonLines::new().last(Err(error)),
        };
    }
    let json = args.json;
    // Who can be resumed later is: it costs a row a transaction.
    let keeps = args.scheme.program() == Program::Ingester;
    let progress = args.workload == Workload::Census && args.commit != Commit::Auto && keeps;
    let job = Job {
        schema: SCHEMA,
        dburl: DbUrl(args.dburl.expect("clap requires it unless a job is given")),
        workload: args.workload,
        scheme: args.scheme,
        statement: args.statement,
        in_flight: args.in_flight,
        batch: args.batch,
        chunk: args.chunk,
        protocol: args.protocol,
        pool: args.pool,
        commit: args.commit,
        reader: args.reader,
        data: args.data,
        queue: args.queue,
        phases: args.phases,
        limit_geo: args.limit_geo,
        limit_lines: args.limit_lines,
        seconds: args.seconds,
        child: false,
        metrics: !args.no_metrics,
        tls: None,
        inject: args.inject,
        progress,
        resume: args.resume,
        retry: args.retry,
        mark: None,
        share: crate::model::share::Share::WHOLE,
        barrier: false,
    };
    let extras = Extras { verify: true, trace: args.trace_out.as_deref() };
    if json { run_in_json(&job, extras) } else { run_for_people(&job, extras) }
}

fn watch() -> Result<Exit> {
    let mut text = String::new();
    std::io::stdin().lock().take(LONGEST_JOB).read_line(&mut text).context("read what to watch")?;
    let job = serde_json::from_str(&text).map_err(|error| {
        Failure::new(Exit::Usage, format!("what to watch, on standard input, cannot be read: {error}"))
    })?;
    let (ended, stop) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        // Whoever holds the other end is done, or dead.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        drop(ended);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stop = async { stop.await.unwrap_or_default() };
    runtime.block_on(crate::observe::watch(&job, stop, &mut std::io::stdout().lock()))?;
    Ok(Exit::Ok)
}

/// The longest job, or word of what to watch, bytes: one has about a thousand.
const LONGEST_JOB: u64 = 1 << 20;

/// A job is the first JSON document on standard input; a child's records follow behind it on the same pipe.
fn job_from_stdin() -> Result<Job> {
    let mut documents =
        serde_json::Deserializer::from_reader(OneByte(std::io::stdin().lock().take(LONGEST_JOB))).into_iter::<Job>();
    let job = documents.next().unwrap_or_else(|| Err(serde::de::Error::custom("there is none")));
    Ok(job.map_err(|error| Failure::new(Exit::Usage, format!("the job on standard input cannot be read: {error}")))?)
}

/// Reads no byte too many, so that what follows the document stays in the shared buffer.
struct OneByte<R>(R);

impl<R: Read> Read for OneByte<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(1);
        self.0.read(&mut buffer[..most])
    }
}

fn run_in_json(job: &Job, extras: Extras<'_>) -> Result<Exit> {
    let mut lines = JsonLines::new();
    let interrupt = interrupt(job.child);
    let outcome = ingest::run(job, extras, &interrupt, &mut |event| lines.write(event));
    lines.last(outcome)
}

fn run_for_people(job: &Job, extras: Extras<'_>) -> Result<Exit> {
    let progress = Progress::new();
    let interrupt = interrupt(false);
    let outcome = ingest::run(job, extras, &interrupt, &mut |event| progress.show(&event));
    progress.clear();
    let result = outcome?;
    println!("{}", table::table(&result));
    for difference in result.verification.iter().flat_map(|found| &found.differences) {
        eprintln!("not verified: {difference}");
    }
    Ok(exit(&result))
}

fn exit(result: &RunResult) -> Exit {
    if result.verification.as_ref().is_some_and(|found| !found.verified) {
        Exit::NotVerified
    } else if result.interrupted.is_some() {
        Exit::Interrupted
    } else {
        Exit::Ok
    }
}

/// A flag that Ctrl-C or SIGTERM sets; a second one ends the program at once. A child leaves both to its parent.
fn interrupt(child: bool) -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&flag);
    let wait = move || -> std::io::Result<()> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            loop {
                tokio::select! { _ = int.recv() => {}, _ = term.recv() => {} }
                if !child && shared.swap(true, Ordering::Relaxed) {
                    std::process::exit(i32::from(Exit::Interrupted.code()));
                }
            }
        })
    };
    std::thread::spawn(move || {
        if let Err(error) = wait() {
            tracing::warn!(%error, "Ctrl-C will end this program at once");
        }
    });
    flag
}

/// Events as JSON lines on standard output.
struct JsonLines {
    begun: Instant,
    seq: u64,
}

impl JsonLines {
    fn new() -> Self {
        Self { begun: Instant::now(), seq: 0 }
    }

    fn write(&mut self, event: Event) {
        let line = Line { schema: SCHEMA, seq: self.seq, at: self.begun.elapsed().as_secs_f64(), client: None, event };
        self.seq += 1;
        let mut text = serde_json::to_vec(&line).expect("an event has only string keys and finite numbers");
        text.push(b'\n');
        let mut out = std::io::stdout().lock();
        let behind: &[u8] = if let Event::Rows { frame, .. } = &line.event { frame } else { &[] };
        if out.write_all(&text).and_then(|()| out.write_all(behind)).and_then(|()| out.flush()).is_err() {
            // Nobody listens any more: a run whose result nobody gets must not go on.
            std::process::exit(i32::from(Exit::Failure.code()));
        }
    }

    fn last(mut self, outcome: Result<RunResult>) -> Result<Exit> {
        match outcome {
            Ok(result) => {
                let exit = exit(&result);
                self.write(Event::Finished { result: Box::new(result) });
                Ok(exit)
            }
            Err(error) => {
                let exit = Failure::exit_of(&error);
                self.write(Event::Failed { error: format!("{error:#}"), code: exit.code() });
                Ok(exit)
            }
        }
    }
}

fn list() -> Result<Exit> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "workloads")?;
    for workload in Workload::ALL {
        writeln!(out, "  {:<14}{}", workload.word(), workload.summary())?;
    }
    writeln!(out, "schemes")?;
    for scheme in Scheme::OWN {
        writeln!(out, "  {:<14}{}", scheme.word(), scheme.summary())?;
    }
    writeln!(out, "statement kinds")?;
    for statement in Statement::ALL {
        writeln!(out, "  {:<14}{}", statement.word(), statement.summary())?;
    }
    Ok(Exit::Ok)
}

fn rebuild(database: Database) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (matrices, items) = runtime.block_on(async {
        let mut client = db::connect(&DbUrl(database.dburl)).await?;
        db::rebuild(&mut client).await.context("rebuild the tables")
    })?;
    println!("rebuilt: {matrices} matrices, {} items in the dictionary, no records", count(items));
    Ok(Exit::Ok)
}
