//! Cells that something is known of: what bounds them, or what was put in. For tests of what the analysis says of them.

use crate::stacks::{Played, Stack};
use ingest_lab::model::cell::Cell;
use ingest_lab::model::inject::Inject;
use ingest_lab::model::limits::Cpus;
use ingest_lab::model::{Commit, Part, Phase, Scheme, Statement};
use ingest_lab::wire::PhaseResult;
use ingest_lab::wire::record::{Outcome, RunRecord};

/// Runs cells once a block, the first twice; every run but the warm-up.
pub fn run(stack: &Stack, cells: &[&str], blocks: usize, seconds: f64, lines: u32) -> Vec<RunRecord> {
    let series = stack.play("known", cells, Played { blocks, seed: 1, seconds, records: lines });
    stack.runs(&series).into_iter().filter(|record| record.part != Part::WarmUp).collect()
}

/// A record without anything that was asked for: the analysis is to go by what was measured.
pub fn bare(record: &RunRecord) -> RunRecord {
    let mut bare = record.clone();
    bare.cell = Cell::new(Scheme::Threads, Statement::Row, Commit::Auto, 1);
    bare.forecast = None;
    bare.conditions.link_asked = None;
    bare.conditions.settings.clear();
    for check in [&mut bare.conditions.client, &mut bare.conditions.database].into_iter().flatten() {
        check.asked = Cpus::UNLIMITED;
        check.cpuset_asked.clear();
    }
    if let Outcome::Finished { result } = &mut bare.outcome {
        result.job.inject = Inject::NONE;
    }
    bare
}

/// What it did with the data phase.
pub fn data(record: &RunRecord) -> &PhaseResult {
    record.result().unwrap().phase(Phase::Data).unwrap()
}

/// Rows a second, while steady.
pub fn rate(record: &RunRecord) -> f64 {
    data(record).rates.steady.unwrap().rate
}
