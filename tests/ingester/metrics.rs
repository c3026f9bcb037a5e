//! What a run says about where its time went.

use crate::support::{Database, data, run, run_with};
use ingest_lab::model::{Phase, Scheme, Stage};
use ingest_lab::wire::metrics::PhaseMetrics;
use ingest_lab::wire::{Event, PhaseResult, RunResult};

const POOL: u64 = 3;
/// The segment with the fewest items.
const SEGMENT: u8 = 39;

fn count(metrics: &PhaseMetrics, stage: Stage) -> u64 {
    metrics.stages.iter().find(|summary| summary.stage == stage).map_or(0, |summary| summary.count)
}

fn measured(result: &RunResult, phase: Phase) -> (&PhaseResult, &PhaseMetrics) {
    let phase = result.phase(phase).unwrap();
    (phase, phase.metrics.as_deref().expect("a run measures unless told not to"))
}

/// Every second's worth of a ledger has a state.
fn check_ledgers(scheme: Scheme, phase: &PhaseResult, metrics: &PhaseMetrics) {
    let workers = if scheme == Scheme::Serial { 1 } else { POOL as usize };
    assert_eq!(
        metrics.workers.iter().map(|ledger| ledger.worker).collect::<Vec<_>>(),
        (0..workers).collect::<Vec<_>>()
    );
    for ledger in &metrics.workers {
        let what = format!("{scheme}, {}: {ledger:?}", phase.phase);
        let states = [ledger.on_cpu, ledger.records, ledger.database, ledger.connecting];
        assert!(states.iter().all(|seconds| *seconds >= 0.0), "{what}");
        assert!(ledger.unexplained.abs() <= 0.1 * ledger.wall, "{what}");
        assert!(ledger.wall >= 0.5 * phase.seconds && ledger.wall <= phase.seconds + 0.5, "{what}");
        assert_eq!(ledger.ready.is_some(), matches!(scheme, Scheme::Async | Scheme::AsyncSingle), "{what}");
    }
    let database: f64 = metrics.workers.iter().map(|ledger| ledger.database).sum();
    assert!(database > 0.0, "{scheme}: {:?}", metrics.workers);
}

#[test]
fn every_scheme_measures_each_row_and_where_each_workers_time_went() {
    let (database, data) = (Database::fresh(), data::generated(400, 60, &[SEGMENT]));
    for scheme in Scheme::OWN {
        database.empty();
        let result = run(&database, data.path(), &format!("--scheme {scheme} --pool {POOL}"));
        let (geo, metrics) = measured(&result, Phase::Geo);
        assert_eq!([count(metrics, Stage::Execute), count(metrics, Stage::Queue)], [geo.rows, geo.records], "{scheme}");
        let (lines, metrics) = measured(&result, Phase::Data);
        let counts = [Stage::Execute, Stage::Queue, Stage::Select, Stage::Begin, Stage::Commit];
        let expected = [lines.rows, lines.records, 2 * lines.records, 0, 0];
        assert_eq!(counts.map(|stage| count(metrics, stage)), expected, "{scheme}");
        let blocking = *scheme == Scheme::Threads; // whose driver does not let it be seen
        assert_eq!(count(metrics, Stage::Encode), if blocking { 0 } else { lines.records }, "{scheme}");
        // The reader hands over each record, and finds the end.
        assert!((lines.records..=lines.records + 1).contains(&count(metrics, Stage::Read)), "{scheme}");
        check_ledgers(*scheme, lines, metrics);
        let connect = result.metrics.as_ref().unwrap().connect.as_ref().unwrap();
        assert_eq!(connect.count, POOL, "{scheme}");
        assert!(metrics.process.busiest.is_some() && metrics.process.voluntary_switches > 0, "{scheme}: {metrics:?}");
        assert!(metrics.connections.len() as u64 == POOL || metrics.connections.is_empty(), "{scheme}: {metrics:?}");
    }
}

#[test]
fn kinds_that_send_many_rows_are_measured_by_the_chunk() {
    let (database, data) = (Database::fresh(), data::generated(100, 40, &[SEGMENT]));
    for scheme in Scheme::OWN {
        for statement in ["multirow", "unnest", "copy"] {
            database.empty();
            let flags = format!("--scheme {scheme} --statement {statement} --commit chunk --chunk 8 --reader preload");
            let result = run(&database, data.path(), &format!("{flags} --pool {POOL}"));
            let (lines, metrics) = measured(&result, Phase::Data);
            let stages = [Stage::Select, Stage::Execute, Stage::Queue, Stage::Commit, Stage::Begin];
            let [selects, executes, waits, commits, begins] = stages.map(|stage| count(metrics, stage));
            assert_eq!((selects, executes, commits, begins), (waits, waits, 0, 0), "{scheme} {statement}");
            assert!(
                (lines.records.div_ceil(8)..lines.records).contains(&waits),
                "{scheme} {statement}: {waits} chunks"
            );
        }
    }
}

