//! `row` with the client on a quarter of a processor: our `async` against the best of the Python peers.
//! Wants their image: `make python`.

use super::ring::{Ring, Way, in_turns, ratio};
use anyhow::{Context, Result};
use ingest_lab::model::{Program, Protocol, Scheme};

/// Processors' worth of time for the client.
const CPUS: f64 = 0.25;

/// How long a run takes new lines.
const SECONDS: f64 = 20.0;

/// At least how many times as many rows a second as the best peer …
const RATE: f64 = 2.5;

/// … and at most how many times its CPU time a row.
const CPU: f64 = 0.4;

/// Runs every peer once, then the best of them in turns with ours, and prints the ratios.
pub fn compare(ring: &Ring, pairs: usize) -> Result<()> {
    println!("\nrow, client on {CPUS} CPU, database on a CPU of its own, {SECONDS} s a run");
    let peers = Scheme::ALL.iter().filter(|scheme| scheme.program() == Program::Python);
    let mut best: Option<(Scheme, f64)> = None;
    for peer in peers {
        let run = ring.ingest(&way(*peer))?;
        println!("{peer}: {:.0} rows/s, {:.0} µs of client CPU a row", run.rate, run.phase_cpu);
        if best.is_none_or(|(_, rate)| run.rate > rate) {
            best = Some((*peer, run.rate));
        }
    }
    let (best, _) = best.context("there is a peer")?;
    let runs = in_turns(
        pairs,
        [Scheme::Async.word(), best.word()],
        || ring.ingest(&way(Scheme::Async)),
        || ring.ingest(&way(best)),
    )?;
    println!("async: rows/s {} of {best} (wanted: lower end {RATE} or more)", ratio(&runs, |run| run.rate));
    println!(
        "async: client CPU a row {} of {best} (wanted: upper end {CPU} or less)",
        ratio(&runs, |run| run.phase_cpu)
    );
    Ok(())
}

/// The peers on psycopg2 write parameters into the text; whoever can prepares once.
fn way(scheme: Scheme) -> Way {
    let simple = matches!(scheme, Scheme::PyThreads | Scheme::PyGevent | Scheme::PyAiopg | Scheme::PyProcesses);
    let protocol = if simple { Protocol::Simple } else { Protocol::Prepared };
    Way { protocol, seconds: Some(SECONDS), ..Way::row(scheme, CPUS) }
}
