//! One run of any image, on nobody's behalf: `lab doctor --peer`. The link stays as taking the stack left it: local.

use super::StackStage;
use super::reach::database_url;
use crate::db;
use crate::engine::{DataVolume, Limits, RunSpec};
use crate::lab::experiment::StopRule;
use crate::lab::peer::{Heard, Recorder};
use crate::model::cell::Cell;
use crate::model::{Commit, Congestion, Scheme, Statement, Workload};
use crate::wire::{Acknowledged, Job, RunResult, Verification};
use anyhow::Result;
use std::time::{Duration, Instant};

/// Workers of a check: more than one, few enough for any machine.
const POOL: usize = 4;

/// How long a run may take before it is asked to stop.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is tried.
#[derive(Debug, Clone)]
pub(in crate::lab) struct Trial<'a> {
    /// The image.
    pub image: &'a str,
    /// The data it reads.
    pub data: &'a DataVolume,
    /// The job's bytes, right or wrong.
    pub job: Vec<u8>,
    /// Whether it is asked to stop, and how long after its data phase began.
    pub stop: Option<Duration>,
}

impl StackStage {
    /// Makes the tables anew.
    pub(in crate::lab) async fn begin_trials(&mut self) -> Result<()> {
        db::rebuild(&mut self.server_mut().control).await.map(drop)
    }

    /// A job of both phases and all the data.
    pub(in crate::lab) fn trial_job(&self, scheme: Scheme, statement: Statement, commit: Commit) -> Result<Job> {
        self.job(&Cell::new(scheme, statement, commit, POOL), &StopRule::default())
    }

    /// A job that reads wide rows by key: so many keys, unless it is stopped.
    pub(in crate::lab) fn trial_lookup(
        &self,
        scheme: Scheme,
        statement: Statement,
        chunk: usize,
        keys: u64,
    ) -> Result<Job> {
        let cell = Cell { workload: Workload::Lookup, chunk, ..Cell::new(scheme, statement, Commit::Auto, POOL) };
        self.job(&cell, &StopRule { lines: Some(keys), ..StopRule::default() })
    }

    /// What must never be said: the password, as it is and as the URL has it.
    pub(in crate::lab) fn secrets(&self) -> Vec<String> {
        let (password, url) = (self.server().password.clone(), database_url(&self.server().password, "link").0);
        let escaped = url.split_once("ingest:").and_then(|(_, rest)| rest.split_once('@')).map(|(word, _)| word);
        let escaped = escaped.unwrap_or_default().to_owned();
        [password, escaped].into_iter().filter(|word| !word.is_empty()).collect()
    }

    /// Processors that a program may use here.
    pub(in crate::lab) fn processors(&self) -> usize {
        self.client_cores.as_ref().unwrap_or(&self.cores).count()
    }

    /// Runs an image on empty tables and hears it to its end. It is asked to stop where the trial says so, or when it
    /// takes too long.
    pub(in crate::lab) async fn attempt(&self, trial: Trial<'_>) -> Result<Heard> {
        db::empty(&self.server().control).await?;
        let spec = RunSpec {
            series: "peer".into(),
            run: 0,
            client: None,
            image: trial.image.to_owned(),
            network: self.network.clone(),
            path: None,
            data: trial.data.clone(),
            limits: Limits::none(self.processors()),
            congestion: Congestion::System,
        };
        let waiting = self.stack.start(&spec).await?;
        let (mut recorder, mut data) = Recorder::begin();
        let asked = std::cell::Cell::new(None);
        let stop = async {
            let wanted = async {
                match trial.stop {
                    Some(after) if data.wait_for(|began| *began).await.is_ok() => tokio::time::sleep(after).await,
                    _ => std::future::pending().await,
                }
            };
            let _ = tokio::time::timeout(PATIENCE, wanted).await;
            asked.set(Some(Instant::now()));
        };
        let left = self.stack.attend(waiting, trial.job, stop, &mut recorder).await?;
        Ok(recorder.end(&left, asked.get()))
    }

    /// What a lookup delivered, beside what is in the table.
    pub(in crate::lab) async fn delivered(&self, job: &Job, result: &RunResult) -> Result<Verification> {
        db::verify_run(&self.server().control, job, result).await
    }

    /// What is in the tables, beside what was acknowledged.
    pub(in crate::lab) async fn found(&self, acknowledged: &Acknowledged) -> Result<Verification> {
        db::verify(&self.server().control, acknowledged, true).await
    }
}
