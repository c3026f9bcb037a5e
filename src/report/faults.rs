//! What each fault cost, in sentences, as a table, and over time.

use super::answer::{Answer, Line};
use super::chart::{Panel, Run};
use crate::analysis::{Amiss, Analysis, BACK, FaultRuns, Summary};
use crate::model::{Factor, units};
use crate::wire::fault::{FaultSeen, Outage};
use crate::wire::record::RunRecord;
use serde::Serialize;

/// The question of a series with faults.
pub const QUESTION: &str = "What happens when something breaks?";

/// What goes without saying beside a fault: itself, and the storage, where only one bears it.
const OWN: [Factor; 2] = [Factor::Fault, Factor::Storage];

/// Characters of a drawing over time.
const DRAWN: usize = 48;

/// The heads of the table, and whether what stands below is a number.
pub const HEADS: [(&str, bool); 9] = [
    ("fault", false),
    ("came at, s", true),
    ("rows/s before", true),
    ("without a row, s", true),
    ("back after, s", true),
    ("opened again", true),
    ("lost / doubled", true),
    ("valid runs", true),
    ("first said", false),
];

/// What the figures are, for those who read them.
pub fn note() -> String {
    format!(
        "Medians of the valid runs, in brackets their range. Came at: seconds into the data phase. Without a row: the \
         longest time, to a fifth of a second. Back: the rate of a second reached {} of that before, from the fault on. \
         Opened again: connections. Lost / doubled: rows, over all runs that came to a result, by count, sum and checksum \
         of every item. First said: by the ingester.",
        units::percent(BACK)
    )
}

/// A fault and what it cost.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The fault, with what else varies among cells that have one.
    pub name: String,
    /// What happened, as a sentence begins.
    told: String,
    /// When it came, seconds into the data phase.
    pub applied: Option<Summary>,
    /// Rows a second before it.
    pub before: Option<Summary>,
    /// The longest time without a row, seconds.
    pub without: Option<Summary>,
    /// When the rate was back, seconds from the fault; of the runs in which it was.
    pub back: Option<Summary>,
    /// Connections opened again.
    pub reconnects: Option<Summary>,
    /// The first error that an ingester told.
    pub error: Option<String>,
    /// Rows lost, rows there twice; none where no run came to a result.
    pub amiss: Option<(u64, u64)>,
    /// Runs that count.
    pub valid: usize,
    /// All runs.
    pub runs: usize,
    /// Why the first run that doesn't count doesn't.
    pub why_not: Option<String>,
    /// A run over time: the fault between two upright lines.
    pub drawn: String,
}

/// Every fault of a series.
pub fn rows(analysis: &Analysis<'_>) -> Vec<Row> {
    let cells: Vec<_> = analysis.faults.iter().map(|one| one.cell).collect();
    let varying: Vec<Factor> = Factor::varying(&cells).into_iter().filter(|one| !OWN.contains(one)).collect();
    analysis.faults.iter().map(|one| row(one, &varying)).collect()
}

fn row(fault: &FaultRuns<'_>, varying: &[Factor]) -> Row {
    let cell = fault.cell;
    let others = varying.iter().filter(|factor| factor.is_used(cell)).map(|factor| factor.said(cell));
    let name: Vec<String> = std::iter::once(cell.fault.to_string()).chain(others).collect();
    let seen =
        |figure: &dyn Fn(&FaultSeen) -> Option<f64>| Summary::of(fault.valid().filter_map(|(_, seen)| figure(seen)));
    let cost = |figure: &dyn Fn(&Outage) -> Option<f64>| Summary::of(fault.outages().filter_map(figure));
    let invalid = fault.runs.iter().find(|run| !run.is_valid());
    Row {
        name: name.join(" "),
        told: cell.fault.told(),
        applied: seen(&|seen| seen.applied),
        before: cost(&|cost| Some(cost.before)),
        without: cost(&|cost| Some(cost.without)),
        back: cost(&|cost| cost.back),
        reconnects: seen(&|seen| Some(seen.reconnects as f64)),
        error: fault.valid().find_map(|(_, seen)| Some(brief(seen.error.as_ref()?.lines().next()?))),
        amiss: fault.amiss().map(|Amiss { lost, doubled }| (lost, doubled)),
        valid: fault.valid().count(),
        runs: fault.runs.len(),
        why_not: invalid.map(|run| super::reasons(run)),
        drawn: fault.valid().next().map_or_else(String::new, |(_, seen)| drawn(seen)),
    }
}

