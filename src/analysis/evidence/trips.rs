//! Round trips of a run: how often a worker waited for an answer, and what part of its time that took. Pure.

use super::data;
use crate::model::{Commit, Stage, Statement, Workload};
use crate::wire::record::RunRecord;
use crate::wire::setup::LinkStatus;

/// Round trips a row of the data phase, as the link counted them on their way up; none where it did not. What
/// happened before the phase, connecting among it, is not in it.
pub fn rounds_on_the_link(record: &RunRecord) -> Option<f64> {
    let observed = record.conditions.observed.as_ref()?;
    let rounds = |status: &LinkStatus| status.emulation.up.as_ref()?.rounds;
    let [before, after] = [rounds(observed.link_at_data.as_ref()?)?, rounds(record.conditions.link.as_ref()?)?];
    Some(after.saturating_sub(before) as f64 / data(record)?.rows.max(1) as f64)
}

/// Round trips a second times the round trip, of all connections' time (Little's law).
pub(super) fn way(record: &RunRecord, rows: f64) -> Option<f64> {
    let rtt = record.conditions.round_trip()?.p50 as f64 / 1e9;
    Some(rows * waits_a_row(record)? * rtt / record.result()?.connections() as f64)
}

/// Round trips a row: by the program's own count, of a program that doesn't count by the link's.
pub fn waits_a_row(record: &RunRecord) -> Option<f64> {
    round_trips(record).or_else(|| rounds_on_the_link(record))
}

/// Round trips a row of the data phase: how often the worker waited for an answer, by its own count.
pub fn round_trips(record: &RunRecord) -> Option<f64> {
    let (data, job) = (data(record)?, &record.result()?.job);
    let metrics = data.metrics.as_deref()?;
    let count = |stage: Stage| {
        metrics.stages.iter().find(|summary| summary.stage == stage).map_or(0.0, |summary| summary.count as f64)
    };
    if job.workload == Workload::Lookup {
        let selects = count(Stage::Select);
        // `row` selects a row at a time, `executemany` a chunk.
        let trips = trips(job.statement, job.commit, job.in_flight as f64, job.chunk as f64);
        return Some(selects * trips.execute / data.rows.max(1) as f64);
    }
    let executes = count(Stage::Execute);
    let trips = trips(job.statement, job.commit, job.in_flight as f64, data.rows as f64 / executes.max(1.0));
    let all =
        count(Stage::Begin) + count(Stage::Select) + executes * trips.execute + count(Stage::Commit) * trips.commit;
    Some(all / data.rows.max(1) as f64)
}

/// Round trips of one operation.
struct Trips {
    execute: f64,
    commit: f64,
}

/// `executemany` waits whenever as many requests as it may have are under way; what fits into one such window takes
/// its line's COMMIT along.
fn trips(statement: Statement, commit: Commit, in_flight: f64, rows_an_execute: f64) -> Trips {
    match statement {
        Statement::Row => Trips { execute: 1.0, commit: 1.0 },
        Statement::Executemany => {
            let windows = (rows_an_execute / in_flight.max(1.0)).ceil().max(1.0);
            let alone = windows > 1.0 || commit == Commit::Chunk;
            Trips { execute: windows, commit: if alone { 1.0 } else { 0.0 } }
        }
        // All INSERTs go out before the first answer is waited for, COMMIT behind them.
        Statement::Multirow | Statement::Unnest => Trips { execute: 1.0, commit: 0.0 },
        // COPY waits for leave to send, then for the end; COMMIT goes out with that.
        Statement::Copy => Trips { execute: 2.0, commit: 0.0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_executemany_are_round_trips_and_a_commit_may_travel_along() {
        let of = |in_flight, rows| {
            let trips = trips(Statement::Executemany, Commit::Record, in_flight, rows);
            (trips.execute, trips.commit)
        };
        assert_eq!((of(100.0, 222.0), of(500.0, 222.0), of(222.0, 222.0)), ((3.0, 1.0), (1.0, 0.0), (1.0, 0.0)));
    }

    #[test]
    fn a_chunk_of_many_rows_is_one_round_trip_and_copy_waits_for_leave_to_send() {
        let of = |statement, commit| {
            let trips = trips(statement, commit, 300.0, 222.0);
            (trips.execute, trips.commit)
        };
        assert_eq!(of(Statement::Multirow, Commit::Chunk), (1.0, 0.0));
        assert_eq!(of(Statement::Unnest, Commit::Record), (1.0, 0.0));
        assert_eq!(of(Statement::Copy, Commit::Chunk), (2.0, 0.0));
        assert_eq!(of(Statement::Executemany, Commit::Chunk), (1.0, 1.0), "a chunk's COMMIT goes by itself");
    }
}
