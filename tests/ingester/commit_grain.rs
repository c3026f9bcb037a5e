//! A transaction is what `--commit` says it is: each leaves its number (xmin) on the rows it wrote.

use crate::support::{Database, data, run, run_with};
use ingest_lab::model::Scheme;

const TRANSACTIONS: &str = "SELECT count(DISTINCT xmin::text) FROM data_element";
const LINES: u32 = 8;

#[test]
fn with_commit_record_a_line_is_a_transaction() {
    let (database, data) = (Database::fresh(), data::generated(LINES, LINES, &[1]));
    for scheme in Scheme::OWN {
        // In flight: fewer than a line's items, exactly as many, more.
        for how in [
            "row",
            "executemany --in-flight 1",
            "executemany --in-flight 7",
            "executemany --in-flight 222",
            "executemany --in-flight 300",
            "multirow --batch 60",
            "multirow --batch 500",
            "unnest",
            "copy",
        ] {
            database.empty();
            run(&database, data.path(), &format!("--scheme {scheme} --statement {how} --commit record --pool 3"));
            assert_eq!(database.number(TRANSACTIONS), i64::from(LINES), "{scheme} {how}");
        }
    }
}

#[test]
fn with_commit_auto_a_row_is_a_transaction() {
    let (database, data) = (Database::fresh(), data::generated(LINES, LINES, &[1]));
    for scheme in Scheme::OWN {
        for how in ["row", "executemany --in-flight 7", "executemany --in-flight 300"] {
            database.empty();
            run(&database, data.path(), &format!("--scheme {scheme} --statement {how} --commit auto --pool 3"));
            assert_eq!(database.number(TRANSACTIONS), database.elements(), "{scheme} {how}");
        }
    }
}

#[test]
fn with_commit_auto_a_statement_of_many_rows_is_a_transaction() {
    let (database, data) = (Database::fresh(), data::generated(LINES, LINES, &[1]));
    let lines = i64::from(LINES);
    for scheme in Scheme::OWN {
        // 222 items: three times 60, then 32, 8, 2; or 128, 64, 16, 8, 4, 2.
        for (how, a_line) in [
            ("multirow --batch 60", 6),
            ("multirow --batch 256", 6),
            ("multirow --batch 222", 1),
            ("unnest", 1),
            ("copy", 1),
        ] {
            database.empty();
            run(&database, data.path(), &format!("--scheme {scheme} --statement {how} --commit auto --pool 3"));
            assert_eq!(database.number(TRANSACTIONS), a_line * lines, "{scheme} {how}");
        }
    }
}

#[test]
fn with_commit_chunk_a_transaction_holds_what_was_ready_and_no_more_than_a_chunk() {
    let (database, data) = (Database::fresh(), data::generated(40, 40, &[1]));
    let most =
        "SELECT max(lines) FROM (SELECT count(DISTINCT geo_record) AS lines FROM data_element GROUP BY xmin::text) t";
    let geo = "SELECT max(rows) FROM (SELECT count(*) AS rows FROM geo_record GROUP BY xmin::text) t";
    for scheme in Scheme::OWN {
        for how in ["row", "executemany --in-flight 50", "multirow", "unnest", "copy"] {
            database.empty();
            // Everything is parsed before the first is taken: a chunk is full, except for a worker's last.
            let flags =
                format!("--scheme {scheme} --statement {how} --commit chunk --chunk 5 --pool 1 --reader preload");
            run(&database, data.path(), &flags);
            assert_eq!((database.number(most), database.number(geo)), (5, 5), "{flags}");
            let least = 40 / 5;
            let transactions = database.number(TRANSACTIONS);
            assert!((least..=least + 4).contains(&transactions), "{flags}: {transactions} transactions");
        }
    }
}

#[test]
fn a_geographic_record_is_a_transaction_either_way() {
    let (database, data) = (Database::fresh(), data::generated(30, 1, &[39]));
    for flags in
        ["--commit auto", "--commit record", "--statement executemany", "--statement executemany --commit record"]
    {
        database.empty();
        run(&database, data.path(), &format!("--phases geo --pool 3 {flags}"));
        assert_eq!(database.number("SELECT count(DISTINCT xmin::text) FROM geo_record"), 30, "{flags}");
    }
}

#[test]
fn with_commit_record_a_row_that_is_refused_takes_its_whole_line_back() {
    let database = Database::fresh();
    let data = data::generated(LINES, LINES, &[1]);
    data::replace_segment(data.path(), &data::lines(LINES));
    database.change("ALTER TABLE data_element ADD CONSTRAINT no_five CHECK (dictionary_item <> 150 OR value <> 5)");
    for scheme in Scheme::OWN {
        for how in ["row", "executemany --in-flight 7", "executemany --in-flight 300", "multirow", "unnest", "copy"] {
            database.empty();
            let flags = format!("--scheme {scheme} --statement {how} --commit record --pool 2");
            let answer = run_with(&database.url(), data.path(), &flags);
            let (said, code) = answer.failure().expect("it failed");
            assert_eq!((answer.code, code), (Some(5), 5), "{flags}: {said}");
            assert!(said.contains("ny00001_uf1.zip: line 5") && said.contains("no_five"), "{flags}: {said}");
            let refused =
                "SELECT count(*) FROM data_element e JOIN geo_record g ON g.id = e.geo_record WHERE logrecno = 5";
            assert_eq!(database.number(refused), 0, "{flags}");
            assert_eq!(database.elements() % data::ITEMS as i64, 0, "{flags}: whole lines only");
        }
    }
}

#[test]
fn with_commit_chunk_a_row_that_is_refused_takes_its_whole_chunk_back() {
    let database = Database::fresh();
    let data = data::generated(40, 40, &[1]);
    data::replace_segment(data.path(), &data::lines(40));
    database.change("ALTER TABLE data_element ADD CONSTRAINT no_five CHECK (dictionary_item <> 150 OR value <> 5)");
    for scheme in Scheme::OWN {
        for how in ["row", "executemany", "multirow", "unnest", "copy"] {
            database.empty();
            let flags = format!("--scheme {scheme} --statement {how} --commit chunk --chunk 4 --pool 2");
            let answer = run_with(&database.url(), data.path(), &flags);
            let (said, code) = answer.failure().expect("it failed");
            assert_eq!((answer.code, code), (Some(5), 5), "{flags}: {said}");
            assert!(said.contains("ny00001_uf1.zip: ") && said.contains("no_five"), "{flags}: {said}");
            let refused =
                "SELECT count(*) FROM data_element e JOIN geo_record g ON g.id = e.geo_record WHERE logrecno = 5";
            assert_eq!(database.number(refused), 0, "{flags}");
            assert_eq!(database.elements() % data::ITEMS as i64, 0, "{flags}: whole lines only");
        }
    }
}

#[test]
fn a_line_without_its_place_is_named_whatever_it_travels_with() {
    let (database, data) = (Database::fresh(), data::generated(40, 40, &[1]));
    for how in ["row", "executemany", "multirow", "unnest", "copy"] {
        database.empty();
        let flags = format!("--statement {how} --commit chunk --chunk 8 --pool 1 --limit-geo 20 --reader preload");
        let answer = run_with(&database.url(), data.path(), &flags);
        let (said, _) = answer.failure().expect("it failed");
        assert!(said.contains("ny00001_uf1.zip: line 21: LOGRECNO 0000021 has no geographic"), "{flags}: {said}");
    }
}
