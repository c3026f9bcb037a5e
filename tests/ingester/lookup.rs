//! The workload `lookup`: whatever the scheme, the same rows in the order of their keys; worker processes that die; a
//! table that is not as it was made.

use crate::support::{Answer, Child, Database, processes, run, run_with};
use ingest_lab::model::lookup::Delivered;
use ingest_lab::model::{Phase, Scheme, Stage};
use ingest_lab::wire::{Event, RunResult};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::Path;
use std::time::{Duration, Instant};

/// A lookup reads no file.
const NO_DATA: &str = "/nowhere";

fn look_up(database: &Database, flags: &str) -> RunResult {
    run(database, Path::new(NO_DATA), &format!("--workload lookup {flags}"))
}

fn refused(database: &Database, flags: &str) -> (u8, String) {
    let answer = run_with(&database.url(), Path::new(NO_DATA), &format!("--workload lookup {flags}"));
    let (said, code) = answer.failure().unwrap_or_else(|| panic!("{flags}: it did not fail"));
    assert_eq!(answer.code, Some(i32::from(code)), "{flags}: {said}");
    (code, said.to_owned())
}

fn start(database: &Database, flags: &str) -> Child {
    let mut child = Child::start(database, Path::new(NO_DATA), &format!("--workload lookup {flags}"));
    child.wait_for(|event| matches!(event, Event::Second { .. }));
    child
}

fn delivered(result: &RunResult) -> Delivered {
    result.acknowledged.lookup.expect("a lookup says what was delivered")
}

#[test]
fn every_scheme_statement_and_protocol_delivers_the_same_rows_in_order() {
    let database = Database::fresh();
    let mut first = None;
    for scheme in Scheme::OWN {
        for statement in ["row --chunk 7", "executemany --chunk 100 --in-flight 30", "executemany --chunk 10"] {
            for protocol in ["prepared", "unnamed"] {
                let flags = format!("--scheme {scheme} --statement {statement} --protocol {protocol} --pool 3");
                let result = look_up(&database, &format!("{flags} --limit-lines 1000"));
                let found = delivered(&result);
                assert_eq!(found, *first.get_or_insert(found), "{flags}");
                assert_eq!((found.rows, result.acknowledged.lines), (1_000, 1_000), "{flags}");
                assert_eq!(result.verification.as_ref().unwrap().lookup, Some(found), "{flags}");
                let phases: Vec<_> = result.phases.iter().map(|one| (one.phase, one.records, one.rows)).collect();
                assert_eq!(phases, [(Phase::Data, 1_000, 1_000)], "{flags}");
                assert!(result.acknowledged.items.is_empty() && result.lost.is_empty(), "{flags}");
            }
        }
    }
}

#[test]
fn a_request_is_an_operation_and_so_is_a_chunk_in_flight() {
    let database = Database::fresh();
    for scheme in [Scheme::AsyncSingle, Scheme::Processes] {
        for (statement, operations) in [("row --chunk 10", 500), ("executemany --chunk 10", 50)] {
            let flags = format!("--scheme {scheme} --statement {statement} --pool 2 --limit-lines 500");
            let result = look_up(&database, &flags);
            let metrics = result.phases[0].metrics.as_deref().unwrap();
            let count = |stage| metrics.stages.iter().find(|one| one.stage == stage).map_or(0, |one| one.count);
            assert_eq!((count(Stage::Select), count(Stage::Execute)), (operations, 0), "{flags}");
            assert_eq!(metrics.workers.len(), 2, "{flags}");
        }
    }
}

#[test]
fn keys_end_with_their_number_or_the_time_and_without_either_at_ten_thousand() {
    let database = Database::fresh();
    assert_eq!(delivered(&look_up(&database, "--scheme async --pool 4 --statement executemany")).rows, 10_000);
    assert_eq!(delivered(&look_up(&database, "--pool 4 --limit-lines 3 --chunk 1")).rows, 3);
    for scheme in Scheme::OWN {
        let result = look_up(&database, &format!("--scheme {scheme} --pool 3 --seconds 0.5 --chunk 10"));
        let phase = result.phase(Phase::Data).unwrap();
        assert!((0.3..5.0).contains(&phase.seconds), "{scheme}: {} s", phase.seconds);
        assert!(phase.rows > 0 && phase.rows == delivered(&result).rows && phase.rows.is_multiple_of(10), "{scheme}");
    }
}