impl Row {
    /// The answer: `2.4 s without a row, back at full rate after 3.1 s; 0 rows lost, 0 doubled, 3 runs`.
    fn line(&self) -> Line {
        let mut parts = Vec::new();
        if let Some(without) = self.without {
            let late = self.valid.saturating_sub(self.back.map_or(0, |back| back.runs));
            let back = match self.back {
                Some(back) if late == 0 => format!("back at full rate after {}", seconds(back.median)),
                _ => format!("not back at full rate within the run in {late} of {}", self.valid),
            };
            parts.push(format!("{} without a row, {back}", seconds(without.median)));
        }
        if let Some((lost, doubled)) = self.amiss {
            parts.push(format!("{} rows lost, {} doubled", units::count(lost), units::count(doubled)));
        }
        let runs = match (self.valid, self.runs) {
            (1, 1) => "1 run".to_owned(),
            (valid, all) if valid == all => format!("{all} runs"),
            (valid, all) => format!("{valid} of {all} runs"),
        };
        let mut detail = match parts.is_empty() {
            true => runs,
            false => format!("{}, {runs}", parts.join("; ")),
        };
        if let Some(why) = &self.why_not {
            let others = if self.runs - self.valid == 1 { "the other does" } else { "the others do" };
            detail.push_str(&match self.valid {
                0 => format!("; none counts: {why}"),
                _ => format!("; {others} not count: {why}"),
            });
        }
        let strong = self.amiss.is_some_and(|(lost, doubled)| lost + doubled > 0);
        Line { at: self.name.clone(), lead: self.told.clone(), detail, strong }
    }

    /// As a line of a table, in the order of [`HEADS`].
    pub fn cells(&self) -> Vec<String> {
        let figure = |one: Option<Summary>, unit: fn(f64) -> String| match one {
            None => "n/a".into(),
            Some(one) if unit(one.least) == unit(one.most) => unit(one.median),
            Some(one) => format!("{} ({})", unit(one.median), units::between((one.least, one.most), unit)),
        };
        let late = self.valid.saturating_sub(self.back.map_or(0, |back| back.runs));
        let back = match (self.back, late) {
            (None, late) if late > 0 => "not within the run".into(),
            (back, 0) => figure(back, tenths),
            (back, late) => format!("{}; {late} not", figure(back, tenths)),
        };
        vec![
            self.name.clone(),
            figure(self.applied, tenths),
            figure(self.before, units::rate),
            figure(self.without, tenths),
            back,
            figure(self.reconnects, |count| units::count(count.round() as u64)),
            self.amiss.map_or_else(|| "n/a".into(), |(lost, doubled)| format!("{lost} / {doubled}")),
            format!("{}/{}", self.valid, self.runs),
            self.error.clone().unwrap_or_default(),
        ]
    }

    /// In few characters, for a terminal: medians of when it came, without a row, back, lost / doubled, runs.
    pub fn short(&self) -> [String; 6] {
        let median =
            |one: Option<Summary>, unit: fn(f64) -> String| one.map_or_else(|| "n/a".into(), |one| unit(one.median));
        let [_, _, _, _, _, _, amiss, runs, _] = <[String; 9]>::try_from(self.cells()).unwrap_or_default();
        let back = if self.valid > 0 && self.back.is_none() { "never".into() } else { median(self.back, tenths) };
        [
            median(self.applied, tenths),
            median(self.before, units::rate),
            median(self.without, tenths),
            back,
            amiss,
            runs,
        ]
    }
}

