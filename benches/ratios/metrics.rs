//! What measuring costs: the same run with metrics and without, in turns, where the client's CPU is the bound.

use super::ring::{ITEMS, Ring, Way};
use anyhow::Result;
use ingest_lab::analysis::Ratio;
use ingest_lab::model::Scheme;

/// Processors' worth of time for the client.
const CPUS: f64 = 0.25;

/// Runs the pairs and prints the ratios.
pub fn compare(ring: &Ring, pairs: usize) -> Result<()> {
    println!("\nmetrics on against off, client on {CPUS} CPU, {} rows a run", ring.lines * ITEMS);
    for scheme in [Scheme::Threads, Scheme::Async] {
        let mut runs = Vec::new();
        for pair in 0..pairs {
            let first = pair % 2 == 0;
            let measured = |metrics| ring.ingest(&Way { metrics, ..Way::row(scheme, CPUS) });
            let (one, other) = (measured(first)?, measured(!first)?);
            let (on, off) = if first { (one, other) } else { (other, one) };
            eprintln!("pair {} of {pairs}, {scheme}: on {:.0}, off {:.0} rows/s", pair + 1, on.rate, off.rate);
            runs.push((off.rate, on.rate));
        }
        let cost = Ratio::of(&runs).map_or_else(|| "too few pairs".to_owned(), |ratio| ratio.to_string());
        println!("{scheme}: without metrics {cost} as many rows/s (wanted: upper end 1.02 or less)");
    }
    Ok(())
}
