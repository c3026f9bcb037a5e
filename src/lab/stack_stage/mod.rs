//! The real stage: ingesters in containers, the database over the control connection that nothing slows down.

mod calibrate;
mod examine;
mod path;
mod reach;
mod tidy;

use super::experiment::StopRule;
use super::placement::places;
use super::plan::Step;
use super::stage::Stage;
use super::stop::Stop;
use crate::db;
use crate::engine::{Container, DataVolume, Limits, Network, RunSpec, Stack};
use crate::model::Phase;
use crate::model::cell::Cell;
use crate::wire::conditions::{Conditions, Setting};
use crate::wire::exit::{Exit, Failure};
use crate::wire::record::Outcome;
use crate::wire::{DbUrl, Job, Line, SCHEMA};
use anyhow::{Context, Result};
use reach::{control_url, database_url};
use std::time::{Duration, Instant, SystemTime};
use tokio_postgres::Client;

/// How long the stack's containers may take to become healthy: a first start makes the cluster.
const PATIENCE: Duration = Duration::from_secs(120);

/// A stack that is ready and taken: its lock is held for as long as this lives.
#[derive(Debug)]
pub struct StackStage {
    stack: Stack,
    url: DbUrl,
    control: Client,
    /// More connections of the lab's own, for spins on several processors.
    spinners: Vec<Client>,
    password: String,
    db: Container,
    link: Container,
    network: Network,
    /// Processors the engine has.
    processors: usize,
    /// Ids of the images that the database and the link run.
    images: (String, String),
    /// What every run of the series has in common.
    conditions: Conditions,
    /// Set before the first run.
    series: Option<Series>,
}

/// What the runs of one series share.
#[derive(Debug)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// Its data.
    pub data: DataVolume,
    /// When its runs end.
    pub stop: StopRule,
}

/// What a stack can do at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Processors of the engine's machine.
    pub processors: usize,
    /// Connections the database has left for an ingester.
    pub connections: usize,
}

impl StackStage {
    /// Waits for the stack, takes it for this lab alone, and puts back what a killed lab left.
    pub async fn take(stack: Stack) -> Result<Self> {
        Self::take_within(stack, PATIENCE).await
    }

    /// The same, with less patience.
    pub async fn take_within(stack: Stack, patience: Duration) -> Result<Self> {
        let db = stack.healthy("db", patience).await?;
        let link = stack.healthy("link", patience).await?;
        let network = stack.network("client").await?;
        let (url, password) = control_url(&stack, &db).await?;
        let control = db::connect(&url).await?;
        db::lock(&control).await?;
        let engine = stack.engine().facts().await?;
        let stage = Self {
            url,
            control,
            spinners: Vec::new(),
            password,
            network,
            processors: usize::try_from(engine.processors).unwrap_or(1).max(1),
            images: (db.image().to_owned(), link.image().to_owned()),
            db: db.container().clone(),
            link: link.container().clone(),
            conditions: Conditions { engine, ..Default::default() },
            series: None,
            stack,
        };
        // Only now: without the lock it could be another lab's work.
        let put_back = stage.tidy().await?;
        if !put_back.is_empty() {
            eprintln!("put back what an earlier lab left: {}", put_back.join(", "));
        }
        Ok(stage)
    }

    /// What the stack can do at most.
    pub async fn capacity(&self) -> Result<Capacity> {
        let connections = db::max_connections(&self.control).await?;
        Ok(Capacity { processors: self.processors, connections })
    }

