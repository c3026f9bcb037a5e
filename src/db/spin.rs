//! A short spin inside the database's container, as its server's processes would do it.

use crate::wire::spin::{PAUSE, Pause, Spin};
use anyhow::{Context, Result};
use tokio_postgres::Client;

/// Processor time of the server's process, seconds, from the kernel's own account.
const USED: &str = "split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::float8 / 1e9";

/// Made for the session alone; it goes with it. The inner loop is the piece of work.
fn function() -> String {
    format!(
        "CREATE OR REPLACE FUNCTION pg_temp.spin(length float8, OUT seconds float8, OUT cpu float8, OUT work float8,
            OUT lengths float8[], OUT ends float8[], OUT cpus float8[]) AS $$
        DECLARE
            begun timestamptz := clock_timestamp();
            looked timestamptz := begun;
            noted timestamptz := begun;
            used float8 := {USED};
            took float8;
            pieces int := 0;
            x bigint := 1;
        BEGIN
            lengths := '{{}}';
            ends := '{{}}';
            cpus := '{{}}';
            WHILE looked < begun + make_interval(secs => length) LOOP
                FOR i IN 1..5000 LOOP
                    x := (x * 48271) % 2147483647;
                END LOOP;
                pieces := pieces + 1;
                noted := clock_timestamp();
                took := extract(epoch FROM noted - looked);
                IF took > {PAUSE} THEN
                    lengths := array_append(lengths, took);
                    ends := array_append(ends, extract(epoch FROM noted - begun)::float8);
                    cpus := array_append(cpus, {USED} - used);
                END IF;
                looked := noted;
            END LOOP;
            seconds := extract(epoch FROM looked - begun);
            cpu := {USED} - used;
            work := cpu / pieces;
        END
        $$ LANGUAGE plpgsql"
    )
}

/// Spins on every one of these connections at once, for so many seconds.
pub async fn spin(clients: &[&Client], seconds: f64) -> Result<Vec<Spin>> {
    let spins = clients.iter().map(|client| one(client, seconds));
    futures_util::future::try_join_all(spins).await.context("spin in the database")
}

async fn one(client: &Client, seconds: f64) -> Result<Spin> {
    client.batch_execute(&function()).await?;
    let row = client.query_one("SELECT * FROM pg_temp.spin($1)", &[&seconds]).await?;
    let column = |name: &str| row.get::<_, Vec<f64>>(name).into_iter();
    let pauses = column("lengths").zip(column("ends")).zip(column("cpus"));
    Ok(Spin {
        seconds: row.get("seconds"),
        cpu: row.get("cpu"),
        pauses: pauses.map(|((length, end), cpu)| Pause { length, end, cpu }).collect(),
        work: row.get("work"),
    })
}
