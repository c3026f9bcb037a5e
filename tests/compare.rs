//! Pairs of series of the real stack: how often does `lab compare` see a difference that isn't there, how often a tenth
//! that is, and does the gate fail on it? `make test-compare`; two hours.
//!
//! Every series runs the same three cells; one after the other they are pairs without a difference. For the planted
//! slowdown the second series of a pair is copied, and its slower cell takes the place of the one that it is slower than.
//! INGEST_LAB_SERIES says how many pairs (twenty), INGEST_LAB_BLOCKS how many blocks (twelve).
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod stacks;

use ingest_lab::model::cell::Cell;
use ingest_lab::model::{Part, Phase};
use ingest_lab::series::Folder;
use serde_json::Value;
use stacks::{Played, Stack};

/// It runs twice a block: what is noise is told by a cell that nothing is planted in.
const BESIDE: &str = "async row auto pool 4 placement pinned inject spin=300us";

/// A client whose one processor is busy, most of it with work put in: what is added to that is added to a row's time.
const BASE: &str = "threads row auto pool 4 placement pinned inject spin=300us";

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Runs cells in so many blocks; the series' name.
fn run(stack: &Stack, cells: &[&str], blocks: usize, seed: usize) -> String {
    stack.play("pairs", cells, Played { blocks, seed, seconds: 1.5, records: 100 })
}

/// A cell that takes a tenth longer a row than the base, by what a row costs the client here.
fn slower(stack: &Stack) -> String {
    let series = run(stack, &[BASE], 1, 1);
    let records = stack.runs(&series);
    let data = records.last().unwrap().result().unwrap().phase(Phase::Data).unwrap();
    let a_row = data.cpu.total() / data.rows as f64 * 1e6;
    eprintln!("a row costs the client {a_row:.0} µs of CPU");
    format!("threads row auto pool 4 placement pinned inject spin={:.2}us", 300.0 + a_row / 9.0)
}

/// A series once more, as if its base had been the slower cell.
fn planted(stack: &Stack, series: &str, slower: &Cell) -> String {
    let results = stack.folder.path().join("results");
    let folder = Folder::open(&results, series).unwrap();
    let copy = Folder::create(&results, "planted", "2000-01-01").unwrap();
    copy.save_experiment(&folder.experiment().unwrap()).unwrap();
    copy.save_setup(&folder.setup().unwrap()).unwrap();
    let base: Cell = BASE.parse().unwrap();
    for mut record in folder.runs().unwrap().into_iter().filter(|record| record.cell != base) {
        if record.cell == *slower {
            record.cell = base.clone();
        }
        copy.save(&record).unwrap();
    }
    copy.name().to_owned()
}

/// What `lab compare --gate` says of two series, and its exit code.
fn compared(stack: &Stack, base: &str, other: &str) -> (Value, i32) {
    let done = stack.lab(&["compare", base, other, "--json", "--partial", "--gate"]).output().unwrap();
    let value = serde_json::from_slice(&done.stdout);
    let value = value.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&done.stderr)));
    (value, done.status.code().unwrap())
}

/// What the comparison makes of a cell: a word, and its ratio.
fn of_cell(compared: &Value, cell: &str) -> (String, f64) {
    let cell: Cell = cell.parse().unwrap();
    let cells = compared["series"][0]["cells"].as_array().unwrap();
    let is_it = |one: &&Value| serde_json::from_value::<Cell>(one["cell"].clone()).unwrap() == cell;
    let found = cells.iter().find(is_it).unwrap();
    (
        found["means"].as_str().unwrap().to_owned(),
        found["rate"]["measured"]["ratio"]["ratio"].as_f64().unwrap_or(f64::NAN),
    )
}

#[test]
#[ignore = "two hours: make test-compare"]
fn pairs_of_series_differ_where_something_was_planted_and_nowhere_else() {
    let (pairs, blocks) = (number("INGEST_LAB_SERIES", 20), number("INGEST_LAB_BLOCKS", 12));
    let stack = Stack::up();
    let slower = slower(&stack);
    let slow: Cell = slower.parse().unwrap();
    let cells = [BESIDE, BASE, &slower];
    let mut first = run(&stack, &cells, blocks, 1);
    let (mut alarms, mut false_failures, mut found, mut failed, mut apart) = (0, 0, 0, 0, Vec::new());
    for pair in 1..=pairs {
        let second = run(&stack, &cells, blocks, pair + 1);
        let valid = stack.runs(&second).iter().filter(|run| run.part != Part::WarmUp && run.is_valid()).count();
        let (same, code) = compared(&stack, &first, &second);
        let differs = same["series"][0]["differs"].as_bool().unwrap();
        let (means, ratio) = of_cell(&same, BASE);
        let copy = planted(&stack, &second, &slow);
        let (less, planted_code) = compared(&stack, &first, &copy);
        let (less_means, less_ratio) = of_cell(&less, BASE);
        let less_differs = less["series"][0]["differs"].as_bool().unwrap();
        eprintln!(
            "pair {pair}: {valid} valid runs; same: {means} {ratio:.3}, any difference {differs}, exit {code}; \
             a tenth slower: {less_means} {less_ratio:.3}, any difference {less_differs}, exit {planted_code}"
        );
        apart.extend(Some(ratio.ln()).filter(|log| log.is_finite()));
        alarms += usize::from(differs);
        false_failures += usize::from(code == 10);
        found += usize::from(less_differs);
        failed += usize::from(planted_code == 10);
        first = second;
    }
    let spread = (apart.iter().map(|log: &f64| log * log).sum::<f64>() / apart.len().max(1) as f64).sqrt();
    eprintln!("{pairs} pairs: {alarms} report a difference that isn't there, the gate fails on {false_failures}");
    eprintln!("{pairs} with a tenth planted: {found} report it, the gate fails on {failed}");
    eprintln!("a cell's rates lie {:.1} % apart from series to series (root mean square)", spread * 100.0);
    assert!(alarms * 20 <= pairs && false_failures * 20 <= pairs, "{alarms} false alarms in {pairs} pairs");
    assert!(found * 20 >= pairs * 18 && failed * 20 >= pairs * 18, "found in {found}, failed on {failed} of {pairs}");
}
