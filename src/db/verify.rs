//! Compares what the database holds with what it had acknowledged, row for row by an order-independent checksum.

use super::{geo, node};
use crate::model::Phase;
use crate::model::checksum::{ITEM_FACTOR, PRIME, RECORD_FACTOR, ROOT, Tally};
use crate::model::share::Share;
use crate::wire::{Acknowledged, RunResult, Verification};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use tokio_postgres::Client;

/// Differences listed one by one before the rest is only counted.
const LISTED: usize = 5;

/// SQL twin of [`crate::model::checksum::element`], per dictionary item.
fn element_sql() -> String {
    format!(
        "WITH keyed AS (
            SELECT e.dictionary_item AS item, (e.value * 100)::int8 AS hundredths,
                   (g.logrecno::int8 * {RECORD_FACTOR} + e.dictionary_item::int8 * {ITEM_FACTOR}) % {PRIME} AS key
            FROM data_element e JOIN geo_record g ON g.id = e.geo_record),
         mixed AS (
            SELECT item, hundredths, key,
                   (key * {ROOT} + (hundredths % {PRIME} + {PRIME}) % {PRIME}) % {PRIME} AS mixed
            FROM keyed)
         SELECT item, count(*)::int8 AS rows, sum(hundredths)::int8 AS sum,
                sum((mixed * mixed + key) % {PRIME})::int8 AS mix
         FROM mixed GROUP BY item ORDER BY item"
    )
}

/// Counts, sums and checksums of what is in the tables, against what was acknowledged; of a lookup what was delivered.
/// `with_geo` says whether the run filled `geo_record`; else it is only counted.
pub async fn verify(client: &Client, acknowledged: &Acknowledged, with_geo: bool) -> Result<Verification> {
    if let Some(delivered) = &acknowledged.lookup {
        return node::verify(client, delivered, &[(Share::WHOLE, delivered.rows)], 1).await;
    }
    let mut differences = Vec::new();
    let found = client.query_one(&geo::digest_sql(), &[]).await.context("sum up geo_record")?;
    let geo_rows = found.get::<_, i64>("rows") as u64;
    if with_geo && geo_rows != acknowledged.geo_rows {
        differences.push(format!("geo_record holds {geo_rows} rows, {} were acknowledged", acknowledged.geo_rows));
    } else if with_geo && found.get::<_, i64>("digest") as u64 != acknowledged.geo_digest {
        differences.push(format!("geo_record holds the {geo_rows} rows acknowledged, but not with the same contents"));
    }
    let mut found = BTreeMap::new();
    for row in client.query(&element_sql(), &[]).await.context("sum up data_element")? {
        let tally =
            Tally { rows: row.get::<_, i64>("rows") as u64, sum: row.get("sum"), mix: row.get::<_, i64>("mix") as u64 };
        found.insert(row.get::<_, i32>("item"), tally);
    }
    let expected: BTreeMap<i32, Tally> =
        acknowledged.items.iter().filter(|item| item.tally.rows > 0).map(|item| (item.item, item.tally)).collect();
    differences.extend(compare(&found, &expected));
    let mut elements = Tally::default();
    found.values().for_each(|tally| elements.merge(tally));
    Ok(Verification { verified: differences.is_empty(), geo_rows, elements, lookup: None, differences })
}

/// The same for a whole run: of a lookup that several ingesters shared, each delivered its own keys in their order.
pub async fn verify_run(client: &Client, result: &RunResult, with_geo: bool) -> Result<Verification> {
    let of = result.clients.len();
    match &result.acknowledged.lookup {
        Some(delivered) if of > 1 => {
            let rows = result.clients_in(Phase::Data).map(|(client, seen)| (Share { client, of }, seen.rows));
            node::verify(client, delivered, &rows.collect::<Vec<_>>(), result.job.together()).await
        }
        _ => verify(client, &result.acknowledged, with_geo).await,
    }
}

fn compare(found: &BTreeMap<i32, Tally>, expected: &BTreeMap<i32, Tally>) -> Vec<String> {
    let mut items: Vec<i32> = found.keys().chain(expected.keys()).copied().collect();
    items.sort_unstable();
    items.dedup();
    let none = Tally::default();
    let mut differences: Vec<String> = items
        .iter()
        .filter_map(|item| {
            let (found, expected) = (found.get(item).unwrap_or(&none), expected.get(item).unwrap_or(&none));
            (found != expected).then(|| {
                if found.rows != expected.rows {
                    format!(
                        "data_element holds {} rows of item {item}, {} were acknowledged",
                        found.rows, expected.rows
                    )
                } else {
                    format!(
                        "data_element holds the {} rows of item {item} acknowledged, but not with the same values",
                        found.rows
                    )
                }
            })
        })
        .collect();
    if differences.len() > LISTED {
        let more = differences.len() - LISTED;
        differences.truncate(LISTED);
        differences.push(format!("… and {more} more items differ"));
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(rows: u64, sum: i64) -> Tally {
        Tally { rows, sum, mix: 7 }
    }

    #[test]
    fn a_lost_row_a_doubled_row_and_a_changed_value_are_each_named() {
        let expected = BTreeMap::from([(1, tally(5, 10)), (2, tally(5, 10)), (3, tally(5, 10))]);
        let found = BTreeMap::from([(1, tally(4, 10)), (2, tally(5, 11)), (4, tally(1, 0))]);
        let differences = compare(&found, &expected);
        assert_eq!(differences.len(), 4);
        assert!(differences[0].contains("4 rows of item 1, 5 were acknowledged"));
        assert!(differences[1].contains("not with the same values"));
        assert!(differences[2].contains("0 rows of item 3, 5"));
        assert!(differences[3].contains("1 rows of item 4, 0"));
        assert!(compare(&expected, &expected).is_empty());
    }

    #[test]
    fn many_differences_are_counted_not_listed() {
        let found = (0..100).map(|item| (item, tally(1, 1))).collect();
        let differences = compare(&found, &BTreeMap::new());
        assert_eq!(differences.len(), LISTED + 1);
        assert!(differences[LISTED].contains("95 more"));
    }
}
