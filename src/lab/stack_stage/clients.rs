//! The ingesters of one run: the containers beside the first one, and how all of them are given their job.

use super::StackStage;
use crate::engine::{Ended, Limits, RunSpec, Stack, Waiting};
use crate::lab::clients::{Client, lost, together};
use crate::lab::plan::Step;
use crate::lab::stop::Stop;
use crate::model::share::Share;
use crate::wire::conditions::Conditions;
use crate::wire::exit::Failure;
use crate::wire::{Begin, Job, Line, RunResult};
use anyhow::Result;
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
        let cell = &step.cell;
        let place = self.places(cell.placement)?.client;
        let limits = Limits { cpus: cell.client_cpus, cpuset: place.to_string() };
        let spec = self.on_path(self.run_spec(cell.scheme.program(), step.run, limits, cell.congestion)?, &cell.link);
        let starting = Instant::now();
        let waiting = self.stack.start(&RunSpec { client: Some(client), ..spec.clone() }).await?;
        conditions.own_time.start += starting.elapsed().as_secs_f64();
        let calibrating = Instant::now();
        // Of hosts besides the first client's only the engines' dates are moved to the lab's clock.
        let check = match self.ask_clocks(waiting.container()).await {
            Ok(_) => self.check_client(&waiting, &spec.limits, &place).await,
            Err(error) => Err(error),
        };
        conditions.own_time.calibrate += calibrating.elapsed().as_secs_f64();
        match check {
            Ok(check) => conditions.more_clients.push(check),
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
