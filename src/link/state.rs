//! What the agent says of itself: a small file while it runs, checked against reality when it is read.

use super::{control, target};
use crate::wire::bounded;
use crate::wire::emulation::Request;
use crate::wire::exit::{Exit, Failure};
use crate::wire::setup::LinkStatus;
use anyhow::{Context, Result};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpStream;

/// Where the agent keeps its state unless told otherwise: a tmpfs in the container.
pub const DEFAULT_STATE: &str = "/run/ingest-lab-link.json";

/// The longest state, bytes: it is the answer of an agent.
const LONGEST: u64 = control::LONGEST_ANSWER;

/// How long the database may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where the agent that keeps its state at `state` listens.
pub fn socket(state: &Path) -> PathBuf {
    state.with_extension("sock")
}

/// Writes the state: a reader sees the old one or the new one, never half of one.
pub(super) fn save(path: &Path, status: &LinkStatus) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file =
        tempfile::NamedTempFile::new_in(folder).with_context(|| format!("write into {}", folder.display()))?;
    file.write_all(&serde_json::to_vec(status).context("write the link's state")?)?;
    file.persist(path).with_context(|| format!("write {}", path.display()))?;
    Ok(())
}

/// Removes the state: forwarding is over.
pub(super) fn forget(path: &Path) {
    let _ = fs_err::remove_file(path);
}

/// Reads the state and checks it: the agent runs and answers, and the database accepts a connection.
pub async fn status(path: &Path) -> Result<LinkStatus> {
    let down = |message: String| Failure::new(Exit::Engine, message);
    let text = bounded::bytes(path, LONGEST)
        .map_err(|error| down(format!("forwarding is not up ({error}): `link serve` starts it")))?;
    let status: LinkStatus = serde_json::from_slice(&text).map_err(|error| {
        down(format!("{} is no state of an agent ({error}): start `link serve` again", path.display()))
    })?;
    if !Path::new(&format!("/proc/{}", status.pid)).exists() {
        return Err(down(format!("the agent (process {}) is gone: start `link serve` again", status.pid)).into());
    }
    let status = control::ask(&socket(path), &Request::Status).await?;
    let address = target::resolve(&status.target).await?;
    let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await;
    let cause = match connected {
        Ok(Ok(_)) if address.to_string() == status.address => return Ok(status),
        Ok(Ok(_)) => format!("it moved from {} to {address} a moment ago", status.address),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    Err(down(format!("{} at {address} can't be forwarded to yet: {cause}", status.target)).into())
}
