//! Where a database is and how it is spoken to: what a URL says, and the certificate that a job brings.

use super::tls::{self, Connection, Connector};
use crate::wire::DbUrl;
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use percent_encoding::percent_decode_str;
use std::error::Error as _;
use std::time::Duration;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, Error};

/// A connection that nobody answers is given up after this long; the farthest link profile needs about 2 s.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Data that nobody acknowledges for so long ends a connection: TCP's own patience is a quarter of an hour.
const UNANSWERED: Duration = Duration::from_secs(60);

/// A silent connection is asked whether it is still there after this long, and as often.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Where connections that break are opened again, one that is dead is given up earlier: a packet that is lost is sent
/// again after 0.2, 0.4, 0.8 … s, so this is seven losses in a row, or a link that is cut.
const CUT: Duration = Duration::from_secs(15);

/// A connection attempt is made anew after this long, where there will be others: three losses of its first packet.
const ATTEMPT: Duration = Duration::from_secs(8);

/// What every connection of a run is opened with.
#[derive(Clone)]
pub struct Address {
    config: Config,
    connector: Connector,
}

impl Address {
    /// Of a URL. `authority`, the PEM of a job, encrypts and verifies whatever the URL says of that. `application` is
    /// what its connections are called in `pg_stat_activity`.
    pub fn of(url: &DbUrl, authority: Option<&str>, application: &str) -> Result<Self> {
        let (plain, asked) = encryption(&url.0)?;
        let mut config: Config = plain.parse().map_err(|error: Error| {
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
        let (mode, connector) = match (authority, asked) {
            (Some(pem), _) => (SslMode::Require, verified(pem.as_bytes(), "the job's field tls")?),
            (None, Asked::Verified(file)) => (SslMode::Require, verified(&read(&file)?, &file)?),
            (None, Asked::Unverified) => (SslMode::Require, tls::unverified()?),
            // Not a URL, but libpq's other form: the driver has read it.
            (None, Asked::Nothing) if config.get_ssl_mode() == SslMode::Require => {
                (SslMode::Require, tls::unverified()?)
            }
            // Plain, whatever the server offers: encryption that comes by chance would be measured by chance.
            (None, Asked::Nothing) => (SslMode::Disable, tls::none()?),
        };
        config.ssl_mode(mode);
        Ok(Self { config, connector })
    }

    /// The same, whose connections notice sooner that they are dead: for whoever opens them again.
    pub fn impatient(mut self) -> Self {
        self.config.connect_timeout(ATTEMPT).tcp_user_timeout(CUT);
        self.config.keepalives_idle(CUT / 3).keepalives_interval(CUT / 3);
        self
    }

    /// Opens a connection on the current tokio runtime: the half that asks, and the half that has to be driven.
    pub async fn connect(&self) -> Result<(Client, Connection), Error> {
        self.config.connect(self.connector.clone()).await
    }

    /// Opens a blocking connection. Must not be called from inside a tokio runtime.
    pub fn connect_blocking(&self) -> Result<postgres::Client, Error> {
        postgres::Config::from(self.config.clone()).connect(self.connector.clone())
    }

    /// What the driver is told: where the database is, who connects, with which password.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The database's port.
    pub fn port(&self) -> u16 {
        self.config.get_ports().first().copied().unwrap_or(5432)
    }
}

/// What a URL asks of encryption.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// None.
    Nothing,
    /// With whoever answers.
    Unverified,
    /// With a database whose certificate one of those in this file signed.
    Verified(String),
}

/// Takes libpq's parameters of encryption out of a URL: the driver knows only some of them.
fn encryption(url: &str) -> Result<(String, Asked)> {
    // Like the driver: what precedes the first @ is user and password, whatever characters they are made of.
    let from = url.find('@').unwrap_or(0);
    let Some(at) = url[from..].find('?').filter(|_| url.contains("://")).map(|at| from + at) else {
        return Ok((url.into(), Asked::Nothing));
    };
    let (mut mode, mut file, mut rest) = (None, None, Vec::new());
    for parameter in url[at + 1..].split('&') {
        match parameter.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value),
            Some(("sslrootcert", value)) => file = Some(percent_decode_str(value).decode_utf8_lossy().into_owned()),
            _ => rest.push(parameter),
        }
    }
    let asked = match (mode, file) {
        (None | Some("disable"), None) => Asked::Nothing,
        (Some("require"), None) => Asked::Unverified,
        (Some("require" | "verify-full"), Some(file)) => Asked::Verified(file),
        (Some("verify-full"), None) => return Err(wrong("sslmode=verify-full needs the certificate to trust")),
        (None | Some("disable"), Some(_)) => return Err(wrong("there is a sslrootcert, but nothing is encrypted")),
        (Some(mode), _) => return Err(wrong(&format!("there is no sslmode {mode} here"))),
    };
    let rest = if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) };
    Ok((format!("{}{rest}", &url[..at]), asked))
}

fn wrong(what: &str) -> anyhow::Error {
    let message = format!(
        "the database URL cannot be read: {what}; write sslmode=disable, sslmode=require, or \
         sslmode=verify-full&sslrootcert=FILE"
    );
    Failure::new(Exit::Usage, message).into()
}

fn read(file: &str) -> Result<Vec<u8>> {
    fs_err::read(file).map_err(|error| {
        let message = format!("the database URL's sslrootcert cannot be read: {error}: name a file of certificates");
        Failure::new(Exit::Usage, message).into()
    })
}

fn verified(pem: &[u8], place: &str) -> Result<Connector> {
    tls::verified(pem).map_err(|error| {
        let message = format!("{place} is no certificate to trust: {error:#}");
        Failure::new(Exit::Usage, message).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_asks_of_encryption_is_taken_out_of_it() {
        let bare = "postgresql://me:s?e&sslmode=cret@db:5432/ingest";
        for (query, left, asked) in [
            ("", "", Asked::Nothing),
            ("?sslmode=disable", "", Asked::Nothing),
            ("?sslmode=require", "", Asked::Unverified),
            ("?options=-c%20jit%3Doff&sslmode=require&user=you", "?options=-c%20jit%3Doff&user=you", Asked::Unverified),
            ("?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.crt", "", Asked::Verified("/etc/ca.crt".into())),
            ("?sslrootcert=ca.crt&sslmode=require", "", Asked::Verified("ca.crt".into())),
        ] {
            assert_eq!(encryption(&format!("{bare}{query}")).unwrap(), (format!("{bare}{left}"), asked), "{query}");
        }
    }

    #[test]
    fn encryption_that_would_come_by_chance_is_refused_with_the_remedy() {
        for (query, part) in [
            ("sslmode=prefer", "there is no sslmode prefer here"),
            ("sslmode=verify-ca", "there is no sslmode verify-ca here"),
            ("sslmode=verify-full", "needs the certificate to trust"),
            ("sslrootcert=ca.crt", "nothing is encrypted"),
            ("sslmode=verify-full&sslrootcert=/no/such/file", "sslrootcert cannot be read"),
            ("sslmode=verify-full&sslrootcert=Cargo.toml", "Cargo.toml is no certificate to trust: there is no"),
        ] {
            let url = DbUrl(format!("postgresql://me:secret@db/ingest?{query}"));
            let error = Address::of(&url, None, "test").err().unwrap();
            assert_eq!(Failure::exit_of(&error), Exit::Usage);
            assert!(error.to_string().contains(part) && !error.to_string().contains("secret"), "{query}: {error}");
        }
    }
}
