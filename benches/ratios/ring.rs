//! The stack a bench runs on, and what its sides share: tables brought to the same state, an ingester in a container.

use super::container::{client, docker, image, of_service, project};
use anyhow::{Context, Result, bail, ensure};
use ingest_lab::analysis::Ratio;
use ingest_lab::model::inject::Inject;
use ingest_lab::model::share::Share;
use ingest_lab::model::{Commit, Phase, Protocol, Reader, Scheme, Statement, Workload};
use ingest_lab::wire::{DbUrl, Event, Job, Line, RunResult, SCHEMA};

/// Items of a segment-01 line.
pub const ITEMS: usize = 222;

/// What one side did.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Rows a second.
    pub rate: f64,
    /// Client CPU a row, µs, of the whole program.
    pub cpu: f64,
    /// The same of the data phase alone: without starting an interpreter.
    pub phase_cpu: f64,
}

impl Run {
    /// Processors' worth of time that the data phase used: all that it may, where the client's CPU is the bound.
    pub fn busy(&self) -> f64 {
        self.rate * self.phase_cpu / 1e6
    }
}

/// Both sides so often, each first in every other pair; ours and theirs. `names` are for people who look on.
pub fn in_turns(
    pairs: usize,
    names: [&str; 2],
    ours: impl Fn() -> Result<Run>,
    theirs: impl Fn() -> Result<Run>,
) -> Result<Vec<(Run, Run)>> {
    let mut runs = Vec::new();
    for pair in 0..pairs {
        let (one, other) = if pair % 2 == 0 {
            let one = ours()?;
            (one, theirs()?)
        } else {
            let other = theirs()?;
            (ours()?, other)
        };
        let [name, against] = names;
        eprintln!("pair {} of {pairs}: {name} {:.0}, {against} {:.0} rows/s", pair + 1, one.rate, other.rate);
        runs.push((one, other));
    }
    Ok(runs)
}

/// A figure of ours as a multiple of theirs, with its interval.
pub fn ratio(runs: &[(Run, Run)], figure: fn(&Run) -> f64) -> String {
    let pairs: Vec<(f64, f64)> = runs.iter().map(|(ours, theirs)| (figure(ours), figure(theirs))).collect();
    said(&pairs)
}

/// A ratio as text.
pub fn said(pairs: &[(f64, f64)]) -> String {
    Ratio::of(pairs).map_or_else(|| "too few pairs for an interval".to_owned(), |ratio| ratio.to_string())
}

/// How an ingester is to go about it.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// Processors' worth of time for the client.
    pub cpus: f64,
    pub workload: Workload,
    pub scheme: Scheme,
    pub statement: Statement,
    pub commit: Commit,
    pub pool: usize,
    pub in_flight: usize,
    pub chunk: usize,
    pub metrics: bool,
    /// Which of the lines.
    pub share: Share,
    pub protocol: Protocol,
    /// Ends the run, where all lines would take too long.
    pub seconds: Option<f64>,
}

impl Way {
    /// `row` by 15 connections, each INSERT its own transaction.
    pub fn row(scheme: Scheme, cpus: f64) -> Self {
        Self {
            cpus,
            workload: Workload::Census,
            scheme,
            statement: Statement::Row,
            commit: Commit::Auto,
            pool: 15,
            in_flight: Job::IN_FLIGHT,
            chunk: Job::CHUNK,
            metrics: false,
            share: Share::WHOLE,
            protocol: Protocol::Prepared,
            seconds: None,
        }
    }
}

/// What a side did, by its own account.
fn figures(run: &RunResult) -> Result<Run> {
    let phase = run.phases.first().context("no phase ran")?;
    // The whole process's CPU, connecting included, as it is for others.
    let a_row = |seconds: f64| seconds / phase.rows as f64 * 1e6;
    let (cpu, phase_cpu) = (a_row(run.cpu.total()), a_row(phase.cpu.total()));
    Ok(Run { rate: phase.rows as f64 / phase.seconds, cpu, phase_cpu })
}

/// The stack and what both sides share.
pub struct Ring {
    db: String,
    link: String,
    pub password: String,
    pub volume: String,
    pub lines: usize,
}

impl Ring {
    /// Runs a bench over so many lines, the database on the first CPU; puts back what it changed.
    pub fn with(lines: usize, bench: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        let (db, link) = (of_service("db")?, of_service("link")?);
        let password = docker(&["exec", &db, "cat", "/run/ingest-lab/password"], "")?.trim().to_owned();
        let volume = format!("{}_bench", project());
        docker(&["volume", "create", "--label", &format!("ingest-lab.stack={}", project()), &volume], "")?;
        let ring = Self { db, link, password, volume, lines };
        let cpuset = docker(&["inspect", "-f", "{{.HostConfig.CpusetCpus}}", &ring.db], "")?.trim().to_owned();
        docker(&["update", "--cpuset-cpus", "0", &ring.db], "")?;
        let outcome = ring.prepare().and_then(|()| bench(&ring));
        // An empty set does not clear one: all CPUs are what it had.
        let all = format!("0-{}", std::thread::available_parallelism()?.get() - 1);
        docker(&["update", "--cpuset-cpus", if cpuset.is_empty() { &all } else { &cpuset }, &ring.db], "")?;
        docker(&["volume", "rm", &ring.volume], "")?;
        outcome
    }

