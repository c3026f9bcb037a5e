//! `threads` and `async` (`row`, auto commit) against `pgbench -M prepared` replaying the same SELECTs and INSERTs.

use super::container::client;
use super::ring::{ITEMS, Ring, Run, Way, ratio};
use anyhow::{Context, Result, bail};
use ingest_lab::model::Scheme;
use std::fmt::Write as _;

const POOL: usize = 15;

/// Runs the rounds with the client on a whole CPU and on a quarter, and prints the ratios.
pub fn compare(ring: &Ring, pairs: usize) -> Result<()> {
    for cpus in [1.0, 0.25] {
        println!("\nclient on {cpus} CPU, database on a CPU of its own, {} rows a run", ring.lines * ITEMS);
        let (mut threads, mut asynchronous) = (Vec::new(), Vec::new());
        for pair in 0..pairs {
            let mut ours = Vec::new();
            let mut theirs = None;
            for side in 0..3 {
                match (side + pair) % 3 {
                    0 => theirs = Some(pgbench(ring, cpus)?),
                    1 => ours.push((true, ring.ingest(&Way::row(Scheme::Threads, cpus))?)),
                    _ => ours.push((false, ring.ingest(&Way::row(Scheme::Async, cpus))?)),
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

fn pgbench(ring: &Ring, cpus: f64) -> Result<Run> {
    ring.settle()?;
    let shell = format!(
        "read -r PGPASSWORD; export PGPASSWORD; cat >/tmp/line.sql; bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1); \
             TIMEFORMAT='cpu %U %S'; time \"$bin/pgbench\" -n -M prepared -c {POOL} -j {POOL} -t {} -D n=-{POOL} {} \
             -f /tmp/line.sql -h link -U ingest ingest 2>&1",
        ring.lines / POOL,
        variables()
    );
    let input = format!("{}\n{}", ring.password, script());
    let out = client("db", &ring.volume, cpus, &["-c", &format!("{{ {shell}; }} 2>&1")], &input)?;
    ring.expect_rows(ring.lines * ITEMS)?;
    let word = |line: &str, index: usize| line.split_whitespace().nth(index).and_then(|word| word.parse::<f64>().ok());
    let tps = out.lines().find_map(|line| line.strip_prefix("tps = ").and_then(|rest| word(rest, 0)));
    let cpu = out.lines().find(|line| line.starts_with("cpu ")).and_then(|line| Some(word(line, 1)? + word(line, 2)?));
    let (Some(tps), Some(cpu)) = (tps, cpu) else { bail!("pgbench said: {out}") };
    let cpu = cpu / (ring.lines * ITEMS) as f64 * 1e6;
    Ok(Run { rate: tps * ITEMS as f64, cpu, phase_cpu: cpu })
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

fn print(scheme: &str, pairs: &[(Run, Run)]) {
    println!("{scheme}: rows/s {} of pgbench (wanted: lower end 0.95 or more)", ratio(pairs, |run| run.rate));
    println!("{scheme}: client CPU a row {} of pgbench (wanted: upper end 1.15 or less)", ratio(pairs, |run| run.cpu));
}
