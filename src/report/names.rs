//! What cells are called in a report: by what varies in their series; the rest is said once.

use crate::analysis::{Analysis, CellRuns};
use crate::model::cell::Cell;
use crate::model::quantity::Delay;
use crate::model::{Factor, Part};
use std::collections::BTreeMap;

/// What a diagnosed cell is called beside those that differ from it.
const AS_ASKED: &str = "nothing changed";

/// The names of a series' cells.
#[derive(Debug, Clone)]
pub struct Names {
    varying: Vec<Factor>,
    /// Round-trip time each link was asked to have.
    rtts: BTreeMap<String, Delay>,
    common: Vec<String>,
    /// The cell whose resources are changed one at a time: the others are called by what was changed.
    base: Option<Cell>,
}

impl Names {
    /// Of the cells in a series.
    pub fn of(analysis: &Analysis<'_>) -> Self {
        Self::of_all(&[analysis])
    }

    /// Of the cells in several series together.
    pub fn of_all(series: &[&Analysis<'_>]) -> Self {
        let cells = || series.iter().flat_map(|one| &one.cells);
        let mut varying = Factor::varying(&cells().map(|cell| cell.cell).collect::<Vec<_>>());
        if varying.is_empty() {
            varying = vec![Factor::Scheme, Factor::Statement];
        }
        let rtts = cells().map(|cell| (cell.cell.link.clone(), Delay::from_nanos(cell.rtt))).collect();
        let base = diagnosed(series);
        let first = base.clone().or_else(|| cells().next().map(|first| first.cell.clone()));
        let mut names = Self { varying, rtts, common: Vec::new(), base };
        if let Some(first) = first {
            let fixed = Factor::ALL.iter().filter(|factor| names.is_common(**factor, &first));
            names.common = fixed.map(|factor| names.said(*factor, &first)).collect();
        }
        names
    }

    /// Whether a factor that doesn't vary is worth a word: what people ask first, and whatever is not as usual.
    fn is_common(&self, factor: Factor, cell: &Cell) -> bool {
        let usual = Cell::new(cell.scheme, cell.statement, cell.commit, cell.pool);
        let asked_first = matches!(
            factor,
            Factor::Scheme | Factor::Statement | Factor::Commit | Factor::Pool | Factor::Link | Factor::Placement
        );
        let is_size = matches!(factor, Factor::InFlight | Factor::Batch | Factor::Chunk);
        let is_same = self.base.is_some() || !self.varying.contains(&factor);
        let is_unusual = factor.level(cell) != factor.level(&usual);
        is_same && factor.is_used(cell) && (asked_first || is_size || is_unusual)
    }

    /// What all cells of the series have in common.
    pub fn common(&self) -> String {
        self.common.join(", ")
    }

    /// A cell's runs by what varies; those that tell what is noise are told from the others.
    pub fn runs(&self, cell: &CellRuns<'_>) -> String {
        format!("{}{}", self.cell(cell.cell), if cell.part == Part::Twin { " (again)" } else { "" })
    }

    /// A cell by what varies: `async executemany near-region 20ms`.
    pub fn cell(&self, cell: &Cell) -> String {
        self.without(None, cell)
    }

    /// A cell by what varies besides one factor; empty where nothing else does.
    pub fn without(&self, factor: Option<Factor>, cell: &Cell) -> String {
        self.by(cell, |one| Some(one) != factor)
    }

    /// A cell by those of its varying factors that are wanted.
    pub fn by(&self, cell: &Cell, wanted: impl Fn(Factor) -> bool) -> String {
        let used = |one: &&Factor| one.is_used(cell);
        let changed = |one: &&Factor| self.base.as_ref().is_none_or(|base| one.level(cell) != one.level(base));
        let said: Vec<String> = self
            .varying
            .iter()
            .filter(used)
            .filter(changed)
            .filter(|one| wanted(**one))
            .map(|one| self.said(*one, cell))
            .collect();
        if said.is_empty() && self.base.is_some() { AS_ASKED.into() } else { joined(&said) }
    }

    /// A factor's level in a cell that is compared by it: a scheme that sends rows otherwise than it is asked to, with
    /// the kind it was asked for.
    pub fn side(&self, factor: Factor, cell: &Cell) -> String {
        match factor {
            Factor::Scheme if cell.ranked().statement != cell.statement => {
                format!("{} {}", cell.scheme, cell.statement)
            }
            _ => self.said(factor, cell),
        }
    }

    /// A factor's level in a cell; a link's with its round trip, where its name doesn't say that.
    pub fn said(&self, factor: Factor, cell: &Cell) -> String {
        let said = factor.said(cell);
        let rtt = self.rtts.get(&cell.link).filter(|rtt| factor == Factor::Link && !rtt.is_zero());
        match rtt {
            Some(rtt) if !said.contains('=') => format!("{said} {rtt}"),
            _ => said,
        }
    }
}

/// Levels side by side; after one of several words a comma says where it ends: `threads pool 2, 4 clients, local`.
fn joined(said: &[String]) -> String {
    let mut all = String::new();
    for (index, level) in said.iter().enumerate() {
        if let Some(before) = index.checked_sub(1) {
            all.push_str(if said[before].contains(' ') { ", " } else { " " });
        }
        all.push_str(level);
    }
    all
}

/// The cell whose resources every one of these series changes one at a time.
fn diagnosed(series: &[&Analysis<'_>]) -> Option<Cell> {
    let one = |analysis: &&Analysis<'_>| {
        analysis.diagnosis.as_ref()?;
        analysis.cells.iter().find(|cell| cell.part == Part::Twin).map(|twin| twin.cell.clone())
    };
    let first = series.first().and_then(one)?;
    series.iter().all(|other| one(other).as_ref() == Some(&first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn a_comma_ends_a_level_of_several_words() {
        let said = |levels: &[&str]| joined(&levels.iter().map(|level| (*level).to_owned()).collect::<Vec<_>>());
        assert_eq!(said(&["async", "row", "pool 15", "local"]), "async row pool 15, local");
        assert_eq!(said(&["pool 2", "4 clients", "client 0.25 CPU"]), "pool 2, 4 clients, client 0.25 CPU");
        assert_eq!(said(&[]), "");
    }
}
