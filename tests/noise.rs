//! Series of cells that are the same but for their name, and of one that is a tenth slower. Does the report see a difference
//! that isn't there, does it see the one that is? And `lab compare`, which gets the series in pairs: does it, and does its
//! gate fail on it? `make test-noise`; an hour and more.
//!
//! One after the other the series are pairs without a difference. For the planted slowdown the second series of a pair is
//! copied, and its slower cell takes the place of the one that it is slower than.
//! INGEST_LAB_SERIES says how many pairs (twenty), INGEST_LAB_BLOCKS how many blocks a series has (six). INGEST_LAB_KEEP is
//! a folder for the results that were measured; such a folder that INGEST_LAB_RECORDED names is judged once more, without
//! measuring.
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod stacks;

use ingest_lab::analysis::{Analysis, Finding, Means};
use ingest_lab::model::cell::Cell;
use ingest_lab::model::{Part, Phase};
use ingest_lab::series::Folder;
use ingest_lab::wire::exit::Exit;
use ingest_lab::wire::record::RunRecord;
use serde_json::Value;
use stacks::{Played, Stack, recorded, series_in};
use std::path::PathBuf;
use std::process::Command as Process;

/// It runs twice a block: what is noise is told by a cell that nothing is planted in.
const BESIDE: &str = "async row auto pool 8 placement pinned inject spin=300us";

/// A client whose one processor is used up, most of it by work put in: what is added to that is added to a row's time, and
/// what the database's processor does shows little.
const BASE: &str = "threads row auto pool 8 placement pinned inject spin=300us";

/// The same for all that can be measured: fifty nanoseconds more a row.
const SAME: &str = "threads row auto pool 8 placement pinned inject spin=300.05us";

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Where series come from: a folder with results in it, and who adds some.
struct Measured {
    folder: PathBuf,
    stack: Option<Stack>,
    /// Those that were measured before, last first.
    recorded: Vec<String>,
}

impl Measured {
    fn here() -> Self {
        if let Some(folder) = std::env::var_os("INGEST_LAB_RECORDED").map(PathBuf::from) {
            let mut recorded = series_in(&folder.join("results"), "noise");
            recorded.reverse();
            return Self { folder, stack: None, recorded };
        }
        let stack = Stack::up();
        Self { folder: stack.folder.path().into(), stack: Some(stack), recorded: Vec::new() }
    }

    /// Runs cells in so many blocks; the series' name.
    fn run(&mut self, cells: &[&str], blocks: usize, seed: usize) -> String {
        let Some(stack) = &self.stack else { return self.recorded.pop().expect("another recorded series") };
        let series = stack.play("noise", cells, Played { blocks, seed, seconds: 1.5, records: 100 });
        stack.keep(&series);
        series
    }

    fn results(&self) -> PathBuf {
        self.folder.join("results")
    }

    fn runs(&self, series: &str) -> Vec<RunRecord> {
        recorded(&self.results().join(series))
    }

    /// The lab where the results are.
    fn lab(&self, arguments: &[&str]) -> Process {
        let mut lab = Process::new(assert_cmd::Command::cargo_bin("lab").unwrap().get_program());
        lab.args(arguments).current_dir(&self.folder);
        lab
    }

    /// A cell that takes a tenth longer a row than the base, by what a row costs the client here.
    fn slower(&mut self) -> String {
        let series = self.run(&[BASE], 1, 1);
        let records = self.runs(&series);
        let data = records.last().unwrap().result().unwrap().phase(Phase::Data).unwrap();
        let a_row = data.cpu.total() / data.rows as f64 * 1e6;
        eprintln!("a row costs the client {a_row:.0} µs of CPU");
        format!("threads row auto pool 8 placement pinned inject spin={:.2}us", 300.0 + a_row / 9.0)
    }
}

/// What a series' own report says.
struct Reported {
    text: String,
    /// It tells two cells apart that are the same.
    false_alarm: bool,
    /// It finds the slower one slower.
    found: bool,
}

fn reported(records: &[RunRecord], same: &Cell, slower: &Cell) -> Reported {
    let analysis = Analysis::of(records);
    let of = |cell: &Cell| {
        let compared = analysis.comparisons.iter().find(|one| one.other == cell).unwrap();
        match compared.finding {
            Finding::Measured { ratio, means, .. } => (ratio.to_string(), Some(means)),
            Finding::TooFew { pairs, .. } => (format!("{pairs} pairs only"), None),
        }
    };
    let ((same, alike), (less, means)) = (of(same), of(slower));
    let floor = analysis.noise.map_or(f64::NAN, |noise| noise.floor);
    Reported {
        text: format!("floor {floor:.3}; same {same} {alike:?}; a tenth slower {less} {means:?}"),
        false_alarm: matches!(alike, Some(Means::Slower | Means::Faster)),
        found: means == Some(Means::Slower),
    }
}

