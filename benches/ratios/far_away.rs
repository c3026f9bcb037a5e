//! One connection, the database 20 ms away: what each statement kind makes of it, against a round trip a row.

use super::ring::{Ring, Way, said};
use anyhow::Result;
use ingest_lab::model::{Commit, Scheme, Statement};

/// Enough for all items of a line: with fewer, each window of them is a round trip.
const IN_FLIGHT: usize = 300;

/// How long a run may take new lines.
const SECONDS: f64 = 20.0;

/// What is tried, and at least how many times as many rows a second it is to bring.
const KINDS: [(Statement, Commit, f64); 4] = [
    (Statement::Executemany, Commit::Record, 40.0),
    (Statement::Multirow, Commit::Chunk, 200.0),
    (Statement::Unnest, Commit::Chunk, 200.0),
    (Statement::Copy, Commit::Chunk, 200.0),
];

/// Runs the rounds and prints the ratios.
pub fn compare(ring: &Ring, pairs: usize) -> Result<()> {
    println!("\none connection, database 20 ms away, {SECONDS} s a run");
    ring.set_link("rtt=20ms")?;
    let outcome = rounds(ring, pairs);
    ring.set_link("local")?;
    for ((statement, commit, wanted), runs) in KINDS.iter().zip(outcome?) {
        println!("{statement}, {commit}: {} of row's rows/s (wanted: lower end {wanted} or more)", said(&runs));
    }
    Ok(())
}

fn rounds(ring: &Ring, pairs: usize) -> Result<[Vec<(f64, f64)>; KINDS.len()]> {
    let way = |statement, commit| Way {
        statement,
        commit,
        pool: 1,
        in_flight: IN_FLIGHT,
        seconds: Some(SECONDS),
        ..Way::row(Scheme::Async, 1.0)
    };
    let mut runs: [Vec<(f64, f64)>; KINDS.len()] = Default::default();
    for pair in 0..pairs {
        // In turns: row goes first in even rounds, last in odd ones.
        let row = || ring.ingest(&way(Statement::Row, Commit::Auto));
        let before = if pair % 2 == 0 { Some(row()?) } else { None };
        let mut rates = [0.0; KINDS.len()];
        for (rate, (statement, commit, _)) in rates.iter_mut().zip(KINDS) {
            *rate = ring.ingest(&way(statement, commit))?.rate;
        }
        let row = match before {
            Some(before) => before,
            None => row()?,
        };
        eprintln!("round {} of {pairs}: row {:.1}, others {rates:.0?} rows/s", pair + 1, row.rate);
        runs.iter_mut().zip(rates).for_each(|(runs, rate)| runs.push((rate, row.rate)));
    }
    Ok(runs)
}
