//! Looking on while an ingester runs: a watcher beside the database, and both control groups.

use super::StackStage;
use super::reach::database_url;
use crate::db;
use crate::engine::{Container, Stack, Waiting, Watcher};
use crate::lab::plan::Step;
use crate::lab::stop::Stop;
use crate::model::Phase;
use crate::model::clock;
use crate::wire::exit::Failure;
use crate::wire::watched::{Observed, Share, Used, WatchJob};
use crate::wire::{Event, Job, Line, RunResult};
use anyhow::Result;
use futures_util::future::join_all;
use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;
use tokio::sync::watch;

/// Mean time between two looks at the backends, seconds: some hundred looks a run, and little enough of a quarter
/// of a processor.
pub(super) const LOOKS: f64 = 0.05;

/// How often the control groups are read.
pub(super) const USAGE: Duration = Duration::from_millis(500);

/// Readings that are kept of a run at most: a quarter of an hour of them. Of a longer run an even share.
const MOST_READINGS: usize = 2_000;

/// How long the engine may take to say what a container uses.
const PATIENCE: Duration = Duration::from_secs(5);

/// The containers of a run's clients, with what each was seen to use.
pub(super) struct Clients {
    containers: Vec<Container>,
    used: Vec<Share<Used>>,
}

impl Clients {
    pub(super) fn of(waiting: &[Waiting]) -> Self {
        let containers: Vec<Container> = waiting.iter().map(|client| client.container().clone()).collect();
        let used = containers.iter().map(|_| Share::of(MOST_READINGS)).collect();
        Self { containers, used }
    }

    /// What each has used by now; none of one that may have ended just now.
    pub(super) async fn usage(&self, stack: &Stack) -> Vec<Option<Used>> {
        let all = join_all(self.containers.iter().map(|client| stack.usage(client))).await;
        all.into_iter().map(Result::unwrap_or_default).collect()
    }

    pub(super) fn keep(&mut self, used: Vec<Option<Used>>) {
        for (used, share) in used.into_iter().zip(&mut self.used) {
            used.into_iter().for_each(|used| share.push(used));
        }
    }

    /// Says what was seen.
    pub(super) fn tell(self, observed: &mut Observed) {
        let mut used = self.used.into_iter().map(|share| share.kept);
        observed.client = used.next().unwrap_or_default();
        observed.more_clients = used.collect();
    }
}

/// Adds to what could not be seen of a run.
fn note(observed: &mut Observed, what: String) {
    observed.problem = Some(match observed.problem.take() {
        Some(before) => format!("{before}; {what}"),
        None => what,
    });
}

/// Notes of whom the engine never said what CPU time they used: an answer without a figure is no error, and what is missing
/// must not pass for nothing. Of a server that is not the lab's no engine says it, which its record has anyway.
pub(super) fn note_silence(observed: &mut Observed, is_ours: bool) {
    let (client, database) = (observed.clients().any(<[Used]>::is_empty), is_ours && observed.database.is_empty());
    let who = match (client, database) {
        (false, false) => return,
        (true, false) => "the client",
        (false, true) => "the database",
        (true, true) => "the client and the database",
    };
    note(observed, format!("the engine never said what CPU time {who} used"));
}

impl StackStage {
    /// Gives waiting ingesters their job, and looks on until they end: the result, or why there is none. Says when their
    /// data phase begins.
    pub(super) async fn ingest_beside(
        &self,
        waiting: Vec<Waiting>,
        job: &Job,
        stop: &Stop,
        heard: &mut dyn FnMut(&Line),
        data_began: watch::Sender<Option<f64>>,
        looking: impl Future<Output = Infallible>,
    ) -> Result<Result<Box<RunResult>, Failure>> {
        let mut listen = |line: &Line| {
            // Of several clients the first one's word: they begin together.
            if matches!(line.event, Event::Phase { phase: Phase::Data }) && data_began.borrow().is_none() {
                data_began.send_replace(Some(clock::seconds()));
            }
            heard(line);
        };
        // Beside each other: what is slow to look at keeps nobody from hearing the ingester or Ctrl-C.
        let mut ingesting = std::pin::pin!(self.ingest_with(waiting, job, stop, &mut listen));
        let mut looking = std::pin::pin!(looking);
        tokio::select! {
            ended = &mut ingesting => ended,
            never = &mut looking => match never {},
        }
    }

