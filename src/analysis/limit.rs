//! What bounds a cell: the verdicts of its runs together, and how sure that is. Pure.

use super::evidence::evidence;
use super::verdict::{Bound, Verdict, verdict};
use super::{CellRuns, LEAST_PAIRS};

/// How many of a cell's runs have to agree, as a part of them.
const AGREE: f64 = 2.0 / 3.0;

/// How sure a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidence {
    /// Six runs or more, all agree, and all that may bound them was seen in each.
    High,
    /// Two thirds of the runs agree, or there are fewer than six, or something was not seen.
    Some,
    /// The runs disagree.
    None,
}

impl Confidence {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Some => "fair",
            Self::None => "none",
        }
    }
}

/// What bounds a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// What.
    pub bound: Bound,
    /// For mixed: which. Else it alone; none where it is undetermined.
    pub of: Vec<Bound>,
    /// Runs that say so.
    pub agree: usize,
    /// Runs that say anything.
    pub runs: usize,
    /// How sure that is.
    pub confidence: Confidence,
    /// Some of the runs that agree are less sure by themselves: something was not seen, or is nearly a bound, too.
    pub less_sure: bool,
    /// The evidence of one of the runs that agree, of one that is less sure where there is one.
    pub why: String,
}

impl Limit {
    /// Of a cell; none where no valid run was looked at.
    pub fn of(cell: &CellRuns<'_>) -> Option<Self> {
        let looked = |run: &&crate::wire::record::RunRecord| {
            run.conditions.observed.as_ref().is_some_and(|seen| !seen.looks.is_empty())
        };
        let verdicts: Vec<Verdict> =
            cell.valid_runs().filter(looked).filter_map(|run| Some(verdict(&evidence(run)?))).collect();
        Self::together(&verdicts)
    }

    fn together(verdicts: &[Verdict]) -> Option<Self> {
        // Two mixtures agree only where they are of the same.
        let alike = |one: &Verdict, other: &Verdict| (one.bound, &one.of) == (other.bound, &other.of);
        let votes = |one: &Verdict| verdicts.iter().filter(|other| alike(one, other)).count();
        let first = verdicts.iter().max_by_key(|one| (votes(one), one.bound))?;
        let (agree, runs) = (votes(first), verdicts.len());
        if (agree as f64) < AGREE * runs as f64 {
            let mut camps: Vec<&str> = verdicts.iter().map(|one| one.bound.words()).collect();
            camps.sort_unstable();
            camps.dedup();
            let (bound, why) = (Bound::Undetermined, format!("runs point to {}", camps.join(" and to ")));
            let (of, confidence) = (Vec::new(), Confidence::None);
            return Some(Self { bound, of, agree, runs, confidence, less_sure: false, why });
        }
        // A doubt that one of them has is told, or nobody would know why all are not sure.
        let doubtful = verdicts.iter().find(|one| alike(one, first) && one.less_sure);
        let sure = agree == runs && runs >= LEAST_PAIRS && doubtful.is_none();
        Some(Self {
            bound: first.bound,
            of: first.of.clone(),
            agree,
            runs,
            confidence: if sure { Confidence::High } else { Confidence::Some },
            less_sure: doubtful.is_some(),
            why: doubtful.unwrap_or(first).why.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(bounds: &[Bound]) -> Option<Limit> {
        let one = |bound: &Bound| Verdict { bound: *bound, of: vec![*bound], why: bound.to_string(), less_sure: false };
        Limit::together(&bounds.iter().map(one).collect::<Vec<_>>())
    }

    #[test]
    fn runs_that_disagree_give_no_verdict_and_few_give_no_certainty() {
        use Bound::{DatabaseCpu, RoundTrips};
        assert_eq!(say(&[DatabaseCpu; 6]).unwrap().confidence, Confidence::High);
        assert_eq!(say(&[DatabaseCpu; 3]).unwrap().confidence, Confidence::Some);
        let most = say(&[DatabaseCpu, DatabaseCpu, DatabaseCpu, DatabaseCpu, RoundTrips, RoundTrips]).unwrap();
        assert_eq!((most.bound, most.agree, most.confidence), (DatabaseCpu, 4, Confidence::Some));
        let split = say(&[DatabaseCpu, RoundTrips, DatabaseCpu, RoundTrips]).unwrap();
        assert_eq!((split.bound, split.confidence), (Bound::Undetermined, Confidence::None));
        assert_eq!(split.why, "runs point to database CPU and to round trips");
        assert_eq!(say(&[]), None);
    }

    #[test]
    fn what_one_of_the_runs_could_not_see_is_told_of_all() {
        let run = |less_sure: bool, why: &str| Verdict {
            bound: Bound::RoundTrips,
            of: vec![Bound::RoundTrips],
            why: why.into(),
            less_sure,
        };
        let mut runs = vec![run(false, "seen"); 6];
        assert_eq!(Limit::together(&runs).unwrap().confidence, Confidence::High);
        runs[2] = run(true, "hardly seen");
        let told = Limit::together(&runs).unwrap();
        assert_eq!((told.confidence, told.less_sure, told.why.as_str()), (Confidence::Some, true, "hardly seen"));
    }
}
