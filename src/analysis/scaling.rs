//! How many connections: a law through the rates at several pools, that can bend back. Pure.
//!
//! Gunther's universal scalability law in the form that is linear in its parameters: `N / X = a + b N + c N²`, seconds
//! that a connection needs a row at pool N. `a` is the time of a request alone, `b` what each connection adds by
//! sharing a processor or a disk, `c` what each pair adds by getting in each other's way; none is below zero. X has its
//! peak at √(a / c). Source: N. J. Gunther, Guerrilla Capacity Planning (2007), chapter 5. A constant demand (c = 0)
//! would go on rising where PostgreSQL falls.
//!
//! Three parameters go through any three pools: only a fourth checks the law. Where a measured rate lies farther from
//! it than the difference that is asked for, it says nothing of that difference, and the pools that were tried do.

use super::CellRuns;

/// Pools that a law needs: as many as it has parameters.
pub const LEAST_POOLS: usize = 3;

/// A pool counts as good as the best from this part of its rows a second on.
pub const AS_GOOD: f64 = 0.95;

/// The law of one group of cells that differ in their pool only.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    /// Seconds a row of a request alone.
    pub alone: f64,
    /// Seconds a row that each connection adds.
    pub shared: f64,
    /// Seconds a row that each pair of connections adds.
    pub crowded: f64,
    /// The fewest and the most connections tried: the law is not asked beyond.
    pub tried: (usize, usize),
    /// The farthest that a measured rate lies from the law, as a part of it.
    pub off: f64,
    /// What was measured: pool, rows a second; the fewest connections first.
    measured: Vec<(usize, f64)>,
}

