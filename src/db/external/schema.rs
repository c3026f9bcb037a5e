//! The schema that is the lab's on a server that isn't: made with a mark, known by it, dropped without taking along what
//! somebody else has put beside or upon it.

use super::super::schema::{TABLES, empty, is_taken, vacuum};
use super::super::{REPLAY, node, rebuild};
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use tokio_postgres::Client;

/// Its name, and the only entry of `search_path` in every session of a run: nothing the lab says can mean another.
pub const SCHEMA: &str = "ingest_lab";

/// Its comment: whoever finds one without it has found somebody else's.
const MARK: &str = "Ingest Lab: made by the lab, which drops it with everything in it";

/// What there is by that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Absent,
    /// What a lab made and, killed, left.
    Ours,
    /// Something that no lab made, or that this role doesn't own: why.
    Foreign(String),
}

/// Looks for it.
pub(super) async fn state(client: &Client) -> Result<State> {
    let query = "SELECT coalesce(obj_description(oid, 'pg_namespace'), ''), \
                 pg_has_role(current_user, nspowner, 'USAGE') FROM pg_namespace WHERE nspname = $1";
    let row = client.query_opt(query, &[&SCHEMA]).await.context("look for the lab's schema")?;
    Ok(match row.map(|row| (row.get::<_, String>(0), row.get::<_, bool>(1))) {
        None => State::Absent,
        Some((comment, _)) if comment != MARK => State::Foreign("it has no comment of the lab's".into()),
        Some((_, false)) => State::Foreign("another role's lab made it".into()),
        Some((_, true)) => State::Ours,
    })
}

/// Takes the schema for this session. Held until it closes.
pub async fn lock(client: &Client) -> Result<()> {
    if is_taken(client).await? {
        return Ok(());
    }
    let message =
        "another lab is using this external database: wait for it; pg_locks shows its session (locktype advisory)";
    Err(Failure::new(Exit::Busy, message).into())
}

/// Makes the schema anew with the lab's tables in it.
pub async fn make(client: &mut Client) -> Result<()> {
    drop_schema(client).await?;
    let transaction = client.transaction().await.context("begin to make the schema")?;
    let make = format!("CREATE SCHEMA {SCHEMA}; COMMENT ON SCHEMA {SCHEMA} IS '{MARK}'");
    transaction.batch_execute(&make).await.context("make the lab's schema")?;
    transaction.commit().await.context("make the lab's schema")?;
    rebuild(client).await.map(drop)
}

/// Drops the schema where there is one of the lab's. Whatever somebody else made in it, or hung on its tables, keeps it
/// from going: then nothing is dropped.
pub async fn drop_schema(client: &mut Client) -> Result<()> {
    if state(client).await? != State::Ours {
        return Ok(());
    }
    let tables: Vec<String> =
        TABLES.iter().copied().chain([node::TABLE, REPLAY]).map(|table| format!("{SCHEMA}.{table}")).collect();
    let transaction = client.transaction().await.context("begin to drop the schema")?;
    let statement = format!("DROP TABLE IF EXISTS {} RESTRICT; DROP SCHEMA {SCHEMA} RESTRICT", tables.join(", "));
    if let Err(error) = transaction.batch_execute(&statement).await {
        let said = error.as_db_error().map_or_else(|| error.to_string(), |said| said.message().to_owned());
        let message = format!(
            "the lab's schema {SCHEMA} cannot be dropped ({said}): something that is not the lab's is in it or hangs on it; \
             nothing was dropped, look at it with psql"
        );
        return Err(Failure::new(Exit::Database, message).into());
    }
    transaction.commit().await.context("drop the lab's schema")
}

/// The state every run starts from, as far as it is the lab's to make: its tables empty, those that are referred to
/// vacuumed. A checkpoint of a server that others use is theirs.
pub async fn settle(client: &Client) -> Result<()> {
    empty(client).await?;
    vacuum(client, &["geo_record", "dictionary_item", "matrix"]).await
}

/// Connections that a run can have at most, by what server, database and role allow and what others have open.
pub async fn capacity(client: &Client) -> Result<usize> {
    let query = "SELECT least( \
            current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int \
                - coalesce(current_setting('reserved_connections', true)::int, 0) \
                - (SELECT count(*)::int FROM pg_stat_activity WHERE datid IS NOT NULL), \
            (SELECT CASE WHEN datconnlimit >= 0 THEN datconnlimit - 1 END FROM pg_database \
                WHERE datname = current_database()), \
            (SELECT CASE WHEN rolconnlimit >= 0 THEN rolconnlimit - 1 END FROM pg_roles WHERE rolname = current_user))";
    let free: i32 = client.query_one(query, &[]).await.context("ask for the server's connections")?.get(0);
    Ok(usize::try_from(free).unwrap_or(0))
}
