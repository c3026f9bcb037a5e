//! How far runs of the same cell lie apart once a block's own level is taken out, pooled over cells.
//!
//! Randomised complete blocks: log rate = cell + block + what is left. The variance of what is left is the residual
//! mean square. Source: NIST/SEMATECH e-Handbook of Statistical Methods, section 5.3.3.2; G. W. Oehlert, A First
//! Course in Design and Analysis of Experiments (2000), chapter 13.

use super::cells::CellRuns;
use std::collections::{BTreeMap, BTreeSet};

/// Rounds of fitting cells and blocks in turn. With every run there the first is exact; each missing one costs a few.
const ROUNDS: usize = 50;

/// Variance of a log rate: within a block, or whole, with what moves a block's level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scatter {
    /// The variance.
    pub variance: f64,
    /// Its degrees of freedom.
    pub freedom: usize,
}

/// The scatter under each set of conditions of a series. It is pooled over all cells that ran under them: one 20 ms
/// away scatters a tenth as much as one nearby, and pooled over both it would be wrong for both.
#[derive(Debug, Clone)]
pub struct Scatters<'c, 'a>(Vec<Group<'c, 'a>>);

/// Cells that ran under the same conditions, by one of them.
#[derive(Debug, Clone)]
struct Group<'c, 'a> {
    first: &'c CellRuns<'a>,
    within: Option<Scatter>,
    whole: Option<Scatter>,
}

impl<'c, 'a> Scatters<'c, 'a> {
    /// Of every cell in a series.
    pub fn of(cells: &'c [CellRuns<'a>]) -> Self {
        let mut together: BTreeMap<_, Vec<&CellRuns<'a>>> = BTreeMap::new();
        for cell in cells {
            together.entry(cell.environment()).or_default().push(cell);
        }
        let of_group = |group: &Vec<&'c CellRuns<'a>>| {
            let points: Vec<(usize, usize, f64)> = group
                .iter()
                .enumerate()
                .flat_map(|(index, cell)| {
                    cell.by_block().into_iter().map(move |(block, rate)| (index, block, rate.ln()))
                })
                .collect();
            let within = residual(&points);
            Group { first: group[0], within, whole: whole(&points, within) }
        };
        Self(together.values().map(of_group).collect())
    }

    /// What two cells share within a block, if they ran under the same conditions.
    pub fn shared(&self, a: &CellRuns<'_>, b: &CellRuns<'_>) -> Option<Scatter> {
        let group = self.group(a)?;
        (group.first.environment() == b.environment()).then_some(group.within)?
    }

    /// How far single runs of a cell lie apart, blocks' levels and all: what its mean over a series hangs on.
    pub fn whole(&self, cell: &CellRuns<'_>) -> Option<Scatter> {
        self.group(cell)?.whole
    }

    fn group(&self, cell: &CellRuns<'_>) -> Option<&Group<'c, 'a>> {
        self.0.iter().find(|group| group.first.environment() == cell.environment())
    }
}

/// The residual mean square of points (cell, block, log rate) after cells and blocks are fitted by least squares;
/// none where nothing is left to estimate it from.
fn residual(points: &[(usize, usize, f64)]) -> Option<Scatter> {
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
    let squares: f64 = points.iter().map(|(cell, block, y)| (y - cells[cell] - blocks[block]).powi(2)).sum();
    Some(Scatter { variance: squares / freedom as f64, freedom })
}

/// The variance of a cell's runs about its mean, pooled over cells. What moves a block's level moves every cell of the
/// block, so it has one degree of freedom a block however many cells there are: Satterthwaite's approximation puts both
/// parts' together. Source: F. E. Satterthwaite, An Approximate Distribution of Estimates of Variance Components,
/// Biometrics Bulletin 2 (1946) 110.
fn whole(points: &[(usize, usize, f64)], within: Option<Scatter>) -> Option<Scatter> {
    let cells: BTreeSet<usize> = points.iter().map(|(cell, ..)| *cell).collect();
    let of = |cell: usize| points.iter().filter(move |point| point.0 == cell).map(|(.., y)| *y);
    let squares: f64 = cells
        .iter()
        .map(|cell| {
            let level = mean(of(*cell));
            of(*cell).map(|y| (y - level).powi(2)).sum::<f64>()
        })
        .sum();
    let freedom = points.len().checked_sub(cells.len()).filter(|freedom| *freedom > 0)?;
    let (rest, rest_freedom) = within.map_or((0.0, 0), |rest| (rest.variance * rest.freedom as f64, rest.freedom));
    let blocks = (squares - rest).max(0.0);
    let part = |squares: f64, freedom: usize| if freedom == 0 { 0.0 } else { squares.powi(2) / freedom as f64 };
    let together = (rest + blocks).powi(2) / (part(rest, rest_freedom) + part(blocks, freedom - rest_freedom));
    let effective = if together.is_finite() { (together as usize).clamp(1, freedom) } else { freedom };
    Some(Scatter { variance: squares / freedom as f64, freedom: effective })
}

fn mean(figures: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = figures.fold((0.0, 0.0), |(sum, count), figure| (sum + figure, count + 1.0));
    sum / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cells_have_half_the_variance_of_their_differences() {
        let differences = [0.1, -0.2, 0.3, 0.05, -0.1, 0.02];
        let points: Vec<_> = differences
            .iter()
            .enumerate()
            .flat_map(|(block, difference)| [(0, block, block as f64), (1, block, block as f64 + difference)])
            .collect();
        let found = residual(&points).unwrap();
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
        let found = residual(&points).unwrap();
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
            let found = whole(&points(cells), residual(&points(cells))).unwrap();
            assert!((found.variance - variance).abs() < 1e-12, "{cells}: {found:?}");
            assert_eq!(found.freedom, 5, "{cells}");
        }
        // Nothing moves whole blocks: what is left within them has its own freedom.
        let alone: Vec<_> = points(1).into_iter().chain(points(1).into_iter().map(|(_, b, y)| (1, b, -y))).collect();
        let found = whole(&alone, residual(&alone)).unwrap();
        assert!((found.variance - variance).abs() < 1e-12 && found.freedom == 5, "{found:?}");
    }

    #[test]
    fn one_cell_or_one_block_says_nothing() {
        assert_eq!(residual(&[(0, 1, 1.0), (0, 2, 3.0)]), None);
        assert_eq!(residual(&[(0, 1, 1.0), (1, 1, 3.0)]), None);
        assert_eq!(residual(&[]), None);
    }
}
