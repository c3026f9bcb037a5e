//! How the database is reached: by the lab itself, and by an ingester through the link.

use crate::engine::{Healthy, Stack};
use crate::model::Tls;
use crate::wire::DbUrl;
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use std::path::Path;

/// Where the database's container keeps its password, and where the lab's finds it.
const PASSWORD: &str = "/run/ingest-lab/password";

/// Where it keeps the certificate of who signed its own: nothing secret.
const AUTHORITY: &str = "/run/ingest-lab/ca.crt";

/// Says where else the password is.
const PASSWORD_VARIABLE: &str = "INGEST_LAB_PASSWORD_FILE";

/// Where the lab itself reaches the database, and the password. In its container the name `db` is known and the
/// password is a file; on the host the engine hands both out; on a swarm the engine carries the connection as well.
pub(super) async fn control_url(stack: &Stack, db: &Healthy) -> Result<(DbUrl, String)> {
    if let Some(way) = stack.way_to_database().await? {
        let password = password(stack, db).await?;
        return Ok((database_url(&password, &way.to_string()), password));
    }
    let file = std::env::var(PASSWORD_VARIABLE).unwrap_or_else(|_| PASSWORD.into());
    if Path::new(&file).exists() || std::env::var_os(PASSWORD_VARIABLE).is_some() {
        let password = fs_err::read_to_string(&file).map_err(|error| {
            Failure::new(Exit::Database, format!("the database's password cannot be read: {error}"))
        })?;
        let password = password.trim().to_owned();
        return Ok((database_url(&password, &db.container().service), password));
    }
    let network = stack.network("database").await?;
    let address = db.address(&network).ok_or_else(|| {
        Failure::new(Exit::Engine, "the database has no address on its network: `make up` starts the stack anew")
    })?;
    let password = password(stack, db).await?;
    Ok((database_url(&password, &address.to_string()), password))
}

/// The password, as the engine hands it out.
async fn password(stack: &Stack, db: &Healthy) -> Result<String> {
    let password = stack.read_file(db.container(), PASSWORD).await?.ok_or_else(|| {
        Failure::new(Exit::Database, format!("the database's container has no {PASSWORD}: `make down up` makes it"))
    })?;
    Ok(String::from_utf8_lossy(&password).trim().to_owned())
}

/// Who signed the database's certificate, PEM. None where it offers no encryption: the image is older.
pub(super) async fn authority(stack: &Stack, db: &Healthy) -> Result<Option<String>> {
    let found = stack.read_file(db.container(), AUTHORITY).await?;
    Ok(found.map(|pem| String::from_utf8_lossy(&pem).into_owned()))
}

/// What a job needs to connect encrypted, where its cell asks for that.
pub(super) fn trust(tls: Tls, authority: Option<&str>) -> Result<Option<String>> {
    match (tls, authority) {
        (Tls::Off, _) => Ok(None),
        (Tls::On, Some(pem)) => Ok(Some(pem.to_owned())),
        (Tls::On, None) => {
            let message = format!("the database's container has no {AUTHORITY}: `make down up` makes it");
            Err(Failure::new(Exit::Database, message).into())
        }
    }
}

/// The stack's database as seen from somewhere: a host, or a host with a port.
pub(super) fn database_url(password: &str, host: &str) -> DbUrl {
    let port = if host.contains(':') { "" } else { ":5432" };
    let escaped: String = password
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    DbUrl(format!("postgresql://ingest:{escaped}@{host}{port}/ingest"))
}
