//! The real stage: ingesters in containers, the database over the control connection that nothing slows down.

mod abroad;
mod calibrate;
mod clients;
mod direct;
mod examine;
mod fault;
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

use super::experiment::StopRule;
use super::placement::{Cores, Places, SIBLINGS, places, places_apart};
use super::plan::Step;
use super::stage::Stage;
use super::stop::Stop;
use crate::db::{self, external};
use crate::engine::{DataVolume, Healthy, Limits, Network, Responder, RunSpec, Stack, Waiting};
use crate::model::cell::Cell;
use crate::model::clock;
use crate::model::fault::Kind;
use crate::model::{Congestion, Phase, Placement, Program, Storage, Tls, Workload};
use crate::wire::conditions::{Conditions, Harness, Setting};
use crate::wire::exit::{Exit, Failure};
use crate::wire::record::Outcome;
use crate::wire::setup::LinkStatus;
use crate::wire::watched::{Encryption, Observed};
use crate::wire::{Job, Line, RunResult, SCHEMA};
use anyhow::{Context, Result};
use direct::seen_by_the_link;
pub(in crate::lab) use outside::Leave;
use outside::Outside;
pub(in crate::lab) use peer::Trial;
use reach::database_url;
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
        if let Some(outside) = &self.outside {
            let connections = external::capacity(&outside.control).await?;
            let (cores, client_cores) = (self.cores.clone(), self.client_cores.clone());
            return Ok(Capacity { cores, client_cores, connections, disk: None });
        }
        let connections = db::max_connections(&self.server().control).await?;
        let (cores, client_cores) = (self.cores.clone(), self.client_cores.clone());
        Ok(Capacity { cores, client_cores, connections, disk: self.free_disk().await? })
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

    /// Starts an ingester with the cell's limits, and measures those and the link from within its container.
    async fn start_client(&self, step: &Step, conditions: &mut Conditions) -> Result<(Waiting, LinkStatus)> {
        let cell = &step.cell;
        let places = self.places(cell.placement)?;
        let limits = Limits { cpus: cell.client_cpus, cpuset: places.client.to_string() };
        let spec = self.on_path(self.run_spec(cell.scheme.program(), step.run, limits, cell.congestion)?, &cell.link);
        let spec = RunSpec { client: (cell.clients > 1).then_some(1), ..spec };
        let starting = Instant::now();
        let waiting = self.stack.start(&spec).await?;
        conditions.own_time.start = starting.elapsed().as_secs_f64();
        let calibrating = Instant::now();
        // What measures is part of the ingester's image only: another program is measured for by one in its place.
        let double = match cell.scheme.program() {
            Program::Ingester => None,
            _ => Some(
                self.stack
                    .start(&RunSpec { image: self.stack.image(Program::Ingester.word()), ..spec.clone() })
                    .await?,
            ),
        };
        let measuring = double.as_ref().unwrap_or(&waiting);
        conditions.clocks = self.ask_clocks(measuring.container()).await?;
        let check = self.check_client(measuring, &spec.limits, &places.client).await?;
        conditions.settings.push(self.congestion(measuring, cell).await?);
        let profile = conditions.link_asked.clone().context("the link was prepared")?;
        let link = match self.has_responder(cell) {
            true => {
                let (measured, link) = self.measure_link(measuring, &profile, step.run as u64).await?;
                conditions.link_measured = Some(measured);
                link
            }
            false => self.link_status().await?,
        };
        conditions.way = self.way(measuring, cell).await?;
        conditions.client = Some(match double {
            None => check,
            Some(double) => {
                self.stack.dismiss(double).await?;
                self.read_back(waiting.container(), spec.limits, 0, check).await?
            }
        });
        conditions.own_time.calibrate += calibrating.elapsed().as_secs_f64();
        Ok((waiting, link))
    }

    /// Another ingester like the one that ended, which waits for its job.
    async fn another_client(&self, step: &Step) -> Result<Waiting> {
        let cell = &step.cell;
        let limits = Limits { cpus: cell.client_cpus, cpuset: self.places(cell.placement)?.client.to_string() };
        let spec = self.run_spec(cell.scheme.program(), step.run, limits, cell.congestion)?;
        self.stack.start(&self.on_path(spec, &cell.link)).await
    }

    /// A result with what was found in the database beside it.
    async fn verified(&self, mut result: Box<RunResult>, job: &Job, conditions: &mut Conditions) -> Result<Outcome> {
        let verifying = Instant::now();
        let with_geo = job.phases.contains(&Phase::Geo);
        let control = self.outside.as_ref().map_or(&self.server().control, |outside| &outside.control);
        result.verification = Some(db::verify_run(control, &result, with_geo).await?);
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

    fn job(&self, cell: &Cell, stop: &StopRule) -> Result<Job> {
        Ok(Job {
            schema: SCHEMA,
            dburl: match &self.outside {
                Some(outside) => outside.url(cell),
                None => database_url(&self.server().password, self.host(&cell.link)),
            },
            workload: cell.workload,
            scheme: cell.scheme,
            statement: cell.statement,
            in_flight: cell.in_flight,
            batch: cell.batch,
            chunk: cell.chunk,
            protocol: cell.protocol,
            pool: cell.pool,
            commit: cell.commit,
            reader: cell.reader,
            data: RunSpec::DATA.into(),
            queue: Job::QUEUE,
            phases: match cell.workload {
                Workload::Census => vec![Phase::Geo, Phase::Data],
                Workload::Lookup => vec![Phase::Data],
            },
            limit_geo: stop.geo_records,
            limit_lines: stop.lines,
            seconds: stop.seconds,
            child: false,
            metrics: true,
            tls: match &self.outside {
                Some(outside) => outside.authority.clone(),
                None => reach::trust(cell.tls, self.server().authority.as_deref())?,
            },
            inject: cell.inject,
            progress: !cell.fault.is_none() && cell.workload == Workload::Census,
            resume: false,
            retry: !cell.fault.is_none(),
            mark: None,
            share: crate::model::share::Share::WHOLE,
            barrier: false,
        })
    }
}

