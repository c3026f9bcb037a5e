//! The table that lookups read: what fills it, whether it is there, and what deliveries in order have to add up to.

use crate::model::checksum::Tally;
use crate::model::lookup::{self, Delivered, ROWS};
use crate::model::share::Share;
use crate::wire::Verification;
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use tokio_postgres::Client;

/// The table's name.
pub(super) const TABLE: &str = "node";

/// Fills the table: every value follows from the key, by MD5, so that the rows are the same wherever they are made.
pub(super) fn fill_sql() -> String {
    let last = ROWS - 1;
    format!(
        "INSERT INTO node
         SELECT key, 'COMPLETED', ('10.0.' || n / 64 || '.' || n % 64 + 1)::inet, 'Lookup Cluster', '4',
                'dc' || n % 3 + 1, 'rack' || n % 5 + 1, 1430000000 + ('x' || substr(hash, 1, 6))::bit(24)::int,
                md5(key || ' host')::uuid, ('10.1.' || n / 64 || '.' || n % 64 + 1)::inet, 3 + n % 2,
                'org.apache.cassandra.dht.Murmur3Partitioner', '2.1.' || n % 9, 9042 + n % 4,
                timestamptz '2015-04-01 00:00:00Z'
                    + ('x' || substr(hash, 7, 8))::bit(32)::int8 * interval '1 microsecond',
                ('x' || substr(hash, 15, 8))::bit(32)::int8 * 0.25::float8, n % 16 = 0,
                md5((n % 4) || ' schema')::uuid,
                ARRAY(SELECT (('x' || md5(key || ' token ' || i))::bit(64)::int8)::text
                      FROM generate_series(0, 255) AS i ORDER BY i),
                jsonb_build_object('table', md5(key || ' table'), 'position', n * 1021, 'flushed', n % 2 = 0),
                ('x' || hash)::bit(64)::int8 & 17592186044415, decode(md5(key || ' one') || md5(key || ' two'), 'hex')
         FROM (SELECT n, key, md5(key) AS hash
               FROM (SELECT n, 'node-' || lpad(n::text, 3, '0') AS key FROM generate_series(0, {last}) AS n) AS keyed
              ) AS hashed
         ORDER BY n"
    )
}

/// Fails with a sentence unless the table is there with all its rows.
pub async fn require_nodes(client: &Client) -> Result<()> {
    let refuse = |message: String| Failure::new(Exit::Database, message);
    let there: bool = client
        .query_one("SELECT to_regclass($1) IS NOT NULL", &[&TABLE])
        .await
        .context("look for the table node")?
        .get(0);
    if !there {
        return Err(refuse("the database lacks the table node: run `ingester rebuild` first".into()).into());
    }
    let rows: i64 = client.query_one("SELECT count(*) FROM node", &[]).await.context("count the table node")?.get(0);
    if rows != ROWS as i64 {
        return Err(
            refuse(format!("the table node holds {rows} rows, not {ROWS}: run `ingester rebuild` first")).into()
        );
    }
    Ok(())
}

/// The contents of a row as text: the server's twin of what a program makes of the row it decoded.
const CONTENTS: &str = "SELECT key, cardinality(tokens)::int8 AS tokens,
        concat_ws('|', key, cluster_name, gossip_generation, host_id, (extract(epoch FROM started_at) * 1000000)::int8,
                  (load * 4)::int8, is_seed::int, array_to_string(tokens, ','), disk_bytes, encode(checksum, 'hex'))
            AS contents
     FROM node ORDER BY key";

/// What was delivered against what the table gives when it is read as often, in the order of the keys: by each client
/// so many rows of its share, where so many keys go together.
pub(super) async fn verify(
    client: &Client,
    delivered: &Delivered,
    clients: &[(Share, u64)],
    together: u64,
) -> Result<Verification> {
    let rows = client.query(CONTENTS, &[]).await.context("read the table node")?;
    let row = |row: &tokio_postgres::Row| {
        let contents = lookup::checksum(row.get::<_, &str>("contents"));
        Some((lookup::number(row.get("key"))?, row.get::<_, i64>("tokens") as u64, contents))
    };
    let found: Vec<_> = rows.iter().filter_map(row).collect();
    let (expected, differences) = compare(&found, delivered, clients, together);
    Ok(Verification {
        verified: differences.is_empty(),
        geo_rows: 0,
        elements: Tally::default(),
        lookup: Some(expected),
        differences,
    })
}

/// What the table's rows (number, tokens, checksum) give in order, and what of that was not delivered.
fn compare(
    found: &[(u64, u64, u32)],
    delivered: &Delivered,
    clients: &[(Share, u64)],
    together: u64,
) -> (Delivered, Vec<String>) {
    if found.len() as u64 != ROWS {
        let message = format!("node holds {} rows with a key of its own, not {ROWS}", found.len());
        return (Delivered::default(), vec![message]);
    }
    let mut expected = Delivered::default();
    for (share, rows) in clients {
        let mut one = Delivered::default();
        for own in 0..*rows {
            let (number, tokens, contents) = found[(share.of_all(own, together) % ROWS) as usize];
            one.add(number, tokens, || contents);
        }
        expected = expected.plus(one);
    }
    let mut differences = Vec::new();
    if expected != *delivered {
        differences.push(format!(
            "the {} rows delivered are not those of node in the order of their keys: their digest is {}, not {}",
            delivered.rows, delivered.digest, expected.digest
        ));
    }
    (expected, differences)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<(u64, u64, u32)> {
        (0..ROWS).map(|number| (number, 256, number as u32 * 7_919)).collect()
    }

    fn check(found: &[(u64, u64, u32)], delivered: &Delivered) -> (Delivered, Vec<String>) {
        compare(found, delivered, &[(Share::WHOLE, delivered.rows)], 1)
    }

    fn read(numbers: impl Iterator<Item = u64>) -> Delivered {
        let mut delivered = Delivered::default();
        numbers.for_each(|number| delivered.add(number, 256, || number as u32 * 7_919));
        delivered
    }

    #[test]
    fn rows_in_order_verify_however_often_they_go_round() {
        for rows in [1, 256, 1_000] {
            let delivered = read((0..rows).map(|request| request % ROWS));
            assert_eq!(check(&table(), &delivered), (delivered, vec![]));
        }
    }

    #[test]
    fn rows_that_several_clients_read_verify_by_the_order_of_each() {
        let clients = [(Share { client: 1, of: 2 }, 400), (Share { client: 2, of: 2 }, 395)];
        let of = |(share, rows): (Share, u64)| read((0..rows).map(move |own| share.of_all(own, 10) % ROWS));
        let delivered = of(clients[0]).plus(of(clients[1]));
        assert_eq!(compare(&table(), &delivered, &clients, 10), (delivered, vec![]));
        assert!(!compare(&table(), &delivered, &clients, 20).1.is_empty(), "other keys");
        let doubled = of(clients[0]).plus(of(clients[0]));
        assert!(!compare(&table(), &doubled, &[clients[0], (clients[1].0, 400)], 10).1.is_empty());
    }

    #[test]
    fn a_missing_row_a_swapped_pair_and_a_changed_one_are_told() {
        let swapped = read([1, 0].into_iter());
        assert!(check(&table(), &swapped).1[0].contains("the 2 rows delivered are not those of node in the order"));
        let mut other = table();
        other[64].2 += 1;
        let delivered = read(0..100);
        assert!(!check(&other, &delivered).1.is_empty());
        assert!(check(&table()[1..], &delivered).1[0].contains("node holds 255 rows"));
    }
}
