//! A run in which something breaks: begun a given time after the data phase did, made good, and made good once more by
//! whatever is left of it when the ingester has ended. One fault is one file; what is done of each is one match.
//!
//! ```text
//! Event::Phase data ─► wait ─► begin ─► hold ─► end ─┐ beside the ingester, whose rows are accounted
//!                                                    └─► mend: looks at the stack, connects anew, takes the lock again
//! ```

mod account;
mod black_hole;
mod db_kill;
mod db_pause;
mod db_restart;
mod ingester_kill;
mod loss_burst;
mod memory;
mod mend;
mod none;
mod reset;
mod wal_full;

use super::StackStage;
use crate::analysis;
use crate::engine::{Container, Ended, Waiting};
use crate::lab::plan::Step;
use crate::lab::stop::Stop;
use crate::model::fault::{Fault, Kind};
use crate::model::link::LinkProfile;
use crate::wire::conditions::Conditions;
use crate::wire::exit::{Exit, Failure};
use crate::wire::fault::FaultSeen;
use crate::wire::record::Outcome;
use crate::wire::{Job, Line};
use account::Account;
use anyhow::Result;
pub(super) use loss_burst::lossy;
use std::cell::RefCell;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::Instant;

/// The shortest data phase that an ingester which goes on is given, seconds: enough to show that it does.
const LEAST_REST: f64 = 2.0;

/// What a fault is done to.
struct Scene<'a> {
    stage: &'a StackStage,
    fault: Fault,
    /// The ingester's container.
    client: Container,
    /// What the link is set to otherwise, and what decides there.
    profile: LinkProfile,
    seed: u64,
}

impl Scene<'_> {
    /// The database's container.
    fn database(&self) -> &Container {
        &self.stage.server().container
    }

    /// Breaks it.
    async fn begin(&self) -> Result<()> {
        match self.fault.kind {
            Kind::None => none::begin(),
            Kind::DbRestart => db_restart::begin(self).await,
            Kind::DbKill => db_kill::begin(self).await,
            Kind::DbPause(_) => db_pause::begin(self).await,
            Kind::IngesterKill => ingester_kill::begin(self).await,
            Kind::Reset => reset::begin(self).await,
            Kind::BlackHole(_) => black_hole::begin(self).await,
            Kind::LossBurst(share, _) => loss_burst::begin(self, share).await,
            Kind::WalFull => wal_full::begin(self).await,
            Kind::Memory => memory::begin(self).await,
        }
    }

    /// Makes it good.
    async fn end(&self) -> Result<()> {
        match self.fault.kind {
            Kind::None => none::end(),
            Kind::DbRestart => db_restart::end(self).await,
            Kind::DbKill => db_kill::end(self).await,
            Kind::DbPause(_) => db_pause::end(self).await,
            Kind::IngesterKill => ingester_kill::end(),
            Kind::Reset => reset::end(self).await,
            Kind::BlackHole(_) => black_hole::end(self).await,
            Kind::LossBurst(..) => loss_burst::end(self).await,
            Kind::WalFull => wal_full::end(),
            Kind::Memory => memory::end(self).await,
        }
    }

    /// Waits for the time, then breaks it and makes it good. What fails is noted: the run says so. Never returns: who
    /// waits for the ingester drops it.
    async fn play(&self, account: &RefCell<Account>) -> Infallible {
        let mut began = account.borrow().began();
        let Ok(origin) = began.wait_for(Option::is_some).await.map(|origin| *origin) else {
            return std::future::pending().await;
        };
        let at = account.borrow().seen.asked;
        tokio::time::sleep_until(origin.unwrap_or_else(Instant::now) + Duration::from_secs_f64(at)).await;
        account.borrow_mut().applied(Instant::now());
        let broken = self.begin().await;
        if broken.is_ok() {
            tokio::time::sleep(Duration::from_secs_f64(self.fault.lasts())).await;
        }
        // Also after a failure: half of it may have been done.
        let made_good = self.end().await;
        match broken.and(made_good) {
            Ok(()) if self.fault.kind == Kind::IngesterKill => {} // good when another has begun
            Ok(()) => account.borrow_mut().lifted(Instant::now()),
            Err(error) => account.borrow_mut().seen.problem = Some(format!("{error:#}")),
        }
        std::future::pending().await
    }
}

impl StackStage {
    /// The rest of a run in which something breaks, from the job on: what came of it.
    pub(super) async fn ingest_broken(
        &mut self,
        step: &Step,
        conditions: &mut Conditions,
        (waiting, job): (Waiting, Job),
        stop: &Stop,
        heard: &mut dyn FnMut(&Line),
    ) -> Result<Outcome> {
        let (ended, mut seen) = self.ingest_and_break(step, waiting, &job, stop, heard).await?;
        seen.outage = analysis::outage(&seen);
        conditions.fault = Some(seen);
        let profile = self.profile(&step.cell.link)?;
        let gone = self.mend(&profile, step.run as u64).await?;
        conditions.link = if profile.is_direct() { None } else { Some(self.link_status().await?) };
        self.after(conditions).await?;
        if gone {
            let message = "the database in memory ended, and every row with it: what is in memory outlives no end of \
                           its server; use storage = \"volume\" for rows that are to stay";
            return Ok(Failure::new(Exit::Database, message).into());
        }
        match ended.result() {
            Ok(result) => self.verified(result, &job, conditions).await,
            Err(failure) => Ok(failure.into()),
        }
    }

    /// Gives a waiting ingester its job and breaks something meanwhile. Where the ingester itself is what breaks,
    /// another goes on for the rest of the time.
    async fn ingest_and_break(
        &self,
        step: &Step,
        waiting: Waiting,
        job: &Job,
        stop: &Stop,
        heard: &mut dyn FnMut(&Line),
    ) -> Result<(Ended, FaultSeen)> {
        let (fault, seconds) = (step.cell.fault, job.seconds.unwrap_or_default());
        let account = RefCell::new(Account::new(fault, fault.begins(seconds)));
        let client = waiting.container().clone();
        let profile = self.profile(&step.cell.link)?;
        let scene = Scene { stage: self, fault, client, profile, seed: step.run as u64 };
        let mut listen = |line: &Line| {
            let told = account.borrow_mut().hear(line, Instant::now());
            heard(&told);
        };
        let ended = {
            let mut ingesting = std::pin::pin!(self.stack.ingest(waiting, job, stop.asked(), &mut listen));
            let mut breaking = std::pin::pin!(scene.play(&account));
            tokio::select! {
                ended = &mut ingesting => ended,
                never = &mut breaking => match never {},
            }
        };
        let killed = fault.kind == Kind::IngesterKill && account.borrow().seen.applied.is_some();
        if !killed || ended.as_ref().is_ok_and(|ended| ended.result.is_some()) {
            return Ok((ended?, account.into_inner().seen));
        }
        let waiting = self.another_client(step).await?;
        account.borrow_mut().another(Instant::now());
        let rest = (seconds - account.borrow().elapsed(Instant::now())).max(LEAST_REST);
        let job = Job { resume: true, seconds: Some(rest), ..job.clone() };
        let ended = self.stack.ingest(waiting, &job, stop.asked(), &mut listen).await?;
        Ok((ended, account.into_inner().seen))
    }
}
