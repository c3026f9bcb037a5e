//! Cells whose bound is known, because each is proved by relieving it: the analysis has to name it from what was
//! measured alone. `make test-verdict`; three hours and more on a machine that does nothing else.
//!
//! Parameters are drawn from a seed that is printed: INGEST_LAB_SEED repeats a drawing, INGEST_LAB_DRAWS says how many
//! cells of each class and scheme (three), INGEST_LAB_CLASSES names the classes to try, by commas.
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod classes;
mod known;
mod stacks;

use classes::{Draw, Known, MEASURED, drawn, while_locked};
use ingest_lab::analysis::{Summary, evidence, verdict};
use ingest_lab::model::cell::Cell;
use ingest_lab::wire::record::RunRecord;
use known::{bare, rate, run};
use stacks::Stack;

/// Relieving the bound gives at least this many times as much …
const RELIEVED: f64 = 1.3;

/// … relieving anything else less than this …
const NO_RELIEF: f64 = 1.1;

/// … and of two sides that are used up alike one alone less than this: what `mixed` means of them. Of two waits each gives
/// as much as a bound does.
const ALONE: f64 = 1.2;

/// Runs of a known cell that count: of the relieved, and of all that keep what bounds it. With a session beside them these
/// are two series, and both cells may have the same text.
struct Runs {
    relieved: Vec<RunRecord>,
    kept: Vec<RunRecord>,
}

impl Runs {
    /// Or why there are none.
    fn of(stack: &Stack, known: &Known) -> Result<Self, String> {
        let others = known.each.iter().chain(&known.others);
        let kept: Vec<&str> = [&known.cell].into_iter().chain(others).map(String::as_str).collect();
        let relieved = known.relieved.as_str();
        if let Some(held) = known.locked {
            let relieved = valid(stack, known, &[relieved])?;
            return Ok(Self { relieved, kept: while_locked(stack, held, || valid(stack, known, &kept))? });
        }
        let records = valid(stack, known, &[kept, vec![relieved]].concat())?;
        let (relieved, kept) = records.into_iter().partition(|record| is_of(record, relieved));
        Ok(Self { relieved, kept })
    }
}

fn is_of(record: &RunRecord, text: &str) -> bool {
    record.cell == text.parse::<Cell>().unwrap()
}

/// What does not count here counts nowhere: a cell without a valid run is run once more, and then given up.
fn valid(stack: &Stack, known: &Known, cells: &[&str]) -> Result<Vec<RunRecord>, String> {
    let mut records = run(stack, cells, known.blocks, known.seconds, known.lines);
    let missing = |records: &[RunRecord]| {
        let has = |text: &str| records.iter().any(|record| record.is_valid() && is_of(record, text));
        cells.iter().copied().filter(|text| !has(text)).collect::<Vec<_>>()
    };
    let again = missing(&records);
    if !again.is_empty() {
        eprintln!("{}: no valid run of {}, once more", known.class, again.join(", "));
        records.extend(run(stack, &again, known.blocks, known.seconds, known.lines));
    }
    let without = missing(&records);
    if !without.is_empty() {
        let why: Vec<String> = records.iter().flat_map(|record| record.invalid.clone()).collect();
        return Err(format!("{}: no valid run of {}: {}", known.class, without.join(", "), why.join("; ")));
    }
    records.retain(RunRecord::is_valid);
    Ok(records)
}

/// How many times the cell's own rate it does without what bounds it, and without something else.
struct Shown {
    relief: f64,
    each: Vec<f64>,
    others: Vec<f64>,
}

impl Shown {
    fn of(known: &Known, runs: &Runs) -> Self {
        let median = |records: &[RunRecord], text: &str| {
            Summary::of(records.iter().filter(|record| is_of(record, text)).map(rate)).unwrap().median
        };
        let own = median(&runs.kept, &known.cell);
        let times =
            |cells: &[String]| -> Vec<f64> { cells.iter().map(|cell| median(&runs.kept, cell) / own).collect() };
        let relief = median(&runs.relieved, &known.relieved) / own;
        let shown = Self { relief, each: times(&known.each), others: times(&known.others) };
        eprintln!("{:<18} {}", known.class, known.cell);
        eprintln!("    {own:.0} rows/s; {}", shown.words());
        shown
    }

    /// Whether that is what its bounds mean.
    fn is_meant(&self, known: &Known) -> bool {
        let alike = known.bounds.len() > 1 && self.each.is_empty();
        let most = if alike { ALONE } else { NO_RELIEF };
        self.relief >= RELIEVED
            && self.each.iter().all(|each| (RELIEVED..self.relief).contains(each))
            && self.others.iter().all(|other| *other < most)
    }

    fn words(&self) -> String {
        let Self { relief, each, others } = self;
        let each = if each.is_empty() { String::new() } else { format!("one alone {each:.2?}, ") };
        format!("relieved {relief:.2}x, {each}others {others:.2?}")
    }
}

/// Runs a known cell; what is wrong with it, if anything.
fn try_out(stack: &Stack, known: &Known) -> Option<String> {
    let runs = match Runs::of(stack, known) {
        Ok(runs) => runs,
        Err(without) => return Some(without),
    };
    let shown = Shown::of(known, &runs);
    let mut wrong = Vec::new();
    if !shown.is_meant(known) {
        wrong.push(format!("it is not bounded as meant: {}", shown.words()));
    }
    for record in runs.kept.iter().filter(|record| is_of(record, &known.cell)) {
        let evidence = evidence(&bare(record)).unwrap();
        let told = verdict(&evidence);
        eprintln!("    {}: {}", told.bound, told.why);
        if told.of != known.bounds {
            wrong.push(format!("told {} ({}): {evidence:?}", told.bound, told.why));
        }
    }
    (!wrong.is_empty()).then(|| format!("{}, {}: {}", known.class, known.cell, wrong.join("; ")))
}

#[test]
#[ignore = "three hours: make test-verdict"]
fn known_bounds_are_named() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("INGEST_LAB_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let draws = number("INGEST_LAB_DRAWS").unwrap_or(3);
    let wanted = std::env::var("INGEST_LAB_CLASSES").unwrap_or_default();
    eprintln!("INGEST_LAB_SEED={seed}, {draws} cells of each class and scheme");
    let mut draw = Draw::of(seed);
    let schemes: Vec<(&str, bool)> = (0..draws).flat_map(|at| [("threads", at == 0), ("async", at == 0)]).collect();
    let mut all: Vec<Known> = schemes.iter().flat_map(|(scheme, first)| drawn(scheme, *first, &mut draw)).collect();
    let is_wanted = |class: &str| wanted.is_empty() || wanted.split(',').any(|one| one == class);
    all.retain(|known| is_wanted(known.class));
    let (mut wrong, mut tried) = (Vec::new(), all.len());
    for tag in ["local", "slow-sync"] {
        let of_tag: Vec<&Known> = all.iter().filter(|known| known.tag == tag).collect();
        let found: Vec<_> = MEASURED.into_iter().filter(|(class, _)| tag == "local" && is_wanted(class)).collect();
        if of_tag.is_empty() && found.is_empty() {
            continue;
        }
        let stack = Stack::with(tag);
        wrong.extend(of_tag.iter().filter_map(|known| try_out(&stack, known)));
        for (_, find) in found {
            let mut draw = draw.clone(); // the same whether or not other classes are wanted
            for (scheme, _) in &schemes {
                wrong.extend(try_out(&stack, &find(&stack, scheme, &mut draw)));
                tried += 1;
            }
        }
    }
    eprintln!("{} of {tried} right", tried - wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
