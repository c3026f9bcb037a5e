//! Rows over a phase's time: what the steady rate is told from, by one ingester or by several on one clock.

use super::{Rates, Steady};
use serde::{Deserialize, Serialize};

/// Width of a bucket, seconds: fine enough to cut ramp and drain off a run of seconds.
pub const BUCKET: f64 = 0.1;

/// The most buckets that leave a process, an hour of them: of a longer phase they are twice as wide, or four times …
const MOST: usize = 36_000;

/// The fewest buckets that make a rate.
const LEAST: usize = 5;

/// A part of a phase shorter than this gives no rate, seconds: it would be mostly noise.
const SHORTEST: f64 = 0.25;

/// Rows in equal pieces of a phase's time.
///
/// ```text
/// 0        busy.0                        busy.1
/// |  ramp  | every worker of all is busy |  drain  |
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// How wide a bucket is: as many tenths of a second, a power of two.
    pub tenths: u32,
    /// Rows in each, the first from the phase's beginning on.
    pub rows: Vec<f64>,
    /// From when to when every worker was busy, seconds into the phase; none where one had nothing to do.
    pub busy: Option<(f64, f64)>,
    /// When the reader had put its last record into the queue, seconds into the phase; none where it never had.
    pub filled: Option<f64>,
}

impl Timeline {
    /// Of rows in tenths of a second.
    pub fn new(rows: Vec<f64>, busy: Option<(f64, f64)>, filled: Option<f64>) -> Self {
        let mut timeline = Self { tenths: 1, rows, busy, filled };
        while timeline.rows.len() > MOST {
            timeline.widen();
        }
        timeline
    }

    fn every(&self) -> f64 {
        f64::from(self.tenths.max(1)) * BUCKET
    }

    /// Makes buckets twice as wide.
    fn widen(&mut self) {
        self.rows = self.rows.chunks(2).map(|pair| pair.iter().sum()).collect();
        self.tenths = self.tenths.max(1).saturating_mul(2);
    }

    /// The same ingesters' and another's together, on the same clock: busy while all are, filled when the last is.
    pub fn with(mut self, mut other: Self) -> Self {
        while self.tenths < other.tenths {
            self.widen();
        }
        while other.tenths < self.tenths {
            other.widen();
        }
        if self.rows.len() < other.rows.len() {
            self.rows.resize(other.rows.len(), 0.0);
        }
        self.rows.iter_mut().zip(&other.rows).for_each(|(rows, more)| *rows += more);
        self.busy = self.busy.zip(other.busy).map(|(one, other)| (one.0.max(other.0), one.1.min(other.1)));
        self.filled = self.filled.zip(other.filled).map(|(one, other)| one.max(other));
        self
    }

    /// The whole buckets between the moment the last worker got its first record and the moment the first worker
    /// finished its last; none where fewer than five remain.
    fn window(&self) -> Option<(usize, usize)> {
        let (from, to) = self.busy?;
        let (from, to) = ((from / self.every()).ceil() as usize, (to / self.every()).floor() as usize);
        (to >= from.saturating_add(LEAST)).then_some((from, to))
    }

    /// The steady rate: rows in that window.
    pub fn steady(&self) -> Option<Steady> {
        let (from, to) = self.window()?;
        let seconds = |buckets: usize| buckets as f64 * self.every();
        Some(Steady { rate: self.among(from, to) / seconds(to - from), from: seconds(from), to: seconds(to) })
    }

    /// Rows a second between two moments, given in seconds into the phase: those of another steady window.
    pub fn rate_within(&self, window: Steady) -> f64 {
        let index = |at: f64| (at / self.every()).round() as usize;
        self.among(index(window.from), index(window.to)) / (window.to - window.from).max(BUCKET)
    }

    fn among(&self, from: usize, to: usize) -> f64 {
        self.rows.iter().take(to).skip(from).sum()
    }

