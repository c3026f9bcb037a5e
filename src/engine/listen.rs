//! Hearing a container to its end, also where the stream that carries its words breaks on the way: the engine keeps
//! what a container writes, and says it once more.
//!
//! ```text
//! attach ── words … ── the stream breaks ──► [Again] logs from the start, followed ── words heard, then new ones … ── end
//! ```
//! What came already is let pass by whoever hears: an ingester's lines are numbered.

use super::ingester::{GRACE, Overdue, SILENCE};
use super::{Engine, is_missing, refused, sentence};
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::query_parameters::{InspectContainerOptions, LogsOptionsBuilder};
use futures_util::future::{Fuse, FusedFuture};
use futures_util::{FutureExt, Stream, StreamExt};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::Instant;

/// How often a stream is taken up again in one run: an engine whose streams break more often than that is no ground to
/// measure on.
const RESUMPTIONS: usize = 20;

/// A container's output ends a moment before the engine says that the container did.
const MOMENT: Duration = Duration::from_secs(1);

/// How often it is asked within that moment.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What a container wrote, as it comes.
#[derive(Debug, Clone, Copy)]
pub enum Said<'a> {
    /// On standard output.
    Out(&'a [u8]),
    /// On standard error.
    Err(&'a [u8]),
    /// The stream broke: from here on everything comes once more, from its start.
    Again,
}

/// Whoever hears a container.
pub trait Hearer {
    /// Takes what was said. An error ends the hearing.
    fn take(&mut self, said: Said<'_>) -> Result<()>;

    /// Whether its last words were heard: a stream that ends before them may have been cut.
    fn is_whole(&self) -> bool;
}

/// What a container says.
pub(super) type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;

/// How long is waited for the next words.
struct Patience {
    stopping: bool,
    deadline: Instant,
}

impl Engine {
    /// Listens until the container ends, or until it is overdue. `stop` asks it to end in order.
    pub(super) async fn listen(
        &self,
        id: &str,
        mut output: Output,
        stop: impl Future<Output = ()>,
        hearer: &mut dyn Hearer,
    ) -> Result<Option<Overdue>> {
        let mut stop = std::pin::pin!(stop);
        let mut patience = Patience { stopping: false, deadline: Instant::now() + SILENCE };
        // Whether all that can be said is in this stream: it was begun after the container's end.
        let mut is_last = false;
        let mut breaks = 0;
        while breaks <= RESUMPTIONS {
            let broke = match self.hear(id, &mut output, stop.as_mut(), &mut patience, hearer).await? {
                Stretch::Overdue(overdue) => return Ok(Some(overdue)),
                Stretch::Ended => None,
                Stretch::Broke(error) => Some(sentence(&error)),
                // A container that ended without last words is asked for them once more: it may have had none.
                Stretch::Mute(_) if is_last && breaks == 0 => return Ok(None),
                Stretch::Mute(cause) => return Err(nothing_kept(&cause)),
            };
            let ended = self.has_ended(id).await?;
            if ended && broke.is_none() && (is_last || hearer.is_whole()) {
                return Ok(None);
            }
            if !ended || broke.is_some() {
                let cause = broke.unwrap_or_else(|| "it ended before its container".into());
                tracing::warn!(%cause, "the stream of an ingester's output broke: what it said is read again");
                breaks += 1;
            }
            hearer.take(Said::Again)?;
            output = self.everything_said(id);
            is_last = ended;
        }
        let message = format!(
            "the stream of the ingester's output broke more than {RESUMPTIONS} times in one run: the engine's log says why, \
             or what lies between it and the lab"
        );
        Err(Failure::passing(Exit::Engine, message).into())
    }

    /// Listens to one stream.
    async fn hear(
        &self,
        id: &str,
        output: &mut Output,
        mut stop: Pin<&mut impl Future<Output = ()>>,
        patience: &mut Patience,
        hearer: &mut dyn Hearer,
    ) -> Result<Stretch> {
        // An engine takes a second and more to pass a signal on: what is said meanwhile is heard when it is said.
        let mut signal = std::pin::pin!(Fuse::terminated());
        let stretch = loop {
            let piece = tokio::select! {
                piece = output.next() => piece,
                () = &mut stop, if !patience.stopping => {
                    *patience = Patience { stopping: true, deadline: Instant::now() + GRACE };
                    signal.set(self.signal(id, "SIGTERM").fuse());
                    continue;
                }
                sent = &mut signal, if !signal.is_terminated() => {
                    sent?;
                    continue;
                }
                () = tokio::time::sleep_until(patience.deadline) => {
                    break Stretch::Overdue(if patience.stopping { Overdue::Unstoppable } else { Overdue::Silent });
                }
            };
            match piece {
                None => break Stretch::Ended,
                Some(Ok(LogOutput::StdErr { message })) => hearer.take(Said::Err(&message))?,
                Some(Ok(message)) => hearer.take(Said::Out(&message.into_bytes()))?,
                Some(Err(Error::DockerResponseServerError { message, .. })) => break Stretch::Mute(message),
                Some(Err(error)) => break Stretch::Broke(error),
            }
            if !patience.stopping {
                patience.deadline = Instant::now() + SILENCE;
            }
        };
        // A stream that broke is taken up again: the signal must not be lost with it.
        if !signal.is_terminated() {
            signal.await?;
        }
        Ok(stretch)
    }

    /// Everything a container has said and will say, from its log.
    fn everything_said(&self, id: &str) -> Output {
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).follow(true).build();
        Box::pin(self.docker.logs(id, Some(options)))
    }

    /// Whether a container has ended, given a moment to.
    async fn has_ended(&self, id: &str) -> Result<bool> {
        let until = Instant::now() + MOMENT;
        loop {
            let seen = self.docker.inspect_container(id, None::<InspectContainerOptions>).await;
            let state = match seen {
                Ok(seen) => seen.state.unwrap_or_default(),
                Err(error) if is_missing(&error) => return Ok(true), // somebody removed it: the next question says so
                Err(error) => return Err(refused("tell whether the ingester runs")(error)),
            };
            if !state.running.unwrap_or(false) {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// How one stream came to its end.
enum Stretch {
    /// In order, as far as can be seen of it.
    Ended,
    /// With an error.
    Broke(Error),
    /// There is none: the engine's reason.
    Mute(String),
    /// Nobody waits any longer.
    Overdue(Overdue),
}

/// What was said cannot be heard again.
fn nothing_kept(cause: &str) -> anyhow::Error {
    let message = format!(
        "the stream of the ingester's output broke, and the engine cannot say it again ({}): use a log driver that \
         keeps what containers write, as json-file or local",
        cause.trim()
    );
    Failure::new(Exit::Engine, message).into()
}
