//! The table in the form of 2015's: rows a second for the geo phase, for the data phase while the queue was being
//! filled and after, and in its steady window.

use super::names::Names;
use crate::analysis::{Analysis, CellRuns, Summary, round_trips, rounds_on_the_link};
use crate::model::{Phase, units};
use crate::wire::RunResult;
use serde::Serialize;

/// What a column reads from a run.
type Figure = fn(&RunResult) -> Option<f64>;

/// The rates of a run, in the order of the columns: name, what it is, figure.
pub const RATES: [(&str, &str, Figure); 4] = [
    // A ceiling's are inserted by the ingester, whatever the tool.
    ("geo", "geographic records", |run| run.phase(Phase::Geo)?.rates.whole.filter(|_| !run.job.scheme.is_ceiling())),
    ("filling", "data, while the reader fills the queue", |run| run.phase(Phase::Data)?.rates.while_filling),
    ("after", "data, after the reader's last record", |run| run.phase(Phase::Data)?.rates.after),
    ("steady", "data, with every worker busy", |run| Some(run.phase(Phase::Data)?.rates.steady?.rate)),
];

/// One cell's line.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The cell, by what varies in its series.
    pub name: String,
    /// Rows a second, in the order of [`RATES`].
    pub rates: [Option<Summary>; 4],
    /// The client's processor time, microseconds a row of data.
    pub cpu: Option<Summary>,
    /// Round trips a row of data: by the ingester's own count …
    pub round_trips: Option<f64>,
    /// … and by the link's, where it counts them: medians of the valid runs.
    pub link_rounds: Option<f64>,
    /// Runs that count.
    pub valid: usize,
    /// Runs whose rows verified.
    pub verified: usize,
    /// All runs.
    pub runs: usize,
}

/// A line for every cell; the one that ran again for the noise is the last.
pub fn rows(analysis: &Analysis<'_>, names: &Names) -> Vec<Row> {
    analysis.cells.iter().map(|cell| row(cell, names)).collect()
}

fn row(cell: &CellRuns<'_>, names: &Names) -> Row {
    let results = || cell.runs.iter().filter_map(|run| run.result());
    Row {
        name: names.runs(cell),
        rates: RATES.map(|(_, _, figure)| cell.figure(figure)),
        cpu: cell.figure(cpu_a_row),
        round_trips: cell.median(round_trips),
        link_rounds: cell.median(rounds_on_the_link),
        valid: cell.valid().count(),
        verified: results().filter(|run| run.is_verified()).count(),
        runs: cell.runs.len(),
    }
}

impl Row {
    /// Round trips a row: `1.01`, where the link counted them, too, `1.01 (link 1.02)`.
    pub fn trips(&self) -> String {
        let own = self.round_trips.map_or_else(|| "n/a".into(), units::multiple);
        self.link_rounds.map_or_else(|| own.clone(), |link| format!("{own} (link {})", units::multiple(link)))
    }
}

/// What the round trips are.
pub const TRIPS: &str = "Round trips: how often a connection waited for an answer, by the ingester's count; in brackets \
    by the link's, of packets sent after something new had come";

/// Whether every spread in the table is an interval.
pub fn all_intervals(rows: &[Row]) -> bool {
    rows.iter().flat_map(|row| row.rates).flatten().all(|rate| rate.interval.is_some())
}

/// What the figures in brackets are.
pub fn spread_is(rows: &[Row]) -> &'static str {
    let some = rows.iter().flat_map(|row| row.rates).flatten().any(|rate| rate.interval.is_some());
    match (all_intervals(rows), some) {
        (true, true) => "the median's 95 % interval",
        (_, true) => "the median's 95 % interval; with fewer than 6 runs their range",
        _ => "the range of the runs: fewer than 6, too few for an interval",
    }
}

/// Microseconds of the client's processor time a row of the data phase.
pub fn cpu_a_row(run: &RunResult) -> Option<f64> {
    let data = run.phase(Phase::Data)?;
    (data.rows > 0).then(|| data.cpu.total() * 1e6 / data.rows as f64)
}
