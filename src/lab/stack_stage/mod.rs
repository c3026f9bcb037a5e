//! The real stage: ingesters in containers, the database over the control connection that nothing slows down.

mod abroad;
mod calibrate;
mod clients;
mod direct;
mod examine;
mod fault;
mod job;
mod machine;
mod nodes;
mod observe;
mod outside;
mod path;
mod peer;
mod reach;
mod recover;
mod server;
mod theory;
mod tidy;

use super::pace::Pace;
use super::placement::{Cores, Places, SIBLINGS, places, places_apart};
use super::plan::Step;
use super::stage::Stage;
use super::stop::Stop;
use crate::db::{self, external};
use crate::engine::{DataVolume, Healthy, Limits, Network, Responder, RunSpec, Stack};
use crate::model::cell::Cell;
use crate::model::clock;
use crate::model::fault::Kind;
use crate::model::profiles::Profiles;
use crate::model::{Congestion, Placement, Program, Storage, Tls};
use crate::wire::conditions::{Conditions, Harness, Setting};
use crate::wire::exit::{Exit, Failure};
use crate::wire::record::Outcome;
use crate::wire::setup::LinkStatus;
use crate::wire::watched::{Encryption, Observed};
use crate::wire::{Job, Line, RunResult};
use anyhow::{Context, Result};
use direct::seen_by_the_link;
pub(in crate::lab) use outside::Leave;
use outside::Outside;
pub(in crate::lab) use peer::Trial;
use server::Server;
use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

/// How long the stack's containers may take to become healthy: a first start makes the cluster.
const PATIENCE: Duration = Duration::from_secs(120);

/// A stack that is ready and taken: its lock is held for as long as this lives.
#[derive(Debug)]
pub struct StackStage {
    stack: Stack,
    /// The first is the one that is always there; its control connection holds the lock.
    servers: Vec<Server>,
    /// Which of them the current cell uses.
    at: usize,
    link: Healthy,
    /// The client's side of the link …
    network: Network,
    /// … and the database's.
    beyond: Network,
    /// The server that the series uses instead, where it isn't the lab's.
    outside: Option<Outside>,
    /// The processors of the database's engine.
    cores: Cores,
    /// Those of the client's, where that is another one.
    client_cores: Option<Cores>,
    /// What every run of the series has in common.
    conditions: Conditions,
    /// Set before the first run.
    series: Option<Series>,
    /// What the cells' links mean.
    links: Profiles,
    /// How fast the processors were so far, and what ends waiting for that; none before the first run.
    pace: Option<(Pace, Stop)>,
}

/// What the runs of one series share.
#[derive(Debug)]
struct Series {
    name: String,
    data: DataVolume,
    /// What the link is measured against; none where every client goes past it to a server that is not the lab's.
    responder: Option<Responder>,
}

/// What a stack can do at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacity {
    /// Processors of the database's machine.
    pub cores: Cores,
    /// Those of the client's, where that is another one.
    pub client_cores: Option<Cores>,
    /// Connections the database has left for an ingester.
    pub connections: usize,
    /// Free bytes where the database keeps its files; `None` where it doesn't tell.
    pub disk: Option<u64>,
}

impl StackStage {
    /// Waits for the stack, takes it for this lab alone, and puts back what a killed lab left.
    pub async fn take(stack: Stack) -> Result<Self> {
        Self::take_within(stack, PATIENCE).await
    }

    /// The same, with less patience.
    pub async fn take_within(stack: Stack, patience: Duration) -> Result<Self> {
        let revived = Self::revive(&stack, true).await?;
        // What was just started takes its time, however little one had for a stack that is up.
        let patience = if revived.is_empty() { patience } else { PATIENCE };
        let db = stack.healthy("db", patience).await?;
        let link = stack.healthy("link", patience).await?;
        let (network, beyond) = (stack.network("client").await?, stack.network("database").await?);
        let main = Server::connect(&stack, Storage::Volume, &db).await?;
        db::lock(&main.control).await?;
        let engine = stack.engine().facts().await?;
        let processors = usize::try_from(engine.processors).unwrap_or(1).max(1);
        let (client_engine, client_cores) = nodes::client_host(&stack).await?.unzip();
        let (_, siblings, _) = stack.exec(db.container(), &["/bin/sh", "-c", SIBLINGS]).await?;
        let mut stage = Self {
            servers: vec![main],
            at: 0,
            link,
            network,
            beyond,
            outside: None,
            cores: Cores::parse(&siblings, processors),
            client_cores,
            conditions: Conditions { engine, client_engine, ..Default::default() },
            series: None,
            links: Profiles::shipped(),
            pace: None,
            stack,
        };
        // Only now: without the lock it could be another lab's work.
        let put_back: Vec<String> = revived.into_iter().chain(stage.tidy().await?).collect();
        if !put_back.is_empty() {
            eprintln!("put back what an earlier lab left: {}", put_back.join(", "));
        }
        Ok(stage)
    }

