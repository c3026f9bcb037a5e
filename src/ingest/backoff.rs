//! How long to wait before a broken connection is opened again: longer each time, never the same for two workers.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::time::Duration;

/// Before the first attempt, at most: a connection that was ended alone is back at once.
const FIRST: Duration = Duration::from_millis(50);

/// No pause is longer: when the database is back, nobody sleeps on for long.
const LONGEST: Duration = Duration::from_secs(2);

/// An outage is given up after this long. A database that crashed under load reads its log back for tens of seconds; what
/// takes longer is for people, and `--resume` for afterwards.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The pauses of one outage.
#[derive(Debug)]
pub struct Backoff {
    rng: ChaCha8Rng,
    attempts: u32,
}

impl Backoff {
    /// Each worker has its own seed, so that hundreds that lost their connections together don't come back together.
    pub fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), attempts: 0 }
    }

    /// How many attempts were begun.
    pub fn attempts(&self) -> u64 {
        self.attempts.into()
    }

    /// The pause before the next attempt; none when it has lasted long enough.
    pub fn next(&mut self, lasts: Duration) -> Option<Duration> {
        if lasts >= PATIENCE {
            return None;
        }
        let most = FIRST.saturating_mul(1 << self.attempts.min(16)).min(LONGEST);
        self.attempts += 1;
        let uniform = (self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        Some(most.mul_f64(0.5 + uniform / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_cap_and_scatter_below_it() {
        for seed in 0..50 {
            let mut backoff = Backoff::new(seed);
            for attempt in 0..40 {
                let most = FIRST.saturating_mul(1 << attempt.min(10)).min(LONGEST);
                let pause = backoff.next(Duration::from_secs(1)).unwrap();
                assert!(pause >= most / 2 && pause <= most, "{attempt}: {pause:?}");
            }
            assert_eq!(backoff.attempts(), 40);
        }
        let first = |seed| Backoff::new(seed).next(Duration::ZERO);
        assert_ne!(first(1), first(2), "two workers don't come back together");
    }

    #[test]
    fn patience_ends() {
        assert_eq!(Backoff::new(1).next(PATIENCE), None);
    }
}
