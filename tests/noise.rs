//! Series of cells that are the same but for their name, and one that is a tenth slower: how often does the report see a
//! difference that isn't there, and how often the one that is? `make test-noise`; half an hour and more.
//!
//! INGEST_LAB_SERIES says how many series (twenty).
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod stacks;

use ingest_lab::analysis::{Analysis, Finding, Means};
use ingest_lab::model::Phase;
use ingest_lab::model::cell::Cell;
use ingest_lab::wire::record::RunRecord;
use stacks::{Played, Stack};

/// A client whose one processor is busy, most of it with work put in: what is added to that is added to a row's time.
const BASE: &str = "threads row auto pool 4 placement pinned inject spin=300us";

/// The same for all that can be measured: fifty nanoseconds more a row.
const SAME: &str = "threads row auto pool 4 placement pinned inject spin=300.05us";

/// Runs cells in so many blocks; every run.
fn run(stack: &Stack, cells: &[&str], blocks: usize, seed: usize) -> Vec<RunRecord> {
    let series = stack.play("noise", cells, Played { blocks, seed, seconds: 1.5, records: 100 });
    stack.runs(&series)
}

/// A cell that takes a tenth longer a row than the first, by what a row costs the client here.
fn slower(stack: &Stack) -> String {
    let records = run(stack, &[BASE], 1, 1);
    let data = records.last().unwrap().result().unwrap().phase(Phase::Data).unwrap();
    let a_row = data.cpu.total() / data.rows as f64 * 1e6;
    eprintln!("a row costs the client {a_row:.0} µs of CPU");
    format!("threads row auto pool 4 placement pinned inject spin={:.2}us", 300.0 + a_row / 9.0)
}

#[test]
#[ignore = "half an hour: make test-noise"]
fn differences_that_are_there_are_found_and_others_are_not() {
    let series = std::env::var("INGEST_LAB_SERIES").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let stack = Stack::up();
    let slower = slower(&stack);
    let [same, planted]: [Cell; 2] = [SAME, slower.as_str()].map(|text| text.parse().unwrap());
    let (mut false_alarms, mut found) = (0, 0);
    for number in 1..=series {
        let records = run(&stack, &[BASE, SAME, &slower], 6, number);
        let valid = records.iter().filter(|record| record.is_valid()).count();
        let analysis = Analysis::of(&records);
        let of = |cell: &Cell| {
            analysis.comparisons.iter().find(|one| one.other == cell).map(|one| match one.finding {
                Finding::Measured { ratio, means, .. } => (ratio.to_string(), Some(means)),
                Finding::TooFew { pairs, .. } => (format!("{pairs} pairs only"), None),
            })
        };
        let (alike, less) = (of(&same).unwrap(), of(&planted).unwrap());
        let noise = analysis.noise.map_or(0.0, |noise| noise.floor);
        eprintln!("series {number}: {valid} valid runs, floor {noise:.3}; same {alike:?}; a tenth slower {less:?}");
        false_alarms += usize::from(matches!(alike.1, Some(Means::Slower | Means::Faster)));
        found += usize::from(less.1 == Some(Means::Slower));
    }
    eprintln!("{series} series: {false_alarms} report a difference that isn't there, {found} the one that is");
    assert!(false_alarms * 20 <= series, "{false_alarms} false alarms in {series} series");
    assert!(found * 20 >= series * 18, "found in {found} of {series}");
}
