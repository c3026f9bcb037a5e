//! How the agent is spoken to while it serves: a socket beside its state, a line of JSON each way.

use crate::wire::emulation::{Answer, Request};
use crate::wire::exit::{Exit, Failure};
use crate::wire::setup::LinkStatus;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// The longest request, bytes: a profile is a few hundred.
pub const LONGEST_REQUEST: u64 = 64 << 10;

/// The longest answer, bytes: a status is a few thousand, most of it the reasons why backends were not used.
pub(super) const LONGEST_ANSWER: u64 = 1 << 20;

/// How long the agent may take: another backend is tried out first.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request with the way back.
pub(super) type Call = (Request, oneshot::Sender<Answer>);

/// The agent's end of the socket.
#[derive(Debug)]
pub(super) struct Control {
    path: PathBuf,
    /// What was asked, one request after the other.
    pub calls: mpsc::Receiver<Call>,
    listening: JoinHandle<()>,
}

impl Control {
    /// Listens; what an agent that was killed left is replaced.
    pub(super) fn listen(path: &Path) -> Result<Self> {
        let _ = fs_err::remove_file(path);
        let listener = UnixListener::bind(path).with_context(|| format!("listen at {}", path.display()))?;
        let (sender, calls) = mpsc::channel(8);
        Ok(Self { path: path.to_owned(), calls, listening: tokio::spawn(accept(listener, sender)) })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.listening.abort();
        let _ = fs_err::remove_file(&self.path);
    }
}

async fn accept(listener: UnixListener, calls: mpsc::Sender<Call>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let calls = calls.clone();
                tokio::spawn(async move {
                    if let Err(error) = serve(stream, &calls).await {
                        tracing::debug!("a request was not answered: {error:#}");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the control socket cannot accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(mut stream: UnixStream, calls: &mpsc::Sender<Call>) -> Result<()> {
    let (from, mut to) = stream.split();
    let mut line = String::new();
    BufReader::new(from.take(LONGEST_REQUEST)).read_line(&mut line).await?;
    let answer = match serde_json::from_str(&line) {
        Ok(request) => {
            let (sender, receiver) = oneshot::channel();
            calls.send((request, sender)).await.ok().context("the agent ends")?;
            receiver.await.context("the agent ends")?
        }
        Err(error) => Answer::Refused { exit: Exit::Usage.code(), message: format!("no such request: {error}") },
    };
    let mut text = serde_json::to_string(&answer).context("write the answer")?;
    text.push('\n');
    to.write_all(text.as_bytes()).await?;
    Ok(())
}

/// Asks the agent at a socket; what it says of itself afterwards.
pub async fn ask(socket: &Path, request: &Request) -> Result<LinkStatus> {
    let asked = async {
        let mut stream = UnixStream::connect(socket).await?;
        let mut text = serde_json::to_string(request)?;
        text.push('\n');
        stream.write_all(text.as_bytes()).await?;
        let mut answer = String::new();
        BufReader::new(stream.take(LONGEST_ANSWER)).read_line(&mut answer).await?;
        Ok::<_, anyhow::Error>(serde_json::from_str(&answer)?)
    };
    let down = |cause: String| {
        let socket = socket.display();
        Failure::new(Exit::Engine, format!("the agent does not answer at {socket} ({cause}): `link serve` starts it"))
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(Answer::Status(status))) => Ok(*status),
        Ok(Ok(Answer::Refused { exit, message })) => Err(Failure::new(Exit::of(exit), message).into()),
        Ok(Err(error)) => Err(down(format!("{error:#}")).into()),
        Err(_) => Err(down(format!("nothing within {} s", PATIENCE.as_secs())).into()),
    }
}