    /// Gives waiting ingesters their job, and looks on until they end: the result, or why there is none.
    pub(super) async fn ingest_and_look_on(
        &self,
        step: &Step,
        waiting: Vec<Waiting>,
        job: &Job,
        stop: &Stop,
        heard: &mut dyn FnMut(&Line),
    ) -> Result<(Result<Box<RunResult>, Failure>, Observed)> {
        let mut clients = Clients::of(&waiting);
        let watcher = self.start_watcher(step).await;
        let (began, data_began) = watch::channel(None);
        let mut observed = Observed::default();
        let mut database_used = Share::of(MOST_READINGS);
        let looking = self.look_on(&mut clients, &data_began, &mut observed, &mut database_used);
        let ended = self.ingest_beside(waiting, job, stop, heard, began, looking).await?;
        observed.database = database_used.kept;
        clients.tell(&mut observed);
        observed.data_began = *data_began.borrow();
        let looks = match watcher {
            Ok(watcher) => self.stack.end_watch(watcher).await,
            Err(error) => Err(error),
        };
        // Without it a run is still a run: its record says why nobody looked.
        match looks {
            Ok(looks) => observed.looks = looks,
            Err(error) => note(&mut observed, format!("{error:#}")),
        }
        note_silence(&mut observed, true);
        Ok((ended, observed))
    }

    /// Starts to look at the database's backends.
    async fn start_watcher(&self, step: &Step) -> Result<Watcher> {
        let server = self.server();
        let dburl = database_url(&server.password, "127.0.0.1");
        let job = WatchJob { dburl, every: LOOKS, seed: step.run as u64 };
        let place = self.places(step.cell.placement)?.others.to_string();
        self.stack.watch(&server.container, &job, &place).await
    }

    /// Reads what all of both sides use, and once what the link has counted when the data phase begins, until it is dropped.
    async fn look_on(
        &self,
        clients: &mut Clients,
        data_began: &watch::Receiver<Option<f64>>,
        observed: &mut Observed,
        database_used: &mut Share<Used>,
    ) -> Infallible {
        let mut ticks = tokio::time::interval(USAGE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if observed.link_at_data.is_none() && data_began.borrow().is_some() {
                observed.link_at_data = self.link_status().await.ok();
                // Every connection is open by now, and stays open until the run ends.
                observed.encryption = db::encryption(&self.server().control).await.ok();
            }
            let database = &self.server().container;
            let both = async { tokio::join!(self.stack.usage(database), clients.usage(&self.stack)) };
            match tokio::time::timeout(PATIENCE, both).await {
                Ok((used, used_by_clients)) => {
                    match used {
                        Ok(used) => used.into_iter().for_each(|used| database_used.push(used)),
                        Err(error) => observed.problem = Some(format!("{error:#}")),
                    }
                    clients.keep(used_by_clients);
                }
                Err(_) => observed.problem = Some("the engine did not say what containers use".into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_whose_use_the_engine_never_told_is_in_the_record() {
        let silent = |client: usize, database: usize, is_ours| {
            let used = |readings| vec![Used::default(); readings];
            let mut seen = Observed { client: used(client), database: used(database), ..Observed::default() };
            note_silence(&mut seen, is_ours);
            seen.problem
        };
        assert_eq!(silent(3, 3, true), None);
        assert_eq!(silent(3, 0, false), None, "somebody else's server has no container here");
        let said = silent(3, 0, true).unwrap();
        assert_eq!(said, "the engine never said what CPU time the database used");
        assert!(silent(0, 3, false).unwrap().ends_with("the client used"));
        let mut both = Observed { problem: Some("the watcher did not end".into()), ..Observed::default() };
        note_silence(&mut both, true);
        assert!(both.problem.unwrap().starts_with("the watcher did not end; the engine never said"));
    }
}