#[test]
fn executemany_is_measured_by_the_record_and_its_transaction_by_its_own() {
    let (database, data) = (Database::fresh(), data::generated(100, 40, &[SEGMENT]));
    for scheme in Scheme::OWN {
        database.empty();
        let flags = format!("--scheme {scheme} --pool {POOL} --statement executemany --commit record");
        let result = run(&database, data.path(), &flags);
        let (lines, metrics) = measured(&result, Phase::Data);
        for (stage, each) in [(Stage::Execute, 1), (Stage::Queue, 1), (Stage::Select, 2), (Stage::Commit, 1)] {
            assert_eq!(count(metrics, stage), each * lines.records, "{scheme}, {stage}");
        }
        let (geo, metrics) = measured(&result, Phase::Geo);
        let batches = count(metrics, Stage::Execute);
        assert!(batches > 0 && batches <= geo.records && count(metrics, Stage::Queue) == batches, "{scheme}");
    }
}

#[test]
fn a_second_is_told_while_a_phase_lasts_and_each_phase_when_it_is_over() {
    let (database, data) = (Database::fresh(), data::generated(300, 300, &[1]));
    for scheme in [Scheme::Threads, Scheme::AsyncSingle, Scheme::Processes] {
        database.empty();
        let answer = run_with(&database.url(), data.path(), &format!("--scheme {scheme} --pool 2 --seconds 3"));
        let result = answer.result().expect("it finished");
        let (mut rows, mut executed, mut phases) = (0, 0, Vec::new());
        for line in &answer.lines {
            match &line.event {
                Event::Second { phase: Phase::Data, second } => {
                    rows += second.rows;
                    let execute = second.stages.iter().find(|summary| summary.stage == Stage::Execute);
                    executed += execute.map_or(0, |summary| summary.count);
                    assert!(second.seconds > 0.9 && second.histograms.is_empty(), "{scheme}: {second:?}");
                }
                Event::Measured { phase, metrics } => {
                    assert_eq!(Some(&**metrics), result.phase(*phase).unwrap().metrics.as_deref());
                    phases.push(*phase);
                }
                _ => {}
            }
        }
        assert_eq!(phases, [Phase::Geo, Phase::Data], "{scheme}");
        let all = result.phase(Phase::Data).unwrap().rows;
        assert!(rows > 0 && rows <= all && executed > 0 && executed <= all, "{scheme}: {rows}, {executed} of {all}");
    }
}

#[test]
fn without_metrics_a_run_says_nothing_of_them() {
    let (database, data) = (Database::fresh(), data::generated(10, 5, &[SEGMENT]));
    for scheme in Scheme::OWN {
        database.empty();
        let result = run(&database, data.path(), &format!("--scheme {scheme} --pool 2 --no-metrics"));
        assert!(!result.job.metrics && result.metrics.is_none());
        assert!(result.phases.iter().all(|phase| phase.metrics.is_none()), "{scheme}");
    }
}

#[test]
fn a_trace_holds_what_each_worker_did() {
    let (database, data) = (Database::fresh(), data::generated(20, 5, &[SEGMENT]));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.json");
    let result = run(&database, data.path(), &format!("--scheme async --pool 2 --trace-out {}", file.display()));
    let events: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let executes = events.iter().filter(|event| event["ph"] == "X" && event["name"] == "execute").count() as u64;
    assert_eq!(executes, result.phases.iter().map(|phase| phase.rows).sum::<u64>());
    assert!(events.iter().all(|event| event["ph"] == "M" || event["dur"].as_f64().is_some_and(|dur| dur >= 0.0)));
}

/// What another process reads is read during the phase: a row costs no less for it.
#[test]
fn what_a_reader_process_takes_is_the_phases() {
    let (database, data) = (Database::fresh(), data::generated(2_000, 2_000, &[SEGMENT]));
    let [thread, process] = ["thread", "process"].map(|reader| {
        database.empty();
        let flags = "--scheme async-single --statement copy --commit chunk --pool 1";
        let result = run(&database, data.path(), &format!("{flags} --reader {reader}"));
        result.phase(Phase::Data).unwrap().cpu.total()
    });
    assert!(process > 0.9 * thread, "{process} s with a process, {thread} s with a thread");
}