#[test]
fn ctrl_c_ends_a_lookup_with_what_was_handed_out() {
    let database = Database::fresh();
    for scheme in Scheme::OWN {
        let child = start(&database, &format!("--scheme {scheme} --pool 3 --seconds 60"));
        child.signal_group(Signal::SIGINT);
        let begun = Instant::now();
        let answer = child.end();
        assert_eq!(answer.code, Some(130), "{scheme}: {:?} {}", answer.failure(), answer.stderr);
        assert!(answer.result().unwrap().verification.as_ref().unwrap().verified, "{scheme}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{scheme}: {:?}", begun.elapsed());
    }
}

/// Kills so many of a run's worker processes.
fn kill_children(child: &Child, count: usize) {
    let own = child.pid().as_raw();
    let children: Vec<i32> = processes::marked(&child.mark).into_iter().filter(|pid| *pid != own).collect();
    assert!(children.len() >= count, "{children:?}");
    for pid in &children[..count] {
        kill(Pid::from_raw(*pid), Signal::SIGKILL).unwrap();
    }
}

fn lost(answer: &Answer) -> Vec<&str> {
    let said = |event: &'_ Event| match event {
        Event::WorkerLost { error, .. } => Some(error.clone()),
        _ => None,
    };
    let told: Vec<String> = answer.lines.iter().filter_map(|line| said(&line.event)).collect();
    let result = answer.result().unwrap_or_else(|| panic!("{:?} {}", answer.failure(), answer.stderr));
    assert_eq!(told, result.lost, "what was said meanwhile is in the result");
    result.lost.iter().map(String::as_str).collect()
}

#[test]
fn a_worker_process_that_is_killed_is_reported_and_others_do_its_work() {
    let database = Database::fresh();
    for statement in ["row --chunk 10", "executemany --chunk 100"] {
        let mut child = start(&database, &format!("--scheme processes --pool 3 --statement {statement} --seconds 4"));
        kill_children(&child, 2);
        child.wait_for(|event| matches!(event, Event::WorkerLost { .. }));
        let answer = child.end();
        assert_eq!(answer.code, Some(0), "{statement}: {:?} {}", answer.failure(), answer.stderr);
        let lost = lost(&answer);
        assert_eq!(lost.len(), 2, "{statement}: {lost:?}");
        for said in lost {
            assert!(said.contains("a worker process died (signal: 9 (SIGKILL)"), "{said}");
            assert!(said.contains("of keys it had are done by others"), "{said}");
        }
        let result = answer.result().unwrap();
        let (rows, found) = (result.phases[0].rows, result.verification.as_ref().unwrap());
        assert!(found.verified, "{statement}: {:?}", found.differences);
        assert_eq!(delivered(result).rows, rows, "{statement}: every row handed out was delivered, once");
    }
}

#[test]
fn a_run_whose_every_worker_process_is_killed_fails() {
    let database = Database::fresh();
    let child = start(&database, "--scheme processes --pool 2 --seconds 30");
    kill_children(&child, 2);
    let answer = child.end();
    let (said, code) = answer.failure().expect("nobody is left");
    assert_eq!((answer.code, code), (Some(1), 1), "{said}");
    assert!(said.contains("no worker process is left: a worker process died"), "{said}");
}

#[test]
fn a_table_that_is_not_there_or_not_whole_is_refused() {
    let database = Database::fresh();
    database.change("DELETE FROM node WHERE key = 'node-017'");
    let (code, said) = refused(&database, "");
    assert_eq!((code, said.as_str()), (5, "the table node holds 255 rows, not 256: run `ingester rebuild` first"));
    database.change("DROP TABLE node");
    let (code, said) = refused(&database, "");
    assert_eq!((code, said.as_str()), (5, "the database lacks the table node: run `ingester rebuild` first"));
}

