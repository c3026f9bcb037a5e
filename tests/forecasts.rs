//! Forecasts over the experiments that come with the lab: how far off were they, did they come out within the ends that
//! were said, and were they better than the nearest measured cell? And: do the pools that the law calls right do what it
//! says? `make test-forecasts`; half an hour.
//!
//! INGEST_LAB_EXPERIMENTS names the experiments, by commas; INGEST_LAB_BLOCKS says how many blocks of each (one).
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod stacks;

use ingest_lab::analysis::{Analysis, Scaling, Scored, Scores, scored};
use ingest_lab::model::Factor;
use ingest_lab::wire::record::RunRecord;
use stacks::Stack;

/// Pools that are called right bring at least this part of the sweep's best.
const AS_GOOD: f64 = 0.95;

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.into())
}

fn run(stack: &Stack, experiment: &str) -> Vec<RunRecord> {
    let blocks = setting("INGEST_LAB_BLOCKS", "1");
    let done = stack.lab(&["run", experiment, "--blocks", &blocks, "--yes"]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let records = stack.records(&stack.series_of(experiment)).into_iter();
    records.map(|record| serde_json::from_value(record).unwrap()).collect()
}

/// Pools that were tried and called right, with what each brings of the sweep's best.
fn right_pools(analysis: &Analysis<'_>) -> Vec<(String, f64)> {
    let mut found = Vec::new();
    for group in analysis.groups(Factor::Pool) {
        let Some(law) = Scaling::of(&group) else { continue };
        let (low, high) = law.as_good();
        let rates = group.iter().filter_map(|cell| Some((cell.cell, cell.rate()?.median)));
        let best = rates.clone().map(|(_, rate)| rate).fold(0.0, f64::max);
        let right = rates.filter(|(cell, _)| (low..=high).contains(&cell.pool));
        found.extend(right.map(|(cell, rate)| (cell.to_string(), rate / best)));
    }
    found
}

#[test]
#[ignore = "half an hour: make test-forecasts"]
fn shipped_experiments_are_forecast() {
    let stack = Stack::up();
    let experiments = setting("INGEST_LAB_EXPERIMENTS", "pool-size,latency,cpu,durability");
    let all: Vec<Vec<RunRecord>> = experiments.split(',').map(|experiment| run(&stack, experiment)).collect();
    let analyses: Vec<Analysis<'_>> = all.iter().map(|records| Analysis::of(records)).collect();
    let told: Vec<Scored<'_>> = analyses.iter().flat_map(|analysis| scored(&analysis.cells)).collect();
    for one in told.iter().filter(|one| one.forecast.held_out) {
        eprintln!(
            "{:<90} said {:>8.0} ({:.0}-{:.0}), did {:>8.0}, off {:+.1} %; nearest off {:+.0} %",
            one.cell.to_string(),
            one.forecast.rate,
            one.forecast.low,
            one.forecast.high,
            one.measured,
            one.off() * 100.0,
            one.nearest_off() * 100.0
        );
    }
    let scores = Scores::of(&told).expect("cells were held out");
    eprintln!("{scores:.3?}");
    let pools: Vec<(String, f64)> = analyses.iter().flat_map(right_pools).collect();
    pools.iter().for_each(|(cell, part)| eprintln!("{cell}: {:.1} % of the sweep's best", part * 100.0));
    assert!(scores.median <= 0.10 && scores.p90 <= 0.25, "{scores:?}");
    assert!((0.80..=0.97).contains(&scores.inside) && scores.median < scores.nearest, "{scores:?}");
    assert!(pools.iter().all(|(_, part)| *part >= AS_GOOD), "{pools:?}");
}
