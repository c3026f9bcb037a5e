//! PostgreSQL's own programs: whether they are here, and how they are started.

use crate::ingest::worker::Context;
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context as _, Result};
use std::process::Stdio;
use tokio::process::{Child, Command};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// Refuses a job whose tool is not here.
pub(super) fn require(tool: &str) -> Result<()> {
    let asked = std::process::Command::new(tool).arg("--version").stdin(Stdio::null()).output();
    if asked.is_ok_and(|said| said.status.success()) {
        return Ok(());
    }
    let message = format!("there is no {tool} here: the image `ceilings` has it (`make ceilings` builds it)");
    Err(Failure::new(Exit::NotSupported, message).into())
}

/// A tool that finds the database by its environment, as libpq has it: the password is in no argument. `options` are
/// the server's, for its sessions.
pub(super) fn command(tool: &str, config: &Config, options: &str) -> Result<Command> {
    // The kernel ends it with the thread that started it, however that ends.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", tool]);
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        Some(Host::Unix(folder)) => folder.display().to_string(),
        None => return Err(Failure::new(Exit::Usage, "the database URL names no host").into()),
    };
    let password = String::from_utf8_lossy(config.get_password().unwrap_or_default()).into_owned();
    let user = config.get_user().unwrap_or("postgres");
    command
        .env("PGHOST", host)
        .env("PGPORT", config.get_ports().first().copied().unwrap_or(5432).to_string())
        .env("PGUSER", user)
        .env("PGPASSWORD", password)
        .env("PGDATABASE", config.get_dbname().unwrap_or(user))
        .env("PGAPPNAME", tool)
        .env("PGOPTIONS", options)
        .env("PGCONNECT_TIMEOUT", crate::db::CONNECT_TIMEOUT.as_secs().to_string())
        // As the ingester's own connections are.
        .env("PGSSLMODE", "disable")
        .env("PGGSSENCMODE", "disable")
        .env("LC_ALL", "C")
        .process_group(0) // a terminal's Ctrl-C is for the ingester, which lets it end in order
        .kill_on_drop(true);
    Ok(command)
}

/// Starts it; its processor time counts as the ingester's from now on.
pub(super) fn start(context: &Context, tool: &str, command: &mut Command) -> Result<Child> {
    let child = command.spawn().with_context(|| format!("start {tool}"))?;
    child.id().into_iter().for_each(|process| context.counts(process));
    Ok(child)
}

/// What a tool said went wrong, as an error.
pub(super) fn failed(tool: &str, said: &[String]) -> anyhow::Error {
    let said = if said.is_empty() { "nothing".to_owned() } else { said.join("; ") };
    Failure::new(Exit::Database, format!("{tool} failed; it says: {said}")).into()
}
