//! How fast the processors were in a series so far. On a machine that others share they are half as fast for seconds at a time:
//! a stage may wait for that to pass, and a run that began at another speed doesn't count.

use crate::wire::conditions::Conditions;
use crate::wire::record::RunRecord;

/// How far a processor's speed may lie from the series' median, as a part of it.
const SPEED: f64 = 0.10;

/// Runs that a median of speeds needs.
const FOR_A_MEDIAN: usize = 3;

/// The sides, in the order in which their speeds stand.
pub(super) const SIDES: [&str; 2] = ["client", "database"];

/// A place in [`SIDES`].
pub(super) const CLIENT: usize = 0;

/// The other.
pub(super) const DATABASE: usize = 1;

/// Medians of the time that a fixed piece of work took on each side, seconds; none where too few runs tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pace([Option<f64>; 2]);

impl Pace {
    /// Of the runs so far, whether they count or not.
    pub(super) fn of(before: &[RunRecord]) -> Self {
        Self([CLIENT, DATABASE].map(|side| {
            let mut earlier: Vec<f64> = before.iter().filter_map(|record| works(&record.conditions)[side]).collect();
            earlier.sort_by(f64::total_cmp);
            (earlier.len() >= FOR_A_MEDIAN).then(|| earlier[earlier.len() / 2])
        }))
    }

    /// How much faster a side is than it was, as a part, slower below zero; none where it is as fast as before, as far as
    /// anybody can tell.
    pub(super) fn off(&self, side: usize, work: f64) -> Option<f64> {
        let off = self.0[side]? / work - 1.0;
        (work > 0.0 && off.abs() > SPEED).then_some(off)
    }
}

/// What a fixed piece of work took in a run, seconds: client, database.
pub(super) fn works(found: &Conditions) -> [Option<f64>; 2] {
    [&found.client, &found.database].map(|check| check.as_ref().map(|check| check.work).filter(|work| *work > 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scheme;
    use crate::wire::conditions::CpuCheck;
    use crate::wire::testing::record;

    #[test]
    fn a_tenth_off_the_median_of_three_runs_or_more_is_off() {
        let at = |work| {
            let mut record = record(1, Scheme::Threads, 9_000.0);
            record.conditions.database = Some(CpuCheck { work, ..Default::default() });
            record
        };
        let before = [at(1.0), at(2.0), at(1.02), at(0.0), at(0.98)];
        let pace = Pace::of(&before);
        assert_eq!(pace, Pace([None, Some(1.02)]));
        assert_eq!(pace.off(DATABASE, 1.1), None);
        assert!(pace.off(DATABASE, 1.2).unwrap() < -0.1 && pace.off(DATABASE, 0.9).unwrap() > 0.1);
        assert_eq!((pace.off(CLIENT, 9.0), pace.off(DATABASE, 0.0)), (None, None));
        assert_eq!(Pace::of(&before[..2]), Pace::default(), "two runs have no median worth the name");
    }
}