    /// Begins a series: makes the tables anew and notes what all its runs have in common.
    pub async fn begin(&mut self, series: Series) -> Result<()> {
        db::rebuild(&mut self.control).await?;
        let images = [("db", &self.images.0), ("link", &self.images.1), ("ingester", &self.stack.image("ingester"))];
        for (role, image) in images {
            self.conditions.images.push(self.stack.image_facts(role, image).await?);
        }
        self.conditions.data.clone_from(&series.data.checksum);
        self.conditions.link = Some(self.link_status().await?);
        self.series = Some(series);
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

    fn job(&self, cell: &Cell, stop: &StopRule) -> Job {
        Job {
            schema: SCHEMA,
            dburl: database_url(&self.password, "link"),
            scheme: cell.scheme,
            statement: cell.statement,
            in_flight: cell.in_flight,
            pool: cell.pool,
            commit: cell.commit,
            reader: cell.reader,
            data: RunSpec::DATA.into(),
            queue: Job::QUEUE,
            phases: vec![Phase::Geo, Phase::Data],
            limit_geo: stop.geo_records,
            limit_lines: stop.lines,
            seconds: stop.seconds,
            child: false,
        }
    }
}

impl Stage for StackStage {
    async fn prepare(&mut self, step: &Step) -> Result<Conditions> {
        let begun = Instant::now();
        let cell = &step.cell;
        let mut conditions = self.conditions.clone();
        db::empty(&self.control).await?;
        let keys = db::set_foreign_keys(&self.control, cell.foreign_keys).await?;
        let commit = db::set_synchronous_commit(&self.control, cell.synchronous_commit).await?;
        let setting = |name: &str, asked: String, found: String| Setting { name: name.into(), asked, found };
        conditions.settings = vec![
            setting("foreign_keys", cell.foreign_keys.to_string(), if keys > 0 { "on" } else { "off" }.into()),
            setting("synchronous_commit", cell.synchronous_commit.to_string(), commit),
        ];
        db::settle(&self.control).await?;
        let profile = self.profile(&cell.link)?;
        conditions.link = Some(self.set_link(&profile, step.run as u64).await?);
        conditions.link_asked = Some(profile);
        let places = places(cell.placement, self.processors).map_err(|error| Failure::new(Exit::Usage, error))?;
        self.place_others(places.others).await?;
        conditions.own_time.prepare = begun.elapsed().as_secs_f64();
        // After settling: a vacuum at a quarter of a processor would take its time.
        conditions.database = Some(self.limit_database(cell.db_cpus, places.database).await?);
        conditions.own_time.calibrate = begun.elapsed().as_secs_f64() - conditions.own_time.prepare;
        Ok(conditions)
    }

    async fn ingest(
        &mut self,
        step: &Step,
        conditions: &mut Conditions,
        stop: &Stop,
        heard: &mut dyn FnMut(&Line),
    ) -> Result<Outcome> {
        let series = self.series.as_ref().context("no series has begun")?;
        let cell = &step.cell;
        let places = places(cell.placement, self.processors).map_err(|error| Failure::new(Exit::Usage, error))?;
        let spec = RunSpec {
            series: series.name.clone(),
            run: step.run,
            image: self.stack.image("ingester"),
            network: self.network.clone(),
            data: series.data.clone(),
            limits: Limits { cpus: cell.client_cpus, cpuset: places.client.to_string() },
            congestion: cell.congestion,
        };
        let job = self.job(cell, &step.stop_rule(series.stop));
        let starting = Instant::now();
        let waiting = self.stack.start(&spec).await?;
        conditions.own_time.start = starting.elapsed().as_secs_f64();
        let calibrating = Instant::now();
        conditions.client = Some(self.check_client(&waiting, &spec.limits, places.client).await?);
        conditions.settings.push(self.congestion(&waiting, cell).await?);
        conditions.connect = self.connects(&waiting).await?;
        conditions.own_time.calibrate += calibrating.elapsed().as_secs_f64();
        let checkpoints = db::checkpoints(&self.control).await?;
        let (steady, wall) = (Instant::now(), SystemTime::now());
        let ended = self.stack.ingest(waiting, &job, stop.asked(), heard).await?;
        conditions.clock_jump = apart(steady, wall);
        let verifying = Instant::now();
        conditions.checkpoints = db::checkpoints(&self.control).await? - checkpoints;
        conditions.link = Some(self.link_status().await?);
        self.after(conditions).await?;
        let mut result = match ended.result() {
            Ok(result) => result,
            Err(failure) => return Ok(Outcome::Failed { error: failure.message, code: failure.exit.code() }),
        };
        let with_geo = job.phases.contains(&Phase::Geo);
        result.verification = Some(db::verify(&self.control, &result.acknowledged, with_geo).await?);
        conditions.own_time.verify = verifying.elapsed().as_secs_f64();
        Ok(Outcome::Finished { result })
    }

    async fn restore(&mut self) -> Result<()> {
        self.tidy().await.map(drop)
    }
}

/// How far the wall clock and the steady clock went apart since both were read, seconds.
fn apart(steady: Instant, wall: SystemTime) -> f64 {
    let wall = match wall.elapsed() {
        Ok(forward) => forward.as_secs_f64(),
        Err(back) => -back.duration().as_secs_f64(),
    };
    wall - steady.elapsed().as_secs_f64()
}
