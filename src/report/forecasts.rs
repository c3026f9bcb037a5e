//! What was said before cells ran, and what came.

use super::names::Names;
use super::why::{Fact, fact, warning};
use crate::analysis::{Analysis, Scored, Scores, scored};
use crate::model::units;
use serde::Serialize;

/// Forecasts told one by one in the first screen.
const SHOWN: usize = 2;

/// One forecast beside what came of it. Rates are rows a second.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The cell, by what varies in its series.
    pub name: String,
    /// What was said.
    pub said: f64,
    /// Between which ends it would be, with a probability of 90 %.
    pub between: (f64, f64),
    /// What came.
    pub got: f64,
    /// How far off that was, as a part of what came.
    pub off: f64,
    /// How far off the nearest measured cell's rate was.
    pub nearest_off: f64,
    /// Whether it was far from everything measured: only these are scored.
    pub held_out: bool,
}

/// What the table's columns mean.
pub const NOTE: &str = "Rows a second, written down before the cell's first run; between: where it would be with a \
                        probability of 90 %. As the nearest cell: how far off its rate would have been. Far: from every \
                        cell measured before, in two factors or in one by four times or more; only these are scored.";

/// The heads of the table, and whether what stands below is a number.
pub const HEADS: [(&str, bool); 7] = [
    ("cell", false),
    ("said, rows/s", true),
    ("between", true),
    ("came", true),
    ("off", true),
    ("as the nearest cell", true),
    ("far", false),
];

impl Row {
    /// As a line of a table.
    pub fn cells(&self) -> [String; 7] {
        let signed = |part: f64| format!("{}{}", if part < 0.0 { "−" } else { "+" }, units::percent(part.abs()));
        [
            self.name.clone(),
            units::rate(self.said),
            units::between(self.between, units::rate),
            units::rate(self.got),
            signed(self.off),
            signed(self.nearest_off),
            if self.held_out { "yes" } else { "" }.into(),
        ]
    }
}

/// Every forecast, those of held-out cells first.
pub fn rows(analysis: &Analysis<'_>, names: &Names) -> Vec<Row> {
    let mut rows: Vec<Row> = scored(&analysis.cells)
        .iter()
        .map(|one| Row {
            name: names.cell(one.cell),
            said: one.forecast.rate,
            between: (one.forecast.low, one.forecast.high),
            got: one.measured,
            off: one.off(),
            nearest_off: one.nearest_off(),
            held_out: one.forecast.held_out,
        })
        .collect();
    rows.sort_by_key(|row| !row.held_out);
    rows
}

/// The score, and the worst ones.
pub fn facts(analysis: &Analysis<'_>, names: &Names) -> Vec<Fact> {
    let all = scored(&analysis.cells);
    let Some(scores) = Scores::of(&all) else { return Vec::new() };
    let Scores { count, median, p90, inside, nearest } = scores;
    let text = format!(
        "{count} cells far from all measured before, told before they ran: half within {}, nine of ten within {}; {} inside \
         the interval said; \"as the nearest cell\" is {} off",
        units::percent(median),
        units::percent(p90),
        units::percent(inside),
        units::percent(nearest)
    );
    let worse = median > nearest;
    let summary = if worse { warning("forecast", text) } else { fact("forecast", text) };
    // One or two speak for themselves.
    let mut facts = if count > SHOWN { vec![summary] } else { Vec::new() };
    let mut worst: Vec<&Scored<'_>> = all.iter().filter(|one| one.forecast.held_out).collect();
    worst.sort_by(|a, b| b.off().abs().total_cmp(&a.off().abs()));
    facts.extend(worst.into_iter().take(SHOWN).map(|one| {
        let text = format!(
            "{}: said {} rows/s ({}), got {} ({} off)",
            names.cell(one.cell),
            units::rate(one.forecast.rate),
            units::between((one.forecast.low, one.forecast.high), units::rate),
            units::rate(one.measured),
            units::percent(one.off().abs())
        );
        fact("forecast", text)
    }));
    facts
}
