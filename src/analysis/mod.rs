//! What results say together. Pure: records in, figures out; nothing is read, asked or printed here.
//!
//! ```text
//! records ─► cells (valid runs, summaries) ─► comparisons (pairs within a block) ─► findings
//!                         └── scatter, noise floor (the cell that ran twice a block) ──┘
//! ```

mod across;
mod cells;
mod compare;
mod demand;
mod diagnosis;
mod estimate;
mod evidence;
mod faults;
mod forecast;
mod ledger;
mod limit;
mod machine;
mod outage;
mod queueing;
mod ratio;
mod scaling;
mod scatter;
mod scores;
#[cfg(test)]
mod simulations;
mod student;
mod summary;
mod verdict;

pub use across::{
    Across, CellChange, Change, Decision, Gate, RatioChange, Reason, Ruling, Series, Setups, VerdictChange,
};
pub use cells::CellRuns;
pub use compare::{Comparison, Finding, Means, Noise};
pub use demand::Demand;
pub use diagnosis::{Agreement, Diagnosis, Elasticity, Influence};
pub use evidence::{LEAST_LOOKS, Window, evidence, looks, round_trips, rounds_on_the_link, stolen};
pub use faults::{Amiss, FaultRuns};
pub use forecast::{Ahead, forecast};
pub use ledger::{Ledgers, NO_WAIT, Share, UNEXPLAINED};
pub use limit::{Confidence, Limit};
pub use machine::MachineUse;
pub use outage::{BACK, outage};
pub use ratio::{LEAST_PAIRS, Ratio};
pub use scaling::{AS_GOOD, LEAST_POOLS, Scaling};
pub use scores::{Scored, Scores, scored};
pub use summary::Summary;
pub use verdict::{Bound, Evidence, Flushes, Verdict, verdict};

use crate::model::{Factor, Part};
use crate::wire::record::RunRecord;

/// What the runs of a series say together.
#[derive(Debug, Clone)]
pub struct Analysis<'a> {
    /// Each cell with its runs, in the order people read them; the second of a pair of identical ones is the last.
    pub cells: Vec<CellRuns<'a>>,
    /// Cells in which something was broken: in no other figure.
    pub faults: Vec<FaultRuns<'a>>,
    /// What two identical cells were seen to differ by; none where no block has both.
    pub noise: Option<Noise<'a>>,
    /// Every pair of cells that differ in one factor only, those of schemes first.
    pub comparisons: Vec<Comparison<'a>>,
    /// How near cells come to the ceilings that ran under the same conditions, which are the bases.
    pub distances: Vec<Comparison<'a>>,
    /// What the first cell's rate hangs on, where the series changes its resources one at a time.
    pub diagnosis: Option<Diagnosis>,
}

impl<'a> Analysis<'a> {
    /// Of a series' runs. Warm-ups and invalid runs are never used.
    pub fn of(records: &'a [RunRecord]) -> Self {
        let cells = cells::cells(records);
        let scatters = scatter::Scatters::of(&cells);
        let noise = Noise::of(&cells, &scatters);
        let floor = noise.as_ref().map_or(0.0, |noise| noise.floor);
        let comparisons =
            Factor::ALL.iter().flat_map(|factor| compare::family(*factor, &cells, &scatters, floor)).collect();
        let distances = compare::distances(&cells, &scatters, floor);
        let diagnosis = Diagnosis::of(&cells, &scatters, floor);
        let faults = faults::fault_runs(records);
        Self { cells, faults, noise, comparisons, distances, diagnosis }
    }

    /// Factors that have more than one level in this series.
    pub fn varying(&self) -> Vec<Factor> {
        Factor::varying(&self.cells.iter().map(|cell| cell.cell).collect::<Vec<_>>())
    }

    /// Every run but the warm-ups, those with a fault last.
    pub fn runs(&self) -> impl Iterator<Item = &'a RunRecord> + '_ {
        let faulted = self.faults.iter().flat_map(|one| &one.runs);
        self.cells.iter().flat_map(|cell| &cell.runs).chain(faulted).copied()
    }

    /// The cells, without the one that ran again for the noise.
    pub fn compared(&self) -> impl Iterator<Item = &CellRuns<'a>> {
        self.cells.iter().filter(|cell| cell.part == Part::Cell)
    }

    /// What bounds a cell: by watching it, less sure where a change of its resources shows something else.
    pub fn limit(&self, cell: &CellRuns<'_>) -> Option<Limit> {
        let limit = Limit::of(cell)?;
        Some(match &self.diagnosis {
            Some(found) => found.weighed(cell.cell, limit),
            None => limit,
        })
    }

    /// Groups of cells that differ in this factor only, two or more each.
    pub fn groups(&self, factor: Factor) -> Vec<Vec<&CellRuns<'a>>> {
        cells::groups(factor, &self.cells)
    }

    /// The comparisons of one factor.
    pub fn of_factor(&self, factor: Factor) -> impl Iterator<Item = &Comparison<'a>> {
        self.comparisons.iter().filter(move |comparison| comparison.factor == factor)
    }
}
