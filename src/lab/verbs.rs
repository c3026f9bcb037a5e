//! The small verbs: what there is, what would be run, what can be freed. Each first puts back what a killed lab left.

use super::experiment::{Experiment, Overrides};
use super::plan::{estimate, fit, plan};
use super::stack_stage::StackStage;
use super::standing::Standing;
use super::{StackConfig, links, raising};
use crate::engine::Stack;
use crate::model::link::LinkProfile;
use crate::model::{Scheme, Statement, Workload, printable, units};
use crate::series::{Folder, RESULTS};
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use std::path::Path;
use std::time::Duration;

/// Takes a stack that is up for a moment, which puts back what a killed lab left. One that is down, or that a lab is
/// using, is left as it is. Says whether it was taken.
async fn tidy(stack: &Stack) -> Result<bool> {
    match StackStage::take_within(stack.clone(), Duration::ZERO).await {
        Ok(_) => Ok(true),
        Err(error) => {
            tracing::debug!(%error, "the stack was not tidied");
            Ok(false)
        }
    }
}

/// What there is to run, and what runs.
pub async fn list(config: &StackConfig) -> Result<()> {
    println!("experiments");
    for name in Experiment::names() {
        let question = Experiment::load(&name).map_or_else(|error| format!("({error})"), |found| found.question);
        println!("  {name:<14} {}", printable(&question));
    }
    println!("workloads");
    Workload::ALL.iter().for_each(|one| println!("  {:<14} {}", one.word(), one.summary()));
    println!("schemes");
    Scheme::ALL.iter().for_each(|scheme| println!("  {:<17} {}", scheme.word(), scheme.summary()));
    println!("statement kinds");
    Statement::ALL.iter().for_each(|kind| println!("  {:<14} {}", kind.word(), kind.summary()));
    println!("links");
    match links::profiles() {
        Ok(profiles) => profiles.all().iter().for_each(|one| println!("  {:<14} {}", one.name, in_words(one))),
        Err(error) => println!("  ({})", printable(&error)),
    }
    println!("series in {RESULTS}/");
    let series = Folder::all(Path::new(RESULTS));
    if series.is_empty() {
        println!("  none yet");
    }
    series.iter().for_each(|folder| println!("  {:<28} {}", folder.name(), progress_of(folder)));
    println!("running (stack {})", config.project);
    let stack = config.connect().await?;
    tidy(&stack).await?;
    let running = stack.running().await?;
    if running.is_empty() {
        println!("  nothing: `make up` starts the stack");
    }
    running.iter().for_each(|one| println!("  {:<14} {}", one.what, one.status));
    Ok(())
}

/// What a link is to be; of the way past it that is only known when it is measured.
fn in_words(link: &LinkProfile) -> String {
    if link.is_direct() { "past the link, as it is: measured".into() } else { link.to_string() }
}

/// How far a series got.
fn progress_of(folder: &Folder) -> String {
    let Ok(standing) = Standing::of(folder) else { return "cannot be read".into() };
    let valid = standing.records.iter().filter(|run| run.is_valid()).count();
    let rest = if standing.is_whole() { "" } else { ", not finished" };
    let (ended, planned) = (standing.ended(), standing.planned());
    format!("{ended} of {planned} runs done, {valid} count{rest}")
}

/// Cells, order, minutes and disk of a series that is not run.
pub async fn show_plan(config: &StackConfig, experiment: &str, overrides: &Overrides) -> Result<()> {
    let mut experiment = Experiment::load(experiment)?.with(overrides)?;
    let cut = fit(&mut experiment);
    println!("{}: {}\n", experiment.name, printable(&experiment.question));
    cut.iter().for_each(|sentence| println!("{sentence}"));
    println!("cells");
    for (number, cell) in experiment.cells().iter().enumerate() {
        let together = match cell.clients {
            1 => String::new(),
            _ => format!("  ({} connections)", cell.connections()),
        };
        println!("  {:>3}  {cell}{together}", number + 1);
    }
    println!("order (block, run, cell)");
    for step in plan(&experiment) {
        println!("  {:>3} {:>4}  {}{}", step.block, step.run, step.cell, report_part(step.part));
    }
    let expected = estimate(&experiment);
    let runs = plan(&experiment).len();
    println!("{runs} runs, about {}; disk: up to {}", units::duration(expected.seconds), units::bytes(expected.disk));
    if experiment.database.is_some() {
        println!("on a database outside the lab, which is not asked before a run");
        return Ok(());
    }
    // Whether this stack can do it: only where it is up, and nobody uses it.
    let Ok(stack) = config.connect().await else { return Ok(()) };
    match StackStage::take_within(stack, Duration::ZERO).await {
        Ok(stage) => Ok(experiment.check_capacity(&stage.capacity().await?)?),
        Err(_) => Ok(()),
    }
}

fn report_part(part: crate::model::Part) -> &'static str {
    match part {
        crate::model::Part::Cell => "",
        crate::model::Part::Twin => "  (again: noise)",
        crate::model::Part::WarmUp => "  (warm-up)",
    }
}

/// Removes the stack's data volumes and whatever a killed lab left. Results are never touched.
pub async fn clean(config: &StackConfig) -> Result<()> {
    let stack = config.connect().await?;
    if stack.is_on_swarm() {
        raising::clear(&stack).await?;
    }
    // A lab at work holds the lock. A stack that is down has no lab at work.
    let taken = StackStage::take_within(stack.clone(), Duration::ZERO).await;
    if let Err(error) = &taken
        && Failure::exit_of(error) == Exit::Busy
    {
        return taken.map(drop);
    }
    let left = if taken.is_ok() { 0 } else { stack.sweep().await? };
    let mut freed = 0;
    for volume in stack.data_volumes().await? {
        stack.remove_data(&volume).await?;
        println!("{}  {}", volume.name, units::bytes(volume.bytes));
        freed += volume.bytes;
    }
    if left > 0 {
        println!("removed {left} containers that an earlier lab left behind");
    }
    println!("freed {} of data; results stay", units::bytes(freed));
    Ok(())
}
