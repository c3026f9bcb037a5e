//! The tables of a comparison, a row a cell or a ratio, in words and figures that every form shows.

use crate::analysis::{Across, Change, Means, Ratio, Summary, VerdictChange};
use crate::model::units;
use crate::report::names::Names;
use serde::Serialize;

/// What stands where nothing is known.
pub(super) const NOTHING: &str = "n/a";

/// A cell's rates.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CellRow {
    pub name: String,
    /// Rows a second in each series, medians with their spread.
    pub rates: [Option<Summary>; 2],
    /// The second as a multiple of the first.
    pub times: String,
    pub means: &'static str,
    /// What stands behind the word.
    pub detail: String,
    /// Whether it is a difference.
    pub differs: bool,
    /// Ratio and interval, where it was measured.
    pub ratio: Option<Ratio>,
}

/// A comparison of two cells in both series.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RatioRow {
    /// What is compared: `async / threads`.
    pub what: String,
    /// Where.
    pub at: String,
    pub is_scheme: bool,
    /// The ratio in each series.
    pub in_each: [String; 2],
    pub times: String,
    pub means: &'static str,
    pub detail: String,
    pub differs: bool,
}

/// What bounds a cell in both series.
#[derive(Debug, Clone, Serialize)]
pub(super) struct VerdictRow {
    pub name: String,
    pub bounds: [String; 2],
    pub means: &'static str,
    pub detail: String,
    /// Whether both say the same.
    pub is_kept: bool,
}

/// Something said of several cells.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Only {
    pub what: String,
    pub cells: Vec<String>,
}

impl Only {
    /// In a sentence, with so many cells by name.
    pub fn text(&self, most: usize) -> String {
        let more = self.cells.len().saturating_sub(most);
        let named = self.cells[..self.cells.len() - more].join(", ");
        if more > 0 { format!("{}: {named} and {more} more", self.what) } else { format!("{}: {named}", self.what) }
    }
}

/// A ratio with its interval: `0.90 (0.86-0.93)`.
pub(super) fn ratio(ratio: &Ratio) -> String {
    let interval = units::between((ratio.low, ratio.high), units::multiple);
    format!("{} ({interval})", units::multiple(ratio.ratio))
}

/// The figure of a change.
fn times(change: &Change) -> String {
    match change {
        Change::Measured { ratio: found, .. } => ratio(found),
        Change::Incomparable { range: Some(range), .. } => format!("{}?", units::range(*range, units::multiple)),
        Change::Incomparable { .. } => NOTHING.into(),
    }
}

fn detail(change: &Change) -> String {
    match change {
        Change::Incomparable { why, .. } => why.clone(),
        Change::Measured { means: Means::Same | Means::WithinNoise, smallest, .. } => {
            format!("from {} on it would have shown", units::percent(*smallest))
        }
        Change::Measured { .. } => String::new(),
    }
}

/// A rate's change in a word.
fn rate_means(change: &Change) -> &'static str {
    match change.means() {
        None => "incomparable",
        Some(Means::Same) => "same",
        Some(Means::WithinNoise) => "within noise",
        Some(Means::Slower) => "slower",
        Some(Means::Faster) => "faster",
    }
}

/// A ratio's change in a word.
fn ratio_means(change: &Change) -> &'static str {
    match change.means() {
        None => "incomparable",
        Some(Means::Same) => "agree",
        Some(Means::WithinNoise) => "within noise",
        Some(Means::Slower | Means::Faster) => "differ",
    }
}

pub(super) fn cells(across: &Across<'_>, names: &Names) -> Vec<CellRow> {
    let row = |cell: &crate::analysis::CellChange<'_>| CellRow {
        name: names.cell(cell.base.cell),
        rates: [cell.base.rate(), cell.other.rate()],
        times: times(&cell.rate),
        means: rate_means(&cell.rate),
        detail: detail(&cell.rate),
        differs: cell.rate.differs(),
        ratio: match cell.rate {
            Change::Measured { ratio, .. } => Some(ratio),
            Change::Incomparable { .. } => None,
        },
    };
    across.cells.iter().map(row).collect()
}

pub(super) fn ratios(across: &Across<'_>, names: &Names) -> Vec<RatioRow> {
    let row = |one: &crate::analysis::RatioChange<'_>| RatioRow {
        what: format!("{} / {}", names.said(one.factor, one.other), names.said(one.factor, one.base)),
        at: names.without(Some(one.factor), one.base),
        is_scheme: one.factor == crate::model::Factor::Scheme,
        in_each: one.in_each.map(|found| found.map_or_else(|| NOTHING.into(), |found| units::multiple(found.ratio))),
        times: times(&one.change),
        means: ratio_means(&one.change),
        detail: detail(&one.change),
        differs: one.change.differs(),
    };
    across.ratios.iter().map(row).collect()
}

pub(super) fn verdicts(across: &Across<'_>, names: &Names) -> Vec<VerdictRow> {
    let row = |cell: &crate::analysis::CellChange<'_>| {
        let said = |cell| crate::analysis::Limit::of(cell).map_or(NOTHING, |limit| limit.bound.words()).to_owned();
        let (means, detail) = match &cell.verdict {
            VerdictChange::Kept(_) => ("kept", String::new()),
            VerdictChange::Flipped { .. } => ("flipped", String::new()),
            VerdictChange::NotSaid { why, .. } => ("not said", why.clone()),
        };
        VerdictRow {
            name: names.cell(cell.base.cell),
            bounds: [said(cell.base), said(cell.other)],
            is_kept: means == "kept",
            means,
            detail,
        }
    };
    across.cells.iter().map(row).collect()
}

/// Why cells are not compared, each reason with its cells, and which cells are in one series only.
pub(super) fn notes(across: &Across<'_>, names: &Names) -> Vec<Only> {
    let mut notes: Vec<Only> = Vec::new();
    // Where setups are the reason, they say so themselves.
    for cell in across.cells.iter().filter(|_| across.setups.absolute()) {
        let Change::Incomparable { why, .. } = &cell.rate else { continue };
        let name = names.cell(cell.base.cell);
        match notes.iter_mut().find(|note| note.what.ends_with(why.as_str())) {
            Some(note) => note.cells.push(name),
            None => notes.push(Only { what: format!("not compared, {why}"), cells: vec![name] }),
        }
    }
    for (series, cells) in [(across.base.name, &across.only_base), (across.other.name, &across.only_other)] {
        if !cells.is_empty() {
            let cells = cells.iter().map(|cell| names.cell(cell)).collect();
            notes.push(Only { what: format!("only in {series}"), cells });
        }
    }
    notes
}
