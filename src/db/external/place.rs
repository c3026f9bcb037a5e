//! Where a database server is that isn't the lab's, as an experiment names it: everything but the password.

use crate::model::hex;
use crate::wire::DbUrl;
use crate::wire::external::Veil;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::str::FromStr;

/// How such a URL looks.
const LOOKS: &str = "write postgres://user@host:5432/database";

/// A server, a database in it, and who connects: `postgres://user@host:port/database`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As the URL has it, escaped.
    user: String,
    host: String,
    port: u16,
    /// As the URL has it, escaped.
    name: String,
    encryption: Encryption,
}

/// What the URL asks of encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Encryption {
    /// None.
    Off,
    /// With whoever answers.
    Unverified,
    /// With a server whose certificate one of those in this file signed.
    Verified(String),
}

impl FromStr for Place {
    type Err = String;

    /// Errors never quote the URL: it may hold a password.
    fn from_str(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        let rest = rest.ok_or_else(|| format!("the database URL begins with no postgres://: {LOOKS}"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (user, rest) = rest.rsplit_once('@').ok_or_else(|| format!("the database URL names no user: {LOOKS}"))?;
        if user.contains(':') {
            return Err(password());
        }
        let (server, name) = rest.split_once('/').unwrap_or((rest, ""));
        if user.is_empty() || name.is_empty() {
            return Err(format!(
                "the database URL names no {}: {LOOKS}",
                if user.is_empty() { "user" } else { "database" }
            ));
        }
        let (host, port) = server.split_once(':').unwrap_or((server, "5432"));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if host.is_empty() || !plain(host) {
            return Err(format!("the database URL's host is no name and no IPv4 address: {LOOKS}"));
        }
        let port = match port.parse() {
            Ok(0) | Err(_) => return Err(format!("the database URL's port is no number from 1 to 65535: {LOOKS}")),
            Ok(port) => port,
        };
        let escaped = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-~%".contains(&byte));
        if !escaped(user) || !escaped(name) {
            return Err(format!("the database URL has letters that must be escaped (%20 for a space): {LOOKS}"));
        }
        if host == "localhost" || host.starts_with("127.") {
            return Err(format!(
                "the database URL names {host}, which is each container itself: name this machine by an address that \
                 others reach it at, and have PostgreSQL listen there"
            ));
        }
        let encryption = encryption(query)?;
        Ok(Self { user: user.into(), host: host.into(), port, name: name.into(), encryption })
    }
}

fn password() -> String {
    "the database URL holds a password, which would be kept with every result: take it out, and give it as \
     INGEST_LAB_DATABASE_PASSWORD, or in a file that INGEST_LAB_DATABASE_PASSWORD_FILE names"
        .into()
}

fn encryption(query: &str) -> Result<Encryption, String> {
    let (mut mode, mut file) = (None, None);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value),
            Some(("sslrootcert", value)) => file = Some(percent_decode_str(value).decode_utf8_lossy().into_owned()),
            Some(("password" | "passfile", _)) => return Err(password()),
            _ => {
                let what = "the database URL has parameters besides sslmode and sslrootcert, which the lab sets itself";
                return Err(format!("{what}: leave them out"));
            }
        }
    }
    match (mode, file) {
        (None | Some("disable"), None) => Ok(Encryption::Off),
        (Some("require"), None) => Ok(Encryption::Unverified),
        (Some("verify-full"), Some(file)) => Ok(Encryption::Verified(file)),
        _ => Err("the database URL's encryption cannot be read: write sslmode=disable, sslmode=require, or \
                  sslmode=verify-full&sslrootcert=FILE"
            .into()),
    }
}

impl Place {
    /// The URL that a connection of these settings (`name=value`) takes, password included; `at` instead of the server
    /// itself where something passes connections on. What verifies a certificate is told apart ([`Self::authority`]).
    pub fn url(&self, password: &str, at: Option<&str>, settings: &[(&str, &str)]) -> DbUrl {
        let options: Vec<String> = settings.iter().map(|(name, value)| format!("-c%20{name}%3D{value}")).collect();
        let mut password = escape(password);
        if !password.is_empty() {
            password.insert(0, ':');
        }
        let server = at.map_or_else(|| self.target(), str::to_owned);
        let mode = if self.encryption == Encryption::Off { "disable" } else { "require" };
        let (user, name) = (&self.user, &self.name);
        let mut url = format!("postgresql://{user}{password}@{server}/{name}?sslmode={mode}");
        if !options.is_empty() {
            let _ = write!(url, "&options={}", options.join("%20"));
        }
        DbUrl(url)
    }

    /// Its `host:port`.
    pub fn target(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Whether connections are to be encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.encryption != Encryption::Off
    }

    /// The file of certificates to verify the server's by, where there is one.
    pub fn authority(&self) -> Option<&str> {
        match &self.encryption {
            Encryption::Verified(file) => Some(file),
            _ => None,
        }
    }

