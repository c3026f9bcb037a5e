//! How far runs of the same cell lie apart once a block's own level is taken out: mostly each cell's own scatter, a
//! little that of all cells of the same conditions.
//!
//! Randomised complete blocks: log rate = cell + block + what is left. The variance of what is left is the residual
//! mean square, of all cells together or of one. Source: NIST/SEMATECH e-Handbook of Statistical Methods, section
//! 5.3.3.2; G. W. Oehlert, A First Course in Design and Analysis of Experiments (2000), chapter 13.
//!
//! A cell's own variance is moderated: `(d0 s0² + d s²) / (d0 + d)`, on d0 + d degrees of freedom. Source: G. K. Smyth,
//! Linear Models and Empirical Bayes Methods for Assessing Differential Expression in Microarray Experiments,
//! Statistical Applications in Genetics and Molecular Biology 3 (2004) 3. There d0 is estimated from how far the
//! variances lie apart; here it is a fixed part of d. From eight variances of five degrees of freedom each an estimate
//! cannot tell two cells that scatter twice as much from chance: it keeps the promised 5 % over all cells, but in 13 of
//! 100 series tells these two apart where they do the same, a pool of all in 16, this in 6 (`simulations.rs`).

use super::cells::CellRuns;
use std::collections::BTreeMap;

/// Rounds of fitting cells and blocks in turn. With every run there the first is exact; each missing one costs a few.
const ROUNDS: usize = 50;

/// What all cells' scatter counts beside a cell's own: d0 as a part of d. More would be surer where all scatter alike
/// (of what is found in 93 series of 100 by a pool, this finds 84, no moderation at all 77), and wrong where not.
const OTHERS: f64 = 0.25;

/// The fewest cells from which a cell has a scatter of its own. Two share all of their residuals, so that the pool is
/// the pair's own variance; of three each is two thirds of what a pair is compared by, and their own cannot be told
/// apart.
const LEAST_CELLS: usize = 4;

/// Variance of a log rate, or of a difference of two: within a block, or whole, with what moves a block's level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scatter {
    /// The variance.
    pub variance: f64,
    /// Its degrees of freedom.
    pub freedom: usize,
}

/// The scatter under each set of conditions of a series. Cells are looked at beside those that ran under the same: one
/// 20 ms away scatters a tenth as much as one nearby, and would say nothing of it.
#[derive(Debug, Clone)]
pub struct Scatters<'c, 'a>(Vec<Group<'c, 'a>>);

/// Cells that ran under the same conditions.
#[derive(Debug, Clone)]
struct Group<'c, 'a> {
    cells: Vec<&'c CellRuns<'a>>,
    within: Option<Scatter>,
    /// Each cell's own within a block, by its index, with its degrees of freedom.
    own: BTreeMap<usize, (f64, f64)>,
    whole: Option<Whole>,
}

impl<'c, 'a> Group<'c, 'a> {
    fn of(cells: Vec<&'c CellRuns<'a>>) -> Self {
        let points: Vec<Point> = cells
            .iter()
            .enumerate()
            .flat_map(|(index, cell)| cell.by_block().into_iter().map(move |(block, rate)| (index, block, rate.ln())))
            .collect();
        let left = residual(&points);
        let own = left.as_ref().map(|(pooled, squares)| moderated(&points, squares, pooled.variance));
        let within = left.map(|(pooled, _)| pooled);
        Self { whole: whole(&points, within), within, own: own.unwrap_or_default(), cells }
    }

    /// A cell's own scatter, where it has one.
    fn own(&self, cell: &CellRuns<'_>) -> Option<(f64, f64)> {
        let index = self.cells.iter().position(|one| one.part == cell.part && one.cell == cell.cell)?;
        self.own.get(&index).copied()
    }
}

