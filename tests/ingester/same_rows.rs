//! Whatever the scheme, statement kind, commit and reader: the same rows.

use crate::support::{Database, data, ingester, run};
use ingest_lab::model::{Commit, Protocol, Reader, Scheme, Statement};
use ingest_lab::wire::RunResult;
use std::path::Path;

/// Every statement kind with every commit under one scheme, or a third of these, others under the next scheme. The reader
/// kind changes from combination to combination so that each meets every scheme, every statement kind and every commit.
fn every_way(database: &Database, data: &Path, scheme: Scheme, all: bool, flags: &str) -> Vec<RunResult> {
    let mut results = Vec::new();
    for (s, statement) in Statement::ALL.iter().enumerate() {
        let wanted = |c: usize| all || (scheme as usize + s + c).is_multiple_of(3);
        for (c, commit) in Commit::ALL.iter().enumerate().filter(|(c, _)| wanted(*c)) {
            let reader = Reader::ALL[(scheme as usize + s + 2 * c) % Reader::ALL.len()];
            let flags = format!(
                "--scheme {scheme} --statement {statement} --commit {commit} --reader {reader} --pool 4 {flags}"
            );
            database.empty();
            results.push(run(database, data, &flags));
        }
    }
    results
}

#[test]
fn every_scheme_statement_and_commit_loads_identical_rows() {
    let database = Database::fresh();
    let data = data::generated(50, 12, &[1, 39]);
    let expected = {
        let mut sum = data::sum_of(&data.path().join("ny00001_uf1.zip"), 1);
        sum.merge(&data::sum_of(&data.path().join("ny00039_uf1.zip"), 39));
        sum
    };
    let results: Vec<RunResult> =
        Scheme::OWN.iter().flat_map(|scheme| every_way(&database, data.path(), *scheme, true, "")).collect();
    assert_eq!(results.len(), Scheme::OWN.len() * Statement::ALL.len() * Commit::ALL.len());
    let first = &results[0].acknowledged;
    assert_eq!((first.total().rows, first.total().sum), (expected.rows, expected.sum), "as the files say");
    assert_eq!((first.geo_rows, first.lines), (50, 24));
    for result in &results {
        assert_eq!(result.acknowledged, *first, "{:?}", result.job);
        let found = result.verification.as_ref().unwrap();
        assert_eq!((found.geo_rows, found.elements), (50, first.total()), "{:?}", result.job);
        let rows: Vec<(u64, u64)> = result.phases.iter().map(|phase| (phase.records, phase.rows)).collect();
        assert_eq!(rows, [(50, 50), (24, expected.rows)], "phases count what was acknowledged: {:?}", result.job);
    }
}

#[test]
fn every_protocol_loads_identical_rows() {
    let database = Database::fresh();
    let data = data::generated(50, 12, &[1, 39]);
    for protocol in Protocol::ALL {
        for scheme in [Scheme::Threads, Scheme::Async] {
            for (index, statement) in Statement::ALL.iter().enumerate() {
                let commit = Commit::ALL[index % Commit::ALL.len()];
                database.empty();
                let flags =
                    format!("--scheme {scheme} --statement {statement} --commit {commit} --protocol {protocol}");
                let result = run(&database, data.path(), &format!("{flags} --pool 3"));
                let found = result.verification.as_ref().unwrap();
                assert!(found.verified && found.geo_rows == 50 && found.elements.rows > 0, "{flags}: {found:?}");
            }
        }
    }
}

fn the_first_500_real_lines(test: &str, scheme: Scheme) {
    let Some(data) = data::real(test) else { return };
    let database = Database::fresh();
    for result in every_way(&database, data.path(), scheme, false, "--limit-geo 500 --limit-lines 500") {
        let found = result.verification.unwrap();
        assert_eq!((found.geo_rows, found.elements.rows), (500, 111_000));
        assert_eq!(found.elements.sum, 1_093_723_186 * 100);
    }
}

#[test]
fn the_first_500_real_lines_arrive_under_serial() {
    the_first_500_real_lines("the_first_500_real_lines_arrive_under_serial", Scheme::Serial);
}

