//! What measuring costs: the same run with metrics and without, in turns, where the client's CPU is the bound.

use super::ring::{ITEMS, Ring, Way, in_turns, ratio};
use anyhow::Result;
use ingest_lab::model::Scheme;

/// Processors' worth of time for the client.
const CPUS: f64 = 0.25;

/// Runs the pairs and prints the ratios.
pub fn compare(ring: &Ring, pairs: usize) -> Result<()> {
    println!("\nmetrics on against off, client on {CPUS} CPU, {} rows a run", ring.lines * ITEMS);
    for scheme in [Scheme::Threads, Scheme::Async] {
        let with = |metrics| ring.ingest(&Way { metrics, ..Way::row(scheme, CPUS) });
        let runs = in_turns(pairs, [&format!("{scheme} off"), "on"], || with(false), || with(true))?;
        let cost = ratio(&runs, |run| run.rate);
        println!("{scheme}: without metrics {cost} as many rows/s (wanted: upper end 1.02 or less)");
    }
    Ok(())
}
