//! The cells of a series with their runs, in the order people read them.

use super::Summary;
use crate::model::cell::Cell;
use crate::model::{Factor, Part, Phase, Scheme};
use crate::wire::RunResult;
use crate::wire::record::RunRecord;
use std::collections::BTreeMap;

/// A cell and its runs.
#[derive(Debug, Clone)]
pub struct CellRuns<'a> {
    /// Which.
    pub cell: &'a Cell,
    /// A cell, or one once more.
    pub part: Part,
    /// Every run, invalid ones too; no warm-up.
    pub runs: Vec<&'a RunRecord>,
    /// Round-trip time the link was asked to have, nanoseconds.
    pub rtt: u64,
}

impl<'a> CellRuns<'a> {
    /// The runs that count.
    pub fn valid_runs(&self) -> impl Iterator<Item = &'a RunRecord> + '_ {
        self.runs.iter().copied().filter(|run| run.is_valid())
    }

    /// Their results.
    pub fn valid(&self) -> impl Iterator<Item = &'a RunResult> + '_ {
        self.valid_runs().filter_map(RunRecord::result)
    }

    /// The median of a figure over the runs that count.
    pub fn median(&self, figure: impl Fn(&RunRecord) -> Option<f64>) -> Option<f64> {
        Summary::of(self.valid_runs().filter_map(figure)).map(|summary| summary.median)
    }

    /// A figure over the runs that count.
    pub fn figure(&self, figure: impl Fn(&RunResult) -> Option<f64>) -> Option<Summary> {
        Summary::of(self.valid().filter_map(figure))
    }

    /// Rows a second with every worker busy: what cells are compared by.
    pub fn rate(&self) -> Option<Summary> {
        self.figure(steady)
    }

    /// The same by block.
    pub fn by_block(&self) -> BTreeMap<usize, f64> {
        self.valid_runs().filter_map(|run| Some((run.block, steady(run.result()?)?))).collect()
    }

    /// What cells measured under the same conditions have in common: a block moves them alike, and what their runs
    /// scatter by tells something of each other's.
    pub(super) fn environment(&self) -> impl Ord + use<> {
        let cell = self.cell;
        let placed = (cell.placement, cell.congestion, cell.synchronous_commit, cell.foreign_keys, cell.storage);
        (cell.workload, self.rtt, cell.link.clone(), cell.client_cpus, cell.db_cpus, placed, cell.tls)
    }
}

/// Rows a second of the data phase in its steady window; above zero, or none.
fn steady(result: &RunResult) -> Option<f64> {
    let rates = result.phase(Phase::Data)?.rates;
    rates.steady.map(|steady| steady.rate).or(rates.whole).filter(|rate| rate.is_finite() && *rate > 0.0)
}

/// Every cell of a series: the nearest link first, what is ranked together next to each other. Not those with a fault: no
/// rate of theirs is like another's.
pub fn cells(records: &[RunRecord]) -> Vec<CellRuns<'_>> {
    let mut cells: Vec<CellRuns<'_>> = Vec::new();
    let counts = |record: &&RunRecord| record.part != Part::WarmUp && record.cell.fault.is_none();
    for record in records.iter().filter(counts) {
        match cells.iter_mut().find(|cell| *cell.cell == record.cell && cell.part == record.part) {
            Some(cell) => cell.runs.push(record),
            None => {
                cells.push(CellRuns { cell: &record.cell, part: record.part, runs: vec![record], rtt: rtt(record) });
            }
        }
    }
    cells.sort_by_cached_key(|runs| {
        let cell = runs.cell;
        let sizes = (cell.in_flight, cell.batch, cell.chunk, cell.protocol);
        let workers = (cell.pool, cell.clients);
        let sent = (cell.statement, sizes, cell.commit, cell.reader, workers, cell.inject);
        (runs.part, runs.environment(), sent, cell.scheme)
    });
    cells
}

fn rtt(record: &RunRecord) -> u64 {
    record.conditions.link_asked.as_ref().map_or(0, |link| link.rtt().nanos())
}

/// What two cells differ in, by how their rows really travel.
pub fn apart(one: &Cell, other: &Cell) -> Vec<Factor> {
    Factor::between(&one.ranked(), &other.ranked())
}

/// Groups of cells that differ in one factor only, two or more each; the level others are compared with is first.
/// Cells that do something else are never in one: their rows are not of a kind. Nor is a ceiling among schemes, nor a
/// scheme that waits for each statement of a chunk among those that send them together: at a distance their round trips
/// would be compared.
pub fn groups<'c, 'a>(factor: Factor, cells: &'c [CellRuns<'a>]) -> Vec<Vec<&'c CellRuns<'a>>> {
    let mut groups: Vec<Vec<&CellRuns<'a>>> = Vec::new();
    if factor == Factor::Workload {
        return groups;
    }
    let takes_part =
        |cell: &&CellRuns<'_>| cell.part == Part::Cell && !(factor == Factor::Scheme && cell.cell.scheme.is_ceiling());
    let alike = |one: &Cell, other: &Cell| factor != Factor::Scheme || one.travels() == other.travels();
    for cell in cells.iter().filter(takes_part) {
        let fits = |first: &Cell| apart(first, cell.cell) == [factor] && alike(first, cell.cell);
        match groups.iter_mut().find(|group| fits(group[0].cell)) {
            Some(group) => group.push(cell),
            None => groups.push(vec![cell]),
        }
    }
    groups.retain(|group| group.len() > 1);
    for group in &mut groups {
        // What people compare with: threads, as in 2015; of anything else the usual level, which sorts first.
        group.sort_by_key(|runs| factor == Factor::Scheme && runs.cell.scheme != Scheme::Threads);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::run_of;

    #[test]
    fn schemes_that_wait_for_each_statement_of_a_chunk_rank_by_themselves() {
        let prepared = ["threads", "async", "py-asyncio", "py-psycopg3"].map(|scheme| (scheme, ""));
        let simple = ["async", "py-threads", "py-aiopg"].map(|scheme| (scheme, " protocol simple"));
        let runs = prepared.into_iter().chain(simple).map(|(scheme, protocol)| {
            let cell: Cell = format!("{scheme} multirow chunk pool 4{protocol}").parse().unwrap();
            run_of(&cell, Part::Cell, 1, 1, 9_000.0)
        });
        let records: Vec<RunRecord> = runs.collect();
        let cells = cells(&records);
        let schemes = |group: &Vec<&CellRuns<'_>>| group.iter().map(|one| one.cell.scheme).collect::<Vec<_>>();
        let ranked: Vec<Vec<Scheme>> = groups(Factor::Scheme, &cells).iter().map(schemes).collect();
        let together = vec![Scheme::Threads, Scheme::Async, Scheme::PyPsycopg3];
        assert_eq!(ranked, [together, vec![Scheme::PyThreads, Scheme::PyAiopg]]);
        assert_eq!(groups(Factor::Protocol, &cells).len(), 1, "async with async");
    }
}