impl<'c, 'a> Scatters<'c, 'a> {
    /// Of every cell in a series.
    pub fn of(cells: &'c [CellRuns<'a>]) -> Self {
        let mut together: BTreeMap<_, Vec<&'c CellRuns<'a>>> = BTreeMap::new();
        for cell in cells {
            together.entry(cell.environment()).or_default().push(cell);
        }
        Self(together.into_values().map(Group::of).collect())
    }

    /// Of a block's difference of two cells, if they ran under the same conditions.
    pub fn of_difference(&self, a: &CellRuns<'_>, b: &CellRuns<'_>) -> Option<Scatter> {
        let group = self.group(a).filter(|group| group.cells[0].environment() == b.environment())?;
        let within = group.within?;
        Some(match (group.own(a), group.own(b)) {
            (Some(one), Some(other)) => {
                Scatter { variance: one.0 + other.0, freedom: freedom_of([one, other], within.freedom) }
            }
            _ => Scatter { variance: 2.0 * within.variance, ..within },
        })
    }

    /// How far single runs of a cell lie apart, blocks' levels and all: what its mean over a series hangs on.
    pub fn whole(&self, cell: &CellRuns<'_>) -> Option<Scatter> {
        let group = self.group(cell)?;
        let pooled = group.within.map(|within| (within.variance, within.freedom as f64));
        Some(group.whole?.with(group.own(cell).or(pooled)))
    }

    fn group(&self, cell: &CellRuns<'_>) -> Option<&Group<'c, 'a>> {
        self.0.iter().find(|group| group.cells[0].environment() == cell.environment())
    }
}

/// A run: cell, block, log rate.
type Point = (usize, usize, f64);

/// The residual mean square of points after cells and blocks are fitted by least squares, and each cell's sum of
/// squares in it; none where nothing is left to estimate it from.
fn residual(points: &[Point]) -> Option<(Scatter, BTreeMap<usize, f64>)> {
    let mut cells: BTreeMap<usize, f64> = points.iter().map(|(cell, ..)| (*cell, 0.0)).collect();
    let mut blocks: BTreeMap<usize, f64> = points.iter().map(|(_, block, _)| (*block, 0.0)).collect();
    points.first()?;
    let freedom = (points.len() + 1).checked_sub(cells.len() + blocks.len()).filter(|freedom| *freedom > 0)?;
    for _ in 0..ROUNDS {
        for (cell, level) in &mut cells {
            *level = mean(points.iter().filter(|point| point.0 == *cell).map(|(_, block, y)| y - blocks[block]));
        }
        for (block, level) in &mut blocks {
            *level = mean(points.iter().filter(|point| point.1 == *block).map(|(cell, _, y)| y - cells[cell]));
        }
    }
    let mut squares: BTreeMap<usize, f64> = BTreeMap::new();
    for (cell, block, y) in points {
        *squares.entry(*cell).or_default() += (y - cells[cell] - blocks[block]).powi(2);
    }
    let variance = squares.values().sum::<f64>() / freedom as f64;
    Some((Scatter { variance, freedom }, squares))
}

/// Each cell's own variance with its degrees of freedom, moderated by that of all. Of k cells a residual holds 1 − 1/k
/// of a run, and 1/k of what the others scatter by, which is taken out for the cells that scatter more than these (F.
/// E. Grubbs, On Estimating Precision of Measuring Instruments and Product Variability, JASA 43 (1948) 243); for the
/// others that might leave less than nothing.
fn moderated(points: &[Point], squares: &BTreeMap<usize, f64>, pooled: f64) -> BTreeMap<usize, (f64, f64)> {
    if squares.len() < LEAST_CELLS {
        return BTreeMap::new();
    }
    let cells = squares.len() as f64;
    let own = |(cell, squares): (&usize, &f64)| {
        let freedom = points.iter().filter(|point| point.0 == *cell).count().checked_sub(1).filter(|one| *one > 0)?;
        let seen = squares / (freedom as f64 * (1.0 - 1.0 / cells));
        let own = seen.max(((cells - 1.0) * seen - pooled) / (cells - 2.0));
        Some((*cell, ((OTHERS * pooled + own) / (OTHERS + 1.0), (OTHERS + 1.0) * freedom as f64)))
    };
    squares.iter().filter_map(own).collect()
}

