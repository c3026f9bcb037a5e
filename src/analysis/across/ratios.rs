//! How cells of a series compare with each other, in one series and in the other: whatever the machines.

use super::rates::shift;
use super::{ALPHA, Change, RatioChange};
use crate::analysis::cells::groups;
use crate::analysis::compare;
use crate::analysis::estimate::{Estimate, freedom_of_sum};
use crate::analysis::scatter::Scatters;
use crate::analysis::{CellRuns, LEAST_PAIRS};
use crate::model::Factor;
use crate::model::cell::Cell;

/// A comparison that both series have.
pub(super) struct Pair<'s> {
    pub factor: Factor,
    base: &'s Cell,
    other: &'s Cell,
    in_each: [Option<Estimate>; 2],
    /// How far the second series' is from the first's.
    pub measured: Result<Estimate, Change>,
}

impl<'s> Pair<'s> {
    fn of(
        factor: Factor,
        [(base_was, base_is), (other_was, other_is)]: [(&'s CellRuns<'s>, &'s CellRuns<'s>); 2],
        scatters: &[Scatters<'_, '_>; 2],
    ) -> Self {
        let in_each =
            [compare::estimate(base_was, other_was, &scatters[0]), compare::estimate(base_is, other_is, &scatters[1])];
        let measured = match in_each {
            [Some(was), Some(is)] => {
                let moved = moved([(base_was, base_is), (other_was, other_is)], scatters).powi(2);
                let parts = [was, is].map(|one| (one.error.powi(2), one.freedom));
                Ok(Estimate {
                    mean: is.mean - was.mean,
                    error: (moved + parts[0].0 + parts[1].0).sqrt(),
                    freedom: freedom_of_sum(moved, parts),
                    pairs: was.pairs.min(is.pairs),
                })
            }
            _ => {
                let blocks = |base, other| compare::log_ratios(base, other).len();
                let (was, is) = (blocks(base_was, other_was), blocks(base_is, other_is));
                Err(Change::cannot(format!("{was} and {is} blocks have both: {LEAST_PAIRS} of each carry an interval")))
            }
        };
        Self { factor, base: base_was.cell, other: other_was.cell, in_each, measured }
    }

    /// With the intervals of its family.
    pub fn told(self, alphas: [f64; 3], floor: f64) -> RatioChange<'s> {
        let alpha = if self.factor == Factor::Scheme { alphas[1] } else { alphas[2] };
        RatioChange {
            factor: self.factor,
            base: self.base,
            other: self.other,
            in_each: self.in_each.map(|one| Some(one?.ratio(ALPHA))),
            change: self.measured.map_or_else(|why| why, |one| Change::of(&one, alpha, floor)),
        }
    }
}

/// What the machine moves in a ratio between two series: nothing where both cells run under the same conditions, since
/// it moves both alike; a cell that waits for a link stays where it is while one nearby follows the machine.
fn moved(cells: [(&CellRuns<'_>, &CellRuns<'_>); 2], scatters: &[Scatters<'_, '_>; 2]) -> f64 {
    let [(one, _), (other, _)] = cells;
    if one.environment() == other.environment() {
        return 0.0;
    }
    let of_both = |(was, is): (&CellRuns<'_>, &CellRuns<'_>)| [scatters[0].whole(was), scatters[1].whole(is)];
    shift(cells.into_iter().flat_map(of_both).flatten().map(|scatter| scatter.variance))
}

/// Every comparison of two cells that differ in one factor, of cells that both series have; schemes first.
pub(super) fn in_both<'s>(
    both: &[(&'s CellRuns<'s>, &'s CellRuns<'s>)],
    scatters: &[Scatters<'_, '_>; 2],
) -> Vec<Pair<'s>> {
    let cells: Vec<CellRuns<'s>> = both.iter().map(|(base, _)| (*base).clone()).collect();
    let with = |cell: &CellRuns<'_>| both.iter().copied().find(|(base, _)| base.cell == cell.cell);
    let mut pairs = Vec::new();
    for factor in Factor::ALL {
        for group in groups(*factor, &cells) {
            let Some(first) = with(group[0]) else { continue };
            let others = group[1..].iter().filter_map(|other| with(other));
            pairs.extend(others.map(|other| Pair::of(*factor, [first, other], scatters)));
        }
    }
    pairs
}