    /// For the person who named it: database, host and port.
    pub fn shown(&self) -> String {
        format!("{} at {}", self.name, self.target())
    }

    /// Enough of a checksum to tell it from another.
    pub fn checksum(&self) -> String {
        let place = format!("{}/{}", self.target(), self.name);
        hex(&Sha256::digest(place.as_bytes())[..8])
    }

    /// Hides it in what is kept; `link` is the `host:port` of what passes connections on.
    pub fn veil(&self, link: &str) -> Veil {
        let (target, name) = (self.target(), &self.name);
        let urls = [target.as_str(), link].map(|at| [format!("postgresql://{at}/{name}"), format!("{at}/{name}")]);
        let places = urls.into_iter().flatten().chain([target.clone(), self.host.clone()]);
        // As the URL has them, and as the server says them.
        let said = |name: &String| percent_decode_str(name).decode_utf8_lossy().into_owned();
        let names = [&self.user, name].into_iter().flat_map(|name| [name.clone(), said(name)]);
        Veil::over(places, names)
    }
}

fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        if byte.is_ascii_alphanumeric() {
            all.push(char::from(byte));
        } else {
            let _ = write!(all, "%{byte:02X}");
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_to_a_connection_with_its_password_and_its_settings() {
        let place: Place = "postgres://me@db.example.org/app".parse().unwrap();
        let url = place.url("p@ss", None, &[("search_path", "ingest_lab"), ("synchronous_commit", "off")]);
        let expected = "postgresql://me:p%40ss@db.example.org:5432/app?sslmode=disable&options=-c%20search_path%3D\
                        ingest_lab%20-c%20synchronous_commit%3Doff";
        assert_eq!(url.0, expected);
        assert_eq!(url.to_string(), "postgresql://db.example.org:5432/app");
        let past = place.url("", Some("outer-link:5432"), &[]);
        assert_eq!(past.0, "postgresql://me@outer-link:5432/app?sslmode=disable");
        let config: tokio_postgres::Config = url.0.parse().unwrap();
        assert_eq!(config.get_options(), Some("-c search_path=ingest_lab -c synchronous_commit=off"));
    }

    #[test]
    fn encryption_is_what_the_url_says() {
        let place = |query: &str| format!("postgres://me@db:6000/app?{query}").parse::<Place>().unwrap();
        assert!(!place("sslmode=disable").is_encrypted() && place("sslmode=require").is_encrypted());
        assert_eq!(place("sslmode=verify-full&sslrootcert=a%2Fca.crt").authority(), Some("a/ca.crt"));
        assert_eq!(place("").target(), "db:6000");
    }

    #[test]
    fn what_is_no_place_is_refused_with_the_remedy_and_without_the_url() {
        for (url, says) in [
            ("mysql://me@db/app", "begins with no postgres://"),
            ("postgres://db/app", "names no user"),
            ("postgres://@db/app", "names no user"),
            ("postgres://me@db", "names no database"),
            ("postgres://me:se@cret@db/app", "holds a password"),
            ("postgres://me@db/app?password=secret", "holds a password"),
            ("postgres://me@db:port/app", "port is no number"),
            ("postgres://me@db:0/app", "port is no number"),
            ("postgres://me@/app", "host is no name"),
            ("postgres://me@a,b/app", "host is no name"),
            ("postgres://me@[::1]/app", "host is no name"),
            ("postgres://me@[::1]:5432/app", "host is no name"),
            ("postgres://m e@db/app", "must be escaped"),
            ("postgres://me@localhost/app", "each container itself"),
            ("postgres://me@127.0.0.1/app", "each container itself"),
            ("postgres://me@db/app?options=-cx", "besides sslmode and sslrootcert"),
            ("postgres://me@db/app?sslmode=prefer", "encryption cannot be read"),
        ] {
            let error = url.parse::<Place>().unwrap_err();
            assert!(error.contains(says) && !error.contains("cret"), "{url}: {error}");
        }
    }

    #[test]
    fn what_is_kept_knows_a_place_only_by_its_checksum() {
        let place = |url: &str| url.parse::<Place>().unwrap();
        let one = place("postgres://me@db.example.org/app");
        assert_eq!(one.checksum(), place("postgres://you@db.example.org:5432/app?sslmode=require").checksum());
        assert_ne!(one.checksum(), place("postgres://me@db.example.org/other").checksum());
        let veil = place("postgres://a%20b@db.example.org/app").veil("outer-link:5432");
        for said in ["postgresql://db.example.org:5432/app is gone", "postgresql://outer-link:5432/app is gone"] {
            assert_eq!(veil.hide(said), "the external database is gone");
        }
        assert_eq!(veil.hide("role \"a b\" in app"), "role \"(unnamed)\" in app");
    }
}
