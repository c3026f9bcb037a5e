//! How much faster: the ratio of two sides measured in pairs, with its interval.

use super::student;
use serde::Serialize;

/// The fewest pairs that carry an interval: below, only the range may be told.
pub const LEAST_PAIRS: usize = 6;

/// The geometric mean of the pairs' ratios, with a 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// The middle.
    pub ratio: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
    /// How many pairs.
    pub pairs: usize,
}

impl Ratio {
    /// Of pairs (ours, theirs), each measured next to each other. Logarithms are averaged, so that twice as fast
    /// and half as fast cancel out; the interval is Student's over the pairs. None below [`LEAST_PAIRS`] pairs or
    /// where a figure is not above zero.
    pub fn of(pairs: &[(f64, f64)]) -> Option<Self> {
        if pairs.len() < LEAST_PAIRS || pairs.iter().any(|(ours, theirs)| !(*ours > 0.0 && *theirs > 0.0)) {
            return None;
        }
        let logs: Vec<f64> = pairs.iter().map(|(ours, theirs)| (ours / theirs).ln()).collect();
        let count = logs.len() as f64;
        let mean = logs.iter().sum::<f64>() / count;
        let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let half = student::two_sided(0.05, logs.len() - 1) * (variance / count).sqrt();
        Some(Self { ratio: mean.exp(), low: (mean - half).exp(), high: (mean + half).exp(), pairs: logs.len() })
    }
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3}x ({:.3}-{:.3}), {} pairs", self.ratio, self.low, self.high, self.pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_and_half_as_fast_cancel_out() {
        let pairs = [(2.0, 1.0), (1.0, 2.0), (2.0, 1.0), (1.0, 2.0), (2.0, 1.0), (1.0, 2.0)];
        let ratio = Ratio::of(&pairs).unwrap();
        assert!((ratio.ratio - 1.0).abs() < 1e-12);
        assert!(ratio.low < 0.6 && ratio.high > 1.6, "{ratio}");
    }

    #[test]
    fn steady_pairs_have_a_narrow_interval() {
        let ratio = Ratio::of(&[(1.10, 1.0); 10]).unwrap();
        assert_eq!(ratio.to_string(), "1.100x (1.100-1.100), 10 pairs");
    }

    #[test]
    fn too_few_pairs_or_a_zero_give_no_interval() {
        assert_eq!(Ratio::of(&[(1.0, 1.0); 5]), None);
        assert_eq!(Ratio::of(&[(0.0, 1.0); 10]), None);
    }
}
