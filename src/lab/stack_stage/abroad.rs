//! A run on a database that is not the lab's: prepared as far as that is the lab's to do, looked at as far as the server
//! lets it be seen.

use super::observe::{Clients, LOOKS, USAGE, note_silence};
use super::outside::Outside;
use super::{StackStage, apart, encryption, harness, settings};
use crate::db::{self, external};
use crate::engine::Waiting;
use crate::lab::plan::Step;
use crate::lab::stop::Stop;
use crate::model::cell::{Cell, DIRECT};
use crate::model::poisson::Poisson;
use crate::model::{Tls, clock};
use crate::wire::conditions::Conditions;
use crate::wire::exit::{Exit, Failure};
use crate::wire::external::External;
use crate::wire::measured::Quantiles;
use crate::wire::record::Outcome;
use crate::wire::setup::Forwarding;
use crate::wire::watched::{Look, Observed, Share};
use crate::wire::{Job, Line, RunResult};
use anyhow::{Context, Result};
use std::cell::RefCell;
use std::convert::Infallible;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// Looks that are kept of a run at most; of more an even share.
const MOST_LOOKS: usize = 20_000;

/// Handshakes that the round trip is told from.
const HANDSHAKES: &str = "20";

impl StackStage {
    fn abroad(&self) -> Result<&Outside> {
        self.outside.as_ref().context("the series is on the lab's own database")
    }

    /// The same state before every run, as far as it is the lab's to make.
    pub(super) async fn prepare_abroad(&self, step: &Step, conditions: &mut Conditions) -> Result<()> {
        let (begun, cell, outside) = (Instant::now(), &step.cell, self.abroad()?);
        conditions.clone_from(&self.conditions);
        let control = &outside.control;
        db::empty(control).await?;
        let keys = db::set_foreign_keys(control, cell.foreign_keys).await?;
        let commit = outside.synchronous_commit(cell).await?;
        conditions.settings = settings(cell, keys, commit);
        external::settle(control).await?;
        let profile = self.profile(&cell.link)?;
        conditions.link = match profile.is_direct() {
            true => None,
            false => Some(outside.unnamed(self.set_link(&profile, step.run as u64).await?)),
        };
        conditions.link_asked = Some(profile);
        let places = self.places(cell.placement)?;
        self.place_others(&places.others).await?;
        conditions.own_time.prepare = begun.elapsed().as_secs_f64();
        Ok(())
    }

    /// One run from its ingester's container on.
    pub(super) async fn ingest_abroad(
        &self,
        step: &Step,
        conditions: &mut Conditions,
        stop: &Stop,
        heard: &mut dyn FnMut(&Line),
    ) -> Result<Outcome> {
        let outside = self.abroad()?;
        let control = &outside.control;
        let job = self.job(&step.cell, &step.stop)?;
        let mut heard = |line: &Line| heard(&Line { event: outside.veil.hide_in(&line.event), ..line.clone() });
        let (waiting, link) = self.start_client(step, conditions).await?;
        let clients = match self.with_further_clients(step, waiting, conditions).await? {
            Ok(clients) => clients,
            Err(lost) => return Ok(outside.unnamed_failure(&lost).into()),
        };
        let (checkpoints, before) = (db::checkpoints(control).await?, db::counted(control).await);
        let (steady, wall, own_cpu) = (Instant::now(), SystemTime::now(), clock::own_cpu());
        let (ended, mut observed) = self.ingest_and_ask(step, clients, &job, stop, &mut heard).await?;
        let asked = if outside.place.is_encrypted() { Tls::On } else { Tls::Off };
        conditions.settings.extend(encryption(asked, &observed));
        conditions.clock_jump = apart(steady, wall);
        let after = self.link_status().await?;
        conditions.harness = harness(own_cpu, &link, &after);
        observed.counted = Some(db::counted(control).await.since(before));
        conditions.checkpoints = db::checkpoints(control).await? - checkpoints;
        match step.cell.link == DIRECT {
            true => observed.link_at_data = None,
            false => conditions.link = Some(outside.unnamed(after)),
        }
        conditions.observed = Some(observed);
        match ended {
            Ok(mut result) => {
                outside.veil.unname(&mut result);
                self.verified(result, &job, conditions).await
            }
            Err(failure) => Ok(outside.unnamed_failure(&failure).into()),
        }
    }

