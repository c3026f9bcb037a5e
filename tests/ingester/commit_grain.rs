//! A transaction is what `--commit` says it is: each leaves its number (xmin) on the rows it wrote.

use crate::support::{Database, data, run, run_with};
use ingest_lab::model::Scheme;

const TRANSACTIONS: &str = "SELECT count(DISTINCT xmin::text) FROM data_element";
const LINES: u32 = 8;

#[test]
fn with_commit_record_a_line_is_a_transaction() {
    let (database, data) = (Database::fresh(), data::generated(LINES, LINES, &[1]));
    for scheme in Scheme::ALL {
        // In flight: fewer than a line's items, exactly as many, more.
        for how in [
            "row",
            "executemany --in-flight 1",
            "executemany --in-flight 7",
            "executemany --in-flight 222",
            "executemany --in-flight 300",
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
    for scheme in Scheme::ALL {
        for how in ["row", "executemany --in-flight 7", "executemany --in-flight 300"] {
            database.empty();
            run(&database, data.path(), &format!("--scheme {scheme} --statement {how} --commit auto --pool 3"));
            assert_eq!(database.number(TRANSACTIONS), database.elements(), "{scheme} {how}");
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
    for scheme in Scheme::ALL {
        for how in ["row", "executemany --in-flight 7", "executemany --in-flight 300"] {
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
