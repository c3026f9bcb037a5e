//! Durations of one kind, as a histogram that merges.

use crate::model::Stage;
use crate::wire::metrics::{Histogram, StageSummary};

/// Significant digits of the histogram: quantiles are exact to 1 %, at 7 KB for durations up to 10 ms. With three
/// digits five hundred workers would hold 200 MB.
const DIGITS: u8 = 2;
/// Nothing shorter than this is told apart, ns: the clock itself takes that long.
const SHORTEST: u64 = 16;

/// From so many times the median on an operation was stalled.
const STALLED: u64 = 10;

/// How long a stage's operations took, ns.
#[derive(Debug, Clone)]
pub struct Durations {
    histogram: hdrhistogram::Histogram<u32>,
    total: u64,
    max: u64,
}

impl Default for Durations {
    fn default() -> Self {
        let mut histogram =
            hdrhistogram::Histogram::new_with_bounds(SHORTEST, 2 * SHORTEST, DIGITS).expect("the bounds are in order");
        histogram.auto(true);
        Self { histogram, total: 0, max: 0 }
    }
}

impl Durations {
    /// An operation took so many ns.
    pub fn record(&mut self, took: u64) {
        self.histogram.record(took).expect("it grows by itself");
        self.total += took;
        self.max = self.max.max(took);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("it grows by itself");
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    /// Forgets everything; keeps its memory.
    pub fn clear(&mut self) {
        self.histogram.clear();
        (self.total, self.max) = (0, 0);
    }

    /// In figures; none if there are none.
    pub fn summary(&self, stage: Stage) -> Option<StageSummary> {
        let count = self.count();
        let quantile = |share: f64| self.histogram.value_at_quantile(share).min(self.max);
        (count > 0).then(|| StageSummary {
            stage,
            count,
            mean: self.total as f64 / count as f64,
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            max: self.max,
            total: self.total,
            stalled: self.longer_than(STALLED * quantile(0.5)),
        })
    }

    /// All durations above one together, ns: as exact as the histogram, and never more than the total.
    fn longer_than(&self, duration: u64) -> u64 {
        let long = self.histogram.iter_recorded().filter(|one| one.value_iterated_to() > duration);
        let sum: u64 = long.map(|one| one.value_iterated_to() * u64::from(one.count_at_value())).sum();
        sum.min(self.total)
    }

    /// In full; none if there are none.
    pub fn to_wire(&self, stage: Stage) -> Option<Histogram> {
        let counts =
            || self.histogram.iter_recorded().map(|one| (one.value_iterated_to(), u64::from(one.count_at_value())));
        (self.count() > 0).then(|| Histogram { stage, max: self.max, total: self.total, counts: counts().collect() })
    }

    /// Adds what another process measured.
    pub fn add_wire(&mut self, other: &Histogram) {
        for (value, count) in &other.counts {
            let count = u32::try_from(*count).unwrap_or(u32::MAX);
            self.histogram.record_n(*value, count).expect("it grows by itself");
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }
}

/// Durations of every stage.
#[derive(Debug, Clone, Default)]
pub struct ByStage([Option<Box<Durations>>; Stage::ALL.len()]);

impl ByStage {
    /// Those of one stage; made when they are first asked for, since most workers never meet most stages.
    pub fn of(&mut self, stage: Stage) -> &mut Durations {
        self.0[stage as usize].get_or_insert_default()
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        for (stage, durations) in other.each() {
            self.of(stage).add(durations);
        }
    }

    /// Adds what another process measured, but for a stage that it measures differently.
    pub fn add_wire(&mut self, other: &[Histogram], except: Stage) {
        for histogram in other.iter().filter(|histogram| histogram.stage != except) {
            self.of(histogram.stage).add_wire(histogram);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.iter_mut().flatten().for_each(|durations| durations.clear());
    }

    /// In figures, stages without operations left out.
    pub fn summaries(&self) -> Vec<StageSummary> {
        self.each().filter_map(|(stage, durations)| durations.summary(stage)).collect()
    }

    /// In full, stages without operations left out.
    pub fn to_wire(&self) -> Vec<Histogram> {
        self.each().filter_map(|(stage, durations)| durations.to_wire(stage)).collect()
    }

    fn each(&self) -> impl Iterator<Item = (Stage, &Durations)> {
        let there = Stage::ALL.iter().zip(&self.0).filter_map(|(stage, one)| Some((*stage, one.as_deref()?)));
        there.filter(|(_, durations)| durations.count() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[u64]) -> Durations {
        let mut durations = Durations::default();
        values.iter().for_each(|value| durations.record(*value));
        durations
    }

    proptest! {
        #[test]
        fn durations_add_up_the_same_however_they_are_split_and_carried(
            left in proptest::collection::vec(0_u64..100_000_000_000, 0..200),
            right in proptest::collection::vec(0_u64..1_000_000, 0..200),
        ) {
            let whole = of(&[left.clone(), right.clone()].concat());
            let mut here = of(&left);
            here.add(&of(&right));
            let mut carried = of(&left);
            if let Some(histogram) = of(&right).to_wire(Stage::Execute) {
                carried.add_wire(&histogram);
            }
            prop_assert_eq!(here.summary(Stage::Execute), whole.summary(Stage::Execute));
            prop_assert_eq!(carried.summary(Stage::Execute), whole.summary(Stage::Execute));
            // Who adds up what several programs carried says the same of it.
            let parts = [of(&left), of(&right)].map(|part| part.to_wire(Stage::Execute));
            let added = crate::wire::summaries(parts.iter().flatten());
            prop_assert_eq!(added.first().copied(), whole.summary(Stage::Execute));
        }
    }

    #[test]
    fn a_quantile_is_exact_to_one_percent_and_the_rest_exactly() {
        let values: Vec<u64> = (1..=10_000).map(|n| n * 1_000).collect();
        let summary = of(&values).summary(Stage::Execute).unwrap();
        assert_eq!((summary.count, summary.max, summary.total), (10_000, 10_000_000, values.iter().sum()));
        assert!((summary.mean - 5_000_500.0).abs() < 1e-6);
        for (found, exact) in [(summary.p50, 5_000_000.0), (summary.p90, 9_000_000.0), (summary.p99, 9_900_000.0)] {
            assert!((found as f64 / exact - 1.0).abs() <= 0.01, "{found} for {exact}");
        }
    }

    #[test]
    fn the_time_of_stalled_operations_shows_what_percentiles_hide() {
        let mut durations = of(&[1_000_000; 995]);
        (0..5).for_each(|_| durations.record(90_000_000));
        let summary = durations.summary(Stage::Execute).unwrap();
        assert!(summary.p99 < 1_020_000, "{summary:?}");
        assert!((summary.stalled as f64 / 450e6 - 1.0).abs() < 0.01, "five times 90 ms: {summary:?}");
        assert_eq!(of(&[1_000_000; 1_000]).summary(Stage::Execute).unwrap().stalled, 0);
    }

    #[test]
    fn without_operations_there_is_nothing_to_say() {
        let mut stages = ByStage::default();
        stages.of(Stage::Commit);
        assert!(stages.summaries().is_empty() && stages.to_wire().is_empty());
    }
}
