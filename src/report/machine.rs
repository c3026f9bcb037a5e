//! What the database's machine did, and what the server counted: a line a cell, the figures of every run, and what a
//! statement took. For who doubts a verdict; nothing of it is told from here.

use super::names::Names;
use super::why::{Fact, fact};
use crate::analysis::{Analysis, CellRuns, MachineUse, Summary};
use crate::model::units;
use crate::wire::record::RunRecord;
use crate::wire::watched::{Pages, Statements};
use serde_json::{Map, Value, json};

/// What is known of a run.
pub(super) struct Seen {
    machine: MachineUse,
    statements: Option<Statements>,
    pages: Option<Pages>,
}

impl Seen {
    /// Of a run: its looks are gone through once for all figures.
    pub fn of(run: &RunRecord) -> Self {
        Self {
            machine: MachineUse::of(run).unwrap_or_default(),
            statements: run.conditions.statements(),
            pages: run.conditions.observed.as_ref().and_then(|seen| seen.counted?.pages),
        }
    }

    fn waited(&self, what: usize) -> Option<f64> {
        self.machine.waited?.get(what).copied()
    }
}

/// What a column reads from that.
type Figure = fn(&Seen) -> Option<f64>;

/// The figures of a run: name, with the unit, and figure. A share is a part of all processors' time, or of all time;
/// `cpus` are processors' worth of time.
pub(super) const FIGURES: [(&str, Figure); 12] = [
    ("softirq_share", |seen| seen.machine.softirq),
    ("waited_for_cpu_share", |seen| seen.waited(0)),
    ("waited_for_disk_share", |seen| seen.waited(1)),
    ("waited_for_memory_share", |seen| seen.waited(2)),
    ("server_processes_cpus", |seen| seen.machine.server),
    ("wal_bytes_per_s", |seen| seen.machine.wal),
    ("statements", |seen| Some(seen.statements?.calls)),
    ("us_per_statement", |seen| each(seen.statements?)),
    ("pages_hit", |seen| Some(seen.pages?.hit)),
    ("pages_read", |seen| Some(seen.pages?.read)),
    ("page_reads_s", |seen| Some(seen.pages?.read_seconds)),
    ("page_writes_s", |seen| Some(seen.pages?.write_seconds)),
];

/// What a statement took, µs.
fn each(said: Statements) -> Option<f64> {
    (said.calls > 0.0).then(|| said.seconds * 1e6 / said.calls)
}

/// What the table is called.
pub(super) const TITLE: &str = "What the machine did";

/// The heads of the table, and whether what stands below is a number.
pub(super) const HEADS: [(&str, bool); 8] = [
    ("cell", false),
    ("soft interrupts", true),
    ("waited for a CPU / a disk / memory", true),
    ("server's own, CPUs", true),
    ("WAL a second", true),
    ("statements", true),
    ("µs a statement", true),
    ("pages read", true),
];

/// What the figures are of, for those who read them.
pub(super) const NOTE: &str = "Medians of the valid runs. Of the database's machine, while every worker was busy: \
    soft interrupts (what the network takes of the kernel) as a part of all processors' time; the parts of the time in \
    which something waited for a CPU, a disk, memory (the kernel's pressure); what the server's own processes used, as \
    WAL writer and checkpointer; WAL written. Of the whole ingest, by the server's count: statements, and how long \
    each was executed, without the flush at a commit (pg_stat_statements); pages that were not in the server's memory \
    (pg_stat_database). n/a: the kernel or the server does not tell, or there were too few looks. docs/metrics.md has \
    each figure.";

/// A cell's line.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The cell, by what varies in its series.
    name: String,
    /// Medians, in the order of [`FIGURES`].
    figures: [Option<f64>; FIGURES.len()],
}

impl Row {
    /// Of a cell; none where nobody looked and nothing was counted.
    fn of(cell: &CellRuns<'_>, names: &Names) -> Option<Self> {
        let runs: Vec<Seen> = cell.valid_runs().map(Seen::of).collect();
        let median = |figure: Figure| Summary::of(runs.iter().filter_map(figure));
        let figures = FIGURES.map(|(_, figure)| Some(median(figure)?.median));
        figures.iter().any(Option::is_some).then(|| Self { name: names.cell(cell.cell), figures })
    }

    /// Its cells, under [`HEADS`].
    pub fn cells(&self) -> [String; 8] {
        let [softirq, cpu, disk, memory, server, wal, statements, each, _, read, ..] = self.figures;
        let waited: Option<Vec<String>> =
            [cpu, disk, memory].into_iter().map(|part| part.map(units::percent)).collect();
        let or_not = |text: Option<String>| text.unwrap_or_else(|| "n/a".into());
        let count = |figure: Option<f64>| or_not(figure.map(|count| units::count(count.round() as u64)));
        [
            self.name.clone(),
            or_not(softirq.map(units::percent)),
            or_not(waited.map(|parts| parts.join(" / "))),
            or_not(server.map(units::multiple)),
            or_not(wal.map(|rate| units::bytes(rate.round() as u64))),
            count(statements),
            or_not(each.map(units::number)),
            count(read),
        ]
    }

