//! Forecasts over the experiments that come with the lab: how far off were they, did they come out within the ends that
//! were said, and were they better than the nearest measured cell? And: do the pools that the law calls right do what it
//! says? `make test-forecasts`; half an hour.
//!
//! INGEST_LAB_EXPERIMENTS names the experiments, by commas; INGEST_LAB_BLOCKS says how many blocks of each (one);
//! INGEST_LAB_KEEP is a folder for the results that were measured. INGEST_LAB_RECORDED names series, by commas: they
//! are forecast again, as if their cells had run in other orders.
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod stacks;

use ingest_lab::analysis::{Ahead, Analysis, Scaling, Scored, Scores, forecast, scored};
use ingest_lab::model::{Factor, Part, Phase};
use ingest_lab::wire::forecast::Forecast;
use ingest_lab::wire::record::RunRecord;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use stacks::{Stack, recorded};
use std::path::Path;

/// Orders that a recorded series is forecast in.
const ORDERS: u64 = 10;

/// Pools that are called right bring at least this part of the sweep's best.
const AS_GOOD: f64 = 0.95;

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.into())
}

fn run(stack: &Stack, experiment: &str) -> Vec<RunRecord> {
    let blocks = setting("INGEST_LAB_BLOCKS", "1");
    let done = stack.lab(&["run", experiment, "--blocks", &blocks, "--yes"]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let series = stack.series_of(experiment);
    stack.keep(&series);
    stack.runs(&series)
}

/// Held-out forecasts, one a line, and all together.
fn show(told: &[Scored<'_>]) -> Scores {
    for one in told.iter().filter(|one| one.forecast.held_out) {
        eprintln!(
            "{:<90} said {:>8.0} ({:.0}-{:.0}), did {:>8.0}, off {:+.1} %; nearest off {:+.0} %; from {}",
            one.cell.to_string(),
            one.forecast.rate,
            one.forecast.low,
            one.forecast.high,
            one.measured,
            one.off() * 100.0,
            one.nearest_off() * 100.0,
            one.forecast.from
        );
    }
    let scores = Scores::of(told).expect("cells were held out");
    eprintln!("{scores:.3?}");
    scores
}

/// One run of each cell, in an order drawn from a seed, and what is said of each from those before it.
fn in_another_order(records: &[RunRecord], seed: u64) -> (Vec<RunRecord>, Vec<Option<Forecast>>) {
    let mut runs: Vec<RunRecord> = Vec::new();
    for record in records.iter().filter(|record| record.part == Part::Cell && record.is_valid()) {
        if !runs.iter().any(|run| run.cell == record.cell) {
            runs.push(record.clone());
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for last in (1..runs.len()).rev() {
        runs.swap(last, (rng.next_u64() % (last as u64 + 1)) as usize);
    }
    let told = (0..runs.len()).map(|at| {
        let rtt = runs[at].conditions.link_asked.as_ref().unwrap().rtt().nanos() as f64 / 1e9;
        let processors = usize::try_from(runs[at].conditions.engine.processors).unwrap();
        forecast(&runs[..at], Ahead { cell: &runs[at].cell, rtt, processors })
    });
    let told = told.collect();
    (runs, told)
}

#[test]
#[ignore = "wants recorded series: INGEST_LAB_RECORDED"]
fn recorded_series_are_forecast_in_other_orders() {
    let folders = std::env::var("INGEST_LAB_RECORDED").expect("INGEST_LAB_RECORDED names folders of series");
    let all: Vec<_> = folders.split(',').map(|folder| recorded(Path::new(folder))).collect();
    let orders: Vec<_> =
        all.iter().flat_map(|records| (1..=ORDERS).map(|seed| in_another_order(records, seed))).collect();
    let told: Vec<Scored<'_>> = orders
        .iter()
        .flat_map(|(runs, told)| runs.iter().zip(told))
        .filter_map(|(run, forecast)| {
            let measured = run.result()?.phase(Phase::Data)?.rates.steady?.rate;
            Some(Scored { cell: &run.cell, forecast: forecast.as_ref()?, measured })
        })
        .collect();
    show(&told);
}

/// Pools that were tried and called right by a law that fits, with what each brings of the sweep's best; nothing at all
/// where none was tried of those that are called right: whoever says such a range was not checked.
fn right_pools(analysis: &Analysis<'_>) -> Vec<(String, f64)> {
    let mut found = Vec::new();
    for group in analysis.groups(Factor::Pool) {
        let Some(law) = Scaling::of(&group) else { continue };
        if !law.fits() {
            eprintln!("{}: the law is {:.1} % off, and no pool is told by it", group[0].cell, law.off * 100.0);
            continue;
        }
        // Without the best that was measured, which is always right.
        let (low, high) = law.by_law();
        let rates = group.iter().filter_map(|cell| Some((cell.cell, cell.rate()?.median)));
        let best = rates.clone().map(|(_, rate)| rate).fold(0.0, f64::max);
        let right: Vec<_> = rates.filter(|(cell, _)| (low..=high).contains(&cell.pool)).collect();
        if right.is_empty() {
            found.push((format!("{}: no tried pool is among {low} to {high}", group[0].cell), 0.0));
        }
        found.extend(right.into_iter().map(|(cell, rate)| (cell.to_string(), rate / best)));
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
    let scores = show(&told);
    let pools: Vec<(String, f64)> = analyses.iter().flat_map(right_pools).collect();
    pools.iter().for_each(|(cell, part)| eprintln!("{cell}: {:.1} % of the sweep's best", part * 100.0));
    assert!(scores.median <= 0.10 && scores.p90 <= 0.25, "{scores:?}");
    assert!((0.80..=0.97).contains(&scores.inside) && scores.median < scores.nearest, "{scores:?}");
    assert!(!pools.is_empty(), "no law fits, so no pool was called right");
    assert!(pools.iter().all(|(_, part)| *part >= AS_GOOD), "{pools:?}");
}