    /// What the stack can do at most.
    pub async fn capacity(&self) -> Result<Capacity> {
        let (connections, disk) = match &self.outside {
            Some(outside) => (external::capacity(&outside.control).await?, None),
            None => (db::max_connections(&self.server().control).await?, self.free_disk().await?),
        };
        Ok(Capacity { cores: self.cores.clone(), client_cores: self.client_cores.clone(), connections, disk })
    }

    /// Begins a series that these programs run in: makes the tables anew and notes what all its runs have in common.
    pub async fn begin(&mut self, name: &str, data: DataVolume, programs: &BTreeSet<Program>) -> Result<()> {
        let mut images = vec![self.stack.image_facts("link", self.link.image()).await?];
        if self.outside.is_none() {
            db::rebuild(&mut self.server_mut().control).await?;
            images.insert(0, self.stack.image_facts("db", &self.server().image).await?);
        }
        for program in programs {
            self.stack.bring(program.word(), true).await?;
            images.push(self.stack.image_facts(program.word(), &self.stack.image(program.word())).await?);
        }
        self.conditions.images = images;
        self.conditions.machine = self.machine().await?;
        self.conditions.data.clone_from(&data.checksum);
        let link = self.link_status().await?;
        self.conditions.link = Some(match &self.outside {
            Some(outside) => outside.unnamed(link),
            None => link,
        });
        self.conditions.external = self.external();
        let responder = self.respond().await?;
        self.series = Some(Series { name: name.into(), data, responder });
        Ok(())
    }

    /// Names the series that has begun.
    pub fn name(&mut self, name: &str) {
        if let Some(series) = &mut self.series {
            name.clone_into(&mut series.name);
        }
    }

    /// What all runs have in common.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// A result with what was found in the database beside it.
    async fn verified(&self, mut result: Box<RunResult>, job: &Job, conditions: &mut Conditions) -> Result<Outcome> {
        let verifying = Instant::now();
        let control = self.outside.as_ref().map_or(&self.server().control, |outside| &outside.control);
        result.verification = Some(db::verify_run(control, job, &result).await?);
        conditions.own_time.verify = verifying.elapsed().as_secs_f64();
        Ok(Outcome::Finished { result })
    }

    /// A container of the series that such a program runs in.
    fn run_spec(&self, program: Program, run: usize, limits: Limits, congestion: Congestion) -> Result<RunSpec> {
        let series = self.series()?;
        Ok(RunSpec {
            series: series.name.clone(),
            run,
            client: None,
            image: self.stack.image(program.word()),
            network: self.network.clone(),
            path: None,
            data: series.data.clone(),
            limits,
            congestion,
        })
    }

    fn series(&self) -> Result<&Series> {
        self.series.as_ref().context("no series has begun")
    }

    fn places(&self, placement: Placement) -> Result<Places> {
        match &self.client_cores {
            Some(client) => Ok(places_apart(placement, client, &self.cores)),
            None => places(placement, &self.cores).map_err(|error| Failure::new(Exit::Usage, error).into()),
        }
    }
}

impl Stage for StackStage {
    fn keep_pace(&mut self, pace: Pace, stop: &Stop) {
        self.pace = Some((pace, stop.clone()));
    }

    async fn prepare(&mut self, step: &Step, conditions: &mut Conditions) -> Result<()> {
        if self.outside.is_some() {
            return self.prepare_abroad(step, conditions).await;
        }
        let begun = Instant::now();
        let cell = &step.cell;
        conditions.clone_from(&self.conditions);
        if cell.fault.kind == Kind::WalFull {
            self.renew_memory().await?;
        }
        self.use_storage(cell.storage).await?;
        if cell.fault.kind == Kind::WalFull {
            db::keep_no_wal(&self.server().control).await?;
        }
        let control = &self.server().control;
        db::empty(control).await?;
        let keys = db::set_foreign_keys(control, cell.foreign_keys).await?;
        let commit = db::set_synchronous_commit(control, cell.synchronous_commit).await?;
        conditions.settings = settings(cell, keys, commit);
        db::settle(control).await?;
        let profile = self.profile(&cell.link)?;
        let set = self.set_link(&profile, step.run as u64).await?;
        conditions.link = (!profile.is_direct()).then_some(set);
        conditions.link_asked = Some(profile);
        let places = self.places(cell.placement)?;
        conditions.shared_core = places.shares_core;
        self.place_others(&places.others).await?;
        conditions.own_time.prepare = begun.elapsed().as_secs_f64();
        // After settling: a vacuum at a quarter of a processor would take its time.
        conditions.database = Some(self.limit_database(cell.db_cpus, &places.database).await?);
        conditions.own_time.calibrate = begun.elapsed().as_secs_f64() - conditions.own_time.prepare;
        Ok(())
    }

