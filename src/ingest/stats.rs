//! What a worker counts. Each worker owns its numbers; they are merged when somebody reads them.

use crate::model::checksum::Tally;
use crate::wire::{Acknowledged, BUCKET, ItemTally, Retried, Timeline};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Live counters of one worker, read by the coordinator for progress. Alone on their cache lines: a neighbour's
/// increments must not slow this worker's.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Live {
    /// Rows acknowledged in the current phase.
    pub rows: AtomicU64,
    /// Records acknowledged in the current phase.
    pub records: AtomicU64,
}

impl Live {
    /// (records, rows) summed over workers.
    pub fn sum(all: &[Self]) -> (u64, u64) {
        all.iter().fold((0, 0), |(records, rows), live| {
            (records + live.records.load(Ordering::Relaxed), rows + live.rows.load(Ordering::Relaxed))
        })
    }

    /// Starts a phase at zero.
    pub fn reset(all: &[Self]) {
        for live in all {
            live.rows.store(0, Ordering::Relaxed);
            live.records.store(0, Ordering::Relaxed);
        }
    }
}

/// One worker's account of one phase.
#[derive(Debug, Clone, Default)]
pub struct PhaseLog {
    /// When its first record was taken from the queue.
    pub first_taken: Option<Instant>,
    /// When its last record was acknowledged.
    pub last_done: Option<Instant>,
    /// Rows in each [`BUCKET`] since the phase's origin: an hour at pool 500 stays below 80 MB.
    buckets: Vec<f32>,
}

impl PhaseLog {
    /// Of a worker that has taken its first record.
    pub fn begun(at: Instant) -> Self {
        Self { first_taken: Some(at), ..Self::default() }
    }

    /// Counts rows acknowledged now.
    pub fn rows(&mut self, origin: Instant, rows: u64) {
        self.rows_at(origin, Instant::now(), rows);
    }

    /// Spread evenly over the time since the worker's last acknowledgement, or since it began: a transaction of
    /// thousands of rows was worked on all the while, and counting it at its end would cut off what had begun.
    pub fn rows_at(&mut self, origin: Instant, now: Instant, rows: u64) {
        let position = |at: Instant| at.saturating_duration_since(origin).as_secs_f64() / BUCKET;
        let to = position(now);
        let from = self.last_done.or(self.first_taken).map_or(to, position).min(to);
        let (first, last) = (from as usize, to as usize);
        if last >= self.buckets.len() {
            self.buckets.resize(last + 1, 0.0);
        }
        if first == last {
            self.buckets[last] += rows as f32;
        } else {
            for bucket in first..=last {
                let part = (to.min(bucket as f64 + 1.0) - from.max(bucket as f64)) / (to - from);
                self.buckets[bucket] += (rows as f64 * part) as f32;
            }
        }
        self.last_done = Some(now);
    }
}

/// The rows of all workers over a phase's time, and while all of them were busy: from the moment the last one got its
/// first record to the moment the first one finished its last. None if one had no record. `filled` is when the queue was.
pub fn timeline(logs: &[PhaseLog], origin: Instant, filled: Option<f64>) -> Timeline {
    let mut rows = vec![0.0; logs.iter().map(|log| log.buckets.len()).max().unwrap_or(0)];
    for log in logs {
        rows.iter_mut().zip(&log.buckets).for_each(|(all, own)| *all += f64::from(*own));
    }
    let seconds = |at: Instant| at.saturating_duration_since(origin).as_secs_f64();
    let busy: Option<Vec<(f64, f64)>> =
        logs.iter().map(|log| Some((seconds(log.first_taken?), seconds(log.last_done?)))).collect();
    let busy = busy.and_then(|all| all.into_iter().reduce(|one, other| (one.0.max(other.0), one.1.min(other.1))));
    Timeline::new(rows, busy, filled)
}

/// What the database confirmed to one worker.
#[derive(Debug, Clone, Default)]
pub struct Acks {
    geo_rows: u64,
    geo_digest: u64,
    lines: u64,
    /// By the id of a segment's first item, a tally an item: a worker that met one segment holds one.
    segments: BTreeMap<i32, Vec<Tally>>,
    /// What broke on the way.
    pub retried: Retried,
}

impl Acks {
    /// A geographic record was inserted.
    pub fn geo(&mut self, digest: u64) {
        self.geo_rows += 1;
        self.geo_digest = add_digest(self.geo_digest, digest);
    }

