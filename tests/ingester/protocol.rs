//! The job on standard input, the answer in JSON lines: what `docs/peer-contract.md` promises.

use crate::support::{Database, PATIENCE, data, ingester, run_with};
use ingest_lab::model::{Phase, Scheme};
use ingest_lab::wire::{Event, Job, Line};
use std::path::Path;

fn job(database: &Database, data: &Path) -> serde_json::Value {
    serde_json::json!({
        "schema": 1, "dburl": database.url(), "scheme": "threads", "statement": "row", "in_flight": 100, "pool": 3,
        "commit": "auto", "reader": "thread", "data": data, "queue": 1000, "phases": ["geo", "data"],
        "limit_geo": null, "limit_lines": null, "seconds": null
    })
}

/// Runs a job; gives its lines, its exit code, and all it wrote.
fn tell(job: &str) -> (Vec<Line>, i32, String) {
    let output = ingester().args(["run", "--job", "-"]).write_stdin(job).timeout(PATIENCE).output().unwrap();
    let lines: Vec<Line> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().zip(0..).all(|(line, seq)| line.seq == seq), "lines are numbered without gaps");
    assert!(lines.is_sorted_by(|one, next| one.at <= next.at), "the clock never goes back");
    let all = [output.stdout, output.stderr].concat();
    (lines, output.status.code().unwrap(), String::from_utf8_lossy(&all).into())
}

#[test]
fn a_job_is_answered_in_order_and_its_result_loads_again() {
    let (database, data) = (Database::fresh(), data::generated(20, 10, &[39]));
    for scheme in Scheme::OWN {
        database.empty();
        let mut job = job(&database, data.path());
        job["scheme"] = scheme.word().into();
        let (lines, code, all) = tell(&job.to_string());
        assert_eq!(code, 0, "{scheme}: {all}");
        let kinds: Vec<&str> = lines
            .iter()
            .filter_map(|line| match &line.event {
                Event::Started { .. } => Some("started"),
                Event::Connected { connections, .. } => {
                    assert_eq!(*connections, 3);
                    Some("connected")
                }
                Event::Phase { phase } => Some(phase.word()),
                Event::Finished { .. } => Some("finished"),
                Event::Done { .. } | Event::Rows { .. } => Some("unexpected"),
                Event::WorkerLost { .. } | Event::Failed { .. } | Event::Ready { .. } => Some("unexpected"),
                Event::ConnectionLost { .. } | Event::ConnectionBack { .. } => Some("unexpected"),
                Event::Progress { .. } | Event::QueueFilled { .. } => None,
                Event::Second { .. } | Event::Measured { .. } => None,
            })
            .collect();
        assert_eq!(kinds, ["started", "connected", "geo", "data", "finished"], "{scheme}");
        for wanted in [Phase::Geo, Phase::Data] {
            let told = |event: &Event| matches!(event, Event::Progress { phase, .. } if *phase == wanted);
            assert!(lines.iter().any(|line| told(&line.event)), "{scheme}: each phase says where it ended");
            let filled = |event: &Event| matches!(event, Event::QueueFilled { phase } if *phase == wanted);
            assert_eq!(lines.iter().filter(|line| filled(&line.event)).count(), 1, "{scheme}");
        }
        assert!(!all.contains(database.password()), "{scheme}: the password is nowhere in the answer");
        let Some(Event::Finished { result }) = lines.last().map(|line| &line.event) else { panic!("{scheme}: {all}") };
        assert_eq!(result.verification, None, "{scheme}: whoever gives a job verifies");
        let again: Job = serde_json::from_str(&serde_json::to_string(&result.job).unwrap()).unwrap();
        assert_eq!(again, result.job);
        again.check().unwrap();
        assert_eq!((again.scheme, again.pool, again.data.as_path()), (*scheme, 3, data.path()));
    }
}

