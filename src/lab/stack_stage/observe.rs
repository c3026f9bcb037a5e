//! Looking on while an ingester runs: a watcher beside the database, and both control groups.

use super::StackStage;
use super::reach::database_url;
use crate::db;
use crate::engine::{Container, Ended, Waiting, Watcher};
use crate::lab::plan::Step;
use crate::lab::stop::Stop;
use crate::model::Phase;
use crate::model::clock;
use crate::wire::watched::{Observed, Share, Used, WatchJob};
use crate::wire::{Event, Job, Line};
use anyhow::Result;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;

/// Mean time between two looks at the backends, seconds: some hundred looks a run, and little enough of a quarter
/// of a processor.
const LOOKS: f64 = 0.05;

/// How often the control groups are read.
const USAGE: Duration = Duration::from_millis(500);

/// Readings that are kept of a run at most: a quarter of an hour of them. Of a longer run an even share.
const MOST_READINGS: usize = 2_000;

/// How long the engine may take to say what a container uses.
const PATIENCE: Duration = Duration::from_secs(5);

impl StackStage {
    /// Gives a waiting ingester its job, and looks on until it ends.
    pub(super) async fn ingest_and_look_on(
        &self,
        step: &Step,
        waiting: Waiting,
        job: &Job,
        stop: &Stop,
        heard: &mut dyn FnMut(&Line),
    ) -> Result<(Ended, Observed)> {
        let client = waiting.container().clone();
        let watcher = self.start_watcher(step).await;
        let (sender, data_began) = watch::channel(None);
        let mut listen = |line: &Line| {
            if matches!(line.event, Event::Phase { phase: Phase::Data }) {
                sender.send_replace(Some(clock::seconds()));
            }
            heard(line);
        };
        let mut observed = Observed::default();
        let mut used = [Share::of(MOST_READINGS), Share::of(MOST_READINGS)];
        let ended = {
            // Beside each other: what is slow to look at keeps nobody from hearing the ingester or Ctrl-C.
            let mut ingesting = std::pin::pin!(self.stack.ingest(waiting, job, stop.asked(), &mut listen));
            let mut looking = std::pin::pin!(self.look_on(&client, data_began.clone(), &mut observed, &mut used));
            tokio::select! {
                ended = &mut ingesting => ended,
                never = &mut looking => match never {},
            }
        }?;
        [observed.database, observed.client] = used.map(|share| share.kept);
        observed.data_began = *data_began.borrow();
        let looks = match watcher {
            Ok(watcher) => self.stack.end_watch(watcher).await,
            Err(error) => Err(error),
        };
        // Without it a run is still a run: its record says why nobody looked.
        match looks {
            Ok(looks) => observed.looks = looks,
            Err(error) => observed.problem = Some(format!("{error:#}")),
        }
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

    /// Reads what both sides use, and once what the link has counted when the data phase begins, until it is dropped.
    async fn look_on(
        &self,
        client: &Container,
        data_began: watch::Receiver<Option<f64>>,
        observed: &mut Observed,
        [database_used, client_used]: &mut [Share<Used>; 2],
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
            let both = async { tokio::join!(self.stack.usage(database), self.stack.usage(client)) };
            match tokio::time::timeout(PATIENCE, both).await {
                Ok((used, used_by_client)) => {
                    match used {
                        Ok(used) => used.into_iter().for_each(|used| database_used.push(used)),
                        Err(error) => observed.problem = Some(format!("{error:#}")),
                    }
                    // It may have ended just now.
                    used_by_client.unwrap_or_default().into_iter().for_each(|used| client_used.push(used));
                }
                Err(_) => observed.problem = Some("the engine did not say what containers use".into()),
            }
        }
    }
}
