//! `threads` and `async` (`row`, auto commit) against `pgbench -M prepared` replaying the same SELECTs and INSERTs.

use super::container::{client, docker, image, of_service, project};
use anyhow::{Context, Result, bail, ensure};
use ingest_lab::analysis::Ratio;
use ingest_lab::model::inject::Inject;
use ingest_lab::model::{Commit, Phase, Reader, Scheme, Statement};
use ingest_lab::wire::{DbUrl, Event, Job, Line, RunResult, SCHEMA};
use std::fmt::Write as _;

const POOL: usize = 15;
/// Items of a segment-01 line.
const ITEMS: usize = 222;

/// What one side did.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// Rows a second.
    rate: f64,
    /// Client CPU a row, µs.
    cpu: f64,
}

/// The stack and what both sides share.
struct Ring {
    db: String,
    password: String,
    volume: String,
    lines: usize,
}

/// Runs the rounds with the client on a whole CPU and on a quarter, and prints the ratios.
pub fn compare(pairs: usize, lines: usize) -> Result<()> {
    let db = of_service("db")?;
    let password = docker(&["exec", &db, "cat", "/run/ingest-lab/password"], "")?.trim().to_owned();
    let volume = format!("{}_bench", project());
    docker(&["volume", "create", "--label", &format!("ingest-lab.stack={}", project()), &volume], "")?;
    let ring = Ring { db, password, volume, lines };
    let cpuset = docker(&["inspect", "-f", "{{.HostConfig.CpusetCpus}}", &ring.db], "")?.trim().to_owned();
    docker(&["update", "--cpuset-cpus", "0", &ring.db], "")?;
    let wanted = |name: &str| std::env::var("BENCH_ONLY").map_or(true, |only| only == name);
    let mut outcome = ring.prepare();
    if outcome.is_ok() && wanted("pgbench") {
        outcome = ring.compare(pairs);
    }
    if outcome.is_ok() && wanted("metrics") {
        outcome = ring.metrics(pairs);
    }
    // An empty set does not clear one: all CPUs are what it had.
    let all = format!("0-{}", std::thread::available_parallelism()?.get() - 1);
    docker(&["update", "--cpuset-cpus", if cpuset.is_empty() { &all } else { &cpuset }, &ring.db], "")?;
    docker(&["volume", "rm", &ring.volume], "")?;
    outcome
}

impl Ring {
    /// Builds the tables and loads the places.
    fn prepare(&self) -> Result<()> {
        let records = self.lines.to_string();
        let own = format!("{}:/data", self.volume);
        docker(
            &[
                "run",
                "--rm",
                "--user",
                "0",
                "--volume",
                &own,
                &image("ingester"),
                "generate",
                "--data",
                "/data",
                "--geo-records",
                &records,
                "--lines",
                &records,
            ],
            "",
        )?;
        self.ingester(1.0, Scheme::Async, false, None)?; // builds the tables, loads the places; both sides leave them alone
        Ok(())
    }

    fn compare(&self, pairs: usize) -> Result<()> {
        for cpus in [1.0, 0.25] {
            println!("\nclient on {cpus} CPU, database on a CPU of its own, {} rows a run", self.lines * ITEMS);
            let (mut threads, mut asynchronous) = (Vec::new(), Vec::new());
            for pair in 0..pairs {
                let mut ours = Vec::new();
                let mut theirs = None;
                for side in 0..3 {
                    match (side + pair) % 3 {
                        0 => theirs = Some(self.pgbench(cpus)?),
                        1 => ours.push((true, self.ingester(cpus, Scheme::Threads, false, Some(()))?)),
                        _ => ours.push((false, self.ingester(cpus, Scheme::Async, false, Some(()))?)),
                    }
                }
                let theirs = theirs.context("each round has a run of pgbench")?;
                for (is_threads, run) in ours {
                    if is_threads { &mut threads } else { &mut asynchronous }.push((run, theirs));
                }
                let last = |runs: &[(Run, Run)]| runs.last().map_or(0.0, |(run, _)| run.rate);
                eprintln!(
                    "round {} of {pairs}: pgbench {:.0}, threads {:.0}, async {:.0} rows/s",
                    pair + 1,
                    theirs.rate,
                    last(&threads),
                    last(&asynchronous)
                );
            }
            print("threads", &threads);
            print("async", &asynchronous);
        }
        Ok(())
    }

    /// What measuring costs: the same run with metrics and without, in turns, where the client's CPU is the bound.
    fn metrics(&self, pairs: usize) -> Result<()> {
        const CPUS: f64 = 0.25;
        println!("\nmetrics on against off, client on {CPUS} CPU, {} rows a run", self.lines * ITEMS);
        for scheme in [Scheme::Threads, Scheme::Async] {
            let mut runs = Vec::new();
            for pair in 0..pairs {
                let first = pair % 2 == 0;
                let one = self.ingester(CPUS, scheme, first, Some(()))?;
                let other = self.ingester(CPUS, scheme, !first, Some(()))?;
                let (on, off) = if first { (one, other) } else { (other, one) };
                eprintln!("pair {} of {pairs}, {scheme}: on {:.0}, off {:.0} rows/s", pair + 1, on.rate, off.rate);
                runs.push((off.rate, on.rate));
            }
            let cost = Ratio::of(&runs).map_or_else(|| "too few pairs".to_owned(), |ratio| ratio.to_string());
            println!("{scheme}: without metrics {cost} as many rows/s (wanted: upper end 1.02 or less)");
        }
        Ok(())
    }

    fn sql(&self, sql: &str) -> Result<String> {
        let password = format!("PGPASSWORD={}", self.password);
        let mut arguments = vec!["exec", "-i", "-e", &password, &self.db];
        arguments.extend(["psql", "-h", "127.0.0.1", "-U", "ingest", "-d", "ingest", "-qAtv", "ON_ERROR_STOP=1"]);
        docker(&arguments, sql)
    }

