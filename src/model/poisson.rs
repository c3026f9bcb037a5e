//! Random times: looks that fall into step with nothing.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// No pause is longer than so many times the mean: one in 150 would be.
const LONGEST: f64 = 5.0;

/// Pauses of a Poisson process: exponentially distributed, each independent of the others.
#[derive(Debug)]
pub struct Poisson {
    mean: f64,
    rng: ChaCha8Rng,
}

impl Poisson {
    /// With this mean pause, seconds.
    pub fn new(mean: f64, seed: u64) -> Self {
        Self { mean, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// The next pause, seconds. Inversion: -mean · ln(1 - u), u uniform below 1.
    pub fn pause(&mut self) -> f64 {
        let uniform = (self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        (-self.mean * (1.0 - uniform).ln()).min(LONGEST * self.mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_have_the_mean_and_the_spread_of_an_exponential() {
        let mut times = Poisson::new(0.1, 7);
        let pauses: Vec<f64> = (0..10_000).map(|_| times.pause()).collect();
        let mean = pauses.iter().sum::<f64>() / 1e4;
        assert!((mean - 0.1).abs() < 0.004, "{mean}");
        let short = pauses.iter().filter(|pause| **pause < 0.01).count();
        assert!((800..1_100).contains(&short), "1 - exp(-0.1) is 9.5 %: {short}");
    }
}