/// An error without what is the same in each run: where the database is, and what to do about it.
fn brief(error: &str) -> String {
    let (before, after) = error.split_once(" at postgresql://").unwrap_or((error, ""));
    let after = after.split_once(' ').map_or("", |(_, after)| after);
    let whole = if after.is_empty() { before.to_owned() } else { format!("{before} {after}") };
    whole.split_once(": check").map_or(whole.clone(), |(said, _)| said.to_owned())
}

fn tenths(seconds: f64) -> String {
    format!("{seconds:.1}")
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.1} s")
}

/// The answer to what happens, if anything was broken.
pub fn answer(rows: &[Row]) -> Option<Answer> {
    let lines: Vec<Line> = rows.iter().map(Row::line).collect();
    (!lines.is_empty()).then(|| Answer { question: QUESTION.into(), lines })
}

/// What is drawn of each fault.
pub fn panels(analysis: &Analysis<'_>, rows: &[Row]) -> Vec<Panel> {
    let run = |(record, seen): (&RunRecord, &FaultSeen)| {
        let rate = |piece: &crate::wire::fault::Piece| piece.rows as f64 / (piece.to - piece.from);
        let begun = seen.applied.unwrap_or(seen.asked);
        let broken = (begun, seen.lifted.unwrap_or(begun));
        let title = format!("run {}, broken from {} to {}", record.run, seconds(broken.0), seconds(broken.1));
        let pieces = seen.rows.iter().map(|piece| (piece.from, piece.to, rate(piece))).collect();
        Run { pieces, broken, title }
    };
    let panel = |(fault, row): (&FaultRuns<'_>, &Row)| {
        let value = row.without.map_or_else(String::new, |cost| format!("{} without a row", seconds(cost.median)));
        Panel { name: row.name.clone(), value, runs: fault.valid().map(run).collect() }
    };
    analysis.faults.iter().zip(rows).map(panel).filter(|panel| !panel.runs.is_empty()).collect()
}

/// A run over time in one line of characters, with an upright line where the fault came and where it was made good.
fn drawn(seen: &FaultSeen) -> String {
    const LEVELS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let Some(end) = seen.rows.last().map(|piece| piece.to).filter(|end| *end > 0.0) else { return String::new() };
    let step = end / DRAWN as f64;
    let rows = |from: f64, to: f64| -> f64 {
        let within = |piece: &crate::wire::fault::Piece| (piece.to.min(to) - piece.from.max(from)).max(0.0);
        seen.rows.iter().map(|piece| piece.rows as f64 * within(piece) / (piece.to - piece.from)).sum()
    };
    let figures: Vec<f64> = (0..DRAWN).map(|at| rows(at as f64 * step, (at + 1) as f64 * step)).collect();
    let most = figures.iter().copied().filter(|one| one.is_finite()).fold(0.0, f64::max);
    if most <= 0.0 {
        return String::new();
    }
    let mut text = String::new();
    for (at, figure) in figures.iter().enumerate() {
        let here = |moment: Option<f64>| moment.is_some_and(|moment| (moment / step) as usize == at);
        if here(seen.applied) || here(seen.lifted) {
            text.push('|');
        }
        let level = (figure / most * 8.0).ceil().clamp(0.0, 8.0) as usize;
        text.push(LEVELS[level]);
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_without_the_place_and_the_remedy() {
        let lost = "the connection to the database at postgresql://link:5432/ingest was lost (connection closed): check \
                    that it runs; its log says why";
        assert_eq!(brief(lost), "the connection to the database was lost (connection closed)");
        let said = "the database at postgresql://link:5432/ingest says: terminating connection (57P01)";
        assert_eq!(brief(said), "the database says: terminating connection (57P01)");
        assert_eq!(brief("the ingester was killed"), "the ingester was killed");
    }
}
