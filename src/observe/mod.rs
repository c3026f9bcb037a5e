//! The watcher: runs beside the database, in its PID and network namespace, and says at random times what each
//! backend does. Two clocks tell the same story: the kernel's account of each process (`schedstat`) and how often a
//! process was seen in a state.
//!
//! ```text
//! pg_stat_activity ──┐
//! /proc/PID/stat   ──┼─► one look, a line of JSON
//! /proc/PID/schedstat┘
//! ```
//! It knows nothing of schemes or of the lab.

mod processes;

use crate::db;
use crate::model::clock;
use crate::model::poisson::Poisson;
use crate::wire::watched::{Doing, Look, Seen, Wal, WatchJob};
use anyhow::{Context, Result};
use processes::Processes;
use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write;
use std::time::Duration;
use tokio_postgres::Client;

/// The most of its time that the watcher looks rather than waits.
const DUTY: f64 = 0.02;

/// Backends of clients, the lab's own left out, with what they wait for, and the WAL so far: one statement, one round trip.
const LOOK: &str = "SELECT a.pid, coalesce(a.wait_event_type, ''), coalesce(a.wait_event, ''), \
     w.wal_bytes::float8, w.wal_sync::float8, w.wal_write_time, w.wal_sync_time \
     FROM pg_stat_wal w LEFT JOIN pg_stat_activity a \
     ON a.backend_type = 'client backend' AND a.application_name <> $1";

/// Looks until `stop`, a line of JSON each.
pub async fn watch(job: &WatchJob, stop: impl Future<Output = ()>, out: &mut dyn Write) -> Result<()> {
    let client = db::connect(&job.dburl).await?;
    let statement = client.prepare(LOOK).await.context("prepare to look at the backends")?;
    let mut processes = Processes::default();
    let mut times = Poisson::new(job.every, job.seed);
    let mut stop = std::pin::pin!(stop);
    loop {
        let (look, seconds) = look(&client, &statement, &mut processes).await?;
        serde_json::to_writer(&mut *out, &look).context("write a look")?;
        out.write_all(b"\n").and_then(|()| out.flush()).context("write a look")?;
        // Hundreds of backends take their time to be looked at: then there are fewer looks, still at random times.
        let slower = f64::max(1.0, seconds / (DUTY * job.every));
        tokio::select! {
            () = &mut stop => return Ok(()),
            () = tokio::time::sleep(Duration::from_secs_f64(times.pause() * slower)) => {}
        }
    }
}

/// One look, and how long the watcher itself was at it, seconds: waiting for the database's answer is not work.
async fn look(
    client: &Client,
    statement: &tokio_postgres::Statement,
    processes: &mut Processes,
) -> Result<(Look, f64)> {
    // First the states, at the time that chance chose. The answer to the statement comes when the database has a
    // processor again, and what backends do just then is nothing chance has chosen.
    let at = clock::seconds();
    let states = processes.states();
    let begun = clock::seconds();
    let rows = client.query(statement, &[&db::CONTROL]).await.context("look at the backends")?;
    let answered = clock::seconds();
    let mut look = Look { at, ..Look::default() };
    let mut seen: BTreeMap<(Doing, String), u32> = BTreeMap::new();
    let mut pids = Vec::new();
    for row in &rows {
        let number = |column: usize| row.get::<_, Option<f64>>(column).unwrap_or(0.0);
        let milliseconds = |column: usize| number(column) / 1e3;
        look.wal =
            Wal { bytes: number(3), syncs: number(4), write_seconds: milliseconds(5), sync_seconds: milliseconds(6) };
        let Some(pid) = row.get::<_, Option<i32>>(0) else { continue };
        pids.push(pid);
        // A backend that is new is seen at the next look.
        let Some(state) = states.get(&pid) else { continue };
        let (kind, event): (&str, &str) = (row.get(1), row.get(2));
        let doing = Doing::of(*state, kind, event);
        let wait = match (doing, kind) {
            (Doing::Runnable, _) | (_, "") => String::new(),
            _ => format!("{kind}:{event}"),
        };
        *seen.entry((doing, wait)).or_default() += 1;
    }
    look.backends = seen.into_iter().map(|((doing, wait), count)| Seen { doing, wait, count }).collect();
    processes.account(&pids);
    (look.on_cpu, look.run_queue, look.server_on_cpu) = processes.totals();
    (look.machine, look.idle) = processes::machine();
    look.accounted = clock::seconds();
    Ok((look, (begun - at) + (clock::seconds() - answered)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_ready_to_run_waits_for_no_event() {
        for (state, kind, event, expected) in [
            ('R', "LWLock", "WALWrite", Doing::Runnable),
            ('R', "", "", Doing::Runnable),
            ('S', "LWLock", "WALWrite", Doing::Wal),
            ('D', "IO", "WalSync", Doing::Wal),
            ('D', "", "", Doing::Io),
            ('D', "IO", "DataFileRead", Doing::Io),
            ('S', "Client", "ClientRead", Doing::Client),
            ('S', "Lock", "transactionid", Doing::Lock),
            ('S', "LWLock", "MultiXactGen", Doing::Lock),
            ('S', "", "", Doing::Other),
            ('S', "Timeout", "PgSleep", Doing::Other),
        ] {
            assert_eq!(Doing::of(state, kind, event), expected, "{state} {kind}:{event}");
        }
    }
}
