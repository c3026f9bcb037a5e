//! Prepares the tables: rebuilds them, empties them, brings them to the same state before every run.

use super::{checkpoints, node};
use crate::census::dictionary::Dictionary;
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use futures_util::SinkExt;
use std::fmt::Write as _;
use std::time::Duration;
use tokio_postgres::Client;

/// The tables of an ingest, children first, so that a drop in this order never meets a foreign key.
pub(super) const TABLES: [&str; 5] = ["data_element", "dictionary_item", "matrix", "geo_record", "progress"];

/// Where the lines of a ceiling wait while it runs: one that was killed leaves it behind.
pub const REPLAY: &str = "ingest_lab_replay";

/// What `schema.sql` says, compiled in: no file to lose.
const SCHEMA_SQL: &str = include_str!("../../schema.sql");

/// How often, and how far apart, to ask for the lock: a killed lab's last query ends first.
const LOCK_FREED: (u32, Duration) = (20, Duration::from_millis(100));

/// How often, and how far apart, to look whether a checkpoint was counted.
const COUNTED: (u32, Duration) = (100, Duration::from_millis(10));

/// Taken for as long as a lab uses a stack; the number is arbitrary, "ingest" in ASCII.
const LOCK_KEY: i64 = 0x69_6e_67_65_73_74;

/// Drops the lab's tables, creates them anew, loads the dictionary and fills `node`, in one transaction.
/// Returns (matrices, items) loaded.
pub async fn rebuild(client: &mut Client) -> Result<(u64, u64)> {
    let transaction = client.transaction().await.context("begin the rebuild")?;
    for table in TABLES.into_iter().chain([node::TABLE, REPLAY]) {
        transaction.batch_execute(&format!("DROP TABLE IF EXISTS {table} CASCADE")).await?;
    }
    transaction.batch_execute(SCHEMA_SQL).await.context("run schema.sql")?;
    let dictionary = Dictionary::embedded();
    let mut matrices = String::new();
    for matrix in dictionary.matrices() {
        writeln!(
            matrices,
            "{}\t{}\t{}\t{}\t{}",
            matrix.id, matrix.segment, matrix.code, matrix.title, matrix.universe
        )?;
    }
    let mut items = String::new();
    for item in dictionary.items() {
        writeln!(items, "{}\t{}\t{}\t{}", item.id, item.matrix, item.index, item.name)?;
    }
    let matrices = copy(&transaction, "COPY matrix (id, segment, code, title, universe) FROM STDIN", matrices).await?;
    let items = copy(&transaction, "COPY dictionary_item (id, matrix, index, name) FROM STDIN", items).await?;
    transaction.batch_execute(&node::fill_sql()).await.context("fill the table node")?;
    transaction.commit().await.context("commit the rebuild")?;
    vacuum(client, &["matrix", "dictionary_item", node::TABLE]).await?;
    Ok((matrices, items))
}

async fn copy(transaction: &tokio_postgres::Transaction<'_>, statement: &str, text: String) -> Result<u64> {
    let sink = transaction.copy_in(statement).await.with_context(|| format!("start {statement}"))?;
    let mut sink = std::pin::pin!(sink);
    sink.send(bytes::Bytes::from(text)).await?;
    sink.finish().await.with_context(|| format!("finish {statement}"))
}

/// Empties the tables an ingest fills. The dictionary stays.
pub async fn empty(client: &Client) -> Result<()> {
    client
        .batch_execute("TRUNCATE data_element, geo_record, progress RESTART IDENTITY")
        .await
        .context("empty the tables")?;
    Ok(())
}

/// Proof that the tables were brought to the state every run starts from.
#[derive(Debug)]
pub struct Settled(());

/// Brings the database to the state every run starts from: the tables empty, the parents vacuumed (row locks
/// taken on them by foreign keys leave multixacts that outlive a TRUNCATE), dirty pages and old WAL written out.
pub async fn settle(client: &Client) -> Result<Settled> {
    empty(client).await?;
    vacuum(client, &["geo_record", "dictionary_item", "matrix"]).await?;
    let before = checkpoints(client).await?;
    client.batch_execute("CHECKPOINT").await.context("write a checkpoint")?;
    // It is counted a moment later: it must not be taken for one that began inside the run.
    let (times, pause) = COUNTED;
    for _ in 0..times {
        if checkpoints(client).await? > before {
            break;
        }
        tokio::time::sleep(pause).await;
    }
    Ok(Settled(()))
}

