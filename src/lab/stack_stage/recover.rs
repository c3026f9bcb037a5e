//! Standing again after the container engine went from under a run: it restarted, or the connections to it broke. Only a
//! lab outside of that engine lives to see it; one in a container of it ends with it, and `--resume` goes on.

use super::{PATIENCE, StackStage};
use crate::engine::{Engine, Responder};
use crate::lab::stop::Stop;
use crate::model::Placement;
use crate::model::link::LinkProfile;
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use std::time::{Duration, Instant};

/// How long the engine may be away: an update of it takes minutes.
const AWAY: Duration = Duration::from_secs(600);

/// How often it is asked whether it is there.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// An engine that is back begins to stop what it found running, if it does that, within …
const SETTLES: Duration = Duration::from_secs(5);

/// … and is done within the longest that a service may take to stop (docker-compose.yml: stop_grace_period).
const STOPS: Duration = Duration::from_secs(60);

impl StackStage {
    /// Where a run failed because the engine went: waits for it, starts the stack where it is at rest, takes it again and
    /// leaves it as the series began. Says what had happened; none where the failure was the run's own.
    pub(super) async fn stand_again(
        &mut self,
        error: &anyhow::Error,
        stop: &Stop,
        say: &dyn Fn(&str),
    ) -> Result<Option<String>> {
        let was_there = self.stack.missing_engine().await.is_none();
        while let Some(missing) = self.stack.missing_engine().await {
            wait_for(missing, stop, say).await?;
        }
        if self.stack.is_on_swarm() {
            return self.raise_again(was_there, error, say).await;
        }
        let unsettled = !was_there || Failure::passes(error);
        let at_rest = match self.is_at_rest(unsettled).await {
            Err(_) if was_there => return Ok(None), // the run's own error says more
            at_rest => at_rest?,
        };
        let happened = match (at_rest, was_there) {
            (true, _) => "the container engine restarted while it ran",
            (false, false) => "the container engine was away while it ran",
            (false, true) if Failure::passes(error) => "a connection to the container engine broke while it ran",
            (false, true) => return Ok(None),
        };
        say(&format!("{happened}: the stack is taken again"));
        self.take_again(at_rest).await?;
        Ok(Some(happened.into()))
    }

    /// Whether all of the stack stopped. One container that stopped alone did so for reasons of its own: a finding, which
    /// nothing hides. An engine that has just started may still be stopping what ran when it went.
    async fn is_at_rest(&self, unsettled: bool) -> Result<bool> {
        let begun = Instant::now();
        loop {
            let database = self.stack.runs(&self.servers[0].container).await?;
            let most = match (database, self.stack.runs(self.link.container()).await?) {
                (false, false) => return Ok(true),
                (true, true) => SETTLES,
                _ => STOPS,
            };
            if !unsettled || begun.elapsed() >= most {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Takes the stack once more, started where it is at rest.
    async fn take_again(&mut self, at_rest: bool) -> Result<()> {
        // What is in memory is made anew when a cell asks for it.
        self.servers.truncate(1);
        self.at = 0;
        if at_rest {
            self.stack.start_service(&self.servers[0].container).await?;
            self.stack.healthy("db", PATIENCE).await?;
            self.stack.start_service(self.link.container()).await?;
        }
        let db = self.stack.healthy("db", PATIENCE).await?;
        self.link = self.stack.healthy("link", PATIENCE).await?;
        if at_rest || self.servers[0].control.is_closed() {
            self.connect_again(&db).await?;
        }
        self.settle_in().await
    }

    /// Leaves a stack that was taken once more as the series began.
    pub(super) async fn settle_in(&mut self) -> Result<()> {
        self.tidy().await?;
        self.require_the_same().await?;
        if self.series.is_some() {
            let responder = self.respond().await?;
            self.series.iter_mut().for_each(|series| series.responder = responder.clone());
        }
        Ok(())
    }

    /// An engine that came back as another one would make runs that cannot be compared; so would another backend.
    async fn require_the_same(&self) -> Result<()> {
        let (was, is) = (&self.conditions.engine, self.stack.engine().facts().await?);
        let client = self.stack.client_facts().await?.into_iter().next();
        let (was, is) = match (&self.conditions.client_engine, client) {
            (Some(was), Some(is)) if *was != is => (was, is),
            _ => (was, is),
        };
        if *was != is {
            let message = format!(
                "the container engine came back as another ({} {}, it was {} {}): its runs would not be comparable; \
                 begin a new series",
                is.version, is.kernel, was.version, was.kernel
            );
            return Err(Failure::new(Exit::Engine, message).into());
        }
        let backend = self.conditions.link.as_ref().map(|link| link.emulation.backend);
        let found = self.link_status().await?.emulation.backend;
        if backend.is_some_and(|backend| backend != found) {
            self.set_link_with(&LinkProfile::local(), 0, backend).await?;
        }
        Ok(())
    }

    /// Starts what the link is measured against.
    pub(super) async fn respond(&self) -> Result<Option<Responder>> {
        if self.outside.as_ref().is_some_and(|outside| !outside.has_link()) {
            return Ok(None);
        }
        let others = self.places(Placement::Shared)?.others;
        self.stack.start_responder(&self.beyond, &others.to_string()).await.map(Some)
    }
}

/// Waits until an engine answers again.
async fn wait_for(engine: &Engine, stop: &Stop, say: &dyn Fn(&str)) -> Result<()> {
    let (address, minutes) = (engine.address(), AWAY.as_secs() / 60);
    say(&format!("the container engine at {address} is gone: waiting up to {minutes} min for it to come back"));
    let until = Instant::now() + AWAY;
    while !engine.is_there().await {
        if Instant::now() >= until {
            let message = format!(
                "the container engine at {address} was gone and did not come back within {minutes} min: start it, then go \
                 on with the series"
            );
            return Err(Failure::new(Exit::Engine, message).into());
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = stop.asked() => {
                let message = "interrupted while the container engine was gone; the runs that ended are saved";
                return Err(Failure::new(Exit::Interrupted, message).into());
            }
        }
    }
    Ok(())
}
