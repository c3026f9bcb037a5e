//! The run loop: for each step prepare, ingest, judge, save; at the end restore. It knows the stage only as a trait.
//! What an earlier session of the series brought to its end is not done again.

use super::judge;
use super::plan::{Step, shorten};
use super::progress::Progress;
use super::stage::Stage;
use super::stop::Stop;
use crate::analysis::{self, Ahead};
use crate::model::Part;
use crate::model::cell::Cell;
use crate::model::profiles::Profiles;
use crate::report;
use crate::wire::exit::{Exit, Failure};
use crate::wire::forecast::Forecast;
use crate::wire::record::{Outcome, RunRecord};
use crate::wire::{Line, SCHEMA};
use anyhow::Result;
use std::time::Instant;

/// Where a finished run is kept before the next begins.
pub trait Keep {
    /// Keeps a run for good.
    fn keep(&mut self, record: &RunRecord) -> Result<()>;

    /// Keeps everything an ingester said in a run, as it said it.
    fn hear(&mut self, run: usize, attempt: u32, lines: &[Line]) -> Result<()>;

    /// Keeps what a run is expected to do, before it begins.
    fn foretell(&mut self, run: usize, forecast: &Forecast) -> Result<()>;
}

/// What a series is called in its records.
#[derive(Debug, Clone)]
pub struct Names {
    /// The series.
    pub series: String,
    /// The experiment.
    pub experiment: String,
}

/// Every run that was done, and why the series ended before its plan did, if it did.
#[derive(Debug)]
pub struct Played {
    /// The runs, in order; those of an earlier session first.
    pub records: Vec<RunRecord>,
    /// The error that ended the series.
    pub error: Option<anyhow::Error>,
}

/// What a series is played with.
pub struct Player<'a, S, K> {
    /// Where runs happen.
    pub stage: &'a mut S,
    /// Where they are kept.
    pub keep: &'a mut K,
    /// What the series is called.
    pub names: &'a Names,
    /// What people see.
    pub progress: &'a mut Progress,
    /// When to end early.
    pub stop: &'a Stop,
    /// How long all of it may take, seconds.
    pub budget: Option<f64>,
    /// What the cells' links mean.
    pub links: &'a Profiles,
}

