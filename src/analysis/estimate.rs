//! The mean of a difference of log rates, how sure it is, and what that means.

use super::student::two_sided;
use super::{Means, Ratio};

/// "Could have been seen" means: in four series of five. Student's t leaves this at both ends together.
const SEEN: f64 = 0.4;

/// So many degrees of freedom are as good as any number of them.
const PLENTY: f64 = 200.0;

/// A mean of log-ratios.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
    /// Degrees of freedom of the error.
    pub freedom: usize,
    /// Pairs behind it; of two series the runs of the one that has fewer.
    pub pairs: usize,
}

impl Estimate {
    /// As a ratio, with an interval that fails with this probability.
    pub fn ratio(&self, alpha: f64) -> Ratio {
        let half = two_sided(alpha, self.freedom) * self.error;
        let (low, high) = ((self.mean - half).exp(), (self.mean + half).exp());
        Ratio { ratio: self.mean.exp(), low, high, pairs: self.pairs }
    }

    /// What it means where identical cells may differ by `floor`, a part of the rate.
    pub fn means(&self, alpha: f64, floor: f64) -> Means {
        let ratio = self.ratio(alpha);
        if ratio.low <= 1.0 && 1.0 <= ratio.high {
            Means::Same
        } else if self.mean.abs() <= (1.0 + floor).ln() {
            Means::WithinNoise
        } else if self.mean < 0.0 {
            Means::Slower
        } else {
            Means::Faster
        }
    }

    /// The smallest difference, as a part of the rate, that would have been found in four series of five.
    pub fn smallest(&self, alpha: f64, floor: f64) -> f64 {
        let needed = (1.0 + floor).ln().max(two_sided(alpha, self.freedom) * self.error);
        (needed + two_sided(SEEN, self.freedom) * self.error).exp() - 1.0
    }
}

/// Degrees of freedom of a sum of variances, each (variance, its freedom), beside which `known` is a variance that was
/// not estimated. Source: B. L. Welch, The Generalization of "Student's" Problem when Several Different Population
/// Variances are Involved, Biometrika 34 (1947) 28.
pub(super) fn freedom_of_sum(known: f64, parts: [(f64, usize); 2]) -> usize {
    let sum: f64 = known + parts.iter().map(|(variance, _)| variance).sum::<f64>();
    let below: f64 = parts.iter().map(|(variance, freedom)| variance.powi(2) / (*freedom).max(1) as f64).sum();
    let freedom = sum.powi(2) / below;
    // Nothing that scatters at all has no freedom to count.
    if freedom.is_finite() { freedom.clamp(1.0, PLENTY) as usize } else { PLENTY as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_variances_alike_have_the_freedom_of_both_and_a_dominant_one_its_own() {
        assert_eq!(freedom_of_sum(0.0, [(1.0, 5), (1.0, 5)]), 10);
        assert_eq!(freedom_of_sum(0.0, [(1.0, 5), (1e-9, 90)]), 5);
        assert_eq!(freedom_of_sum(1.0, [(1.0, 5), (1.0, 5)]), 22, "9 / (2/5)");
        assert_eq!(freedom_of_sum(0.0, [(0.0, 5), (0.0, 5)]), 200);
    }
}