    async fn ingest(
        &mut self,
        step: &Step,
        conditions: &mut Conditions,
        stop: &Stop,
        heard: &mut dyn FnMut(&Line),
    ) -> Result<Outcome> {
        if self.outside.is_some() {
            return self.ingest_abroad(step, conditions, stop, heard).await;
        }
        let job = self.job(&step.cell, &step.stop)?;
        let (waiting, link) = self.start_client(step, conditions).await?;
        if !step.cell.fault.is_none() {
            return self.ingest_broken(step, conditions, (waiting, job), stop, heard).await;
        }
        let clients = match self.with_further_clients(step, waiting, conditions).await? {
            Ok(clients) => clients,
            Err(lost) => return Ok(lost.into()),
        };
        let control = &self.server().control;
        let (checkpoints, before) = (db::checkpoints(control).await?, db::counted(control).await);
        let (steady, wall, own_cpu_before) = (Instant::now(), SystemTime::now(), clock::own_cpu());
        let (ended, mut observed) = self.ingest_and_look_on(step, clients, &job, stop, heard).await?;
        nodes::on_one_clock(&mut observed, conditions.clocks.as_ref());
        conditions.settings.extend(encryption(step.cell.tls, &observed));
        conditions.clock_jump = apart(steady, wall);
        let after = self.link_status().await?;
        conditions.harness = harness(own_cpu_before, &link, &after);
        let verifying = Instant::now();
        let control = &self.server().control;
        observed.counted = Some(db::counted(control).await.since(before));
        conditions.checkpoints = db::checkpoints(control).await? - checkpoints;
        conditions.link = seen_by_the_link(&step.cell.link, after, &mut observed);
        conditions.observed = Some(observed);
        self.after(conditions).await?;
        let outcome = match ended {
            Ok(result) => self.verified(result, &job, conditions).await,
            Err(failure) => Ok(failure.into()),
        };
        conditions.own_time.verify = verifying.elapsed().as_secs_f64();
        outcome
    }

    async fn recover(&mut self, error: &anyhow::Error, stop: &Stop, say: &dyn Fn(&str)) -> Result<Option<String>> {
        match self.outside {
            Some(_) => Ok(None), // what went is not the lab's to wait for
            None => self.stand_again(error, stop, say).await,
        }
    }

    async fn restore(&mut self) -> Result<()> {
        let home = self.come_home().await;
        self.tidy().await.map(drop)?;
        home
    }
}

/// What a cell asks of tables and commits, and what was found: so many foreign keys, and the server's word.
fn settings(cell: &Cell, keys: i64, commit: String) -> Vec<Setting> {
    let setting = |name: &str, asked: String, found: String| Setting { name: name.into(), asked, found };
    vec![
        setting("foreign_keys", cell.foreign_keys.to_string(), if keys > 0 { "on" } else { "off" }.into()),
        setting("synchronous_commit", cell.synchronous_commit.to_string(), commit),
    ]
}

/// CPU time of the lab's own since it had used so much, and of the link between its two words.
fn harness(own_cpu_before: f64, before: &LinkStatus, after: &LinkStatus) -> Harness {
    Harness {
        lab: clock::own_cpu() - own_cpu_before,
        link: after.emulation.cpu_us.saturating_sub(before.emulation.cpu_us) as f64 / 1e6,
    }
}

/// Whether connections were encrypted as asked for. Of plain ones nothing is said where nobody could ask, or came too late
/// to see one.
fn encryption(asked: Tls, observed: &Observed) -> Option<Setting> {
    let found = observed.encryption.as_ref().and_then(Encryption::found);
    let found = found.or_else(|| (asked == Tls::On).then(|| "not seen".to_owned()))?;
    Some(Setting { name: "tls".into(), asked: asked.to_string(), found })
}

/// How far the wall clock and the steady clock went apart since both were read, seconds.
fn apart(steady: Instant, wall: SystemTime) -> f64 {
    let wall = match wall.elapsed() {
        Ok(forward) => forward.as_secs_f64(),
        Err(back) => -back.duration().as_secs_f64(),
    };
    wall - steady.elapsed().as_secs_f64()
}