    /// The rates of a phase of so many seconds and rows.
    pub fn rates(&self, rows: u64, seconds: f64) -> Rates {
        let rate = |rows: f64, seconds: f64| (seconds >= SHORTEST && rows > 0.0).then(|| rows / seconds);
        let all = rows as f64;
        let (filling, after) = match self.filled.map(|at| at.min(seconds)) {
            None => (rate(all, seconds), None),
            Some(at) => {
                let by_then = self.until(at).min(all);
                (rate(by_then, at), rate(all - by_then, seconds - at))
            }
        };
        Rates { whole: rate(all, seconds), while_filling: filling, after, steady: self.steady() }
    }

    /// Rows until a moment; within its bucket they count evenly.
    fn until(&self, at: f64) -> f64 {
        let position = at / self.every();
        let whole = position as usize;
        let part = self.rows.get(whole).map_or(0.0, |rows| rows * (position - whole as f64));
        self.among(0, whole) + part
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(rows: &[u32], busy: (f64, f64)) -> Timeline {
        Timeline::new(rows.iter().map(|rows| f64::from(*rows)).collect(), Some(busy), None)
    }

    #[test]
    fn all_are_busy_while_each_is_and_filled_when_the_last_is() {
        let one = Timeline { filled: Some(0.5), ..of(&[10; 60], (0.1, 5.0)) };
        let other = Timeline { filled: Some(2.0), ..of(&[5; 40], (0.95, 3.02)) };
        let both = one.clone().with(other);
        assert_eq!((both.busy, both.filled, both.rows.len()), (Some((0.95, 3.02)), Some(2.0), 60));
        let steady = both.steady().unwrap();
        assert!((steady.rate - 150.0).abs() < 1e-9, "{steady:?}");
        assert!((steady.from - 1.0).abs() < 1e-9 && (steady.to - 3.0).abs() < 1e-9, "{steady:?}");
        assert!((one.rate_within(steady) - 100.0).abs() < 1e-9);
        let rates = both.rates(800, 6.0);
        let near = |found: Option<f64>, wanted: f64| (found.unwrap() - wanted).abs() < 1e-6;
        assert!(near(rates.while_filling, 150.0) && near(rates.after, 125.0), "{rates:?}");
    }

    #[test]
    fn who_had_nothing_to_do_leaves_no_steady_window() {
        let idle = Timeline { busy: None, ..of(&[], (0.0, 0.0)) };
        assert_eq!(of(&[10; 60], (0.1, 5.0)).with(idle).steady(), None);
        assert_eq!(of(&[10; 60], (0.0, 0.45)).steady(), None, "four buckets");
    }

    #[test]
    fn a_day_of_rows_has_wider_buckets_and_the_same_rate() {
        let day = of(&vec![7; 864_000], (10.0, 86_390.0));
        assert!(day.rows.len() <= MOST && day.tenths == 32);
        assert!((day.steady().unwrap().rate - 70.0).abs() < 1e-6);
        let with_short = day.with(of(&[7; 20], (0.0, 86_400.0)));
        assert_eq!((with_short.rows[0], with_short.tenths), (32.0 * 7.0 + 140.0, 32));
    }

    proptest! {
        #[test]
        fn parts_add_up_to_the_whole_in_any_order(parts in proptest::collection::vec(
            (proptest::collection::vec(0_u32..1_000, 0..80), 0.0_f64..2.0, 2.0_f64..8.0), 1..6)
        ) {
            let all: Vec<Timeline> = parts.iter().map(|(rows, from, to)| of(rows, (*from, *to))).collect();
            let forwards = all.iter().cloned().reduce(Timeline::with).unwrap();
            let backwards = all.iter().rev().cloned().reduce(Timeline::with).unwrap();
            prop_assert_eq!(&forwards, &backwards);
            let sum: f64 = parts.iter().flat_map(|(rows, ..)| rows).map(|rows| f64::from(*rows)).sum();
            prop_assert!((forwards.rows.iter().sum::<f64>() - sum).abs() < 1e-6);
            if let Some(steady) = forwards.steady() {
                let of_each: f64 = all.iter().map(|one| one.rate_within(steady)).sum();
                prop_assert!((of_each - steady.rate).abs() < 1e-6, "clients' rates add up: {} {}", of_each, steady.rate);
            }
        }
    }
}
