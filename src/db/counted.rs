//! What the server counts itself: statements, pages. Read before an ingest and after it, where it is in nobody's way.

use crate::wire::watched::{Counted, Pages, Statements};
use tokio_postgres::Client;

/// Where the extension is, and whether its view tells statements as clients sent them from those within functions and
/// triggers, which are in the time of the former already.
const PLACE: &str = "SELECT quote_ident(n.nspname), \
     EXISTS (SELECT FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
             WHERE c.relnamespace = n.oid AND c.relname = 'pg_stat_statements' AND a.attname = 'toplevel') \
     FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'";

/// The database's pages, everybody's.
const PAGES: &str = "SELECT blks_hit::float8, blks_read::float8, blk_read_time::float8 / 1e3, \
     blk_write_time::float8 / 1e3 FROM pg_stat_database WHERE datname = current_database()";

/// What has been counted so far. What the server doesn't tell this session is none: a run is a run without it.
pub async fn counted(client: &Client) -> Counted {
    Counted { statements: statements(client).await, pages: pages(client).await }
}

/// What the role's statements in this database have taken so far; none where the extension isn't there, or says nothing
/// to this role.
///
/// Ingesters connect as the lab does. What is told from theirs is what reads the server's catalogs and its account of
/// itself (`pg_…`): the lab's looks, and waits for advisory locks. No workload does.
pub(super) async fn statements(client: &Client) -> Option<Statements> {
    let place = client.query_opt(PLACE, &[]).await.ok()??;
    let (schema, tells): (String, bool) = (place.get(0), place.get(1));
    let sent = if tells { "AND toplevel" } else { "" };
    let query = format!(
        "SELECT coalesce(sum(calls), 0)::float8, coalesce(sum(total_exec_time), 0)::float8 / 1e3 \
         FROM {schema}.pg_stat_statements WHERE userid = (SELECT oid FROM pg_roles WHERE rolname = current_user) \
         AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         AND position('pg_' IN coalesce(query, '')) = 0 {sent}"
    );
    // It may be installed and not loaded.
    let row = client.query_one(&query, &[]).await.ok()?;
    Some(Statements { calls: row.get(0), seconds: row.get(1) })
}

async fn pages(client: &Client) -> Option<Pages> {
    let row = client.query_opt(PAGES, &[]).await.ok()??;
    Some(Pages { hit: row.get(0), read: row.get(1), read_seconds: row.get(2), write_seconds: row.get(3) })
}
