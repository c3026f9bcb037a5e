//! Several ingesters that do one run together, wherever their containers are: it knows them as a trait.
//!
//! ```text
//! job ─► a share each ─► client 1 … client N ── ready ──► all are: one moment for all ──► the phase begins
//!                             │                                       (before each phase)
//!                             ├── results ─► one result (wire::merge)
//!                             └── one is lost ─► the others are stopped, the run fails by its name
//! ```
//! The rows of a phase may be what another client needs in the next one: nobody begins before all are through.

use super::stop::{Asked, Stop};
use crate::engine::Ended;
use crate::model::Phase;
use crate::model::share::Share;
use crate::wire::exit::{Exit, Failure};
use crate::wire::{self, Begin, Event, Job, Line, RunResult};
use anyhow::Result;
use futures_util::future::join_all;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::Future;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How far ahead the moment lies at which a phase begins, seconds: the word has to be with every client by then. One
/// whom it reaches later begins late, on the same clock.
const AHEAD: f64 = 0.3;

/// An ingester that waits for its job.
pub trait Client {
    /// Gives it its job and sees it to its end. Words on which phases begin reach it as they come; `stop` asks it to
    /// end in order; `heard` gets every line. Nothing of it is left, whatever happens.
    fn ingest(
        self,
        job: Job,
        words: UnboundedReceiver<Begin>,
        stop: impl Future<Output = ()>,
        heard: &mut dyn FnMut(&Line),
    ) -> impl Future<Output = Result<Ended>>;
}

/// What each client is told of a run.
fn split(job: &Job, clients: usize) -> impl Iterator<Item = Job> {
    Share::all(clients).map(|share| Job { share, barrier: true, ..job.clone() })
}

/// Runs a job on all these clients together: its result as of one run, or why there is none, by the name of the client
/// that was lost first. An error is one that may pass by itself, as where an engine was away.
pub async fn together<C: Client>(
    clients: Vec<C>,
    job: &Job,
    stop: &Stop,
    heard: &mut dyn FnMut(&Line),
) -> Result<Result<Box<RunResult>, Failure>> {
    let of = clients.len();
    let (words, ears): (Vec<_>, Vec<_>) = clients.iter().map(|_| unbounded_channel()).unzip();
    let conductor = RefCell::new(Conductor { words, ready: BTreeSet::new(), begun: None, lines: 0, heard });
    let (halt, halted) = Stop::by_hand();
    let lost: Cell<Option<(Share, anyhow::Error)>> = Cell::new(None);
    let each = clients.into_iter().zip(split(job, of)).zip(ears).map(|((client, job), words)| {
        let (share, conductor, halt, lost) = (job.share, &conductor, &halt, &lost);
        let (asked, others) = (stop.asked(), halted.asked());
        async move {
            let stop_or_halt = async {
                tokio::select! { () = asked => {}, () = others => {} }
            };
            let mut hear = |line: &Line| conductor.borrow_mut().hear(share.client, line);
            let ended = client.ingest(job, words, stop_or_halt, &mut hear).await;
            let unasked = !stop.is_asked() && *halt.borrow() == Asked::Nothing;
            match ended.and_then(|ended| whole(ended, unasked)) {
                Ok(result) => Some(*result),
                Err(error) => {
                    let first = lost.take().unwrap_or((share, error));
                    lost.set(Some(first));
                    halt.send_replace(Asked::Orderly);
                    None
                }
            }
        }
    });
    let results: Vec<RunResult> = join_all(each).await.into_iter().flatten().collect();
    match lost.take() {
        // Whoever waits for an engine to come back has to see that it may.
        Some((share, error)) if Failure::passes(&error) => Err(error.context(share.to_string())),
        Some((share, error)) => Ok(Err(self::lost(share, &error))),
        None => Ok(wire::merge(results)
            .map(Box::new)
            .map_err(|error| Failure::new(Exit::Failure, format!("what the clients did is no run together: {error}")))),
    }
}

/// That a client is lost, by its name.
pub fn lost(share: Share, error: &anyhow::Error) -> Failure {
    Failure::new(Failure::exit_of(error), format!("{share} is lost, and the run with it: {error:#}"))
}

/// A client's result, if it did its share. One that ended early without being asked from here did not.
fn whole(ended: Ended, unasked: bool) -> Result<Box<RunResult>> {
    let result = ended.result()?;
    if result.interrupted.is_some() && unasked {
        return Err(Failure::new(Exit::Failure, "it was stopped by somebody else before its share was done").into());
    }
    Ok(result)
}

/// Who hears all clients, and tells them when to begin.
struct Conductor<'a> {
    words: Vec<UnboundedSender<Begin>>,
    /// Clients that are ready for the next phase.
    ready: BTreeSet<usize>,
    /// The phase that was begun last.
    begun: Option<Phase>,
    lines: u64,
    heard: &'a mut dyn FnMut(&Line),
}

impl Conductor<'_> {
    fn hear(&mut self, client: usize, line: &Line) {
        (self.heard)(&Line { seq: self.lines, client: Some(client), ..line.clone() });
        self.lines += 1;
        let Event::Ready { phase } = line.event else { return };
        // It may have been said again while the word was on its way.
        if self.begun == Some(phase) {
            return;
        }
        self.ready.insert(client);
        if self.ready.len() == self.words.len() {
            self.ready.clear();
            self.begun = Some(phase);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
            let begin = Begin { begin: phase, at: now + AHEAD };
            for client in &self.words {
                let _ = client.send(begin); // one that is gone is missed elsewhere
            }
        }
    }
}

#[cfg(test)]
mod tests;
