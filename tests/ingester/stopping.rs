//! Ends before the data does: a time limit, Ctrl-C, a lost connection, a kill.

use crate::support::{Answer, Child, Database, data, processes, run};
use ingest_lab::model::{Phase, Scheme};
use ingest_lab::wire::{Event, Interrupt};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// More lines than any of these runs gets to.
fn plenty() -> TempDir {
    data::generated(5_000, 5_000, &[1])
}

/// A run that ended in order: what was acknowledged is there, whole lines only.
fn assert_orderly(answer: &Answer, database: &Database, what: &str) {
    let result = answer.result().unwrap_or_else(|| panic!("{what}: {:?} {}", answer.failure(), answer.stderr));
    let found = result.verification.as_ref().unwrap();
    assert!(found.verified, "{what}: {:?}", found.differences);
    assert_eq!(found.elements.rows as i64, database.elements(), "{what}");
    assert_eq!(found.elements.rows, result.acknowledged.lines * data::ITEMS as u64, "{what}: whole lines");
    assert!(result.acknowledged.lines < 5_000, "{what}: it was stopped");
}

#[test]
fn seconds_end_a_run_at_a_records_end() {
    let (database, data) = (Database::fresh(), plenty());
    for scheme in Scheme::OWN {
        for reader in ["thread", "process"] {
            database.empty();
            let flags = format!(
                "--scheme {scheme} --reader {reader} --pool 4 --seconds 0.5 --limit-geo 5000 --statement executemany"
            );
            let result = run(&database, data.path(), &flags);
            let phase = result.phase(Phase::Data).unwrap();
            assert!((0.3..5.0).contains(&phase.seconds), "{flags}: {} s", phase.seconds);
            assert!(result.acknowledged.lines > 0 && result.acknowledged.lines < 5_000, "{flags}");
            assert_eq!(database.elements(), result.acknowledged.lines as i64 * data::ITEMS as i64, "{flags}");
            assert_eq!(result.interrupted, None, "{flags}: a time limit is no interruption");
        }
    }
}

#[test]
fn a_time_limit_ends_a_chunk_after_the_line_begun() {
    let (database, data) = (Database::fresh(), plenty());
    // Children of `processes` finish the chunks they hold: of a few lines that takes a moment only.
    for (scheme, chunk) in
        Scheme::OWN.iter().map(|scheme| (scheme, if *scheme == Scheme::Processes { 5 } else { 1_000 }))
    {
        for statement in ["row", "executemany", "copy"] {
            database.empty();
            let flags = format!(
                "--scheme {scheme} --statement {statement} --commit chunk --chunk {chunk} --pool 2 --seconds 0.5 \
                 --limit-geo 5000 --reader preload"
            );
            let result = run(&database, data.path(), &flags);
            let (phase, lines) = (result.phase(Phase::Data).unwrap(), result.acknowledged.lines);
            // By `copy` a chunk is sent whole, and several may be through before: how long one takes is the machine's
            // affair; that none is begun, or filled, after the limit is ours.
            let (most, longest) = if statement == "copy" { (5_000, f64::INFINITY) } else { (1_000, 15.0) };
            assert!((0.3..longest).contains(&phase.seconds), "{flags}: {lines} lines, {} s", phase.seconds);
            assert!(lines > 0 && lines < most, "{flags}: {lines} lines");
            assert_eq!((phase.records, database.elements()), (lines, lines as i64 * data::ITEMS as i64), "{flags}");
        }
    }
}

#[test]
fn ctrl_c_ends_a_run_in_order() {
    let (database, data) = (Database::fresh(), plenty());
    for scheme in Scheme::OWN {
        for reader in ["thread", "process"] {
            database.empty();
            let flags = format!("--scheme {scheme} --reader {reader} --pool 4");
            let mut child = Child::start(&database, data.path(), &flags);
            child.wait_for_rows(&database);
            // As a terminal does it: to the whole group.
            child.signal_group(Signal::SIGINT);
            let begun = Instant::now();
            let answer = child.end();
            assert_eq!(answer.code, Some(130), "{flags}: {:?} {}", answer.failure(), answer.stderr);
            assert_orderly(&answer, &database, &flags);
            assert_eq!(answer.result().unwrap().interrupted, Some(Interrupt::Signal), "{flags}");
            assert!(begun.elapsed() < Duration::from_secs(5), "{flags}: {:?}", begun.elapsed());
        }
    }
}

#[test]
fn a_termination_signal_ends_a_run_in_order() {
    let (database, data) = (Database::fresh(), plenty());
    let mut child = Child::start(&database, data.path(), "--scheme processes --pool 3 --commit record");
    child.wait_for_rows(&database);
    child.signal(Signal::SIGTERM);
    let answer = child.end();
    assert_eq!(answer.code, Some(130));
    assert_orderly(&answer, &database, "SIGTERM");
}