    /// The same with every figure.
    pub fn json(&self) -> Value {
        let figures = FIGURES.iter().zip(self.figures).map(|((name, _), figure)| ((*name).to_owned(), json!(figure)));
        let named: Map<String, Value> = [("name".to_owned(), json!(self.name))].into_iter().chain(figures).collect();
        named.into()
    }
}

/// Of every cell of which something is known.
pub(super) fn rows(analysis: &Analysis<'_>, names: &Names) -> Vec<Row> {
    analysis.compared().filter_map(|cell| Row::of(cell, names)).collect()
}

/// How long the server took for a statement: from the cell with the shortest to the one with the longest.
pub(super) fn statements(analysis: &Analysis<'_>) -> Option<Fact> {
    let all =
        Summary::of(analysis.compared().filter_map(|cell| cell.median(|run| each(run.conditions.statements()?))))?;
    let [low, high] = [all.least, all.most].map(units::number);
    let range = if low == high { low } else { format!("{low}-{high}, by cell,") };
    let text =
        format!("{range} us each in the server, waits there included, the flush at a commit not (pg_stat_statements)");
    Some(fact("statements", text))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{quick, report};
    use super::*;
    use crate::wire::watched::Counted;

    fn first_of(records: &[RunRecord]) -> Option<[String; 8]> {
        let analysis = Analysis::of(records);
        rows(&analysis, &Names::of(&analysis)).first().map(Row::cells)
    }

    #[test]
    fn a_cell_is_told_by_the_medians_of_its_valid_runs_in_every_form_but_the_first_screen() {
        let records = quick();
        let [_, softirq, waited, server, wal, statements, each, read] = first_of(&records).unwrap();
        assert_eq!([softirq, waited], ["3.0 %", "35 % / 4.0 % / 0.0 %"]);
        assert_eq!([server, wal, statements, each, read], ["0.020", "3.0 MiB", "60,000", "95.0", "1,500"]);
        let report = report(&records);
        let json: Value = serde_json::from_str(&report.json()).unwrap();
        let cells = json["machine"].as_array().unwrap();
        assert_eq!((cells.len(), &cells[0]["us_per_statement"]), (6, &json!(95.0)));
        assert!(cells[0]["softirq_share"].as_f64().is_some_and(|share| (share - 0.03).abs() < 1e-9));
        let csv = report.csv();
        let (heads, run) = (csv.lines().next().unwrap(), csv.lines().nth(2).unwrap());
        let at = heads.split(',').position(|head| head == "pages_hit").unwrap();
        assert_eq!(run.split(',').nth(at), Some("900000"));
        for text in [report.markdown(), report.html()] {
            assert!(text.contains(TITLE) && text.contains("soft interrupts"), "{text}");
        }
        assert!(!report.terminal(super::super::Screen { columns: 120, colours: false }).contains(TITLE));
    }

    #[test]
    fn statements_of_unlike_cells_are_told_as_a_range() {
        let mut records = quick();
        let text = |records: &[RunRecord]| statements(&Analysis::of(records)).unwrap().text;
        assert!(text(&records).starts_with("95.0 us each in the server"), "{}", text(&records));
        let cell = records.last().unwrap().cell.clone();
        for run in records.iter_mut().filter(|run| run.cell == cell) {
            let counted = run.conditions.observed.as_mut().unwrap().counted.as_mut().unwrap();
            counted.statements = Some(Statements { calls: 1_000.0, seconds: 2.0 });
        }
        assert!(text(&records).starts_with("95.0-2,000, by cell, us each"), "{}", text(&records));
    }

    #[test]
    fn what_was_not_told_is_said_not_to_be_and_a_cell_of_which_nothing_is_known_is_left_out() {
        let mut records = quick();
        for seen in records.iter_mut().filter_map(|run| run.conditions.observed.as_mut()) {
            seen.counted = Some(Counted { statements: Some(Statements::default()), pages: None });
            seen.looks.clear();
        }
        let cells = first_of(&records).unwrap();
        assert_eq!(cells[1..], ["n/a", "n/a", "n/a", "n/a", "0", "n/a", "n/a"]);
        assert!(statements(&Analysis::of(&records)).is_none(), "there was no statement");
        records.iter_mut().for_each(|run| run.conditions.observed = None);
        assert_eq!(first_of(&records), None);
    }
}