/// A series once more, as if its base had been the slower cell.
fn planted(measured: &Measured, series: &str, slower: &Cell) -> String {
    let results = measured.results();
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

/// What `lab compare --gate` says of two series.
struct Compared {
    text: String,
    /// The base's rate in the second as a multiple of the first's.
    ratio: f64,
    /// Anything differs.
    differs: bool,
    /// The gate fails because something is slower.
    fails: bool,
}

fn compared(measured: &Measured, base: &str, other: &str) -> Compared {
    let done = measured.lab(&["compare", base, other, "--json", "--partial", "--gate"]).output().unwrap();
    let value = serde_json::from_slice(&done.stdout);
    let value: Value = value.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&done.stderr)));
    let (of, code) = (&value["series"][0], done.status.code().unwrap());
    let cell: Cell = BASE.parse().unwrap();
    let is_it = |one: &&Value| serde_json::from_value::<Cell>(one["cell"].clone()).unwrap() == cell;
    let found = of["cells"].as_array().unwrap().iter().find(is_it).unwrap();
    let ratio = found["rate"]["measured"]["ratio"]["ratio"].as_f64().unwrap_or(f64::NAN);
    let differs = of["differs"].as_bool().unwrap();
    let text = format!("{} {ratio:.3}, any difference {differs}, exit {code}", found["means"].as_str().unwrap());
    Compared { text, ratio, differs, fails: code == i32::from(Exit::Slower.code()) }
}

/// How often something was so.
struct Count(usize);

impl Count {
    fn add(&mut self, is: bool) {
        self.0 += usize::from(is);
    }

    /// At most one in twenty.
    fn is_rare(&self, of: usize) -> bool {
        self.0 * 20 <= of
    }

    /// Eighteen in twenty, or more.
    fn is_usual(&self, of: usize) -> bool {
        self.0 * 20 >= of * 18
    }
}

#[test]
#[ignore = "an hour: make test-noise"]
fn differences_that_are_there_are_found_and_others_are_not() {
    let (pairs, blocks) = (number("INGEST_LAB_SERIES", 20), number("INGEST_LAB_BLOCKS", 6));
    let mut measured = Measured::here();
    let slower = measured.slower();
    let [same, slow]: [Cell; 2] = [SAME, slower.as_str()].map(|text| text.parse().unwrap());
    let cells = [BESIDE, BASE, SAME, &slower];
    let mut before = measured.run(&cells, blocks, 1);
    let [mut alarms, mut found, mut differ, mut fail_alike, mut differ_less, mut fail_less] = [const { Count(0) }; 6];
    let mut apart = Vec::new();
    for pair in 1..=pairs {
        let series = measured.run(&cells, blocks, pair + 1);
        let records = measured.runs(&series);
        let valid = records.iter().filter(|run| run.part != Part::WarmUp && run.is_valid()).count();
        let own = reported(&records, &same, &slow);
        let alike = compared(&measured, &before, &series);
        let less_of = planted(&measured, &series, &slow);
        let less = compared(&measured, &before, &less_of);
        eprintln!("series {pair}: {valid} valid runs; {}", own.text);
        eprintln!("    with the one before: {}; a tenth planted: {}", alike.text, less.text);
        alarms.add(own.false_alarm);
        found.add(own.found);
        differ.add(alike.differs);
        fail_alike.add(alike.fails);
        differ_less.add(less.differs);
        fail_less.add(less.fails);
        apart.extend(Some(alike.ratio.ln()).filter(|log| log.is_finite()));
        std::fs::remove_dir_all(measured.results().join(less_of)).unwrap();
        before = series;
    }
    let spread = (apart.iter().map(|log: &f64| log * log).sum::<f64>() / apart.len().max(1) as f64).sqrt();
    eprintln!("{pairs} series: {} report a difference that isn't there, {} the one that is", alarms.0, found.0);
    eprintln!("{pairs} pairs: {} differ, the gate fails on {}", differ.0, fail_alike.0);
    eprintln!("{pairs} with a tenth planted: {} differ, the gate fails on {}", differ_less.0, fail_less.0);
    eprintln!("a cell's rates lie {:.1} % apart from series to series (root mean square)", spread * 100.0);
    let rare = [&alarms, &differ, &fail_alike].iter().all(|count| count.is_rare(pairs));
    let usual = [&found, &differ_less, &fail_less].iter().all(|count| count.is_usual(pairs));
    assert!(rare, "false alarms: more than one in twenty");
    assert!(usual, "a tenth: found in fewer than eighteen of twenty");
}