    /// A line was inserted with all its items; `keys` are the items' ids.
    pub fn line(&mut self, logrecno: u32, keys: &[i32], values: &[i64]) {
        self.lines += 1;
        let Some(first) = keys.first() else { return };
        let tallies = self.segments.entry(*first).or_insert_with(|| vec![Tally::default(); keys.len()]);
        for ((tally, key), value) in tallies.iter_mut().zip(keys).zip(values) {
            tally.add(logrecno, *key, *value);
        }
    }

    /// The form in which it leaves the process.
    pub fn into_acknowledged(self) -> Acknowledged {
        let items = self
            .segments
            .into_iter()
            .flat_map(|(first, tallies)| (first..).zip(tallies).map(|(item, tally)| ItemTally { item, tally }))
            .collect();
        Acknowledged { geo_rows: self.geo_rows, geo_digest: self.geo_digest, lines: self.lines, items, lookup: None }
    }
}

/// Digests add up modulo 2^63, as `db::verify` computes it.
fn add_digest(sum: u64, digest: u64) -> u64 {
    sum.wrapping_add(digest) & (u64::MAX >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Steady;
    use std::time::Duration;

    fn steady(logs: &[PhaseLog], origin: Instant) -> Option<Steady> {
        timeline(logs, origin, None).steady()
    }

    /// A worker busy from `from` to `to` (milliseconds), one row a bucket.
    fn busy(origin: Instant, from: u64, to: u64) -> PhaseLog {
        let at = |ms| origin + Duration::from_millis(ms);
        let mut buckets = vec![0.0; (to / 100) as usize + 1];
        buckets[(from / 100) as usize..].fill(1.0);
        PhaseLog { first_taken: Some(at(from)), last_done: Some(at(to)), buckets }
    }

    #[test]
    fn ramp_and_drain_are_left_out_of_the_steady_rate() {
        let origin = Instant::now();
        let logs = [busy(origin, 100, 5_000), busy(origin, 950, 3_020)];
        let steady = steady(&logs, origin).unwrap();
        assert!((steady.from - 1.0).abs() < 1e-9 && (steady.to - 3.0).abs() < 1e-9, "{steady:?}");
        assert!((steady.rate - 20.0).abs() < 1e-9, "two workers, ten rows a second each: {steady:?}");
    }

    #[test]
    fn rows_of_long_transactions_count_while_they_were_worked_on() {
        let origin = Instant::now();
        let at = |ms| origin + Duration::from_millis(ms);
        // Two workers, a transaction of 1,000 rows a second each, one of them half a second behind.
        let logs = [0, 500].map(|behind| {
            let mut log = PhaseLog { first_taken: Some(at(behind)), ..Default::default() };
            (1..=6).for_each(|second| log.rows_at(origin, at(behind + second * 1_000), 1_000));
            log
        });
        let steady = steady(&logs, origin).unwrap();
        assert!((steady.rate / 2_000.0 - 1.0).abs() < 0.001 && (steady.to - 6.0).abs() < 1e-9, "{steady:?}");
    }

    #[test]
    fn there_is_no_steady_rate_when_a_worker_had_nothing_to_do_or_time_was_short() {
        let origin = Instant::now();
        assert!(steady(&[busy(origin, 0, 5_000), PhaseLog::default()], origin).is_none());
        assert!(steady(&[busy(origin, 0, 450)], origin).is_none());
        assert!(steady(&[busy(origin, 0, 2_000), busy(origin, 3_000, 5_000)], origin).is_none());
        assert!(steady(&[], origin).is_none());
    }

    #[test]
    fn acknowledgements_add_up_the_same_however_they_are_split() {
        let keys = [10, 11];
        let mut one = Acks::default();
        let mut left = Acks::default();
        let mut right = Acks::default();
        for n in 0..10_u32 {
            let values = [i64::from(n) * 100, 5];
            one.line(n, &keys, &values);
            if n % 3 == 0 { &mut left } else { &mut right }.line(n, &keys, &values);
            one.geo(u64::MAX >> 4);
            left.geo(u64::MAX >> 4);
        }
        assert_eq!(
            one.into_acknowledged(),
            Acknowledged::together([left.into_acknowledged(), right.into_acknowledged()])
        );
    }
}
