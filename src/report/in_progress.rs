//! Little's law as a check on the clocks: requests a second times the time of one are requests under way. Two accounts
//! must agree on them: the durations of requests, which a histogram keeps, and the workers' ledgers.
//!
//! ```text
//! ledgers: |     on CPU, ready, waiting for the database      | waiting for records |
//! durations:   |    BEGIN, SELECT, INSERT, COMMIT    |
//! ```
//! A worker is at one request, or one window of them, at a time: no more can be under way than there are workers. What
//! a worker does between two requests (taking a record, encoding) is in its ledger only, so the second may be shorter.

use super::why::{Fact, fact};
use crate::model::{Phase, Stage, units};
use crate::wire::metrics::Ledger;
use crate::wire::record::RunRecord;

/// The stages that end with an answer. `encode` lies inside `execute`.
const AT_A_REQUEST: [Stage; 4] = [Stage::Begin, Stage::Select, Stage::Execute, Stage::Commit];

/// How far two accounts of the same may lie apart, as a part of it.
const TOLERANCE: f64 = 0.05;

/// Requests under way, on average over a run's data phase.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Load {
    /// By their durations.
    durations: f64,
    /// Workers asleep until the database answers, by their ledgers: no fewer can be under way.
    least: f64,
    /// Workers that don't wait for a record, by their ledgers: no more can be.
    most: f64,
    /// Workers.
    pool: f64,
}

impl Load {
    /// None where nothing was measured.
    fn of(run: &RunRecord) -> Option<Self> {
        let result = run.result()?;
        let data = result.phase(Phase::Data)?;
        let metrics = data.metrics.as_ref()?;
        let at_a_request = metrics.stages.iter().filter(|one| AT_A_REQUEST.contains(&one.stage));
        let durations = at_a_request.map(|one| one.total as f64 / 1e9).sum::<f64>() / data.seconds;
        let workers = |of: fn(&Ledger) -> f64| metrics.workers.iter().map(of).sum::<f64>() / data.seconds;
        let load = Self {
            durations,
            least: workers(|ledger| ledger.database),
            most: workers(|ledger| ledger.wall - ledger.records - ledger.connecting),
            pool: result.connections() as f64,
        };
        (load.durations > 0.0 && load.most > 0.0 && load.most.is_finite()).then_some(load)
    }

    fn is_possible(self) -> bool {
        let more = 1.0 + TOLERANCE;
        self.durations <= self.pool * more && self.durations <= self.most * more && self.durations * more >= self.least
    }
}

/// What it comes to over all valid runs; none where none measured it.
pub(super) fn check(runs: &[&RunRecord]) -> Option<Fact> {
    let loads: Vec<Load> = runs.iter().filter(|run| run.is_valid()).filter_map(|run| Load::of(run)).collect();
    let parts = loads.iter().map(|load| load.durations / load.most);
    let (low, high) = parts.fold((f64::INFINITY, 0.0_f64), |(low, high), part| (low.min(part), high.max(part)));
    if loads.is_empty() {
        return None;
    }
    let impossible = loads.iter().filter(|load| !load.is_possible()).count();
    let filled = match (units::percent(low), units::percent(high)) {
        (low, high) if low == high => low,
        (low, high) => format!("{low} to {high}"),
    };
    let text = format!(
        "requests a second times their duration fill {filled} of the time in which workers had a record to work on"
    );
    Some(if impossible == 0 {
        fact("in progress", format!("{text} (Little's law: at most 100 %, give or take {:.0} %)", TOLERANCE * 100.0))
    } else {
        let text = format!("{text}: in {impossible} of {} runs that contradicts the workers' clocks", loads.len());
        Fact { warning: true, ..fact("in progress", text) }
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{quick, sweep};
    use super::*;
    use crate::wire::record::Outcome;

    fn all(records: &[RunRecord]) -> Option<Fact> {
        check(&records.iter().collect::<Vec<_>>())
    }

    #[test]
    fn durations_and_ledgers_that_agree_are_a_reason_to_believe() {
        let found = all(&quick()).unwrap();
        assert!(!found.warning && found.text.contains("fill 98 % to 100 % of the time"), "{found:?}");
        assert!(all(&sweep()).is_none(), "nobody measured");
    }

    #[test]
    fn more_requests_under_way_than_there_are_workers_cannot_be() {
        let mut records = quick();
        let Outcome::Finished { result } = &mut records[1].outcome else { panic!("it finished") };
        let data = result.phases.iter_mut().find(|phase| phase.phase == Phase::Data).unwrap();
        for stage in &mut data.metrics.as_mut().unwrap().stages {
            stage.total *= 2;
        }
        let found = all(&records).unwrap();
        assert!(found.warning && found.text.contains("in 1 of 41 runs that contradicts"), "{found:?}");
    }

    #[test]
    fn a_phase_without_time_or_workers_says_nothing() {
        let mut records = quick();
        for record in &mut records {
            let Outcome::Finished { result } = &mut record.outcome else { panic!("it finished") };
            for phase in &mut result.phases {
                phase.seconds = 0.0;
            }
        }
        assert!(all(&records).is_none());
    }
}