    /// The same state before each run: no elements, vacuumed parents, nothing left to write.
    fn settle(&self) -> Result<()> {
        self.sql("TRUNCATE data_element;\nVACUUM ANALYZE geo_record;\nVACUUM ANALYZE dictionary_item;\nCHECKPOINT;\n")?;
        Ok(())
    }

    fn expect_rows(&self) -> Result<()> {
        let rows: usize = self.sql("SELECT count(*) FROM data_element;\n")?.trim().parse()?;
        ensure!(rows == self.lines * ITEMS, "{rows} rows instead of {}", self.lines * ITEMS);
        Ok(())
    }

    /// Without `measured`, the tables are built and only the places loaded.
    fn ingester(&self, cpus: f64, scheme: Scheme, metrics: bool, measured: Option<()>) -> Result<Run> {
        let dburl = DbUrl(format!("postgresql://ingest:{}@link:5432/ingest", self.password));
        if measured.is_some() {
            self.settle()?;
        } else {
            client("ingester", &self.volume, cpus, &["rebuild", "--dburl", &dburl.0], "")?;
        }
        let job = Job {
            schema: SCHEMA,
            dburl,
            scheme,
            statement: Statement::Row,
            in_flight: Job::IN_FLIGHT,
            pool: POOL,
            commit: Commit::Auto,
            reader: Reader::Thread,
            data: "/data".into(),
            queue: Job::QUEUE,
            phases: vec![if measured.is_some() { Phase::Data } else { Phase::Geo }],
            limit_geo: None,
            limit_lines: None,
            seconds: None,
            child: false,
            inject: Inject::NONE,
            metrics,
        };
        let out = client("ingester", &self.volume, cpus, &["run", "--job", "-"], &serde_json::to_string(&job)?)?;
        let result = finished(&out)?;
        if measured.is_some() {
            self.expect_rows()?;
        }
        let phase = result.phases.first().context("no phase ran")?;
        // The whole process's CPU, connecting included, as it is for pgbench.
        Ok(Run { rate: phase.rows as f64 / phase.seconds, cpu: result.cpu.total() / phase.rows as f64 * 1e6 })
    }

    fn pgbench(&self, cpus: f64) -> Result<Run> {
        self.settle()?;
        let shell = format!(
            "read -r PGPASSWORD; export PGPASSWORD; cat >/tmp/line.sql; bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1); \
             TIMEFORMAT='cpu %U %S'; time \"$bin/pgbench\" -n -M prepared -c {POOL} -j {POOL} -t {} -D n=-{POOL} {} \
             -f /tmp/line.sql -h link -U ingest ingest 2>&1",
            self.lines / POOL,
            variables()
        );
        let input = format!("{}\n{}", self.password, script());
        let out = client("db", &self.volume, cpus, &["-c", &format!("{{ {shell}; }} 2>&1")], &input)?;
        self.expect_rows()?;
        let word =
            |line: &str, index: usize| line.split_whitespace().nth(index).and_then(|word| word.parse::<f64>().ok());
        let tps = out.lines().find_map(|line| line.strip_prefix("tps = ").and_then(|rest| word(rest, 0)));
        let cpu =
            out.lines().find(|line| line.starts_with("cpu ")).and_then(|line| Some(word(line, 1)? + word(line, 2)?));
        let (Some(tps), Some(cpu)) = (tps, cpu) else { bail!("pgbench said: {out}") };
        Ok(Run { rate: tps * ITEMS as f64, cpu: cpu / (self.lines * ITEMS) as f64 * 1e6 })
    }
}

/// One line's statements: what the ingester sends, in the same order. Each client takes every [`POOL`]th line.
fn script() -> String {
    let mut script = format!(
        "\\set n :n + {POOL}\n\\set logrecno :n + :client_id + 1\n\
         SELECT id AS geo FROM geo_record WHERE fileid = 'uSF1' AND logrecno = :logrecno AND stusab = 'NY' \\gset\n\
         SELECT d.id FROM dictionary_item d JOIN matrix m ON m.id = d.matrix WHERE m.segment = 1 ORDER BY d.id;\n"
    );
    for item in 1..=ITEMS {
        let _ = writeln!(
            script,
            "INSERT INTO data_element (geo_record, dictionary_item, value) VALUES (:geo, :i{item}, :v{item});"
        );
    }
    script
}

/// The items' ids, and values of the size that counts in a block or tract have.
fn variables() -> String {
    let mut variables = String::new();
    for item in 1..=ITEMS {
        let _ = write!(variables, "-D i{item}={item} -D v{item}={} ", item * 7 % 400);
    }
    variables
}

fn finished(out: &str) -> Result<RunResult> {
    let last: Line = serde_json::from_str(out.lines().last().context("the ingester said nothing")?)?;
    match last.event {
        Event::Finished { result } => Ok(*result),
        other => bail!("the ingester ended with {other:?}"),
    }
}

fn print(scheme: &str, pairs: &[(Run, Run)]) {
    let of = |figure: fn(&Run) -> f64| {
        let pairs: Vec<(f64, f64)> = pairs.iter().map(|(ours, theirs)| (figure(ours), figure(theirs))).collect();
        Ratio::of(&pairs).map_or_else(|| "too few pairs for an interval".to_owned(), |ratio| ratio.to_string())
    };
    println!("{scheme}: rows/s {} of pgbench (wanted: lower end 0.95 or more)", of(|run| run.rate));
    println!("{scheme}: client CPU a row {} of pgbench (wanted: upper end 1.15 or less)", of(|run| run.cpu));
}