impl Stage for StackStage {
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
        let setting = |name: &str, asked: String, found: String| Setting { name: name.into(), asked, found };
        conditions.settings = vec![
            setting("foreign_keys", cell.foreign_keys.to_string(), if keys > 0 { "on" } else { "off" }.into()),
            setting("synchronous_commit", cell.synchronous_commit.to_string(), commit),
        ];
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
            Err(lost) => return Ok(Outcome::Failed { error: lost.message, code: lost.exit.code() }),
        };
        let checkpoints = db::checkpoints(&self.server().control).await?;
        let (steady, wall, own_cpu_before) = (Instant::now(), SystemTime::now(), clock::own_cpu());
        let (ended, mut observed) = self.ingest_and_look_on(step, clients, &job, stop, heard).await?;
        nodes::on_one_clock(&mut observed, conditions.clocks.as_ref());
        conditions.settings.extend(encryption(step.cell.tls, &observed));
        conditions.clock_jump = apart(steady, wall);
        let after = self.link_status().await?;
        conditions.harness = Harness {
            lab: clock::own_cpu() - own_cpu_before,
            link: after.emulation.cpu_us.saturating_sub(link.emulation.cpu_us) as f64 / 1e6,
        };
        let verifying = Instant::now();
        conditions.checkpoints = db::checkpoints(&self.server().control).await? - checkpoints;
        conditions.link = seen_by_the_link(&step.cell.link, after, &mut observed);
        conditions.observed = Some(observed);
        self.after(conditions).await?;
        let outcome = match ended {
            Ok(result) => self.verified(result, &job, conditions).await,
            Err(failure) => Ok(Outcome::Failed { error: failure.message, code: failure.exit.code() }),
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

/// Whether connections were encrypted as asked for. Of plain ones nothing is said where nobody could ask.
fn encryption(asked: Tls, observed: &Observed) -> Option<Setting> {
    let found = observed.encryption.as_ref().map(Encryption::found);
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
