//! Verification notices whatever happened to the rows between acknowledgement and count.

use crate::support::{Database, data, run};
use ingest_lab::db;
use ingest_lab::wire::{Acknowledged, DbUrl, Verification};

const CLAIMS: [(&str, &str, &str); 9] = [
    ("a lost row", "DELETE FROM data_element WHERE ctid = (SELECT min(ctid) FROM data_element)", "rows of item"),
    ("a doubled row", "INSERT INTO data_element SELECT * FROM data_element LIMIT 1", "rows of item"),
    (
        "a changed value",
        "UPDATE data_element SET value = value + 0.01 WHERE ctid = (SELECT min(ctid) FROM data_element)",
        "not with the same values",
    ),
    (
        "two places' values of an item swapped: counts and sums stay",
        "WITH two AS (SELECT geo_record, dictionary_item, value, dense_rank() OVER (ORDER BY value) AS rank FROM data_element WHERE dictionary_item = 1),
              low AS (SELECT * FROM two WHERE rank = 1 LIMIT 1), high AS (SELECT * FROM two WHERE rank = 2 LIMIT 1)
         UPDATE data_element e SET value = CASE e.geo_record WHEN low.geo_record THEN high.value ELSE low.value END
         FROM low, high WHERE e.dictionary_item = 1 AND e.geo_record IN (low.geo_record, high.geo_record)",
        "not with the same values",
    ),
    (
        "a row of another place",
        "UPDATE data_element SET geo_record = geo_record % 20 + 1 WHERE ctid = (SELECT min(ctid) FROM data_element)",
        "not with the same values",
    ),
    (
        "a row of another item",
        "UPDATE data_element SET dictionary_item = dictionary_item % 222 + 1 WHERE ctid = (SELECT min(ctid) FROM data_element)",
        "rows of item",
    ),
    (
        "a row of an item that was never sent",
        "INSERT INTO data_element SELECT min(id), 8000, 0 FROM geo_record",
        "holds 1 rows of item 8000, 0 were acknowledged",
    ),
    ("a changed geographic record", "UPDATE geo_record SET name = name || '.' WHERE id = 1", "not with the same contents"),
    (
        "an additional geographic record",
        "INSERT INTO geo_record OVERRIDING SYSTEM VALUE
         SELECT 999, fileid, stusab, sumlev, geocomp, chariter, cifsn, 999, region, division, statece, state, county, cousub, place, tract, blkgrp, block, arealand, areawatr, name, pop100, hu100, intptlat, intptlon
         FROM geo_record WHERE id = 1",
        "geo_record holds 21 rows, 20 were acknowledged",
    ),
];

/// What `db::verify` finds after `change`, which is then undone.
fn after(database: &Database, acknowledged: &Acknowledged, change: &str) -> Verification {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = db::connect(&DbUrl(database.url())).await.unwrap();
        client.batch_execute("BEGIN").await.unwrap();
        client.batch_execute(change).await.unwrap();
        let found = db::verify(&client, acknowledged, true).await.unwrap();
        client.batch_execute("ROLLBACK").await.unwrap();
        found
    })
}

#[test]
fn whatever_changes_the_rows_is_found() {
    let (database, data) = (Database::fresh(), data::generated(20, 20, &[1]));
    let acknowledged = run(&database, data.path(), "--pool 3").acknowledged;
    assert!(after(&database, &acknowledged, "SELECT 1").verified);
    for (what, change, phrase) in CLAIMS {
        let found = after(&database, &acknowledged, change);
        assert!(!found.verified, "{what} goes unnoticed");
        assert!(
            found.differences.iter().any(|difference| difference.contains(phrase)),
            "{what}: {:?}",
            found.differences
        );
    }
}

#[test]
fn a_run_whose_rows_are_not_there_says_so_and_exits_with_6() {
    let (database, data) = (Database::fresh(), data::generated(5, 5, &[39]));
    database.change(
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER lose BEFORE INSERT ON data_element FOR EACH ROW WHEN (NEW.geo_record = 3) EXECUTE FUNCTION lose()",
    );
    let answer = crate::support::run_with(&database.url(), data.path(), "--pool 2");
    assert_eq!(answer.code, Some(6));
    let found = answer.result().unwrap().verification.as_ref().unwrap();
    assert!(!found.verified && !found.differences.is_empty());
    database.empty();
    let told = crate::support::ingester()
        .args(["run", "--pool", "2", "--dburl", &database.url(), "--data"])
        .arg(data.path())
        .assert()
        .code(6);
    let (stdout, stderr) = (&told.get_output().stdout, &told.get_output().stderr);
    assert!(String::from_utf8_lossy(stdout).contains("NOT VERIFIED"));
    assert!(String::from_utf8_lossy(stderr).contains("not verified: data_element holds"));
}
