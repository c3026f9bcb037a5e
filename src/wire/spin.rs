//! What a short spin on a processor tells: how much of it one gets, and how fast it is.
//!
//! ```text
//! asked 0.25 of a CPU:  ██······ ██······ ██······ ██···     █ working, · held back
//!                               └──── share ─────┘           from the end of a pause to the end of a later one
//! ```

use serde::{Deserialize, Serialize};

/// Between two looks at the clock a spin is never away for so long unless it was held back, seconds.
pub const PAUSE: f64 = 0.002;

/// One thread's (or database connection's) spin.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Spin {
    /// How long it went on, seconds.
    pub seconds: f64,
    /// Processor time it got, seconds.
    pub cpu: f64,
    /// The pauses of [`PAUSE`] or longer.
    pub pauses: Vec<Pause>,
    /// Processor time that a fixed piece of work took, seconds: the mean of many.
    pub work: f64,
}

/// A time in which a spin did not run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pause {
    /// How long, seconds.
    pub length: f64,
    /// When it ended, seconds from the start.
    pub end: f64,
    /// Processor time used until then, seconds.
    pub cpu: f64,
}

impl Spin {
    /// What a piece of work took where it took the least, of spins at the same time, seconds.
    pub fn quickest(spins: &[Self]) -> f64 {
        spins.iter().map(|spin| spin.work).fold(f64::INFINITY, f64::min)
    }

    /// The share of a processor it got.
    pub fn share(&self) -> f64 {
        if self.seconds > 0.0 { self.cpu / self.seconds } else { 0.0 }
    }

    /// The share it got under a quota, which holds a thread back once a period. Whole periods are counted: from the
    /// end of one such pause to the end of the last.
    pub fn share_of_periods(&self) -> f64 {
        let longest = self.pauses.iter().map(|pause| pause.length).fold(0.0, f64::max);
        let mut edges = self.pauses.iter().filter(|pause| pause.length >= longest / 2.0);
        match (edges.next(), edges.next_back()) {
            (Some(from), Some(to)) => (to.cpu - from.cpu) / (to.end - from.end),
            _ => self.share(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Periods of 100 ms, each with so many seconds of work first; begun in the middle of one.
    fn under_quota(share: f64) -> Spin {
        let pause = |number: u32| {
            let cpu = 0.01 + f64::from(number) * 0.1 * share;
            Pause { length: 0.1 * (1.0 - share), end: 0.07 + f64::from(number) * 0.1, cpu }
        };
        Spin { seconds: 0.53, cpu: 0.02 + 0.4 * share, pauses: (0..5).map(pause).collect(), work: 1e-5 }
    }

    #[test]
    fn whole_periods_are_counted_wherever_a_spin_begins_and_ends() {
        for share in [0.25, 0.5, 0.95] {
            assert!((under_quota(share).share_of_periods() - share).abs() < 1e-9);
        }
    }

    #[test]
    fn without_two_pauses_all_of_a_spin_counts() {
        let spin = Spin { seconds: 0.5, cpu: 0.45, ..Default::default() };
        assert!((spin.share() - 0.9).abs() < 1e-9 && spin.share() == spin.share_of_periods());
        assert_eq!(Spin::default().share(), 0.0);
    }
}
