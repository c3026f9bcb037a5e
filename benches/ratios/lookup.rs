//! Wide rows by key: one process of ours against the best pool of Python processes on the same CPU.
//! Wants the image of the Python peers: `make python`.

use super::ring::{Ring, Run, Way, in_turns, ratio};
use anyhow::{Context, Result};
use ingest_lab::model::{Protocol, Scheme, Statement, Workload};

/// How long keys are handed out where sides take turns, seconds …
const SECONDS: f64 = 20.0;

/// … and where the best pool is looked for.
const TRIAL: f64 = 10.0;

/// Workers that are tried on either side: the best of each count.
const POOLS: [usize; 3] = [1, 2, 4];

/// At least how many times as many rows a second.
const RATE: f64 = 3.0;

/// The client has a processor to itself, the database another: a row of 6 KB costs the database more than our client, so
/// the ratio says what readers get, but not what the clients can.
pub fn on_a_processor(ring: &Ring, pairs: usize) -> Result<()> {
    compare(ring, pairs, 1.0)
}

/// The client has a quarter of a processor: there it bounds either side, and the ratio is that of the clients.
pub fn on_a_quarter(ring: &Ring, pairs: usize) -> Result<()> {
    compare(ring, pairs, 0.25)
}

/// Tries the pools of both, then lets the best of each take turns, and prints the ratios.
fn compare(ring: &Ring, pairs: usize, cpus: f64) -> Result<()> {
    println!("\nlookup, client on {cpus} CPU, database on a CPU of its own, {SECONDS} s a run");
    let designs = [(Scheme::AsyncSingle, Statement::Executemany), (Scheme::AsyncSingle, Statement::Row)];
    let ours = best(ring, &designs, cpus)?;
    let designs = [(Scheme::PyProcesses, Statement::Row), (Scheme::PyProcesses, Statement::Executemany)];
    let theirs = best(ring, &designs, cpus)?;
    let name = |way: &Way| format!("{} {} pool {}", way.scheme, way.statement, way.pool);
    let (our_name, their_name) = (name(&ours), name(&theirs));
    let runs = in_turns(pairs, [&our_name, &their_name], || ring.look_up(&ours), || ring.look_up(&theirs))?;
    println!("{our_name}: rows/s {} of {their_name} (wanted: lower end {RATE} or more)", ratio(&runs, |run| run.rate));
    println!("{our_name}: client CPU a row {} of {their_name}", ratio(&runs, |run| run.phase_cpu));
    Ok(())
}

/// The design and pool that read the most rows a second.
fn best(ring: &Ring, designs: &[(Scheme, Statement)], cpus: f64) -> Result<Way> {
    let mut best: Option<(Way, Run)> = None;
    for (scheme, statement) in designs {
        for pool in POOLS {
            let way = way(*scheme, *statement, pool, cpus);
            let run = match ring.look_up(&way) {
                Ok(run) => run,
                Err(error) => {
                    eprintln!("{scheme} {statement} pool {pool} is left out: {error:#}");
                    continue;
                }
            };
            println!(
                "{scheme} {statement} pool {pool}: {:.0} rows/s, {:.0} µs of client CPU a row",
                run.rate, run.phase_cpu
            );
            if best.as_ref().is_none_or(|(_, before)| run.rate > before.rate) {
                best = Some((way, run));
            }
        }
    }
    best.map(|(way, _)| Way { seconds: Some(SECONDS), ..way })
        .with_context(|| format!("nothing of {designs:?} could be run"))
}

/// As in the pools of the experiment `multiprocess`: one at a time in chunks of 10, or batches of 100 in flight. psycopg2
/// writes parameters into the text.
fn way(scheme: Scheme, statement: Statement, pool: usize, cpus: f64) -> Way {
    let chunk = if statement == Statement::Row { 10 } else { 100 };
    let simple = scheme == Scheme::PyProcesses && statement == Statement::Row;
    let protocol = if simple { Protocol::Simple } else { Protocol::Prepared };
    let seconds = Some(TRIAL);
    Way { workload: Workload::Lookup, statement, pool, chunk, protocol, seconds, ..Way::row(scheme, cpus) }
}
