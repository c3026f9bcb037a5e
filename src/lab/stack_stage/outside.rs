//! A database that is not the lab's: reached, looked at, taken with leave, and left as it was found. The stack's own
//! database stays, idle: its lock says that the stack is in use, and its container is asked about the machine.
//!
//! Everything that is the server's own stays as it is. What a cell asks of the server is asked of the run's sessions, in
//! the options they are opened with.

use super::{PATIENCE, StackStage};
use crate::db;
use crate::db::external::{self, Found, Place, SCHEMA};
use crate::engine::{Healthy, OUTER};
use crate::lab::Experiment;
use crate::lab::experiment::Database;
use crate::lab::stop::Stop;
use crate::model::cell::{Cell, DIRECT};
use crate::model::units;
use crate::wire::DbUrl;
use crate::wire::exit::{Exit, Failure};
use crate::wire::external::{Server, UNNAMED, Veil};
use crate::wire::setup::LinkStatus;
use anyhow::Result;
use std::io::{BufRead, IsTerminal, Write};
use tokio_postgres::Client;

/// The password, and where else it is looked for.
const PASSWORD: &str = "INGEST_LAB_DATABASE_PASSWORD";
const PASSWORD_FILE: &str = "INGEST_LAB_DATABASE_PASSWORD_FILE";

/// A server that is not the lab's, while a series uses it.
#[derive(Debug)]
pub(super) struct Outside {
    pub place: Place,
    password: String,
    /// Certificates to verify the server's by, PEM.
    pub authority: Option<String>,
    /// The lab's session: it holds the lock. Its `search_path` is the lab's schema.
    pub control: Client,
    pub found: Found,
    /// Takes the server's names out of what is kept.
    pub veil: Veil,
    /// The stack's own link, where the one that leads out is used instead.
    inner: Option<Healthy>,
}

/// Who says that a server may be written to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::lab) struct Leave {
    /// `--write`: nobody has to be asked.
    pub given: bool,
}

impl StackStage {
    /// Reaches the experiment's server and takes it: nothing is written before that was allowed.
    pub(in crate::lab) async fn go_outside(
        &mut self,
        experiment: &Experiment,
        database: &Database,
        leave: Leave,
        stop: &Stop,
    ) -> Result<()> {
        let place = database.place().map_err(|error| Failure::new(Exit::Usage, error))?;
        let (password, authority) = (password()?, authority(&place)?);
        let network = self.stack.outside().await?;
        let url = place.url(&password, None, &[("search_path", SCHEMA)]);
        let control = external::connect(&url, authority.as_deref(), &place).await?;
        let found = external::inspect(&control).await?;
        found.require(&place)?;
        external::lock(&control).await?;
        allowed(&place, experiment, leave, stop).await?;
        let (target, veil) = (place.target(), place.veil(&outer()));
        self.beyond = network;
        // From here on whoever ends the series drops what was made, however far that came.
        let outside = self.outside.insert(Outside { place, password, authority, control, found, veil, inner: None });
        external::make(&mut outside.control).await?;
        if experiment.cells().iter().any(|cell| cell.link != DIRECT) {
            let outer = self.stack.start_outer_link(&self.network, &self.beyond, &target).await?;
            outside.inner = Some(std::mem::replace(&mut self.link, outer));
        }
        Ok(())
    }

    /// Leaves the server as it was found, and the stack's way there.
    pub(super) async fn come_home(&mut self) -> Result<()> {
        let Some(mut outside) = self.outside.take() else { return Ok(()) };
        if let Some(inner) = outside.inner.take() {
            self.link = inner;
        }
        self.beyond = self.stack.network("database").await?;
        let dropped = tokio::time::timeout(PATIENCE, external::drop_schema(&mut outside.control)).await;
        let message = match dropped {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) if error.downcast_ref::<Failure>().is_some() => return Err(error),
            Ok(Err(error)) => outside.veil.hide(&format!("{error:#}")),
            Err(_) => "it does not answer".into(),
        };
        let message = format!(
            "the schema {SCHEMA} of {UNNAMED} could not be dropped ({message}): the next series there drops it, or do so by \
             hand: DROP SCHEMA {SCHEMA} CASCADE"
        );
        Err(Failure::new(Exit::Database, message).into())
    }

    /// Where the link passes connections on to.
    pub(super) fn target(&self) -> String {
        self.outside.as_ref().map_or_else(|| self.server().target().to_owned(), |outside| outside.place.target())
    }
}