#[test]
fn ctrl_c_while_geographic_records_are_inserted_runs_no_data_phase() {
    let database = Database::fresh();
    let data = data::generated(200_000, 1, &[39]);
    let mut child = Child::start(&database, data.path(), "--pool 2");
    child.wait_for(|event| matches!(event, Event::Phase { phase: Phase::Geo }));
    child.signal(Signal::SIGINT);
    let answer = child.end();
    assert_eq!(answer.code, Some(130), "{:?}", answer.failure());
    let result = answer.result().unwrap();
    assert!(result.verification.as_ref().unwrap().verified && result.phase(Phase::Data).is_none());
    assert!(result.acknowledged.geo_rows < 200_000);
}

#[test]
fn ctrl_c_twice_ends_a_run_at_once_and_claims_nothing() {
    let (database, data) = (Database::fresh(), plenty());
    for scheme in Scheme::OWN {
        database.empty();
        // Every row waits for this lock, so the first Ctrl-C cannot come to its orderly end.
        let mut blocker = database.connect();
        let mut child = Child::start(
            &database,
            data.path(),
            &format!("--scheme {scheme} --pool 2 --limit-geo 10 --limit-lines 10"),
        );
        child.wait_for(|event| matches!(event, Event::Connected { .. }));
        blocker.batch_execute("BEGIN; LOCK data_element IN ACCESS EXCLUSIVE MODE").unwrap();
        child.wait_for(|event| matches!(event, Event::Phase { phase: Phase::Data }));
        child.signal_group(Signal::SIGINT);
        std::thread::sleep(Duration::from_millis(300));
        let begun = Instant::now();
        child.signal_group(Signal::SIGINT);
        std::thread::sleep(Duration::from_millis(300));
        blocker.batch_execute("ROLLBACK").unwrap();
        let answer = child.end();
        assert_eq!(answer.code, Some(130), "{scheme}");
        assert!(answer.result().is_none(), "{scheme}: nothing is claimed");
        assert!(begun.elapsed() < Duration::from_secs(5), "{scheme}: {:?}", begun.elapsed());
    }
}

#[test]
fn killing_the_ingester_leaves_no_process_and_no_connection() {
    let (database, data) = (Database::fresh(), plenty());
    for flags in [
        "--scheme processes --pool 6",
        "--scheme threads --reader process",
        "--scheme processes --reader process --statement executemany",
    ] {
        database.empty();
        let mut child = Child::start(&database, data.path(), flags);
        child.wait_for_rows(&database);
        assert!(processes::marked(&child.mark).len() > 1, "{flags}: it has children");
        child.signal(Signal::SIGKILL);
        let answer = child.end(); // looks for processes left
        assert_eq!((answer.code, answer.result()), (None, None), "{flags}");
        let begun = Instant::now();
        while database.ingester_connections() > 0 {
            assert!(begun.elapsed() < Duration::from_secs(10), "{flags}: connections stay open");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_connection_killed_meanwhile_fails_the_run_with_a_sentence() {
    let (database, data) = (Database::fresh(), plenty());
    for scheme in Scheme::OWN {
        for statement in ["row", "executemany", "multirow", "unnest", "copy"] {
            database.empty();
            let flags = format!("--scheme {scheme} --statement {statement} --pool 3");
            let mut child = Child::start(&database, data.path(), &flags);
            child.wait_for_rows(&database);
            let begun = Instant::now();
            database.change(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND application_name = 'ingester' LIMIT 1",
            );
            let answer = child.end();
            let (said, code) = answer.failure().unwrap_or_else(|| panic!("{flags}: it goes on: {}", answer.stderr));
            assert_eq!((answer.code, code), (Some(5), 5), "{flags}: {said}");
            // The server's last words get lost where a request crosses them on the way.
            let told = ["terminating connection due to administrator command", "the connection to the database at "];
            assert!(told.iter().any(|phrase| said.contains(phrase)), "{flags}: {said}");
            assert!(!said.contains("is not reachable"), "{flags}: {said}");
            assert!(said.contains("ny00001_uf1.zip: line "), "{flags}: {said}");
            assert!(begun.elapsed() < Duration::from_secs(5), "{flags}: {:?}", begun.elapsed());
        }
    }
}

#[test]
fn a_worker_process_that_dies_fails_the_run() {
    let (database, data) = (Database::fresh(), plenty());
    let mut child = Child::start(&database, data.path(), "--scheme processes --pool 3");
    child.wait_for_rows(&database);
    let victim = processes::marked(&child.mark).into_iter().find(|pid| *pid != child.pid().as_raw()).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(victim), Signal::SIGKILL).unwrap();
    let answer = child.end();
    assert_eq!(answer.code, Some(1));
    assert!(answer.failure().unwrap().0.contains("died (signal: 9 (SIGKILL))"), "{:?}", answer.failure());
}

#[test]
fn a_reader_process_that_dies_fails_the_run() {
    let (database, data) = (Database::fresh(), plenty());
    let mut child = Child::start(&database, data.path(), "--scheme threads --reader process --pool 3");
    child.wait_for_rows(&database);
    let victim = processes::marked(&child.mark).into_iter().find(|pid| *pid != child.pid().as_raw()).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(victim), Signal::SIGKILL).unwrap();
    let answer = child.end();
    assert_eq!(answer.code, Some(1));
    assert!(answer.failure().unwrap().0.contains("ended without its end mark"), "{:?}", answer.failure());
}
