//! The database as the lab and the ingester see it: connect, prepare the tables, verify what arrived.
//! Knows the SF1 dictionary; knows nothing of schemes, links or the container engine.

pub mod command;
mod cure;
pub mod geo;
mod node;
pub mod numeric;
pub mod progress;
mod schema;
mod settings;
mod spin;
mod verify;

pub use cure::is_curable;
pub use node::require_nodes;
pub use schema::{Settled, empty, lock, rebuild, require_empty, require_resumable, require_tables, settle};
pub use settings::{
    FOREIGN_KEYS, checkpoints, clock, foreign_keys, keep_no_wal, max_connections, next_wal_file, reset_settings,
    set_foreign_keys, set_synchronous_commit, take_memory,
};
pub use spin::spin;
pub use verify::verify;

use crate::wire::DbUrl;
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use std::error::Error as _;
use std::time::{Duration, Instant};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

/// A connection that nobody answers is given up after this long; the farthest link profile needs about 2 s.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// What the lab's own connections are called in `pg_stat_activity`.
pub const CONTROL: &str = "ingest-lab control";

/// Data that nobody acknowledges for so long ends a connection: TCP's own patience is a quarter of an hour.
const UNANSWERED: Duration = Duration::from_secs(60);

/// A silent connection is asked whether it is still there after this long, and as often.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Where connections that break are opened again, one that is dead is given up earlier: a packet that is lost is sent
/// again after 0.2, 0.4, 0.8 … s, so this is seven losses in a row, or a link that is cut.
const CUT: Duration = Duration::from_secs(15);

/// A connection attempt is made anew after this long, where there will be others: three losses of its first packet.
const ATTEMPT: Duration = Duration::from_secs(8);

/// How long a database may be away, for who asks again; and how often that is.
const AWAY: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Makes connections notice sooner that they are dead, for whoever opens them again.
pub fn impatient(config: &mut Config) {
    config.connect_timeout(ATTEMPT).tcp_user_timeout(CUT).keepalives_idle(CUT / 3).keepalives_interval(CUT / 3);
}

/// Parses a database URL and names the program in `pg_stat_activity`.
pub fn config(url: &DbUrl, application: &str) -> Result<Config> {
    let mut config: Config = url.0.parse().map_err(|error: tokio_postgres::Error| {
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        Failure::new(
            Exit::Usage,
            format!(
                "the database URL cannot be read: {cause}; it looks like postgresql://user:password@host:5432/name"
            ),
        )
    })?;
    config.application_name(application).connect_timeout(CONNECT_TIMEOUT);
    config.tcp_user_timeout(UNANSWERED).keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE);
    Ok(config)
}

/// Opens a connection for the caller's own statements (never part of what is measured).
/// Its protocol work runs as a task of the current tokio runtime.
pub async fn connect(url: &DbUrl) -> Result<Client> {
    Ok(open(&config(url, CONTROL)?).await.map_err(|error| explain(&error, url))?)
}

async fn open(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the control connection ended");
        }
    });
    Ok(client)
}

/// The same, once more for as long as the database is away: a server that crashed reads its log back.
pub async fn connect_again(url: &DbUrl) -> Result<Client> {
    let (config, begun) = (config(url, CONTROL)?, Instant::now());
    loop {
        match open(&config).await {
            Err(error) if is_curable(&error) && begun.elapsed() < AWAY => tokio::time::sleep(ASK_AGAIN).await,
            outcome => return Ok(outcome.map_err(|error| explain(&error, url))?),
        }
    }
}

/// A driver's error as a sentence with the remedy, and the exit code it leads to.
pub fn explain(error: &tokio_postgres::Error, url: &DbUrl) -> Failure {
    let place = url.to_string();
    let Some(db) = error.as_db_error() else {
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        // The driver tells the two apart in its text only.
        let lost = error.is_closed() || error.to_string().starts_with("error communicating with the server");
        let text = if lost {
            format!(
                "the connection to the database at {place} was lost ({cause}): check that it runs; its log says why"
            )
        } else {
            format!("the database at {place} is not reachable ({cause}): check that it runs and that the URL names it")
        };
        return Failure::new(Exit::Database, text);
    };
    let code = db.code();
    let message = db.message();
    let text = if *code == SqlState::INVALID_PASSWORD || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
        format!("the database at {place} refuses the user or password ({message}): check the URL's user:password")
    } else if *code == SqlState::TOO_MANY_CONNECTIONS {
        format!(
            "the database at {place} has no connection left ({message}): use a smaller pool, or raise max_connections"
        )
    } else if *code == SqlState::UNDEFINED_TABLE {
        format!("the database at {place} lacks a table ({message}): run `ingester rebuild` first")
    } else if *code == SqlState::INVALID_CATALOG_NAME {
        format!("the database at {place} does not exist ({message}): create it, or correct the URL")
    } else {
        let detail = db.detail().map(|detail| format!("; {detail}")).unwrap_or_default();
        format!("the database at {place} says: {message} ({}){detail}", code.code())
    };
    Failure::new(Exit::Database, text)
}

/// Whether a moment later a connection may be had: the server has no slot left, or is just starting.
pub fn is_passing(error: &tokio_postgres::Error) -> bool {
    let refused = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused)
    };
    match error.code() {
        Some(code) => [SqlState::TOO_MANY_CONNECTIONS, SqlState::CANNOT_CONNECT_NOW].contains(code),
        None => error.source().is_some_and(refused),
    }
}

/// Fails with a sentence unless the server can take `pool` more connections.
pub async fn require_connections(client: &Client, pool: usize) -> Result<()> {
    let row = client
        .query_one(
            "SELECT current_setting('max_connections')::int \
                  - current_setting('superuser_reserved_connections')::int AS most, \
                    (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS used",
            &[],
        )
        .await
        .context("ask for max_connections")?;
    let (most, used): (i32, i32) = (row.get("most"), row.get("used"));
    let free = usize::try_from(most - used).unwrap_or(0);
    if free < pool {
        return Err(Failure::new(
            Exit::Database,
            format!("a pool of {pool} needs {pool} connections, the database has {free} left of {most}: use a smaller --pool, or raise max_connections"),
        )
        .into());
    }
    Ok(())
}