#[test]
fn the_first_500_real_lines_arrive_under_threads() {
    the_first_500_real_lines("the_first_500_real_lines_arrive_under_threads", Scheme::Threads);
}

#[test]
fn the_first_500_real_lines_arrive_under_async() {
    the_first_500_real_lines("the_first_500_real_lines_arrive_under_async", Scheme::Async);
}

#[test]
fn the_first_500_real_lines_arrive_under_async_single() {
    the_first_500_real_lines("the_first_500_real_lines_arrive_under_async_single", Scheme::AsyncSingle);
}

#[test]
fn the_first_500_real_lines_arrive_under_processes() {
    the_first_500_real_lines("the_first_500_real_lines_arrive_under_processes", Scheme::Processes);
}

#[test]
#[ignore = "11,100,000 rows take minutes: cargo test --release --test ingester -- --ignored whole_real_file"]
fn the_whole_real_file_arrives_within_64_mebibytes() {
    let Some(data) = data::real("the_whole_real_file_arrives_within_64_mebibytes") else { return };
    let database = Database::fresh();
    let mut child = crate::support::Child::start(
        &database,
        data.path(),
        "--statement executemany --commit record --pool 15 --scheme threads",
    );
    child.wait_for(|event| matches!(event, ingest_lab::wire::Event::Phase { .. }));
    let status = format!("/proc/{}/status", child.pid());
    let mut high_water = String::new();
    child.look(std::time::Duration::from_secs(3_600), || {
        if let Some(line) = std::fs::read_to_string(&status)
            .ok()
            .and_then(|text| text.lines().find(|line| line.starts_with("VmHWM")).map(str::to_owned))
        {
            high_water = line;
        }
    });
    let answer = child.end();
    assert_eq!(answer.code, Some(0), "{:?}", answer.failure());
    let result = answer.result().unwrap();
    let found = result.verification.as_ref().unwrap();
    assert_eq!((found.elements.rows, found.elements.sum), (11_100_000, 131_642_715_500));
    let kibibytes: u64 = high_water.split_whitespace().nth(1).unwrap().parse().unwrap();
    println!("peak memory {} bytes as reported, {kibibytes} KiB as the kernel says", result.peak_memory);
    assert!(result.peak_memory < 64 << 20, "{} bytes", result.peak_memory);
    assert!(kibibytes < 64 << 10, "{high_water}");
}

#[test]
fn rebuild_loads_the_whole_dictionary_and_no_records() {
    let database = Database::bare();
    for _ in 0..2 {
        let rebuilt = ingester().args(["rebuild", "--dburl", &database.url()]).assert().success();
        let said = String::from_utf8_lossy(&rebuilt.get_output().stdout).into_owned();
        assert!(said.contains("286 matrices, 8,113 items"), "{said}");
    }
    assert_eq!(database.number("SELECT count(*) FROM matrix"), 286);
    assert_eq!(database.number("SELECT count(DISTINCT segment) FROM matrix"), 39);
    assert_eq!(database.number("SELECT count(*) FROM dictionary_item"), 8_113);
    assert_eq!(database.number("SELECT count(*) FROM dictionary_item WHERE name IN ('P003001', 'PCT012A002')"), 2);
    assert_eq!(database.number("SELECT count(*) FROM geo_record") + database.elements(), 0);
}

#[test]
fn a_segment_without_its_header_is_ingested_with_a_derived_one() {
    let database = Database::fresh();
    let data = data::generated(10, 10, &[2]);
    std::fs::remove_file(data.path().join(data::HEADER.0)).unwrap();
    ingester().arg("geo-from").arg(data.path().join("ny00002_uf1.zip")).assert().success();
    assert_eq!(run(&database, data.path(), "--pool 2").acknowledged.geo_rows, 10);
}

#[test]
fn the_phases_can_run_one_at_a_time() {
    let database = Database::fresh();
    let data = data::generated(10, 10, &[39]);
    assert_eq!(run(&database, data.path(), "--phases geo --pool 2").acknowledged.geo_rows, 10);
    let result = run(&database, data.path(), "--phases data --pool 2");
    assert_eq!((result.acknowledged.geo_rows, result.acknowledged.lines), (0, 10));
}
