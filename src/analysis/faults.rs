//! Cells in which something was broken on purpose, with their runs. They are told by what the fault cost, never ranked,
//! and no other figure is made of them.

use crate::model::Part;
use crate::model::cell::Cell;
use crate::wire::fault::{FaultSeen, Outage};
use crate::wire::record::RunRecord;

/// A cell with a fault, and its runs.
#[derive(Debug, Clone)]
pub struct FaultRuns<'a> {
    /// Which.
    pub cell: &'a Cell,
    /// Every run, those that don't count too; no warm-up.
    pub runs: Vec<&'a RunRecord>,
}

/// Rows that a run lost and rows it has twice, by what it acknowledged and what was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amiss {
    /// Acknowledged and not there.
    pub lost: u64,
    /// There and not acknowledged.
    pub doubled: u64,
}

impl<'a> FaultRuns<'a> {
    /// The runs that count, with what was seen of the fault.
    pub fn valid(&self) -> impl Iterator<Item = (&'a RunRecord, &'a FaultSeen)> + '_ {
        let counts = self.runs.iter().copied().filter(|run| run.is_valid());
        counts.filter_map(|run| Some((run, run.conditions.fault.as_ref()?)))
    }

    /// What the fault cost in each run that counts.
    pub fn outages(&self) -> impl Iterator<Item = &'a Outage> + '_ {
        self.valid().filter_map(|(_, seen)| seen.outage.as_ref())
    }

    /// Rows amiss over all runs that came to a result; none where none did.
    pub fn amiss(&self) -> Option<Amiss> {
        let found: Vec<Amiss> = self.runs.iter().filter_map(|run| amiss(run)).collect();
        let add = |sum: Amiss, one: &Amiss| Amiss { lost: sum.lost + one.lost, doubled: sum.doubled + one.doubled };
        (!found.is_empty()).then(|| found.iter().fold(Amiss::default(), add))
    }
}

/// Cells with a fault, the kinds in their order.
pub fn fault_runs(records: &[RunRecord]) -> Vec<FaultRuns<'_>> {
    let mut all: Vec<FaultRuns<'_>> = Vec::new();
    for record in records.iter().filter(|record| record.part != Part::WarmUp && !record.cell.fault.is_none()) {
        match all.iter_mut().find(|one| *one.cell == record.cell) {
            Some(one) => one.runs.push(record),
            None => all.push(FaultRuns { cell: &record.cell, runs: vec![record] }),
        }
    }
    all.sort_by_key(|one| one.cell.fault);
    all
}

/// Rows amiss in a run: by their number, both tables together. A run whose numbers agree and whose sums don't is one row
/// short and has one too many, at least.
fn amiss(run: &RunRecord) -> Option<Amiss> {
    let result = run.result()?;
    let found = result.verification.as_ref()?;
    if found.verified {
        return Some(Amiss::default());
    }
    let acknowledged = result.acknowledged.geo_rows + result.acknowledged.total().rows;
    let there = found.geo_rows + found.elements.rows;
    let (lost, doubled) = (acknowledged.saturating_sub(there), there.saturating_sub(acknowledged));
    Some(if lost + doubled == 0 { Amiss { lost: 1, doubled: 1 } } else { Amiss { lost, doubled } })
}

#[cfg(test)]
mod tests {
    use super::super::{Analysis, LEAST_PAIRS};
    use super::*;
    use crate::model::checksum::Tally;
    use crate::wire::record::Outcome;
    use crate::wire::testing::run_of;

    fn cell(fault: &str) -> Cell {
        Cell { fault: fault.parse().unwrap(), .."async row record pool 8".parse().unwrap() }
    }

    fn series() -> Vec<RunRecord> {
        let faults = ["none", "reset", "db-kill"];
        let runs = (1..=LEAST_PAIRS).flat_map(|block| faults.map(|fault| (block, cell(fault))));
        runs.enumerate().map(|(run, (block, cell))| run_of(&cell, Part::Cell, run + 1, block, 9_000.0)).collect()
    }

    #[test]
    fn cells_with_a_fault_are_in_no_figure_of_the_others() {
        let records = series();
        let analysis = Analysis::of(&records);
        assert!(analysis.cells.iter().all(|cell| cell.cell.fault.is_none()) && analysis.cells.len() == 1);
        assert!(analysis.comparisons.is_empty());
        let kinds: Vec<String> = analysis.faults.iter().map(|one| one.cell.fault.to_string()).collect();
        assert_eq!(kinds, ["db-kill", "reset"]);
        assert!(analysis.faults.iter().all(|one| one.runs.len() == LEAST_PAIRS));
    }

    #[test]
    fn rows_are_lost_or_there_twice_by_what_was_found() {
        let mut records = series();
        let all = |records: &[RunRecord]| fault_runs(records)[0].amiss().unwrap();
        assert_eq!(all(&records), Amiss::default());
        let Outcome::Finished { result } = &mut records[2].outcome else { panic!("it finished") };
        let (geo_rows, total) = (result.acknowledged.geo_rows, result.acknowledged.total());
        let found = result.verification.as_mut().unwrap();
        (found.verified, found.geo_rows) = (false, geo_rows);
        found.elements = Tally { rows: total.rows + 3, ..total };
        assert_eq!(all(&records), Amiss { lost: 0, doubled: 3 });
        let Outcome::Finished { result } = &mut records[2].outcome else { panic!("it finished") };
        result.verification.as_mut().unwrap().elements = Tally { mix: 1, ..total };
        assert_eq!(all(&records), Amiss { lost: 1, doubled: 1 });
    }
}
