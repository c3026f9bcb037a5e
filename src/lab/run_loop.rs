//! The run loop: for each step prepare, ingest, judge, save; at the end restore. It knows the stage only as a trait.
//! What an earlier session of the series brought to its end is not done again.

use super::judge;
use super::pace::Pace;
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
use crate::wire::record::{Conditions, Outcome, RunRecord, only_processors};
use crate::wire::watched::{Look, Share};
use crate::wire::{Line, SCHEMA};
use anyhow::Result;
use std::collections::BTreeSet;
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

/// Every run that was done, as far as later ones ask for it, and why the series ended before its plan did, if it did.
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

/// Attempts at a run whose ground goes from under it: what broke twice will break again.
const ATTEMPTS_LOST: u32 = 2;

/// Attempts at a run of which only the processors were off: a comparison wants six whole blocks, and one run that is missing
/// in one of them takes it away. With a run in three off, two attempts leave a pair of cells all of its six blocks in one
/// series of four, four attempts in six of seven.
const ATTEMPTS_LOUD: u32 = 4;

/// What came of one attempt at a run.
struct Tried {
    record: RunRecord,
    /// What ends the series because of it.
    over: Option<anyhow::Error>,
    /// The ground went from under it, and stands again: it is worth another attempt.
    lost: bool,
}

