//! Student's t distribution, for whole degrees of freedom.

use std::f64::consts::FRAC_2_PI;

/// The probability that |T| is at most `t`. Source: Abramowitz and Stegun, Handbook of Mathematical Functions,
/// 26.7.3 and 26.7.4: a finite sum, exact for every whole number of degrees of freedom.
fn within(t: f64, freedom: usize) -> f64 {
    let angle = (t / (freedom as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let odd = freedom % 2 == 1;
    // 1 + 1/2 cos² + (1·3)/(2·4) cos⁴ + …, or for odd ones cos + 2/3 cos³ + (2·4)/(3·5) cos⁵ + …
    let mut term = if odd { cosine } else { 1.0 };
    let mut sum = 0.0;
    let mut power = if odd { 1 } else { 0 };
    while power + 2 <= freedom {
        sum += term;
        let next = power as f64;
        term *= (next + 1.0) / (next + 2.0) * cosine * cosine;
        power += 2;
    }
    if odd { FRAC_2_PI * (angle + sine * sum) } else { sine * sum }
}

/// The t that |T| exceeds with probability `alpha`: half an interval of confidence 1 − alpha, in standard errors.
pub fn two_sided(alpha: f64, freedom: usize) -> f64 {
    let outside = |t: f64| 1.0 - within(t, freedom);
    let mut high = 2.0;
    while outside(high) > alpha && high < 1e12 {
        high *= 2.0;
    }
    let mut low = 0.0;
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if outside(middle) > alpha { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantiles_are_those_of_the_tables() {
        // NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.2; one-sided 97.5 %, 99.5 % and 80 %.
        for (freedom, t) in [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (9, 2.262), (30, 2.042), (100, 1.984)] {
            assert!((two_sided(0.05, freedom) - t).abs() < 6e-4, "{freedom}: {}", two_sided(0.05, freedom));
        }
        for (freedom, t) in [(1, 63.657), (4, 4.604), (5, 4.032), (30, 2.750)] {
            assert!((two_sided(0.01, freedom) - t).abs() < 1e-3, "{freedom}: {}", two_sided(0.01, freedom));
        }
        assert!((two_sided(0.4, 5) - 0.920).abs() < 1e-3);
    }
}
