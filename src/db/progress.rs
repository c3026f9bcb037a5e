//! The table `progress`: which records the database holds, written in the transactions of their rows; and what makes
//! sure that nobody still writes to it behind somebody's back.
//!
//! ```text
//! BEGIN ─ rows … ─ INSERT INTO progress; COMMIT        one request: no round trip more than without
//! ```
//! A connection that writes progress holds an advisory lock, its mark. It is gone only when its server process is, with
//! whatever it still had to read from its socket. So who takes over a mark, by ending its holder and waiting for the
//! lock, knows that what `progress` says is the last word.

use super::command::{Command, Value};
use crate::model::Protocol;
use crate::model::ranges::Listed;
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// The lock class of marks, arbitrary: "prog" in ASCII.
const CLASS: i32 = 0x70_72_6f_67;

/// A server process that is told to end does so in moments, or when its disk answers.
pub const GONE: Duration = Duration::from_secs(30);

/// How often to look whether it has.
pub const LOOK: Duration = Duration::from_millis(20);

/// The holders of marks in this database, but for oneself.
const HOLDERS: &str = "pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND pid <> pg_backend_pid() \
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// The number of a run's first connection; the others follow. The upper half is the run's own.
pub fn first_mark(run: u16) -> u32 {
    u32::from(run) << 16
}

/// A statement without parameters that gives integers, in one round trip under any driver.
fn simple(sql: &str) -> Command {
    Command::new(sql, None, Protocol::Simple)
}

/// Takes a mark that nobody holds, or waits until it is so.
pub fn wait_for(mark: u32) -> String {
    format!("SELECT pg_advisory_lock({CLASS}, {})", mark as i32)
}

/// Takes a mark if nobody holds it: 1, else 0.
pub fn take(mark: u32) -> Command {
    simple(&format!("SELECT pg_try_advisory_lock({CLASS}, {})::int", mark as i32))
}

/// Ends whoever holds a mark.
pub fn end_holder(mark: u32) -> Command {
    simple(&format!(
        "SELECT count(pg_terminate_backend(pid))::int FROM {HOLDERS} AND classid = {CLASS} AND objid = {mark}"
    ))
}

/// How many connections of other runs than a mark's there are.
pub fn others(mark: u32) -> Command {
    simple(&format!(
        "SELECT count(*)::int FROM {HOLDERS} AND classid = {CLASS} AND objid::int8 >> 16 <> {}",
        mark >> 16
    ))
}

/// Ends every connection that writes progress here (of a mark where one is given), and waits until they are gone.
pub async fn fence(client: &Client, mark: Option<u32>) -> Result<()> {
    let of_mark = mark.map_or(String::new(), |mark| format!(" AND objid = {mark}"));
    let sql = format!("SELECT count(pg_terminate_backend(pid)) FROM {HOLDERS} AND classid = {CLASS}{of_mark}");
    let begun = Instant::now();
    loop {
        let left = client.query_one(&sql, &[]).await.context("end the connections of an earlier run")?;
        if left.get::<_, i64>(0) == 0 {
            return Ok(());
        }
        if begun.elapsed() > GONE {
            let text = "connections of an earlier run are still there: look for them in pg_stat_activity, and end them";
            return Err(Failure::new(Exit::Database, text).into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What commits, and says with it which records the transaction holds.
pub fn commit_sql(records: &Listed) -> String {
    let mut sql = String::from("INSERT INTO progress (source, first, last) VALUES ");
    for (index, (source, first, last)) in records.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(sql, "{}({}, {first}, {last})", if index == 0 { "" } else { ", " }, literal(source));
    }
    sql.push_str("; COMMIT");
    sql
}

/// A statement that inserts one row, its parameters numbered up to `parameters`, and with it that a record is there: one
/// transaction without a BEGIN. Two parameters more: source and record.
pub fn told(insert: &str, parameters: usize) -> String {
    let (source, record) = (parameters + 1, parameters + 2);
    format!(
        "WITH told AS (INSERT INTO progress (source, first, last) VALUES (${source}, ${record}, ${record})) {insert}"
    )
}

/// The numbers of those among a source's records that are there.
pub fn find(source: &str, first: u64, last: u64) -> Command {
    simple(&format!(
        "SELECT record::int FROM progress, generate_series(greatest(first, {first}), least(last, {last})) AS record \
         WHERE source = {} AND last >= {first} AND first <= {last}",
        literal(source)
    ))
}

fn literal(text: &str) -> String {
    let mut out = String::new();
    Value::Text(text).literal(&mut out);
    out
}

/// All that is listed.
pub async fn load(client: &Client) -> Result<Listed> {
    let mut listed = Listed::default();
    let rows = client.query("SELECT source, first, last FROM progress", &[]).await.context("read progress")?;
    for row in rows {
        let (source, first, last): (&str, i64, i64) = (row.get(0), row.get(1), row.get(2));
        if !listed.add(source, first as u64, last as u64) {
            let text = format!(
                "progress lists records {first} to {last} of {source}, or some of them, twice: their rows are there twice; run `ingester rebuild` and ingest anew"
            );
            return Err(Failure::new(Exit::NotVerified, text).into());
        }
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_s_records_go_with_its_commit_as_runs_of_each_source() {
        let mut records = Listed::default();
        for (source, line) in [("b_uf1.zip", 7), ("O'Brien.zip", 3), ("b_uf1.zip", 8), ("b_uf1.zip", 10)] {
            records.add(source, line, line);
        }
        assert_eq!(
            commit_sql(&records),
            "INSERT INTO progress (source, first, last) VALUES ('O''Brien.zip', 3, 3), ('b_uf1.zip', 7, 8), \
             ('b_uf1.zip', 10, 10); COMMIT"
        );
    }

    #[test]
    fn marks_of_a_run_share_its_number() {
        assert_eq!((first_mark(7) + 499) >> 16, 7);
        assert_eq!(first_mark(u16::MAX), 0xffff_0000);
    }
}