    /// Gives waiting ingesters their job, and asks the server what its backends do until they end: the result, or why
    /// there is none.
    async fn ingest_and_ask(
        &self,
        step: &Step,
        waiting: Vec<Waiting>,
        job: &Job,
        stop: &Stop,
        heard: &mut dyn FnMut(&Line),
    ) -> Result<(Result<Box<RunResult>, Failure>, Observed)> {
        let mut clients = Clients::of(&waiting);
        let (began, data_began) = watch::channel(None);
        let eye = Eye { observed: RefCell::default(), looks: RefCell::new(Share::of(MOST_LOOKS)) };
        let looking = self.look_abroad(step, &mut clients, &data_began, &eye);
        let ended = self.ingest_beside(waiting, job, stop, heard, began, looking).await?;
        let mut observed = eye.observed.into_inner();
        observed.looks = eye.looks.into_inner().kept;
        clients.tell(&mut observed);
        note_silence(&mut observed, false);
        observed.data_began = *data_began.borrow();
        Ok((ended, observed))
    }

    /// Looks at random times, and reads what the clients have used, until it is dropped.
    async fn look_abroad(
        &self,
        step: &Step,
        clients: &mut Clients,
        data_began: &watch::Receiver<Option<f64>>,
        eye: &Eye,
    ) -> Infallible {
        let Ok(outside) = self.abroad() else { return std::future::pending().await };
        let mut times = Poisson::new(LOOKS, step.run as u64);
        let looking = async {
            loop {
                tokio::time::sleep(Duration::from_secs_f64(times.pause())).await;
                match external::look(&outside.control).await {
                    Ok(look) => eye.looks.borrow_mut().push(look),
                    Err(error) => {
                        eye.observed.borrow_mut().problem = Some(outside.veil.hide(&format!("{error:#}")));
                        return std::future::pending::<Infallible>().await;
                    }
                }
            }
        };
        let reading = async {
            let mut ticks = tokio::time::interval(USAGE);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                if data_began.borrow().is_some() && eye.observed.borrow().link_at_data.is_none() {
                    let link = self.link_status().await.ok().map(|status| outside.unnamed(status));
                    // Every connection is open by now, and stays open until the run ends.
                    let encryption = external::encryption(&outside.control).await.ok();
                    let mut observed = eye.observed.borrow_mut();
                    (observed.link_at_data, observed.encryption) = (link, encryption);
                }
                let used = clients.usage(&self.stack).await;
                clients.keep(used);
            }
        };
        tokio::select! {
            never = looking => never,
            never = reading => never,
        }
    }

    /// What this run's server is, and what nobody can see of it.
    pub(super) fn external(&self) -> Option<External> {
        let outside = self.outside.as_ref()?;
        Some(External { server: outside.server(), unseen: outside.found.unseen.clone(), statements: None })
    }

    /// The round trip from a client's container to the server itself, by handshakes: the kernel there answers them. A
    /// link that copies bytes answers them in its place, so of that nothing is known.
    pub(super) async fn way(&self, measuring: &Waiting, cell: &Cell) -> Result<Option<Quantiles>> {
        let Some(outside) = &self.outside else { return Ok(None) };
        if cell.link != DIRECT && self.link_status().await?.forwarding == Forwarding::Relay {
            return Ok(None);
        }
        let target =
            if cell.link == DIRECT { outside.place.target() } else { format!("{}:5432", crate::engine::OUTER) };
        let command = ["ingester", "probe", &target, "--handshakes", "--exchanges", HANDSHAKES];
        let (code, out, err) = self.stack.exec(measuring.container(), &command).await?;
        if code != 0 {
            let said = outside.veil.hide(err.trim());
            let message = format!(
                "an ingester's container does not reach the external database ({said}): check that the server lets \
                 connections from this machine's containers in"
            );
            return Err(Failure::new(Exit::Database, message).into());
        }
        serde_json::from_str(&out).context("read what was measured of the way")
    }

    /// Whether the link, or the way past it, has a responder at its end that can be measured against.
    pub(super) fn has_responder(&self, cell: &Cell) -> bool {
        self.outside.is_none() || cell.link != DIRECT
    }
}

/// What is seen while a run goes on.
struct Eye {
    observed: RefCell<Observed>,
    looks: RefCell<Share<Look>>,
}