/// One statement each: VACUUM refuses to run beside others.
pub(super) async fn vacuum(client: &Client, tables: &[&str]) -> Result<()> {
    for table in tables {
        client.batch_execute(&format!("VACUUM ANALYZE {table}")).await.with_context(|| format!("vacuum {table}"))?;
    }
    Ok(())
}

fn refuse(message: String) -> Failure {
    Failure::new(Exit::Database, message)
}

/// Fails unless the schema is there and its dictionary complete.
pub async fn require_tables(client: &Client) -> Result<()> {
    let missing: Vec<String> = client
        .query("SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL", &[&TABLES.as_slice()])
        .await
        .context("look for the tables")?
        .iter()
        .map(|row| row.get(0))
        .collect();
    if !missing.is_empty() {
        return Err(refuse(format!(
            "the database lacks the table {}: run `ingester rebuild` first",
            missing.join(", ")
        ))
        .into());
    }
    let row = client.query_one("SELECT count(*) FROM dictionary_item", &[]).await.context("count the dictionary")?;
    let expected = Dictionary::embedded().items().len() as i64;
    let items: i64 = row.get(0);
    if items != expected {
        return Err(refuse(format!(
            "the dictionary holds {items} items, not {expected}: run `ingester rebuild` first"
        ))
        .into());
    }
    Ok(())
}

/// Fails unless the tables that a run fills are empty: what is verified afterwards is then what this run wrote.
/// `geo_record` may hold rows where the run leaves it alone (`geo` false).
pub async fn require_empty(client: &Client, geo: bool) -> Result<()> {
    let row = client
        .query_one(
            "SELECT EXISTS (SELECT FROM geo_record) AS geo, EXISTS (SELECT FROM data_element) AS data, \
                    EXISTS (SELECT FROM progress) AS progress",
            &[],
        )
        .await
        .context("look into the tables")?;
    let resume = if row.get("progress") { ", or continue that ingest with --resume" } else { "" };
    for (table, filled) in [
        ("geo_record", geo && row.get::<_, bool>("geo")),
        ("data_element", row.get("data")),
        ("progress", geo && row.get::<_, bool>("progress")),
    ] {
        if filled {
            return Err(refuse(format!(
                "{table} already holds rows: run `ingester rebuild` to start from empty tables{resume}"
            ))
            .into());
        }
    }
    Ok(())
}

/// Fails where the tables hold rows that `progress` doesn't list: of them nobody can tell to which records they belong,
/// or whether any is missing. `listed` are the geographic records and the lines that it lists.
pub async fn require_resumable(client: &Client, geo: bool, listed: (u64, u64)) -> Result<()> {
    let row = client
        .query_one("SELECT count(*) AS geo, EXISTS (SELECT FROM data_element) AS data FROM geo_record", &[])
        .await
        .context("look into the tables")?;
    let (geo_rows, data): (i64, bool) = (row.get("geo"), row.get("data"));
    if geo && geo_rows as u64 != listed.0 {
        return Err(refuse(format!(
            "geo_record holds {geo_rows} rows, progress lists {} of them: rows of --commit auto cannot be resumed; leave them as they are with --phases data, or run `ingester rebuild`",
            listed.0
        ))
        .into());
    }
    if data && listed.1 == 0 {
        return Err(refuse(
            "data_element holds rows, and progress lists none of their lines: they are of --commit auto, which cannot be resumed; run `ingester rebuild`".into(),
        )
        .into());
    }
    Ok(())
}

/// Takes the database for this session, where no other lab has it; says whether that was so. Held until the connection
/// closes, so that a killed lab frees it.
pub(super) async fn is_taken(client: &Client) -> Result<bool> {
    let (times, pause) = LOCK_FREED;
    for _ in 0..times {
        let row = client
            .query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK_KEY])
            .await
            .context("ask for the lab's lock")?;
        if row.get(0) {
            return Ok(true);
        }
        tokio::time::sleep(pause).await;
    }
    Ok(false)
}

/// Takes the stack for this session, or says that another one has it.
pub async fn lock(client: &Client) -> Result<()> {
    if is_taken(client).await? {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Busy,
        "another lab is using this stack: wait for it, or stop it (`./lab list` shows what runs)",
    )
    .into())
}
