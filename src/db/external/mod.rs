//! A server that is not the lab's: what is read of it before anything is written, the schema that is the lab's there, and
//! what it says of itself while a run goes on. Nothing of it is changed but that schema: no setting, no role, no database.
//!
//! ```text
//! connect ─► inspect (reads only) ─► refuse, or: lock ─► schema made ─► runs ─► schema dropped
//! ```

mod place;
mod schema;
mod seen;

pub use place::Place;
pub use schema::{SCHEMA, State, capacity, drop_schema, lock, make, settle};
pub use seen::{encryption, look};

use super::{Address, CONTROL};
use crate::model::printable;
use crate::wire::DbUrl;
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use std::time::Duration;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// How long a server may take to open a session: what isn't PostgreSQL may say nothing for ever.
const ANSWER: Duration = Duration::from_secs(10);

/// The oldest version that has what is needed: `pg_stat_statements` with its times, the options of the table `node`.
const OLDEST: i32 = 130_000;

/// What is known of a server before anything is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// `server_version_num`.
    pub number: i32,
    /// The version in words.
    pub version: String,
    /// A standby, or a session that may only read.
    pub reads_only: bool,
    /// Whether the role may create a schema in the database.
    pub may_create: bool,
    /// The schema that would be the lab's.
    pub schema: State,
    /// What cannot be seen of it, a phrase each.
    pub unseen: Vec<String>,
}

/// Opens a session. `place` is how the server is called in an error.
pub async fn connect(url: &DbUrl, authority: Option<&str>, place: &Place) -> Result<Client> {
    let address = Address::of(url, authority, CONTROL)?;
    let refuse = |message: String| Err(Failure::new(Exit::Database, message).into());
    let shown = place.shown();
    match tokio::time::timeout(ANSWER, super::open(&address)).await {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) => refuse(told(&error, url, &shown)),
        Err(_) => refuse(format!(
            "the database {shown} did not open a session within {} s: check host and port; what listens there may be no \
             PostgreSQL, or a firewall swallows the packets",
            ANSWER.as_secs()
        )),
    }
}

fn told(error: &tokio_postgres::Error, url: &DbUrl, shown: &str) -> String {
    let text = error.to_string();
    let whole = format!("{error} {:?}", std::error::Error::source(error).map(ToString::to_string));
    let wrong = [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION];
    if whole.contains("password missing") {
        return format!(
            "the database {shown} asks for a password: give it as INGEST_LAB_DATABASE_PASSWORD, or in a file that \
             INGEST_LAB_DATABASE_PASSWORD_FILE names"
        );
    }
    if error.code().is_some_and(|code| wrong.contains(code)) {
        let said = error.as_db_error().map(|said| said.message().to_owned()).unwrap_or_default();
        return format!(
            "the database {shown} lets this user not in ({said}): check the URL's user, INGEST_LAB_DATABASE_PASSWORD, and \
             whether the server wants encryption (?sslmode=require)"
        );
    }
    let talks = error.as_db_error().is_none();
    if talks && (error.is_closed() || text.starts_with("unexpected message") || text.starts_with("error parsing"))
        || text.starts_with("error communicating with the server")
    {
        return format!(
            "what answers for the database {shown} does not speak PostgreSQL's protocol: check host and port"
        );
    }
    super::explain(error, url).message
}

/// Looks at a server, reading only.
pub async fn inspect(client: &Client) -> Result<Found> {
    let asked = "SELECT current_setting('server_version_num')::int, current_setting('server_version')";
    let row = client.query_one(asked, &[]).await.context("ask for the server's version")?;
    // The server is a stranger: a terminal will show its words.
    let (number, version): (i32, String) = (row.get(0), printable(row.get(1)).into_owned());
    if number < OLDEST {
        // What is asked next it may not know.
        let (reads_only, may_create, schema, unseen) = (false, false, State::Absent, Vec::new());
        return Ok(Found { number, version, reads_only, may_create, schema, unseen });
    }
    let row = client
        .query_one(
            "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS reads_only, \
                    has_database_privilege(current_database(), 'CREATE') AS may_create, \
                    pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_others",
            &[],
        )
        .await
        .context("look at the database server")?;
    let mut unseen = vec![
        "its processors: a verdict cannot tell database CPU, and says so".to_owned(),
        "its disks and the kernel's account of its processes: what backends do is PostgreSQL's word alone".into(),
        "what else runs there: checkpoints and vacuums of its own are counted, not prevented".into(),
    ];
    if super::counted::statements(client).await.is_none() {
        unseen.push("pg_stat_statements, which is not installed in this database or not for this role".into());
    }
    if !row.get::<_, bool>("sees_others") {
        unseen.push("what backends of other roles wait for".into());
    }
    Ok(Found {
        number,
        version,
        reads_only: row.get("reads_only"),
        may_create: row.get("may_create"),
        schema: schema::state(client).await?,
        unseen,
    })
}

impl Found {
    /// Refuses what nothing can be measured on, or where the lab would touch what isn't its own.
    pub fn require(&self, place: &Place) -> Result<(), Failure> {
        let (shown, version) = (place.shown(), &self.version);
        let message = if self.number < OLDEST {
            format!(
                "the database {shown} is PostgreSQL {version}, the lab needs {} or newer: update it",
                OLDEST / 10_000
            )
        } else if self.reads_only {
            format!("the database {shown} is a standby, or only reads: name the server that takes writes")
        } else if let State::Foreign(why) = &self.schema {
            format!(
                "the database {shown} has a schema {SCHEMA} that is not the lab's ({why}): rename it, or use another \
                 database; the lab touches nothing that it did not make"
            )
        } else if !self.may_create {
            format!(
                "the URL's user may not create a schema in the database {shown}: have its owner run GRANT CREATE ON \
                 DATABASE, or use another user"
            )
        } else {
            return Ok(());
        };
        Err(Failure::new(Exit::Database, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Found {
        Found {
            number: 170_005,
            version: "17.5".into(),
            reads_only: false,
            may_create: true,
            schema: State::Absent,
            unseen: Vec::new(),
        }
    }

    #[test]
    fn a_server_is_refused_before_anything_is_written_where_the_lab_cannot_or_must_not() {
        let place: Place = "postgres://me@db/app".parse().unwrap();
        let told = |found: Found| found.require(&place).unwrap_err().message;
        let old = Found { number: 120_022, version: "12.22".into(), ..found() };
        assert!(told(old).contains("is PostgreSQL 12.22, the lab needs 13 or newer"));
        assert!(told(Found { reads_only: true, ..found() }).contains("name the server that takes writes"));
        assert!(told(Found { may_create: false, ..found() }).contains("GRANT CREATE ON DATABASE"));
        let theirs = State::Foreign("it has no comment of the lab's".into());
        assert!(told(Found { schema: theirs, ..found() }).contains("rename it, or use another database"));
    }

    #[test]
    fn a_server_without_the_schema_or_with_what_a_killed_lab_left_is_fine() {
        let place: Place = "postgres://me@db/app".parse().unwrap();
        assert!(found().require(&place).is_ok());
        assert!(Found { schema: State::Ours, ..found() }.require(&place).is_ok());
    }
}
