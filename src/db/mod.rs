//! The database as the lab and the ingester see it: connect, prepare the tables, verify what arrived.
//! Knows the SF1 dictionary; knows nothing of schemes, links or the container engine.

mod address;
pub mod command;
mod counted;
mod cure;
mod encryption;
pub mod external;
pub mod geo;
mod node;
pub mod numeric;
pub mod progress;
mod schema;
mod settings;
mod spin;
mod tls;
mod verify;

pub use address::{Address, CONNECT_TIMEOUT};
pub use counted::counted;
pub use cure::is_curable;
pub use encryption::encryption;
pub use node::require_nodes;
pub use schema::{REPLAY, Settled, empty, lock, rebuild, require_empty, require_resumable, require_tables, settle};
pub use settings::{
    FOREIGN_KEYS, checkpoints, clock, foreign_keys, keep_no_wal, max_connections, next_wal_file, reset_settings,
    set_foreign_keys, set_synchronous_commit, shown, take_memory,
};
pub use spin::spin;
pub use tls::Connection;
pub use verify::{verify, verify_run};

use crate::wire::DbUrl;
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use std::error::Error as _;
use std::time::{Duration, Instant};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// What the lab's own connections are called in `pg_stat_activity`.
pub const CONTROL: &str = "ingest-lab control";

/// How long a database may be away, for who asks again; and how often that is.
const AWAY: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Opens a connection for the caller's own statements (never part of what is measured).
/// Its protocol work runs as a task of the current tokio runtime.
pub async fn connect(url: &DbUrl) -> Result<Client> {
    connect_as(url, None).await
}

/// The same, encrypted where there is a certificate (PEM) to verify the database's by.
pub async fn connect_as(url: &DbUrl, authority: Option<&str>) -> Result<Client> {
    let address = Address::of(url, authority, CONTROL)?;
    Ok(open(&address).await.map_err(|error| explain(&error, url))?)
}

async fn open(address: &Address) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = address.connect().await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the control connection ended");
        }
    });
    Ok(client)
}

/// The same, once more for as long as the database is away: a server that crashed reads its log back.
pub async fn connect_again(url: &DbUrl, authority: Option<&str>) -> Result<Client> {
    let (address, begun) = (Address::of(url, authority, CONTROL)?, Instant::now());
    loop {
        match open(&address).await {
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
        let text = if error.to_string().starts_with("error performing TLS handshake") {
            format!(
                "the connection to the database at {place} cannot be encrypted ({cause}): check that it offers TLS, and \
                 that its certificate names this host and is signed by the one to trust"
            )
        } else if lost {
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