/// Degrees of freedom of a sum of two variances, each (variance, its freedom), at most those of all runs. Source: F. E.
/// Satterthwaite, An Approximate Distribution of Estimates of Variance Components, Biometrics Bulletin 2 (1946) 110.
fn freedom_of(parts: [(f64, f64); 2], most: usize) -> usize {
    let part = |(variance, freedom): (f64, f64)| if freedom > 0.0 { variance.powi(2) / freedom } else { 0.0 };
    let sum: f64 = parts.iter().map(|(variance, _)| variance).sum();
    let together = sum.powi(2) / parts.into_iter().map(part).sum::<f64>();
    // A whole number may come out a hair below itself.
    if together.is_finite() { ((together + 1e-9) as usize).clamp(1, most) } else { most }
}

/// What the variance of a cell's runs about its mean is made of. What moves a block's level moves every cell of the
/// block, so that part has one degree of freedom a block however many cells there are.
#[derive(Debug, Clone, Copy)]
struct Whole {
    /// How much of the scatter within a block is in it.
    part: f64,
    /// What moves blocks' levels: variance, degrees of freedom.
    blocks: (f64, f64),
    /// Degrees of freedom of all runs about their cells' means.
    freedom: usize,
}

impl Whole {
    /// With this scatter within a block.
    fn with(&self, within: Option<(f64, f64)>) -> Scatter {
        let rest = within.map_or((0.0, 0.0), |(variance, freedom)| (self.part * variance, freedom));
        Scatter { variance: rest.0 + self.blocks.0, freedom: freedom_of([rest, self.blocks], self.freedom) }
    }
}

/// The variance of cells' runs about their means, taken apart; none where no cell has two runs.
fn whole(points: &[Point], within: Option<Scatter>) -> Option<Whole> {
    let mut cells: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    points.iter().for_each(|(cell, _, y)| cells.entry(*cell).or_default().push(*y));
    let about_mean = |figures: &Vec<f64>| {
        let level = mean(figures.iter().copied());
        figures.iter().map(|y| (y - level).powi(2)).sum::<f64>()
    };
    let squares: f64 = cells.values().map(about_mean).sum();
    let freedom = points.len().checked_sub(cells.len()).filter(|freedom| *freedom > 0)?;
    let (rest, rest_freedom) = within.map_or((0.0, 0), |rest| (rest.variance * rest.freedom as f64, rest.freedom));
    let blocks = ((squares - rest).max(0.0) / freedom as f64, freedom.saturating_sub(rest_freedom) as f64);
    Some(Whole { part: rest_freedom as f64 / freedom as f64, blocks, freedom })
}