/// The same without its record.
struct Came {
    outcome: Outcome,
    over: Option<anyhow::Error>,
    lost: bool,
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
                self.keep_to_budget(done, left, begun, &played.records);
            }
            let step = &steps[at];
            if is_done(&played.records, step) {
                continue;
            }
            if self.stop.is_asked() {
                played.error = Some(interrupted(&played.records, steps.len()));
                break;
            }
            self.progress.begins(step, steps.len() - 1);
            if let Err(error) = self.run(step, &mut played.records).await {
                played.error = Some(error);
                break;
            }
            self.provisional(&steps, step, &played.records);
            forget(&steps, step, &mut played.records);
        }
        self.progress.finish();
        let cut = self.stop.is_asked() && played.records.last().is_some_and(RunRecord::was_interrupted);
        if cut && played.error.is_none() {
            played.error = Some(interrupted(&played.records, steps.len()));
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
    fn keep_to_budget(&mut self, done: &[Step], left: &mut [Step], begun: Instant, before: &[RunRecord]) {
        let used = begun.elapsed().as_secs_f64();
        let rtt = |cell: &Cell| rtt(self.links, cell, before).unwrap_or(0.0);
        if let Some(said) = self.budget.and_then(|budget| shorten(done, left, used, budget, &rtt)) {
            self.progress.say(&said);
        }
    }

    /// One step: once, and again where only the processors were off, or the ground went from under it.
    async fn run(&mut self, step: &Step, records: &mut Vec<RunRecord>) -> Result<()> {
        let earlier = records.iter().filter(|record| record.run == step.run).count() as u32;
        for attempt in earlier + 1.. {
            let Tried { record, over, lost } = self.attempt(step, attempt, records).await?;
            self.keep.keep(&record)?;
            self.progress.ended(&record);
            let attempts = match (lost, only_processors(&record.invalid)) {
                (true, _) => ATTEMPTS_LOST,
                (false, true) => ATTEMPTS_LOUD,
                (false, false) => 1,
            };
            records.push(record);
            if let Some(error) = over {
                return Err(error);
            }
            if attempt - earlier >= attempts || self.stop.is_asked() {
                break;
            }
        }
        Ok(())
    }

    async fn attempt(&mut self, step: &Step, attempt: u32, before: &[RunRecord]) -> Result<Tried> {
        let forecast = self.foretell(step, before)?;
        let (mut conditions, mut lines) = (Conditions::default(), Vec::new());
        self.stage.keep_pace(Pace::of(before), self.stop);
        let came = self.on_stage(step, &mut conditions, &mut lines).await;
        let Came { outcome, over, lost } = self.ground(came, &step.cell).await?;
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
        Ok(Tried { record, over, lost })
    }

    async fn on_stage(&mut self, step: &Step, conditions: &mut Conditions, lines: &mut Vec<Line>) -> Result<Outcome> {
        self.stage.prepare(step, conditions).await?;
        let progress = &*self.progress;
        let mut heard = |line: &Line| {
            progress.heard(line);
            lines.push(line.clone());
        };
        self.stage.ingest(step, conditions, self.stop, &mut heard).await
    }

    /// Where a run failed: whether that was its own doing, or the ground went from under it. Then its record says so.
    async fn ground(&mut self, came: Result<Outcome>, cell: &Cell) -> Result<Came> {
        let (outcome, error) = match came {
            Err(error) => (None, error),
            Ok(outcome) => match failure(&outcome, cell) {
                None => return Ok(Came { outcome, over: None, lost: false }),
                Some(error) => (Some(outcome), error),
            },
        };
        let progress = &*self.progress;
        let stands = self.stage.recover(&error, self.stop, &|text| progress.say(text)).await;
        let lost = |text| Outcome::Failed { error: text, code: Exit::Engine.code() };
        match (stands, outcome) {
            (Ok(None), None) => Err(error),
            (Ok(None), Some(outcome)) => {
                Ok(Came { outcome, over: Some(error).filter(|_| ends_series(cell)), lost: false })
            }
            (Ok(Some(happened)), _) => {
                Ok(Came { outcome: lost(format!("{happened} ({error:#})")), over: None, lost: true })
            }
            (Err(gone), _) => Ok(Came { outcome: lost(format!("{error:#}")), over: Some(gone), lost: false }),
        }
    }

    /// Before a cell's first run: what it is expected to do, kept before anything of it is measured.
    fn foretell(&mut self, step: &Step, before: &[RunRecord]) -> Result<Option<Forecast>> {
        let ran = |record: &RunRecord| record.part != Part::WarmUp && record.cell == step.cell;
        let Some(last) = before.last().filter(|_| step.part == Part::Cell && !before.iter().any(ran)) else {
            return Ok(None);
        };
        let Some(rtt) = rtt(self.links, &step.cell, before) else { return Ok(None) };
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

/// Looks of a run that are enough for forecasts, which ask how many backends were asleep in all of them.
const FEW_LOOKS: usize = 200;

/// Lets go what no later run asks for: the files have it, and hours of it would fill the memory. Looks are the most of it:
/// where the first block gets a provisional answer all of them are needed till then, else few for the forecasts, which are
/// over when every cell has run once.
fn forget(steps: &[Step], step: &Step, records: &mut [RunRecord]) {
    let one_block = steps.last().is_some_and(|last| last.block == 1);
    let all_ran = step.block > 1 || steps.iter().rev().find(|s| s.block == 1).is_some_and(|last| last == step);
    if !one_block && !all_ran {
        return;
    }
    for RunRecord { conditions, outcome, .. } in records {
        conditions.observed.iter_mut().for_each(|observed| few(&mut observed.looks));
        if all_ran {
            let Conditions { engine, client, database, link_measured, way, .. } = std::mem::take(conditions);
            *conditions = Conditions { engine, client, database, link_measured, way, ..Conditions::default() };
        }
        let Outcome::Finished { result } = outcome else { continue };
        result.acknowledged.items = Vec::new();
        if all_ran {
            result.metrics = None;
            result.phases.iter_mut().for_each(|phase| phase.metrics = None);
        }
    }
}

fn few(looks: &mut Vec<Look>) {
    let mut share = Share::of(FEW_LOOKS);
    std::mem::take(looks).into_iter().for_each(|look| share.push(look));
    *looks = share.kept;
}

/// The round trip that a cell's link is asked to have, seconds; where nothing is asked of it, what the last run on that
/// way measured.
fn rtt(links: &Profiles, cell: &Cell, before: &[RunRecord]) -> Option<f64> {
    let asked = links.find(&cell.link).ok()?;
    if !asked.is_direct() {
        return Some(asked.rtt().nanos() as f64 / 1e9);
    }
    let measured = |record: &RunRecord| record.conditions.round_trip().filter(|_| record.cell.link == cell.link);
    Some(before.iter().rev().find_map(measured)?.p50 as f64 / 1e9)
}

/// Whether a step's run was brought to its end: what was cut short is done again.
pub(super) fn is_done(records: &[RunRecord], step: &Step) -> bool {
    records.iter().any(|record| {
        record.run == step.run && !record.was_interrupted() && failure(&record.outcome, &record.cell).is_none()
    })
}

/// Why a run failed, unless only its combination is not supported, or something was broken in it on purpose: that is
/// what came of it.
fn failure(outcome: &Outcome, cell: &Cell) -> Option<anyhow::Error> {
    match outcome {
        Outcome::Failed { error, code } if cell.fault.is_none() && Exit::of(*code) != Exit::NotSupported => {
            Some(Failure::new(Exit::of(*code), error.clone()).into())
        }
        _ => None,
    }
}

/// Whether a run that failed ends the series: what one ingester cannot do, the next run's can't either. One of several
/// that is lost says nothing of the other runs.
fn ends_series(cell: &Cell) -> bool {
    cell.clients == 1
}

fn interrupted(records: &[RunRecord], planned: usize) -> anyhow::Error {
    let runs: BTreeSet<usize> = records.iter().map(|record| record.run).collect(); // a run may have taken several tries
    let done = runs.len();
    let message = format!("interrupted after {done} of {planned} runs; those that ended are saved");
    Failure::new(Exit::Interrupted, message).into()
}

#[cfg(test)]
mod tests;