impl Outside {
    /// Why a run failed, without the server's names.
    pub(super) fn unnamed_failure(&self, failure: &Failure) -> Failure {
        Failure::new(failure.exit, self.veil.hide(&failure.message))
    }

    /// What an ingester of this cell connects with: what the cell asks of the server is asked of its sessions.
    pub(super) fn url(&self, cell: &Cell) -> DbUrl {
        let outer = outer();
        let at = (cell.link != DIRECT).then_some(outer.as_str());
        self.place.url(&self.password, at, &of_sessions(cell))
    }

    /// What sessions with the cell's settings have, by the server's word.
    pub(super) async fn synchronous_commit(&self, cell: &Cell) -> Result<String> {
        let url = self.place.url(&self.password, None, &of_sessions(cell));
        let session = external::connect(&url, self.authority.as_deref(), &self.place).await?;
        db::shown(&session, "synchronous_commit").await
    }

    /// Whether some cells go through a link.
    pub(super) fn has_link(&self) -> bool {
        self.inner.is_some()
    }

    /// The server, without its name.
    pub(super) fn server(&self) -> Server {
        Server { version: self.found.version.clone(), place: self.place.checksum() }
    }

    /// What a link says of itself, without the server's name.
    pub(super) fn unnamed(&self, status: LinkStatus) -> LinkStatus {
        LinkStatus { target: UNNAMED.into(), ..status }
    }
}

/// The link's end that ingesters connect to.
fn outer() -> String {
    format!("{OUTER}:5432")
}

/// What sessions of such a cell are opened with.
fn of_sessions(cell: &Cell) -> [(&'static str, &'static str); 2] {
    [("search_path", SCHEMA), ("synchronous_commit", cell.synchronous_commit.word())]
}

/// The server's password; empty where it asks for none.
fn password() -> Result<String> {
    if let Some(password) = std::env::var(PASSWORD).ok().filter(|password| !password.is_empty()) {
        return Ok(password);
    }
    let Some(file) = std::env::var_os(PASSWORD_FILE).filter(|file| !file.is_empty()) else { return Ok(String::new()) };
    let text = fs_err::read_to_string(&file).map_err(|error| {
        let message = format!("the database's password cannot be read: {error}: correct {PASSWORD_FILE}");
        Failure::new(Exit::Usage, message)
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn authority(place: &Place) -> Result<Option<String>> {
    let Some(file) = place.authority() else { return Ok(None) };
    let pem = fs_err::read_to_string(file).map_err(|error| {
        let message = format!("the database URL's sslrootcert cannot be read: {error}: name a file of certificates");
        Failure::new(Exit::Usage, message)
    })?;
    Ok(Some(pem))
}

/// Asks whether the server may be written to, where nobody has said so.
async fn allowed(place: &Place, experiment: &Experiment, leave: Leave, stop: &Stop) -> Result<()> {
    if leave.given {
        return Ok(());
    }
    let (shown, disk) = (place.shown(), units::bytes(crate::lab::estimate(experiment).disk));
    let what = format!(
        "The lab makes a schema {SCHEMA} in the database {shown}, writes up to {disk} into it in each run, and drops it at \
         the end. Nothing else there is changed; other users of the server feel the load."
    );
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let message = format!("{what} Nobody can be asked here: say that it may with --write");
        return Err(Failure::new(Exit::Usage, message).into());
    }
    eprint!("{what}\nWrite there? [y/N] ");
    std::io::stderr().flush()?;
    // A thread of its own, which nobody waits for: Ctrl-C must not wait for an answer.
    let (sender, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = std::io::stdin().lock().read_line(&mut line);
        let _ = sender.send(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"));
    });
    let said = tokio::select! {
        said = answer => said.unwrap_or(false),
        () = stop.asked() => return Err(Failure::new(Exit::Interrupted, "interrupted before anything was written").into()),
    };
    if said {
        return Ok(());
    }
    Err(Failure::new(Exit::Interrupted, format!("nothing was written to the database {shown}")).into())
}
