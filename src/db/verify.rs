//! Compares what the database holds with what it had acknowledged, row for row by an order-independent checksum.

use super::{geo, node};
use crate::model::checksum::{ITEM_FACTOR, PRIME, RECORD_FACTOR, ROOT, Tally};
use crate::model::share::Share;
use crate::model::{Phase, Workload, lookup};
use crate::wire::{Acknowledged, Job, RunResult, Verification};
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

/// Counts, sums and checksums of what is in the tables, against what an ingest had acknowledged. `with_geo` says whether
/// it filled `geo_record`; else it is only counted.
pub async fn verify(client: &Client, acknowledged: &Acknowledged, with_geo: bool) -> Result<Verification> {
    let mut differences = Vec::new();
    if acknowledged.lookup.is_some() {
        differences.push("it acknowledges rows of a lookup, and was to ingest".to_owned());
    }
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

/// What a run acknowledged, by what its job was, whatever its answer looks like: of an ingest the tables; of a lookup what
/// was delivered, by several ingesters that shared it each its own keys in their order.
pub async fn verify_run(client: &Client, job: &Job, result: &RunResult) -> Result<Verification> {
    let acknowledged = &result.acknowledged;
    if job.workload == Workload::Census {
        return verify(client, acknowledged, job.phases.contains(&Phase::Geo)).await;
    }
    // As many rows as it says would be read once more: not before it may have been so many.
    let differences = misfits(job, result);
    let Some(delivered) = acknowledged.lookup.filter(|_| differences.is_empty()) else {
        let elements = Tally::default();
        return Ok(Verification { verified: false, geo_rows: 0, elements, lookup: None, differences });
    };
    let of = result.clients.len();
    let rows: Vec<(Share, u64)> = match of {
        0 | 1 => vec![(job.share, delivered.rows)],
        _ => result.clients_in(Phase::Data).map(|(client, seen)| (Share { client, of }, seen.rows)).collect(),
    };
    node::verify(client, &delivered, &rows, job.together()).await
}

/// What of an answer is not that of a lookup, or not as many rows as the job asks for.
fn misfits(job: &Job, result: &RunResult) -> Vec<String> {
    let said = &result.acknowledged;
    let Some(delivered) = said.lookup else {
        return vec!["it acknowledges no lookup, and was to look rows up".into()];
    };
    let mut wrong = Vec::new();
    if said.geo_rows > 0 || !said.items.is_empty() {
        wrong.push("it acknowledges rows of an ingest, and was to look rows up".into());
    }
    if said.lines != delivered.rows {
        wrong.push(format!("it acknowledges {} lines, and delivered {} rows", said.lines, delivered.rows));
    }
    // One of several clients has a part of them, and one whose time is over, or that was stopped, as many as it came to.
    let comes_to_its_end = job.seconds.is_none() && result.interrupted.is_none() && job.share.is_whole();
    let limit = job.limit_lines.or_else(|| job.seconds.is_none().then_some(lookup::KEYS));
    if let Some(limit) = limit
        && (delivered.rows > limit || (comes_to_its_end && delivered.rows < limit))
    {
        wrong.push(format!("it delivered {} rows, the job asks for {limit}", delivered.rows));
    }
    wrong
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
    use crate::wire::testing::result;
    use crate::wire::{Interrupt, ItemTally};

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

    /// What is wrong with a lookup's answer of 8,880 rows, after a change of job and answer.
    fn misfit(change: impl FnOnce(&mut Job, &mut RunResult)) -> Vec<String> {
        let mut result = result(&"lookup threads row pool 4 chunk 10".parse().unwrap(), 9_000.0);
        result.acknowledged.lines = 8_880;
        let mut job = Job { seconds: None, limit_lines: Some(8_880), ..result.job.clone() };
        change(&mut job, &mut result);
        misfits(&job, &result)
    }

    #[test]
    fn the_job_says_what_an_answer_has_to_be_and_how_much() {
        let none = Vec::<String>::new();
        assert_eq!(misfit(|_, _| {}), none);
        assert_eq!(
            misfit(|_, result| result.acknowledged.lookup = None),
            ["it acknowledges no lookup, and was to look rows up"]
        );
        let ingest = "it acknowledges rows of an ingest, and was to look rows up";
        assert_eq!(misfit(|_, result| result.acknowledged.geo_rows = 1), [ingest]);
        assert_eq!(
            misfit(|_, result| result.acknowledged.items = vec![ItemTally { item: 1, tally: tally(1, 1) }]),
            [ingest]
        );
        assert_eq!(
            misfit(|_, result| result.acknowledged.lines = 40),
            ["it acknowledges 40 lines, and delivered 8880 rows"]
        );
    }

    #[test]
    fn a_lookup_has_as_many_rows_as_were_asked_for_unless_its_time_ended_it() {
        let none = Vec::<String>::new();
        assert_eq!(misfit(|job, _| job.limit_lines = Some(9_000)), ["it delivered 8880 rows, the job asks for 9000"]);
        assert_eq!(misfit(|job, _| job.limit_lines = None), ["it delivered 8880 rows, the job asks for 10000"]);
        assert_eq!(misfit(|job, _| (job.limit_lines, job.seconds) = (Some(9_000), Some(1.0))), none);
        assert_eq!(misfit(|job, _| (job.limit_lines, job.seconds) = (None, Some(1.0))), none);
        let more = misfit(|job, _| (job.limit_lines, job.seconds) = (Some(8_000), Some(1.0)));
        assert_eq!(more, ["it delivered 8880 rows, the job asks for 8000"]);
        let stopped = misfit(|job, result| {
            job.limit_lines = Some(9_000);
            result.interrupted = Some(Interrupt::Signal);
        });
        assert_eq!(stopped, none);
        assert_eq!(misfit(|job, _| (job.limit_lines, job.share.of) = (Some(20_000), 2)), none);
    }

    #[test]
    fn many_differences_are_counted_not_listed() {
        let found = (0..100).map(|item| (item, tally(1, 1))).collect();
        let differences = compare(&found, &BTreeMap::new());
        assert_eq!(differences.len(), LISTED + 1);
        assert!(differences[LISTED].contains("95 more"));
    }
}
