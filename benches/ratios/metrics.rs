//! What measuring costs: two ingesters at the same time, one with metrics and one without, where the client's CPU is
//! the bound of either.
//!
//! One after the other they met different moods of the machine, which lay 15 % apart where 2 % was to be seen. Beside
//! each other on one processor, each with its quota of it, they meet the same; who has which half of the lines takes turns.

use super::ring::{Ring, Run, Way, ratio};
use anyhow::Result;
use ingest_lab::model::share::Share;
use ingest_lab::model::{Commit, Scheme};

/// Processors' worth of time for each client.
const CPUS: f64 = 0.2;

/// The least part of it that either uses where the client is the bound: a pair with less doesn't count.
const USED: f64 = 0.9;

/// How unevenly they may have used it: what one got more shows as if measuring had cost the other that.
const UNEVEN: f64 = 0.02;

/// How long they run beside each other, seconds.
const SECONDS: f64 = 10.0;

/// Runs the pairs and prints the ratios.
pub fn compare(ring: &Ring, pairs: usize) -> Result<()> {
    println!("\nmetrics on beside off, clients on {CPUS} CPU each, {SECONDS} s a pair");
    for scheme in [Scheme::Threads, Scheme::Async] {
        let all = (0..2 * pairs).map(|pair| both(ring, scheme, pair)).collect::<Result<Vec<_>>>()?;
        let is_bound = |run: &Run| run.busy() >= USED * CPUS;
        let is_even = |off: &Run, on: &Run| (off.busy() / on.busy() - 1.0).abs() <= UNEVEN;
        let counts = |(off, on): &(Run, Run)| is_bound(off) && is_bound(on) && is_even(off, on);
        let runs: Vec<_> = all.iter().copied().filter(counts).collect();
        let [cost, cpu] = [|run: &Run| run.rate, |run: &Run| run.phase_cpu.recip()].map(|figure| ratio(&runs, figure));
        println!("{scheme}: {} of {} pairs count", runs.len(), all.len());
        println!("{scheme}: rows/s without metrics {cost} of those with (wanted: upper end 1.02 or less)");
        println!("{scheme}: rows a second of client CPU {cpu}");
    }
    Ok(())
}

/// One pair: without metrics and with.
fn both(ring: &Ring, scheme: Scheme, pair: usize) -> Result<(Run, Run)> {
    // A commit a record, so that the database keeps up with both; a row is a measured operation all the same.
    let way = |metrics, client| Way {
        metrics,
        share: Share { client, of: 2 },
        commit: Commit::Record,
        seconds: Some(SECONDS),
        ..Way::row(scheme, CPUS)
    };
    let half = 1 + pair % 2;
    let [off, on] = ring.ingest_both([&way(false, half), &way(true, 3 - half)])?;
    eprintln!(
        "pair {}: {scheme} off {:.0}, on {:.0} rows/s: {:.3}; CPU used {:.3} and {:.3}",
        pair + 1,
        off.rate,
        on.rate,
        off.rate / on.rate,
        off.busy(),
        on.busy()
    );
    Ok((off, on))
}
