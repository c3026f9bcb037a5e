//! Pools from one connection to five hundred.

use crate::support::{Database, data, run, run_with};
use ingest_lab::model::Scheme;

#[test]
fn a_pool_of_350_completes_under_every_scheme() {
    let (database, data) = (Database::fresh_alone(), data::generated(400, 400, &[39]));
    for scheme in Scheme::OWN {
        database.empty();
        let result = run(&database, data.path(), &format!("--scheme {scheme} --pool 350 --commit record"));
        assert_eq!(result.acknowledged.lines, 400, "{scheme}");
        assert_eq!(database.ingester_connections(), 0, "{scheme}: no connection is left open");
    }
}

fn a_pool_of_500_completes(schemes: &[Scheme]) {
    let (database, data) = (Database::fresh_alone(), data::generated(600, 600, &[39]));
    for scheme in schemes {
        database.empty();
        let flags = format!("--scheme {scheme} --pool 500 --statement executemany --commit record");
        assert_eq!(run(&database, data.path(), &flags).acknowledged.lines, 600, "{scheme}");
    }
}

#[test]
fn a_pool_of_500_completes_in_500_processes() {
    a_pool_of_500_completes(&[Scheme::Processes]);
}

#[test]
#[ignore = "two minutes for what the pool of 350 shows, too: cargo test --test ingester -- --ignored pool_of_500"]
fn a_pool_of_500_completes_under_every_scheme() {
    a_pool_of_500_completes(Scheme::OWN);
}

#[test]
fn one_connection_is_enough_and_more_than_there_are_records_do_no_harm() {
    let (database, data) = (Database::fresh(), data::generated(3, 2, &[39]));
    for scheme in Scheme::OWN {
        for pool in ["1", "20", "1 --queue 1", "20 --queue 1 --statement executemany"] {
            database.empty();
            let result = run(&database, data.path(), &format!("--scheme {scheme} --pool {pool}"));
            assert_eq!((result.acknowledged.geo_rows, result.acknowledged.lines), (3, 2), "{scheme}, pool {pool}");
        }
    }
}

#[test]
fn a_pool_the_server_has_no_room_for_is_refused_before_anything_is_written() {
    let (database, data) = (Database::fresh_alone(), data::generated(10, 10, &[39]));
    let _others: Vec<postgres::Client> = (0..150).map(|_| database.connect()).collect();
    let answer = run_with(&database.url(), data.path(), "--pool 500");
    let (said, code) = answer.failure().expect("it failed");
    assert_eq!((answer.code, code), (Some(5), 5), "{said}");
    assert!(said.contains("a pool of 500 needs 500 connections, the database has 4"), "{said}");
    assert!(said.contains("use a smaller --pool, or raise max_connections"), "{said}");
    assert_eq!(database.number("SELECT count(*) FROM geo_record"), 0);
}

#[test]
fn a_server_that_runs_out_of_connections_meanwhile_is_named_as_the_cause() {
    let (database, data) = (Database::fresh(), data::generated(10, 10, &[39]));
    let name = database.url().rsplit('/').next().unwrap().to_owned();
    database.change(&format!("CREATE ROLE small_{name} LOGIN PASSWORD 'x' CONNECTION LIMIT 3; GRANT ALL ON ALL TABLES IN SCHEMA public TO small_{name}"));
    let url = database.url().replace(&format!("ingest:{}", database.password()), &format!("small_{name}:x"));
    for scheme in Scheme::OWN {
        let answer = run_with(&url, data.path(), &format!("--scheme {scheme} --pool 8"));
        let (said, code) = answer.failure().expect("it failed");
        assert_eq!((answer.code, code), (Some(5), 5), "{scheme}: {said}");
        assert!(said.contains("has no connection left (too many connections for role"), "{scheme}: {said}");
    }
    database.change(&format!("DROP OWNED BY small_{name}; DROP ROLE small_{name}"));
}

#[test]
fn pools_of_none_or_more_than_500_are_refused() {
    let (database, data) = (Database::fresh(), data::generated(1, 1, &[39]));
    for pool in ["0", "501"] {
        let answer = run_with(&database.url(), data.path(), &format!("--pool {pool}"));
        assert_eq!(answer.code, Some(2));
        assert_eq!(answer.failure().unwrap().0, format!("pool is {pool}: it must be 1 to 500"));
    }
}
