//! What an experiment may change of the database and its tables, and what puts it back.

use crate::model::Switch;
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use std::time::Duration;
use tokio_postgres::Client;

/// Server settings that an experiment may change, all with ALTER SYSTEM. Whoever cleans up resets these.
const CHANGED: [&str; 2] = ["synchronous_commit", "wal_recycle"];

/// The foreign keys of `data_element`: name, column, what it refers to.
pub const FOREIGN_KEYS: [(&str, &str, &str); 2] = [
    ("data_element_geo_record_fkey", "geo_record", "geo_record (id)"),
    ("data_element_dictionary_item_fkey", "dictionary_item", "dictionary_item (id)"),
];

/// A reload is asked of the server by a signal: how often and how long to look whether it has happened.
const RELOAD: (u32, Duration) = (200, Duration::from_millis(10));

/// Makes commits wait for the disk, or not, for every session from now on. Returns what the server says it does.
pub async fn set_synchronous_commit(client: &Client, value: Switch) -> Result<String> {
    let found = shown(client, "synchronous_commit").await?;
    if found == value.word() {
        return Ok(found);
    }
    client
        .batch_execute(&format!("ALTER SYSTEM SET synchronous_commit = {value}"))
        .await
        .context("change a setting")?;
    reload(client, "synchronous_commit", value.word()).await
}

/// From the next checkpoint on no file of the write-ahead log is kept for later: each new one needs room.
pub async fn keep_no_wal(client: &Client) -> Result<()> {
    client.batch_execute("ALTER SYSTEM SET wal_recycle = off").await.context("change a setting")?;
    reload(client, "wal_recycle", "off").await.map(drop)
}

/// Has the server begin a new file of its write-ahead log.
pub async fn next_wal_file(client: &Client) -> Result<()> {
    client.batch_execute("SELECT pg_switch_wal()").await.context("begin a new file of the write-ahead log")
}

/// Makes the connection's backend use so many bytes of memory for a moment.
pub async fn take_memory(client: &Client, bytes: u64) -> Result<()> {
    const MEGABYTE: u64 = 1 << 20;
    let asked = format!("SELECT length(repeat(repeat('x', {MEGABYTE}), {}))", bytes / MEGABYTE);
    client.batch_execute(&asked).await.context("use memory")
}

/// Takes back every server setting that an experiment may have changed. Says whether there was one.
pub async fn reset_settings(client: &Client) -> Result<bool> {
    let row = client
        .query_one(
            "SELECT count(*) FROM pg_file_settings WHERE name = ANY($1) AND sourcefile LIKE '%postgresql.auto.conf'",
            &[&CHANGED.as_slice()],
        )
        .await
        .context("look for changed settings")?;
    if row.get::<_, i64>(0) == 0 {
        return Ok(false);
    }
    for name in CHANGED {
        client.batch_execute(&format!("ALTER SYSTEM RESET {name}")).await.context("take back a setting")?;
    }
    client.batch_execute("SELECT pg_reload_conf()").await.context("reload the settings")?;
    Ok(true)
}

/// What a setting is in a session, by the server's word.
pub async fn shown(client: &Client, name: &str) -> Result<String> {
    Ok(client.query_one("SELECT current_setting($1)", &[&name]).await.context("read a setting")?.get(0))
}

async fn reload(client: &Client, name: &str, value: &str) -> Result<String> {
    client.batch_execute("SELECT pg_reload_conf()").await.context("reload the settings")?;
    let (times, pause) = RELOAD;
    for _ in 0..times {
        let found = shown(client, name).await?;
        if found == value {
            return Ok(found);
        }
        tokio::time::sleep(pause).await;
    }
    let message = format!("the database did not take {name} = {value}: `make down up` starts it anew");
    Err(Failure::new(Exit::Database, message).into())
}

/// Has the two foreign keys of `data_element`, or not. The table has to be empty. Returns how many there are.
pub async fn set_foreign_keys(client: &Client, wanted: Switch) -> Result<i64> {
    for (name, column, target) in FOREIGN_KEYS {
        client.batch_execute(&format!("ALTER TABLE data_element DROP CONSTRAINT IF EXISTS {name}")).await?;
        if wanted == Switch::On {
            let add =
                format!("ALTER TABLE data_element ADD CONSTRAINT {name} FOREIGN KEY ({column}) REFERENCES {target}");
            client.batch_execute(&add).await.context("add a foreign key")?;
        }
    }
    Ok(foreign_keys(client).await?.unwrap_or(0))
}

/// How many foreign keys `data_element` has; none where there is no such table.
pub async fn foreign_keys(client: &Client) -> Result<Option<i64>> {
    let query = "SELECT to_regclass('data_element') IS NOT NULL AS there, \
                 (SELECT count(*) FROM pg_constraint WHERE conrelid = to_regclass('data_element') AND contype = 'f')";
    let row = client.query_one(query, &[]).await.context("count the foreign keys")?;
    Ok(row.get::<_, bool>(0).then(|| row.get(1)))
}

/// Checkpoints begun since the server's statistics were.
pub async fn checkpoints(client: &Client) -> Result<i64> {
    let version: i32 = client.query_one("SELECT current_setting('server_version_num')::int", &[]).await?.get(0);
    let query = if version >= 170_000 {
        "SELECT num_timed + num_requested FROM pg_stat_checkpointer"
    } else {
        "SELECT checkpoints_timed + checkpoints_req FROM pg_stat_bgwriter"
    };
    Ok(client.query_one(query, &[]).await.context("count the checkpoints")?.get(0))
}

/// Connections that a run can have at most: those kept for administrators and for the lab itself taken off.
pub async fn max_connections(client: &Client) -> Result<usize> {
    let query = "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int \
                 - (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend')";
    let free: i32 = client.query_one(query, &[]).await.context("ask for max_connections")?.get(0);
    Ok(usize::try_from(free).unwrap_or(0))
}

/// The database's clock, seconds since 1970.
pub async fn clock(client: &Client) -> Result<f64> {
    let query = "SELECT extract(epoch FROM clock_timestamp())::float8";
    Ok(client.query_one(query, &[]).await.context("ask for the time")?.get(0))
}
