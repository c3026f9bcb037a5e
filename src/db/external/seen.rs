//! What a server that isn't the lab's says of itself, to a role that may see its own sessions at least.

use super::super::CONTROL;
use crate::model::clock;
use crate::wire::watched::{Doing, Encryption, Look, Seen, Wal};
use anyhow::{Context, Result};
use tokio_postgres::Client;

/// The ingester's backends: sessions of the role in this database that are not the lab's own.
const BACKENDS: &str = "pg_stat_activity WHERE usename = current_user AND datname = current_database() \
     AND backend_type = 'client backend' AND application_name <> $1";

/// What those backends do at this moment, by their wait events; and the server's WAL, everybody's. There is no kernel's
/// account: times on a CPU stay zero, and the machine's.
pub async fn look(client: &Client) -> Result<Look> {
    let at = clock::seconds();
    let query = format!(
        "SELECT coalesce(wait_event_type, ''), coalesce(wait_event, ''), count(*)::int FROM {BACKENDS} GROUP BY 1, 2"
    );
    let rows = client.query(&query, &[&CONTROL]).await.context("look at the backends")?;
    let seen = rows.iter().map(|row| {
        let (kind, event): (&str, &str) = (row.get(0), row.get(1));
        let (doing, wait) = match kind {
            "" => (Doing::Runnable, String::new()), // on a CPU, or ready: nobody can tell
            _ => (Doing::of('S', kind, event), format!("{kind}:{event}")),
        };
        Seen { doing, wait, count: u32::try_from(row.get::<_, i32>(2)).unwrap_or(0) }
    });
    let backends = seen.collect();
    Ok(Look { at, accounted: clock::seconds(), backends, wal: wal(client).await, ..Look::default() })
}

/// WAL of the whole server, where its version tells.
async fn wal(client: &Client) -> Wal {
    let row = client.query_one("SELECT wal_bytes::float8 FROM pg_stat_wal", &[]).await;
    row.map_or_else(|_| Wal::default(), |row| Wal { bytes: row.get(0), ..Wal::default() })
}

/// Whether the ingester's connections are encrypted. Those of other roles are not told to everybody, and not counted.
pub async fn encryption(client: &Client) -> Result<Encryption> {
    let query = format!(
        "SELECT ssl, coalesce(version, ''), coalesce(cipher, ''), count(*)::int FROM pg_stat_ssl \
         JOIN (SELECT pid FROM {BACKENDS}) mine USING (pid) WHERE ssl IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 4 DESC"
    );
    let rows = client.query(&query, &[&CONTROL]).await.context("ask what is encrypted")?;
    Ok(super::super::encryption::counted(&rows))
}
