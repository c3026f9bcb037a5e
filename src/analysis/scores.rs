//! How good the forecasts were, against what was measured, and against a guess without a model. Pure.

use super::cells::CellRuns;
use crate::model::cell::Cell;
use crate::wire::forecast::Forecast;

/// A forecast and what came of it.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    /// The cell.
    pub cell: &'a Cell,
    /// What was said before it ran.
    pub forecast: &'a Forecast,
    /// Rows a second, the median of its valid runs.
    pub measured: f64,
}

impl Scored<'_> {
    /// How far off it was, as a part of what was measured; below zero: too low.
    pub fn off(&self) -> f64 {
        self.forecast.rate / self.measured - 1.0
    }

    /// How far off the nearest measured cell's rate was.
    pub fn nearest_off(&self) -> f64 {
        self.forecast.nearest_rate / self.measured - 1.0
    }

    /// Whether it came out between the ends that were said.
    pub fn inside(&self) -> bool {
        (self.forecast.low..=self.forecast.high).contains(&self.measured)
    }
}

/// Forecasts of held-out cells, all together. Errors are parts of what was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores {
    /// How many.
    pub count: usize,
    /// Half were off by no more.
    pub median: f64,
    /// Nine of ten were off by no more.
    pub p90: f64,
    /// How many came out between the ends that were said, as a part of all.
    pub inside: f64,
    /// Half of the guesses "as the nearest measured cell" were off by no more.
    pub nearest: f64,
}

/// Every cell that was forecast and has a valid run.
pub fn scored<'a>(cells: &[CellRuns<'a>]) -> Vec<Scored<'a>> {
    let of = |cell: &CellRuns<'a>| {
        let forecast = cell.runs.iter().find_map(|run| run.forecast.as_ref())?;
        Some(Scored { cell: cell.cell, forecast, measured: cell.rate()?.median })
    };
    cells.iter().filter_map(of).collect()
}

impl Scores {
    /// Of those that were held out: far from anything measured. None where there is none.
    pub fn of(all: &[Scored<'_>]) -> Option<Self> {
        let held_out: Vec<&Scored<'_>> = all.iter().filter(|one| one.forecast.held_out).collect();
        let sorted = |off: &dyn Fn(&Scored<'_>) -> f64| {
            let mut all: Vec<f64> = held_out.iter().map(|one| off(one).abs()).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let (own, nearest) = (sorted(&|one| one.off()), sorted(&|one| one.nearest_off()));
        let at = |all: &[f64], share: f64| all.get(((all.len() as f64 * share).ceil() as usize).max(1) - 1).copied();
        let inside = held_out.iter().filter(|one| one.inside()).count() as f64 / held_out.len().max(1) as f64;
        Some(Self {
            count: own.len(),
            median: at(&own, 0.5)?,
            p90: at(&own, 0.9)?,
            inside,
            nearest: at(&nearest, 0.5)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Commit, Factor, Scheme, Statement};

    #[test]
    fn forecasts_are_scored_against_what_came_and_against_the_nearest_cell() {
        let cell = Cell::new(Scheme::Threads, Statement::Row, Commit::Auto, 15);
        let forecast = |rate: f64, held_out| Forecast {
            rate,
            low: rate * 0.8,
            high: rate * 1.2,
            from: 3,
            nearest: cell.clone(),
            nearest_rate: 500.0,
            apart: vec![Factor::Pool],
            held_out,
        };
        let all = [forecast(1_050.0, true), forecast(2_000.0, true), forecast(10.0, false)];
        let scored: Vec<Scored<'_>> =
            all.iter().map(|forecast| Scored { cell: &cell, forecast, measured: 1_000.0 }).collect();
        let scores = Scores::of(&scored).unwrap();
        assert_eq!((scores.count, scores.inside, scores.nearest), (2, 0.5, 0.5), "the near one does not count");
        assert!((scores.median - 0.05).abs() < 1e-12 && (scores.p90 - 1.0).abs() < 1e-12, "{scores:?}");
        assert_eq!(Scores::of(&scored[2..]), None);
    }
}