fn mean(figures: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = figures.fold((0.0, 0.0), |(sum, count), figure| (sum + figure, count + 1.0));
    sum / count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled_whole(points: &[Point]) -> Scatter {
        let within = residual(points).map(|(within, _)| within);
        whole(points, within).unwrap().with(within.map(|within| (within.variance, within.freedom as f64)))
    }

    #[test]
    fn two_cells_have_half_the_variance_of_their_differences() {
        let differences = [0.1, -0.2, 0.3, 0.05, -0.1, 0.02];
        let points: Vec<_> = differences
            .iter()
            .enumerate()
            .flat_map(|(block, difference)| [(0, block, block as f64), (1, block, block as f64 + difference)])
            .collect();
        let (found, _) = residual(&points).unwrap();
        let average = differences.iter().sum::<f64>() / 6.0;
        let variance = differences.iter().map(|d| (d - average).powi(2)).sum::<f64>() / 5.0;
        assert!((found.variance - variance / 2.0).abs() < 1e-12, "{found:?}");
        assert_eq!(found.freedom, 5);
    }

    #[test]
    fn missing_runs_cost_freedom_and_add_no_variance() {
        let points: Vec<_> = (0..4)
            .flat_map(|cell| (0..6).map(move |block| (cell, block, cell as f64 * 3.0 - block as f64 * 0.7)))
            .filter(|(cell, block, _)| !matches!((cell, block), (1, 2) | (3, 2) | (3, 5)))
            .collect();
        let (found, _) = residual(&points).unwrap();
        assert!(found.variance < 1e-12, "cells and blocks explain all of it: {found:?}");
        assert_eq!(found.freedom, 12);
    }

    #[test]
    fn what_moves_whole_blocks_counts_once_a_block_however_many_cells_there_are() {
        let levels = [0.1, -0.2, 0.3, 0.05, -0.1, 0.02];
        let points = |cells: usize| -> Vec<_> {
            let of_cell = |cell| levels.iter().enumerate().map(move |(block, y)| (cell, block, cell as f64 + y));
            (0..cells).flat_map(of_cell).collect()
        };
        let average = levels.iter().sum::<f64>() / 6.0;
        let variance = levels.iter().map(|y| (y - average).powi(2)).sum::<f64>() / 5.0;
        for cells in [1, 4] {
            let found = pooled_whole(&points(cells));
            assert!((found.variance - variance).abs() < 1e-12, "{cells}: {found:?}");
            assert_eq!(found.freedom, 5, "{cells}");
        }
        // Nothing moves whole blocks: what is left within them has its own freedom.
        let alone: Vec<_> = points(1).into_iter().chain(points(1).into_iter().map(|(_, b, y)| (1, b, -y))).collect();
        let found = pooled_whole(&alone);
        assert!((found.variance - variance).abs() < 1e-12 && found.freedom == 5, "{found:?}");
    }

    #[test]
    fn one_cell_or_one_block_says_nothing() {
        assert_eq!(residual(&[(0, 1, 1.0), (0, 2, 3.0)]), None);
        assert_eq!(residual(&[(0, 1, 1.0), (1, 1, 3.0)]), None);
        assert_eq!(residual(&[]), None);
    }

    #[test]
    fn a_cell_that_scatters_more_keeps_most_of_its_own_and_the_others_little_of_it() {
        // Contrasts that leave blocks and cells alone: each cell's residuals are orthogonal to the others'.
        let signs = [[1.0, -1.0, 0.0, 0.0, 0.0, 0.0], [1.0, 1.0, -2.0, 0.0, 0.0, 0.0]];
        let sizes = [0.01, 0.01, 0.01, 0.04];
        let points: Vec<Point> = (0..4)
            .flat_map(|cell| (0..6).map(move |block| (cell, block, sizes[cell] * signs[cell % 2][block])))
            .collect();
        let (pooled, squares) = residual(&points).unwrap();
        let own = moderated(&points, &squares, pooled.variance);
        let (quiet, noisy) = (own[&0], own[&3]);
        assert!(noisy.0 > 1.5 * pooled.variance && quiet.0 < pooled.variance, "{own:?}, {pooled:?}");
        assert!((noisy.1 - 6.25).abs() < 1e-12, "five of its own and a quarter of that: {noisy:?}");
        // Three cells have no scatter of their own.
        let three: Vec<Point> = points.into_iter().filter(|point| point.0 != 1).collect();
        let (pooled, squares) = residual(&three).unwrap();
        assert!(moderated(&three, &squares, pooled.variance).is_empty());
    }

    #[test]
    fn two_variances_have_together_at_least_the_freedom_of_the_larger_and_at_most_that_of_both() {
        assert_eq!(freedom_of([(1.0, 6.25), (1.0, 6.25)], 35), 12);
        assert_eq!(freedom_of([(1.0, 6.25), (1e-9, 6.25)], 35), 6);
        assert_eq!(freedom_of([(1.0, 50.0), (1.0, 50.0)], 35), 35);
        assert_eq!(freedom_of([(0.0, 5.0), (0.0, 5.0)], 35), 35, "nothing scatters");
    }
}
