//! How long requests took. Mean and maximum stand beside the percentiles: a quota holds a program back seldom and for
//! long, which a 99th percentile of thousands of requests need not show.

use super::names::Names;
use crate::analysis::{Analysis, CellRuns, Summary};
use crate::model::{Phase, Stage, Tls, units};
use crate::wire::metrics::StageSummary;

/// A duration of a stage, ns.
type Duration = fn(&StageSummary) -> f64;

/// What is told of a stage, in the order of the columns.
pub(super) const DURATIONS: [(&str, Duration); 5] = [
    ("p50", |stage| stage.p50 as f64),
    ("p90", |stage| stage.p90 as f64),
    ("p99", |stage| stage.p99 as f64),
    ("mean", |stage| stage.mean),
    ("max", |stage| stage.max as f64),
];

/// The heads of the columns: the durations, and the part of a stage's time that its stalled operations took.
pub(super) fn heads() -> impl Iterator<Item = &'static str> {
    DURATIONS.iter().map(|(name, _)| *name).chain(["stalled"])
}

/// The stages that wait for an answer, as far as people ask for them.
const STAGES: [Stage; 3] = [Stage::Execute, Stage::Select, Stage::Commit];

/// What the figures are, for those who read them.
pub(super) const NOTE: &str = "Milliseconds from a request to its answer in the data phase, all workers together; \
    medians over the valid runs, max: of each run's longest; stalled: the part of \
    a stage's time in operations of over ten times the median. execute: one INSERT, with executemany all of a line's, with \
    multirow, unnest and copy all of a chunk's and its COMMIT; \
    commit: where it has a round trip of its own.";

/// A cell's stages.
#[derive(Debug, Clone)]
pub(super) struct CellLatency {
    /// The cell, by what varies in its series.
    pub name: String,
    /// Those that had operations.
    pub stages: Vec<StageLatency>,
}

/// A stage over a cell's valid runs.
#[derive(Debug, Clone)]
pub(super) struct StageLatency {
    /// Which.
    pub stage: Stage,
    /// Runs that tell.
    pub runs: usize,
    /// Operations of a run: the median.
    pub operations: f64,
    /// Medians over the runs in the order of [`DURATIONS`], ns.
    pub durations: [f64; 5],
    /// Part of the stage's time in operations of over ten times the median: the median over the runs.
    pub stalled: f64,
}

impl StageLatency {
    /// The columns as text: durations in ms, the stalled part.
    pub fn columns(&self) -> Vec<String> {
        let durations = self.durations.iter().map(|ns| units::milliseconds(*ns));
        durations.chain([units::percent(self.stalled)]).collect()
    }
}

/// Of every cell whose runs measured their stages.
pub(super) fn latencies(analysis: &Analysis<'_>, names: &Names) -> Vec<CellLatency> {
    // Connecting is no part of a rate: it is told where encryption makes it dearer.
    let connects = analysis.compared().any(|cell| cell.cell.tls == Tls::On);
    let of = |cell: &CellRuns<'_>| {
        let first = connects.then_some(Stage::Connect);
        let stages: Vec<StageLatency> =
            first.iter().chain(&STAGES).filter_map(|stage| over_runs(cell, *stage)).collect();
        (!stages.is_empty()).then(|| CellLatency { name: names.cell(cell.cell), stages })
    };
    analysis.compared().filter_map(of).collect()
}

fn over_runs(cell: &CellRuns<'_>, stage: Stage) -> Option<StageLatency> {
    let median = |of: &dyn Fn(&StageSummary) -> f64| -> Option<Summary> {
        cell.figure(|run| {
            let summary = match stage {
                Stage::Connect => run.metrics.as_ref()?.connect.as_ref(),
                _ => run.phase(Phase::Data)?.metrics.as_ref()?.stages.iter().find(|one| one.stage == stage),
            };
            Some(of(summary.filter(|one| one.count > 0)?))
        })
    };
    let operations = median(&|one| one.count as f64)?;
    let mut durations = [0.0; 5];
    for (duration, (_, of)) in durations.iter_mut().zip(DURATIONS) {
        *duration = median(&of)?.median;
    }
    let stalled = median(&|one| one.stalled as f64 / one.total.max(1) as f64)?.median;
    Some(StageLatency { stage, runs: operations.runs, operations: operations.median, durations, stalled })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{quick, sweep};
    use super::*;
    use crate::wire::record::{Outcome, RunRecord};

    fn of(records: &[RunRecord]) -> Vec<CellLatency> {
        let analysis = Analysis::of(records);
        latencies(&analysis, &Names::of(&analysis))
    }

    fn stages_of(record: &mut RunRecord) -> &mut Vec<StageSummary> {
        let Outcome::Finished { result } = &mut record.outcome else { panic!("it finished") };
        let data = result.phases.iter_mut().find(|phase| phase.phase == Phase::Data).unwrap();
        &mut data.metrics.as_mut().unwrap().stages
    }

    #[test]
    fn a_stage_is_told_by_the_median_of_its_runs_and_a_stage_that_did_not_happen_is_not_told() {
        let mut records = quick();
        for record in &mut records {
            let run = record.run;
            for one in stages_of(record).iter_mut().filter(|one| one.stage == Stage::Execute) {
                (one.p50, one.max) = (run as u64 * 1_000_000, 5_000_000_000);
            }
        }
        let all = of(&records);
        assert_eq!(all.len(), 6);
        let stages: Vec<Stage> = all[0].stages.iter().map(|one| one.stage).collect();
        assert_eq!(stages, [Stage::Execute, Stage::Select], "auto commits without a round trip");
        let execute = &all[0].stages[0];
        // Runs 1, 8, 15, 22, 29 and 36 are of this cell.
        assert_eq!((execute.runs, execute.durations[0], execute.durations[4]), (6, 18.5e6, 5e9));
        assert_eq!(execute.columns()[4..], ["5,000", "3.0 %"]);
        stages_of(&mut records[1]).iter_mut().for_each(|one| one.count = 0);
        assert_eq!(of(&records)[0].stages[0].runs, 5);
        let one = stages_of(&mut records[8])[0];
        stages_of(&mut records[8]).push(StageSummary { stage: Stage::Commit, ..one });
        let last = of(&records)[0].stages.last().map(|one| (one.stage, one.runs));
        assert_eq!(last, Some((Stage::Commit, 1)));
        assert!(of(&sweep()).is_empty(), "nobody measured");
    }
}