impl<S: Stage, K: Keep> Player<'_, S, K> {
    /// Does every step that is not among the `records` of an earlier session, or as many as it may.
    /// The stage is restored in any case.
    pub async fn play(&mut self, steps: &[Step], records: Vec<RunRecord>) -> Played {
        let mut played = Played { records, error: None };
        let (begun, earlier) = (Instant::now(), played.records.len());
        let mut steps = steps.to_vec();
        for at in 0..steps.len() {
            // Not after the warm-up alone: it is colder than the others.
            if earlier == 0 && at > 1 && steps[at - 1].block < steps[at].block {
                let (done, left) = steps.split_at_mut(at);
                self.keep_to_budget(done, left, begun);
            }
            let step = &steps[at];
            if is_done(&played.records, step) {
                self.progress.skips();
                continue;
            }
            if self.stop.is_asked() {
                played.error = Some(interrupted(played.records.len(), steps.len()));
                break;
            }
            self.progress.begins(step, steps.len() - 1);
            if let Err(error) = self.run(step, &mut played.records).await {
                played.error = Some(error);
                break;
            }
            self.provisional(&steps, step, &played.records);
        }
        self.progress.finish();
        let cut = self.stop.is_asked() && played.records.last().is_some_and(RunRecord::was_interrupted);
        if cut && played.error.is_none() {
            played.error = Some(interrupted(played.records.len(), steps.len()));
        }
        if let Err(failed) = self.stage.restore().await {
            // The first error is the cause; a failed restore is told beside it.
            match played.error {
                None => played.error = Some(failed.context("put back what the lab changed")),
                Some(_) => eprintln!("what the lab changed could not be put back: {failed:#}"),
            }
        }
        played
    }

    /// Before each block: what is to come is made shorter where the budget would be overrun.
    fn keep_to_budget(&mut self, done: &[Step], left: &mut [Step], begun: Instant) {
        let used = begun.elapsed().as_secs_f64();
        let rtt = |cell: &Cell| rtt(self.links, cell).unwrap_or(0.0);
        if let Some(said) = self.budget.and_then(|budget| shorten(done, left, used, budget, &rtt)) {
            self.progress.say(&said);
        }
    }

    /// One step: once, or twice where only the processor's speed was off.
    async fn run(&mut self, step: &Step, records: &mut Vec<RunRecord>) -> Result<()> {
        let earlier = records.iter().filter(|record| record.run == step.run).count() as u32;
        for attempt in earlier + 1.. {
            let record = self.attempt(step, attempt, records).await?;
            self.keep.keep(&record)?;
            self.progress.ended(&record);
            let over = fatal(&record.outcome, &record.cell);
            let again = attempt == earlier + 1 && judge::only_processors(&record.invalid) && !self.stop.is_asked();
            records.push(record);
            if let Some(error) = over {
                return Err(error);
            }
            if !again {
                break;
            }
        }
        Ok(())
    }

    async fn attempt(&mut self, step: &Step, attempt: u32, before: &[RunRecord]) -> Result<RunRecord> {
        let forecast = self.foretell(step, before)?;
        let mut conditions = self.stage.prepare(step).await?;
        let (progress, mut lines) = (&mut *self.progress, Vec::new());
        let mut heard = |line: &Line| {
            progress.heard(line);
            lines.push(line.clone());
        };
        let outcome = self.stage.ingest(step, &mut conditions, self.stop, &mut heard).await?;
        self.keep.hear(step.run, attempt, &lines)?;
        let mut record = RunRecord {
            schema: SCHEMA,
            series: self.names.series.clone(),
            experiment: self.names.experiment.clone(),
            run: step.run,
            block: step.block,
            part: step.part,
            attempt,
            cell: step.cell.clone(),
            forecast,
            invalid: Vec::new(),
            outcome,
            conditions,
        };
        record.invalid = judge::judge(&record, before);
        Ok(record)
    }

    /// Before a cell's first run: what it is expected to do, kept before anything of it is measured.
    fn foretell(&mut self, step: &Step, before: &[RunRecord]) -> Result<Option<Forecast>> {
        let ran = |record: &RunRecord| record.part != Part::WarmUp && record.cell == step.cell;
        let Some(last) = before.last().filter(|_| step.part == Part::Cell && !before.iter().any(ran)) else {
            return Ok(None);
        };
        let Some(rtt) = rtt(self.links, &step.cell) else { return Ok(None) };
        let processors = usize::try_from(last.conditions.engine.processors).unwrap_or(1);
        let forecast = analysis::forecast(before, Ahead { cell: &step.cell, rtt, processors });
        if let Some(forecast) = &forecast {
            self.keep.foretell(step.run, forecast)?;
        }
        Ok(forecast)
    }

    /// After the first of several blocks: an answer, if a first one.
    fn provisional(&self, steps: &[Step], step: &Step, records: &[RunRecord]) {
        let ends = |block: usize| steps.iter().rev().find(|s| s.block == block).is_some_and(|last| last == step);
        if step.block == 1 && ends(1) && steps.last().is_some_and(|last| last.block > 1) {
            self.progress.say(&format!("provisional, after one block:\n{}", report::provisional(records)));
        }
    }
}

/// The round trip that a cell's link is asked to have, seconds.
fn rtt(links: &Profiles, cell: &Cell) -> Option<f64> {
    Some(links.find(&cell.link).ok()?.rtt().nanos() as f64 / 1e9)
}

/// Whether a step's run was brought to its end: what was cut short is done again.
pub(super) fn is_done(records: &[RunRecord], step: &Step) -> bool {
    records.iter().any(|record| {
        record.run == step.run && !record.was_interrupted() && fatal(&record.outcome, &record.cell).is_none()
    })
}

/// A run that failed ends the series, unless only its combination is not supported, or something was broken in it on
/// purpose: the others may do.
fn fatal(outcome: &Outcome, cell: &Cell) -> Option<anyhow::Error> {
    match outcome {
        Outcome::Failed { error, code } if cell.fault.is_none() && Exit::of(*code) != Exit::NotSupported => {
            Some(Failure::new(Exit::of(*code), error.clone()).into())
        }
        _ => None,
    }
}

fn interrupted(done: usize, planned: usize) -> anyhow::Error {
    let message = format!("interrupted after {done} of {planned} runs; those that ended are saved");
    Failure::new(Exit::Interrupted, message).into()
}

#[cfg(test)]
mod tests;
