//! What measuring costs: two ingesters at the same time, one with metrics and one without (as a floor, both with them),
//! where the client's CPU is the bound of either.
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

/// Runs the pairs and prints the ratios: off beside on, and as a floor on beside on, which tells what the way of
/// measuring makes of nothing.
pub fn compare(ring: &Ring, pairs: usize) -> Result<()> {
    println!("\nmetrics on beside off, clients on {CPUS} CPU each, {SECONDS} s a pair");
    for (scheme, metrics) in [(Scheme::Threads, OFF), (Scheme::Async, OFF), (Scheme::Threads, ON)] {
        let all = (0..2 * pairs).map(|pair| both(ring, scheme, metrics, pair)).collect::<Result<Vec<_>>>()?;
        let is_bound = |run: &Run| run.busy() >= USED * CPUS;
        let is_even = |one: &Run, on: &Run| (one.busy() / on.busy() - 1.0).abs() <= UNEVEN;
        let counts = |(one, on): &(Run, Run)| is_bound(one) && is_bound(on) && is_even(one, on);
        let runs: Vec<_> = all.iter().copied().filter(counts).collect();
        let [rate, cpu] = [|run: &Run| run.rate, |run: &Run| run.phase_cpu.recip()].map(|figure| ratio(&runs, figure));
        let wanted = if metrics == OFF { "upper end 1.02 or less" } else { "1 within" };
        let word = word(metrics);
        println!("{scheme}: {} of {} pairs count", runs.len(), all.len());
        println!("{scheme}: rows/s with metrics {word} {rate} of those with metrics on (wanted: {wanted})");
        println!("{scheme}: rows a second of client CPU {cpu}");
    }
    Ok(())
}

/// Whether metrics are on.
const ON: bool = true;
const OFF: bool = false;

fn word(metrics: bool) -> &'static str {
    if metrics { "on" } else { "off" }
}

/// One pair: one side with metrics or without, the other with them. Halves of the lines take turns, and who starts first
/// does.
fn both(ring: &Ring, scheme: Scheme, metrics: bool, pair: usize) -> Result<(Run, Run)> {
    // A commit a record, so that the database keeps up with both; a row is a measured operation all the same.
    let way = |metrics, client| Way {
        metrics,
        share: Share { client, of: 2 },
        commit: Commit::Record,
        seconds: Some(SECONDS),
        ..Way::row(scheme, CPUS)
    };
    let half = 1 + pair % 2;
    let (this, that) = (way(metrics, half), way(ON, 3 - half));
    let [one_run, on] = if (pair / 2).is_multiple_of(2) {
        ring.ingest_both([&this, &that])?
    } else {
        let [that, this] = ring.ingest_both([&that, &this])?;
        [this, that]
    };
    eprintln!(
        "pair {}: {scheme} {} {:.0}, on {:.0} rows/s: {:.3}; CPU used {:.3} and {:.3}",
        pair + 1,
        word(metrics),
        one_run.rate,
        on.rate,
        one_run.rate / on.rate,
        one_run.busy(),
        on.busy()
    );
    Ok((one_run, on))
}
