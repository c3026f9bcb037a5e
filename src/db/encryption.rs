//! Whether a client's connections really are encrypted: the database's own word for it.

use crate::wire::watched::Encryption;
use anyhow::{Context, Result};
use tokio_postgres::{Client, Row};

/// Client connections by what they are encrypted with, the lab's own and those from the database's own host left out.
const CONNECTIONS: &str = "SELECT ssl, coalesce(version, ''), coalesce(cipher, ''), count(*)::int \
     FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
     WHERE backend_type = 'client backend' AND application_name <> $1 AND host(client_addr) <> '127.0.0.1' \
     GROUP BY 1, 2, 3 ORDER BY 4 DESC";

/// What connections there are right now.
pub async fn encryption(client: &Client) -> Result<Encryption> {
    let rows = client.query(CONNECTIONS, &[&super::CONTROL]).await.context("ask what is encrypted")?;
    Ok(counted(&rows))
}

/// Of rows that say whether, by which protocol and cipher, and how many.
pub(super) fn counted(rows: &[Row]) -> Encryption {
    let mut seen = Encryption::default();
    for row in rows {
        let count = u32::try_from(row.get::<_, i32>(3)).unwrap_or(0);
        if !row.get::<_, bool>(0) {
            seen.plain += count;
            continue;
        }
        if seen.encrypted == 0 {
            (seen.version, seen.cipher) = (row.get(1), row.get(2)); // that of the most
        }
        seen.encrypted += count;
    }
    seen
}
