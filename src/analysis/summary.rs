//! Several runs' figures as one: the middle, and how far they lie apart.

use super::LEAST_PAIRS;
use serde::Serialize;

/// Median, mean and range of some runs. A range says what was seen; only the interval is one of confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// The middle figure, or the mean of the two in the middle.
    pub median: f64,
    /// The mean.
    pub mean: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
    /// The median's interval of 95 % confidence or a little more; none below six runs.
    pub interval: Option<(f64, f64)>,
    /// How many.
    pub runs: usize,
}

impl Summary {
    /// Of these figures; none where there are none. Figures that aren't finite don't count.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().filter(|figure| figure.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let runs = sorted.len();
        let middle = runs / 2;
        let median =
            if runs.is_multiple_of(2) { f64::midpoint(sorted[middle - 1], sorted[middle]) } else { sorted[middle] };
        let mean = sorted.iter().sum::<f64>() / runs as f64;
        let interval = (runs >= LEAST_PAIRS).then(|| {
            let cut = left_out(runs);
            (sorted[cut], sorted[runs - 1 - cut])
        });
        Some(Self { median, mean, least, most, interval, runs })
    }

    /// The interval where there is one, else the range.
    pub fn spread(&self) -> (f64, f64) {
        self.interval.unwrap_or((self.least, self.most))
    }
}

/// How many figures may be left out at either end so that those between still enclose the median with 95 %
/// confidence, whatever the distribution: each lies below it with probability 1/2, so this is a binomial count.
/// Source: H. A. David and H. N. Nagaraja, Order Statistics (2003), section 7.1. Of six runs none: their range has
/// 96.9 %; with five it would have 93.8 %.
fn left_out(runs: usize) -> usize {
    let mut term = 0.5_f64.powi(i32::try_from(runs).unwrap_or(i32::MAX)); // P(exactly 0 below)
    let mut tail = term;
    let mut cut = 0;
    loop {
        term *= (runs - cut) as f64 / (cut + 1) as f64;
        tail += term;
        if 2.0 * tail > 0.05 || term == 0.0 {
            return cut;
        }
        cut += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_nothing_has_none() {
        let summary = Summary::of([3.0, 1.0, 2.5]).unwrap();
        assert_eq!((summary.median, summary.least, summary.most, summary.runs), (2.5, 1.0, 3.0, 3));
        assert!((summary.mean - 6.5 / 3.0).abs() < 1e-12);
        assert_eq!(Summary::of([1.0, 2.0, f64::NAN]).unwrap().median, 1.5);
        assert_eq!(Summary::of([]), None);
    }

    #[test]
    fn below_six_runs_there_is_only_a_range() {
        let five = Summary::of([1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!((five.interval, five.spread()), (None, (1.0, 5.0)));
        let six = Summary::of([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        assert_eq!(six.interval, Some((1.0, 6.0)));
    }

    #[test]
    fn the_interval_of_a_median_leaves_out_what_the_tables_say() {
        // Conover, Practical Nonparametric Statistics: 95 % by ranks 1-6, 1-8, 2-8, 2-11 (of 12: 3-10), 6-15.
        let cuts: Vec<usize> = [6, 8, 9, 12, 20].into_iter().map(left_out).collect();
        assert_eq!(cuts, [0, 0, 1, 2, 5]);
    }
}
