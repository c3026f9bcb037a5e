//! The ingesters of one run: how their containers are started and measured, and how all of them are given their job.

use super::StackStage;
use crate::engine::{Ended, Limits, RunSpec, Stack, Waiting};
use crate::lab::clients::{Client, lost, together};
use crate::lab::placement::Place;
use crate::lab::plan::Step;
use crate::lab::stop::Stop;
use crate::model::Program;
use crate::model::share::Share;
use crate::wire::conditions::{Conditions, CpuCheck};
use crate::wire::exit::Failure;
use crate::wire::setup::LinkStatus;
use crate::wire::{Begin, Job, Line, RunResult};
use anyhow::{Context, Result};
use std::future::Future;
use std::time::Instant;
use tokio::sync::mpsc::UnboundedReceiver;

/// An ingester's container on an engine: what is in it, and which engine, nobody else has to know.
struct Contained<'a> {
    stack: &'a Stack,
    waiting: Waiting,
}

impl Client for Contained<'_> {
    async fn ingest(
        self,
        job: Job,
        words: UnboundedReceiver<Begin>,
        stop: impl Future<Output = ()>,
        heard: &mut dyn FnMut(&Line),
    ) -> Result<Ended> {
        self.stack.ingest_on_words(self.waiting, &job, words, stop, heard).await
    }
}

impl StackStage {
    /// The container of one of a run's clients, by its number from 1, on these processors.
    fn client_spec(&self, step: &Step, place: &Place, client: usize) -> Result<RunSpec> {
        let cell = &step.cell;
        let limits = Limits { cpus: cell.client_cpus, cpuset: place.to_string() };
        let spec = self.on_path(self.run_spec(cell.scheme.program(), step.run, limits, cell.congestion)?, &cell.link);
        Ok(RunSpec { client: (cell.clients > 1).then_some(client), ..spec })
    }

    /// Starts an ingester with the cell's limits, and measures those and the link from within its container.
    pub(super) async fn start_client(&self, step: &Step, conditions: &mut Conditions) -> Result<(Waiting, LinkStatus)> {
        let cell = &step.cell;
        let place = self.places(cell.placement)?.client;
        let spec = self.client_spec(step, &place, 1)?;
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
        let check = self.check_client(measuring, &spec.limits, &place).await?;
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
    pub(super) async fn another_client(&self, step: &Step) -> Result<Waiting> {
        let place = self.places(step.cell.placement)?.client;
        self.stack.start(&self.client_spec(step, &place, 1)?).await
    }

    /// Starts the clients besides the first, which waits, and measures what each may use of the processors, one after
    /// the other. All of them, in order; or which of them is lost already, and why.
    pub(super) async fn with_further_clients(
        &self,
        step: &Step,
        first: Waiting,
        conditions: &mut Conditions,
    ) -> Result<Result<Vec<Waiting>, Failure>> {
        let mut clients = vec![first];
        for client in 2..=step.cell.clients {
            match self.start_further(step, client, conditions).await {
                Ok(waiting) => clients.push(waiting),
                Err(error) => {
                    // They never get a job; where one stays all the same, the sweep finds it by its label.
                    for waiting in clients {
                        let _ = self.stack.dismiss(waiting).await;
                    }
                    let share = Share { client, of: step.cell.clients };
                    // Whoever waits for an engine to come back has to see that it may.
                    return if Failure::passes(&error) {
                        Err(error.context(share.to_string()))
                    } else {
                        Ok(Err(lost(share, &error)))
                    };
                }
            }
        }
        Ok(Ok(clients))
    }

    async fn start_further(&self, step: &Step, client: usize, conditions: &mut Conditions) -> Result<Waiting> {
        let place = self.places(step.cell.placement)?.client;
        let spec = self.client_spec(step, &place, client)?;
        let starting = Instant::now();
        let waiting = self.stack.start(&spec).await?;
        conditions.own_time.start += starting.elapsed().as_secs_f64();
        let calibrating = Instant::now();
        let check = match self.ask_further(waiting.container(), &mut conditions.clocks).await {
            Ok(()) => self.check_client(&waiting, &spec.limits, &place).await,
            Err(error) => Err(error),
        };
        conditions.own_time.calibrate += calibrating.elapsed().as_secs_f64();
        match check {
            Ok(check) => conditions.more_clients.push(CpuCheck { host: self.stack.client_host(client), ..check }),
            Err(error) => {
                let _ = self.stack.dismiss(waiting).await;
                return Err(error);
            }
        }
        Ok(waiting)
    }

    /// Gives ingesters their job, one alone or several a share each: the result, or why there is none.
    pub(super) async fn ingest_with(
        &self,
        mut clients: Vec<Waiting>,
        job: &Job,
        stop: &Stop,
        heard: &mut dyn FnMut(&Line),
    ) -> Result<Result<Box<RunResult>, Failure>> {
        if clients.len() == 1
            && let Some(waiting) = clients.pop()
        {
            return Ok(self.stack.ingest(waiting, job, stop.asked(), heard).await?.result());
        }
        let clients = clients.into_iter().map(|waiting| Contained { stack: &self.stack, waiting }).collect();
        together(clients, job, stop, heard).await
    }
}