    /// Builds the tables and loads the places, which no side touches.
    fn prepare(&self) -> Result<()> {
        let (records, own, image) = (self.lines.to_string(), format!("{}:/data", self.volume), image("ingester"));
        let generate = ["generate", "--data", "/data", "--geo-records", &records, "--lines", &records];
        let mut arguments = vec!["run", "--rm", "--user", "0", "--volume", &own, &image];
        arguments.extend(generate);
        docker(&arguments, "")?;
        client("ingester", &self.volume, 1.0, &["rebuild", "--dburl", &self.url().0], "")?;
        self.run(&Way::row(Scheme::Async, 1.0), Phase::Geo)?;
        Ok(())
    }

    fn url(&self) -> DbUrl {
        DbUrl(format!("postgresql://ingest:{}@link:5432/ingest", self.password))
    }

    /// Sets the link: a profile's name, or its settings.
    pub fn set_link(&self, profile: &str) -> Result<()> {
        docker(&["exec", &self.link, "link", "set", profile], "").map(drop)
    }

    /// Runs SQL on the database, beside the link; gives what it prints.
    pub fn sql(&self, sql: &str) -> Result<String> {
        let password = format!("PGPASSWORD={}", self.password);
        let mut arguments = vec!["exec", "-i", "-e", &password, &self.db];
        arguments.extend(["psql", "-h", "127.0.0.1", "-U", "ingest", "-d", "ingest", "-qAtv", "ON_ERROR_STOP=1"]);
        docker(&arguments, sql)
    }

    /// The same state before each run: no elements, vacuumed parents, nothing left to write.
    pub fn settle(&self) -> Result<()> {
        self.sql("TRUNCATE data_element;\nVACUUM ANALYZE geo_record;\nVACUUM ANALYZE dictionary_item;\nCHECKPOINT;\n")?;
        Ok(())
    }

    /// Fails unless so many elements are there.
    pub fn expect_rows(&self, expected: usize) -> Result<()> {
        let rows: usize = self.sql("SELECT count(*) FROM data_element;\n")?.trim().parse()?;
        ensure!(rows == expected, "{rows} rows instead of {expected}");
        Ok(())
    }

    /// An ingester's data phase.
    pub fn ingest(&self, way: &Way) -> Result<Run> {
        self.settle()?;
        let run = self.run(way, Phase::Data)?;
        let rows = run.acknowledged.total().rows as usize;
        ensure!(way.seconds.is_some() || rows == self.lines * ITEMS, "{rows} rows were acknowledged");
        self.expect_rows(rows)?;
        figures(&run)
    }

    /// The data phases of two ingesters at the same time.
    pub fn ingest_both(&self, ways: [&Way; 2]) -> Result<[Run; 2]> {
        self.settle()?;
        let [one, other] = std::thread::scope(|scope| {
            let runs = ways.map(|way| scope.spawn(|| self.run(way, Phase::Data)));
            runs.map(|run| run.join().expect("nothing panics there"))
        });
        let (one, other) = (one?, other?);
        self.expect_rows((one.acknowledged.total().rows + other.acknowledged.total().rows) as usize)?;
        Ok([figures(&one)?, figures(&other)?])
    }

    /// An ingester's lookup. Both sides' deliveries are the same by their digests where they are as many.
    pub fn look_up(&self, way: &Way) -> Result<Run> {
        let run = self.run(way, Phase::Data)?;
        let delivered = run.acknowledged.lookup.context("a lookup says what was delivered")?;
        ensure!(run.lost.is_empty(), "workers were lost: {}", run.lost.join("; "));
        ensure!(delivered.rows == run.phases.first().context("no phase ran")?.rows, "rows were read and not delivered");
        figures(&run)
    }

    fn run(&self, way: &Way, phase: Phase) -> Result<RunResult> {
        let job = Job {
            schema: SCHEMA,
            dburl: self.url(),
            workload: way.workload,
            scheme: way.scheme,
            statement: way.statement,
            in_flight: way.in_flight,
            batch: Job::BATCH,
            chunk: way.chunk,
            protocol: way.protocol,
            pool: way.pool,
            commit: way.commit,
            reader: Reader::Thread,
            data: "/data".into(),
            queue: Job::QUEUE,
            phases: vec![phase],
            limit_geo: None,
            limit_lines: None,
            seconds: way.seconds.filter(|_| phase == Phase::Data),
            child: false,
            tls: None,
            inject: Inject::NONE,
            progress: false,
            resume: false,
            retry: false,
            mark: None,
            share: way.share,
            barrier: false,
            metrics: way.metrics,
        };
        let job = serde_json::to_string(&job)?;
        let out = client(way.scheme.program().word(), &self.volume, way.cpus, &["run", "--job", "-"], &job)?;
        let last: Line = serde_json::from_str(out.lines().last().context("the ingester said nothing")?)?;
        match last.event {
            Event::Finished { result } => Ok(*result),
            other => bail!("the ingester ended with {other:?}"),
        }
    }
}