#[test]
fn a_job_that_fails_says_why_in_its_last_line_and_exits_with_the_code_it_names() {
    let (database, data) = (Database::fresh(), data::generated(5, 5, &[39]));
    let good = job(&database, data.path());
    let with = |key: &str, value: serde_json::Value| {
        let mut job = good.clone();
        job[key] = value;
        job.to_string()
    };
    let cases = [
        (String::new(), 2, "the job on standard input cannot be read: there is none"),
        ("{".into(), 2, "cannot be read: EOF"),
        ("[]".into(), 2, "cannot be read: invalid"),
        (with("schema", 2.into()), 2, "the job has schema 2, this program knows up to 1"),
        (with("scheme", "fibres".into()), 2, "unknown variant `fibres`, expected one of `serial`, `threads`"),
        (with("colour", "red".into()), 2, "unknown field `colour`"),
        (with("pool", 0.into()), 2, "pool is 0: it must be 1 to 500"),
        (with("pool", (-1).into()), 2, "cannot be read: invalid value"),
        (with("in_flight", 0.into()), 2, "in-flight is 0"),
        (with("batch", 21_846.into()), 2, "batch is 21846: it must be 1 to 21845"),
        (with("chunk", 0.into()), 2, "chunk is 0: it must be 1 to 1000"),
        (with("protocol", "spoken".into()), 2, "spoken"),
        (with("queue", 0.into()), 2, "queue is 0"),
        (with("seconds", 0.into()), 2, "seconds is 0: it must be above 0"),
        (with("phases", serde_json::json!([])), 2, "no phase is asked for"),
        (with("phases", serde_json::json!(["data", "geo"])), 2, "geo goes before data"),
        (with("phases", serde_json::json!(["data", "data"])), 2, "geo goes before data, each once"),
        (with("dburl", "postgresql://h:port/x".into()), 2, "the database URL cannot be read"),
        (with("data", "/nowhere".into()), 4, "/nowhere: cannot be read"),
        (
            with("dburl", "postgresql://ingest:x@127.0.0.1:1/ingest".into()),
            5,
            "at postgresql://127.0.0.1:1/ingest is not reachable",
        ),
    ];
    for (job, expected, phrase) in cases {
        let (lines, code, all) = tell(&job);
        let Some(Event::Failed { error, code: named }) = lines.last().map(|line| &line.event) else {
            panic!("{job}: {all}")
        };
        assert_eq!((code, i32::from(*named)), (expected, expected), "{error}");
        assert!(error.contains(phrase), "{error:?} should say {phrase:?}");
        assert!(!all.contains(database.password()), "{all}");
    }
    assert_eq!(database.number("SELECT count(*) FROM geo_record"), 0);
}

#[test]
fn the_flag_and_the_job_are_the_same_run() {
    let (database, data) = (Database::fresh(), data::generated(5, 5, &[39]));
    let flags = run_with(&database.url(), data.path(), "--pool 3");
    database.empty();
    let (lines, _, _) = tell(&job(&database, data.path()).to_string());
    let Some(Event::Finished { result }) = lines.last().map(|line| &line.event) else { panic!() };
    assert_eq!(flags.result().unwrap().job, result.job);
    assert_eq!(flags.result().unwrap().acknowledged, result.acknowledged);
}

#[test]
fn for_people_a_run_prints_a_table_on_stdout_and_its_progress_on_stderr() {
    let (database, data) = (Database::fresh(), data::generated(5, 5, &[39]));
    let told = ingester()
        .args(["run", "--pool", "2", "--dburl", &database.url(), "--data"])
        .arg(data.path())
        .assert()
        .success();
    let stdout = String::from_utf8_lossy(&told.get_output().stdout);
    let stderr = String::from_utf8_lossy(&told.get_output().stderr);
    for word in [
        "threads · row · commit auto · 2 connections",
        "geo",
        "data while the queue is filled",
        "n/a",
        "peak memory",
        "verified",
    ] {
        assert!(stdout.contains(word), "{word}: {stdout}");
    }
    assert!(stderr.contains("2 connections in") && stderr.contains("data: 5 records"), "{stderr}");
    assert!(!stdout.contains('\u{1b}') && !stderr.contains('\u{1b}'), "no colours into a pipe");
}