#[test]
fn a_row_that_goes_missing_ends_the_run() {
    let database = Database::fresh();
    for scheme in [Scheme::Threads, Scheme::Processes] {
        let child = start(&database, &format!("--scheme {scheme} --pool 2 --seconds 30"));
        database.change("DELETE FROM node WHERE key = 'node-100'");
        let answer = child.end();
        let (said, code) = answer.failure().expect("a row is missing");
        assert_eq!((answer.code, code), (Some(5), 5), "{scheme}: {said}");
        assert_eq!(said, "node-100: node has no such row: run `ingester rebuild`", "{scheme}");
        database.change("INSERT INTO node SELECT 'node-100', t.* FROM (SELECT * FROM node WHERE key = 'node-000') AS o,
            LATERAL (SELECT o.bootstrapped, o.broadcast_address, o.cluster_name, o.protocol_version, o.data_center, o.rack,
                     o.gossip_generation, o.host_id, o.listen_address, o.native_version, o.partitioner, o.release_version,
                     o.rpc_port, o.started_at, o.load, o.is_seed, o.schema_version, o.tokens, o.truncated_at, o.disk_bytes,
                     o.checksum) AS t");
    }
}

#[test]
fn a_row_that_is_changed_meanwhile_does_not_verify() {
    let database = Database::fresh();
    for change in [
        "load = load + 0.25 WHERE key = 'node-064'",
        "checksum = decode(md5('x') || md5('y'), 'hex') WHERE key = 'node-000'",
        "tokens = tokens[1:255] WHERE key = 'node-001'",
    ] {
        let child = start(&database, "--scheme async --pool 2 --seconds 2 --statement executemany");
        database.change(&format!("UPDATE node SET {change}"));
        let answer = child.end();
        assert_eq!(answer.code, Some(6), "{change}");
        let found = answer.result().unwrap().verification.as_ref().unwrap();
        assert!(
            found.differences[0].contains("are not those of node in the order of their keys"),
            "{change}: {found:?}"
        );
    }
}

#[test]
fn what_a_lookup_cannot_be_is_refused_with_a_sentence() {
    let database = Database::fresh();
    for (flags, code, part) in [
        ("--statement copy", 3, "copy sends rows, a lookup reads them: use row or executemany"),
        ("--statement unnest", 3, "use row or executemany"),
        ("--protocol simple", 3, "use prepared or unnamed"),
        ("--inject read=1ms", 3, "leave read out of --inject"),
        ("--phases geo,data", 2, "give it the phase data alone"),
        ("--commit record", 2, "commit is record, it must be auto"),
        ("--reader preload", 2, "reader is preload, it must be thread"),
    ] {
        let (found, said) = refused(&database, flags);
        assert!(found == code && said.contains(part), "{flags}: {found}: {said}");
    }
}

#[test]
fn a_server_whose_slots_are_taken_for_a_moment_is_asked_again() {
    let database = Database::fresh();
    let name = format!("busy_{}", database.url().rsplit('/').next().unwrap());
    database
        .change(&format!("CREATE ROLE {name} LOGIN PASSWORD 'x' CONNECTION LIMIT 5; GRANT SELECT ON node TO {name}"));
    let url = database.url().replace(&format!("ingest:{}", database.password()), &format!("{name}:x"));
    for scheme in [Scheme::Threads, Scheme::Async, Scheme::Processes] {
        let taken: Vec<_> = (0..3).map(|_| postgres::Client::connect(&url, postgres::NoTls).unwrap()).collect();
        let freed = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(1));
            drop(taken);
        });
        let answer = run_with(
            &url,
            Path::new(NO_DATA),
            &format!("--workload lookup --scheme {scheme} --pool 4 --limit-lines 100"),
        );
        freed.join().unwrap();
        assert_eq!(answer.code, Some(0), "{scheme}: {:?} {}", answer.failure(), answer.stderr);
    }
    database.change(&format!("DROP OWNED BY {name}; DROP ROLE {name}"));
}

#[test]
fn a_lookup_leaves_an_ingest_its_empty_tables_and_an_ingest_leaves_it_its_rows() {
    let database = Database::fresh();
    let data = crate::support::data::generated(5, 5, &[39]);
    let before = delivered(&look_up(&database, "--limit-lines 300"));
    run(&database, data.path(), "--pool 2");
    assert_eq!(delivered(&look_up(&database, "--limit-lines 300")), before);
    assert_eq!(database.number("SELECT count(*) FROM geo_record"), 5);
}