impl Scaling {
    /// Through the medians of these cells; none below three pools.
    pub fn of(group: &[&CellRuns<'_>]) -> Option<Self> {
        let mut points: Vec<(f64, f64)> =
            group.iter().filter_map(|cell| Some((cell.cell.pool as f64, cell.rate()?.median))).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points.dedup_by_key(|(pool, _)| *pool);
        Self::through(&points)
    }

    fn through(points: &[(f64, f64)]) -> Option<Self> {
        if points.len() < LEAST_POOLS {
            return None;
        }
        let [alone, shared, crowded] = least_squares(points)?;
        let tried = (points[0].0 as usize, points[points.len() - 1].0 as usize);
        let measured = points.iter().map(|(pool, rate)| (*pool as usize, *rate)).collect();
        let mut law = Self { alone, shared, crowded, tried, off: 0.0, measured };
        let off = |(pool, rate): &(f64, f64)| (rate / law.rate(*pool as usize) - 1.0).abs();
        law.off = points.iter().map(off).fold(0.0, f64::max);
        Some(law)
    }

    /// Rows a second at a pool.
    pub fn rate(&self, pool: usize) -> f64 {
        let pool = pool as f64;
        pool / (self.alone + self.shared * pool + self.crowded * pool * pool)
    }

    /// The best pool among those between the fewest and the most tried.
    pub fn best(&self) -> usize {
        let (fewest, most) = self.tried;
        (fewest..=most).max_by(|one, other| self.rate(*one).total_cmp(&self.rate(*other))).unwrap_or(fewest)
    }

    /// Whether there are more pools than the law has parameters: else it goes through whatever was measured.
    pub fn is_checked(&self) -> bool {
        self.measured.len() > LEAST_POOLS
    }

    /// Whether every measured rate is as near to the law as a pool must be to the best.
    pub fn fits(&self) -> bool {
        self.off <= 1.0 - AS_GOOD
    }

    /// All pools that the law calls as good as the best: the fewest and the most connections of them.
    pub fn by_law(&self) -> (usize, usize) {
        let (best, (fewest, most)) = (self.best(), self.tried);
        let good = |pool: &usize| self.rate(*pool) >= AS_GOOD * self.rate(best);
        // The law has one peak, so that they are next to each other.
        ((fewest..=best).find(good).unwrap_or(best), (best..=most).rev().find(good).unwrap_or(best))
    }

    /// The pool that did most of those tried.
    pub fn best_measured(&self) -> Option<usize> {
        self.measured.iter().max_by(|one, other| one.1.total_cmp(&other.1)).map(|(pool, _)| *pool)
    }

    /// The tried pools that did as much as the best of them, or nearly.
    pub fn measured_as_good(&self) -> Vec<usize> {
        let most = self.measured.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
        self.measured.iter().filter(|(_, rate)| *rate >= AS_GOOD * most).map(|(pool, _)| *pool).collect()
    }

    /// The range that holds all pools that the law calls as good as the best, and the best that was measured.
    pub fn as_good(&self) -> (usize, usize) {
        let (low, high) = self.by_law();
        self.best_measured().map_or((low, high), |best| (low.min(best), high.max(best)))
    }
}

/// The parameters, none below zero, with the least squares of relative errors in `N / X`. Of three parameters there
/// are seven sets that may differ from zero: all are tried, the best that is not negative anywhere is taken.
fn least_squares(points: &[(f64, f64)]) -> Option<[f64; 3]> {
    let mut best: Option<(f64, [f64; 3])> = None;
    for free in 1..8_u8 {
        let set: Vec<usize> = (0..3).filter(|index| free & (1 << index) != 0).collect();
        let Some(parameters) = solve(points, &set).filter(|found| found.iter().all(|one| *one >= 0.0)) else {
            continue;
        };
        let squares: f64 = points
            .iter()
            .map(|(pool, rate)| {
                let law: f64 = terms(*pool).iter().zip(parameters).map(|(term, one)| term * one).sum();
                (law * rate / pool - 1.0).powi(2)
            })
            .sum();
        if best.is_none_or(|(least, _)| squares < least - 1e-12) {
            best = Some((squares, parameters));
        }
    }
    best.map(|(_, parameters)| parameters)
}

fn terms(pool: f64) -> [f64; 3] {
    [1.0, pool, pool * pool]
}

/// The normal equations over a set of parameters, by elimination with pivots; the others are zero.
fn solve(points: &[(f64, f64)], set: &[usize]) -> Option<[f64; 3]> {
    let size = set.len();
    let mut rows = vec![vec![0.0; size + 1]; size];
    for (pool, rate) in points {
        let weighed = terms(*pool).map(|term| term * rate / pool); // relative to what was measured
        for (row, i) in rows.iter_mut().zip(set) {
            for (column, j) in set.iter().enumerate() {
                row[column] += weighed[*i] * weighed[*j];
            }
            row[size] += weighed[*i];
        }
    }
    for column in 0..size {
        let pivot = (column..size).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        rows.swap(column, pivot);
        let row = rows[column].clone();
        if row[column].abs() < 1e-12 {
            return None;
        }
        for (index, other) in rows.iter_mut().enumerate().filter(|(index, _)| *index != column) {
            let factor = other[column] / row[column];
            other.iter_mut().zip(&row).for_each(|(one, above)| *one -= factor * above);
            debug_assert!(index < size);
        }
    }
    let mut found = [0.0; 3];
    for (index, parameter) in set.iter().enumerate() {
        found[*parameter] = rows[index][size] / rows[index][index];
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn law(alone: f64, shared: f64, crowded: f64) -> Scaling {
        Scaling { alone, shared, crowded, tried: (1, 350), off: 0.0, measured: Vec::new() }
    }

    fn points(law: &Scaling, pools: &[usize]) -> Vec<(f64, f64)> {
        pools.iter().map(|pool| (*pool as f64, law.rate(*pool))).collect()
    }

    #[test]
    fn a_law_that_bends_back_is_found_again_with_its_peak() {
        let known = law(1e-4, 9e-5, 4e-7);
        let found = Scaling::through(&points(&known, &[1, 2, 4, 8, 15, 60, 350])).unwrap();
        assert_eq!(found.best(), 16); // the square root of 250
        let (low, high) = found.as_good();
        assert!(found.off < 1e-6 && low < 16 && high > 16, "{found:?}: {low}-{high}");
        assert!(found.rate(low) >= 0.95 * found.rate(16) && found.rate(low - 1) < 0.95 * found.rate(16));
        assert!(found.rate(high) >= 0.95 * found.rate(16) && found.rate(high + 1) < 0.95 * found.rate(16));
    }

    #[test]
    fn far_away_more_connections_always_help_as_far_as_was_tried() {
        let far = law(0.02, 2e-6, 0.0);
        let found = Scaling::through(&points(&far, &[1, 15, 60, 350])).unwrap();
        assert_eq!(found.best(), 350);
        assert_eq!(found.as_good().1, 350);
    }

    #[test]
    fn three_pools_check_nothing_and_a_fourth_may_show_that_the_law_does_not_fit() {
        let three = [(1.0, 4_000.0), (15.0, 9_000.0), (350.0, 6_000.0)];
        let found = Scaling::through(&three).unwrap();
        assert!(found.off < 1e-6 && !found.is_checked(), "{found:?}");
        // Two plateaus, which no such law has.
        let found = Scaling::through(&[(1.0, 4_000.0), (4.0, 4_100.0), (15.0, 9_000.0), (60.0, 8_900.0)]).unwrap();
        assert!(found.is_checked() && !found.fits(), "{found:?}");
        assert_eq!((found.best_measured(), found.measured_as_good()), (Some(15), vec![15, 60]));
    }

    #[test]
    fn the_best_measured_pool_is_in_the_range_wherever_the_law_has_its_peak() {
        let known = law(1e-4, 9e-5, 4e-7);
        let mut measured = points(&known, &[1, 4, 15, 60, 120]);
        measured[3].1 *= 1.13;
        let found = Scaling::through(&measured).unwrap();
        let (low, high) = found.as_good();
        assert!(found.best_measured() == Some(60) && (low..=high).contains(&60), "{low} to {high}, {found:?}");
    }

    #[test]
    fn two_pools_are_no_law() {
        assert_eq!(Scaling::through(&[(1.0, 100.0), (2.0, 150.0)]), None);
    }

    proptest! {
        #[test]
        fn no_parameter_is_negative_and_no_rate_is_out_of_bounds(
            rates in prop::collection::vec(10.0_f64..1e6, 3..12)
        ) {
            let points: Vec<(f64, f64)> =
                rates.iter().enumerate().map(|(index, rate)| ((1 << index) as f64, *rate)).collect();
            let found = Scaling::through(&points).unwrap();
            prop_assert!(found.alone >= 0.0 && found.shared >= 0.0 && found.crowded >= 0.0);
            let (low, high) = found.by_law();
            prop_assert!((1..=found.best()).contains(&low) && (found.best()..=found.tried.1).contains(&high));
            let (low, high) = found.as_good();
            prop_assert!((low..=high).contains(&found.best_measured().unwrap()));
            prop_assert!(found.measured_as_good().contains(&found.best_measured().unwrap()));
            prop_assert!(found.rate(found.best()).is_finite());
        }
    }
}
