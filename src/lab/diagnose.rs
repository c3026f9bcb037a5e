//! `lab diagnose CELL`: changes one resource of a cell at a time, and reports how the rate follows.
//!
//! ```text
//! a short series of the cell alone ─► its CPU time a row, its round trips: how big a step has to be
//!        └─► experiment: the cell, and each resource once a tenth or a fifth less ─► six blocks, as any series
//! ```

use super::experiment::{CellSpan, Experiment, StopRule};
use super::plan::estimate;
use super::session::{Wanted, or_at_once, play, series};
use super::stop::Stop;
use super::{StackConfig, links};
use crate::analysis::{Analysis, Demand};
use crate::engine::Stack;
use crate::model::cell::{CONTROL, Cell, DIRECT, LOCAL};
use crate::model::inject::Inject;
use crate::model::limits::Cpus;
use crate::model::link::LinkProfile;
use crate::model::nodes::Nodes;
use crate::model::profiles::Own;
use crate::model::quantity::Delay;
use crate::model::{Switch, units};
use crate::report::Screen;
use crate::series::RESULTS;
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use std::path::Path;

/// The experiment's name: its series are `<date>-diagnose`.
const NAME: &str = "diagnose";

/// By how much a resource is made less: enough to be seen in six blocks, little enough to leave the cell what it is.
const STEP: f64 = 0.2;

/// The smaller step of the client's work, which shows whether the rate follows evenly.
const SMALL_STEP: f64 = 0.1;

/// A longer way is not told from the emulator's own noise below this, seconds.
const LEAST_WAY: f64 = 0.5e-3;

/// What `lab diagnose` is told.
#[derive(Debug, Clone)]
pub struct DiagnoseConfig {
    /// The stack to run on.
    pub stack: StackConfig,
    /// The cell, as `lab plan` shows it.
    pub cell: Cell,
    /// Length of a run's data phase, seconds.
    pub seconds: f64,
    /// How often every step is run.
    pub blocks: usize,
    /// Decides the order.
    pub seed: u64,
    /// What the first screen is shown on.
    pub screen: Screen,
}

/// Diagnoses a cell: a series of its own, whose report says what the rate hangs on.
pub async fn diagnose(config: &DiagnoseConfig) -> Result<()> {
    if config.cell.clients > 1 {
        let message = "what a row takes of several clients says nothing of one: diagnose the cell with 1 client";
        return Err(Failure::new(Exit::Usage, message).into());
    }
    let stop = Stop::on_signals()?;
    let alone = config.experiment(std::slice::from_ref(&config.cell), 1)?;
    let stack = config.stack.connect().await?;
    or_at_once(&stack, &stop, in_steps(&stack, config, alone, &stop)).await
}

async fn in_steps(stack: &Stack, config: &DiagnoseConfig, alone: Experiment, stop: &Stop) -> Result<()> {
    let demand = size(stack, alone, stop).await?;
    let cells = steps(&config.cell, &demand)?;
    let experiment = config.experiment(&cells, config.blocks)?;
    let expected = units::duration(estimate(&experiment).seconds);
    eprintln!("{} steps, {} blocks: about {expected}", experiment.cells().len(), config.blocks);
    series(stack, &Wanted::new(experiment, Path::new(RESULTS)), stop, config.screen).await
}

/// Runs the cell alone, to know how big a tenth of it is. Nothing of it is kept.
async fn size(stack: &Stack, alone: Experiment, stop: &Stop) -> Result<Demand> {
    let scratch = tempfile::tempdir().context("make a folder for the first runs")?;
    let (_, played) = play(stack, &Wanted::new(alone, scratch.path()), stop).await?;
    if let Some(error) = played.error {
        return Err(error);
    }
    let analysis = Analysis::of(&played.records);
    analysis.compared().find_map(Demand::of).ok_or_else(|| {
        let why: Vec<&str> = played.records.iter().flat_map(|run| &run.invalid).map(String::as_str).collect();
        Failure::new(Exit::Failure, format!("the cell's first runs do not count: {}", why.join("; "))).into()
    })
}

impl DiagnoseConfig {
    fn experiment(&self, cells: &[Cell], blocks: usize) -> Result<Experiment> {
        let experiment = Experiment {
            name: NAME.into(),
            question: format!("What does the rate of {} hang on?", self.cell),
            seed: self.seed,
            blocks,
            budget: None,
            backend: None,
            database: None,
            nodes: Nodes::default(),
            links: Own::default(),
            stop: StopRule { seconds: Some(self.seconds), ..Default::default() },
            cells: cells.iter().map(CellSpan::of).collect(),
        };
        experiment.check().map_err(|error| Failure::new(Exit::Usage, error))?;
        Ok(experiment)
    }
}

/// The cell, and what is changed of it: each step one factor.
fn steps(cell: &Cell, demand: &Demand) -> Result<Vec<Cell>> {
    let mut cells = vec![cell.clone()];
    let mut add = |change: &dyn Fn(&mut Cell)| {
        let mut changed = cell.clone();
        change(&mut changed);
        if !cells.contains(&changed) {
            cells.push(changed);
        }
    };
    for step in [SMALL_STEP, STEP] {
        let more = Delay::from_nanos(cell.inject.spin.nanos() + (demand.client * step * 1e9).round() as u64);
        add(&|changed| changed.inject = Inject { spin: more, ..cell.inject });
    }
    let less = |may: f64| Cpus::new(may * (1.0 - STEP)).map_err(|error| Failure::new(Exit::Usage, error));
    let (client, database) = (less(demand.client_may)?, less(demand.database_may)?);
    add(&|changed| changed.client_cpus = client);
    add(&|changed| changed.db_cpus = database);
    let longer = longer(&cell.link, demand)?;
    if [LOCAL, DIRECT].contains(&cell.link.as_str()) {
        add(&|changed| changed.link = CONTROL.into());
    }
    add(&|changed| changed.link.clone_from(&longer));
    if cell.synchronous_commit == Switch::On {
        add(&|changed| changed.synchronous_commit = Switch::Off);
    }
    if cell.pool > 1 {
        add(&|changed| changed.pool = cell.pool / 2);
    }
    if cell.pool * 2 <= crate::wire::Job::MAX_POOL {
        add(&|changed| changed.pool = cell.pool * 2);
    }
    Ok(cells)
}

/// The cell's link with a longer way: by as much as would make a row take a fifth longer, if all of it showed.
fn longer(link: &str, demand: &Demand) -> Result<String> {
    let profile = links::find(link).map_err(|error| Failure::new(Exit::Usage, error))?;
    let more = (STEP * demand.row / demand.trips.max(1e-3)).max(LEAST_WAY);
    let half = Delay::from_nanos((more / 2.0 * 1e6).round() as u64 * 1_000);
    let longer = |delay: Delay| Delay::from_nanos(delay.nanos() + half.nanos());
    let mut profile = LinkProfile { queued: false, ..profile };
    (profile.up.delay, profile.down.delay) = (longer(profile.up.delay), longer(profile.down.delay));
    Ok(profile.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Factor;

    const DEMAND: Demand = Demand {
        client: 50e-6,
        database: 150e-6,
        trips: 1.01,
        row: 1.5e-3,
        rtt: 60e-6,
        client_may: 1.0,
        database_may: 0.5,
    };

    #[test]
    fn every_step_changes_one_factor_and_each_resource_has_one() {
        let cell: Cell = "threads row auto pool 15 placement pinned".parse().unwrap();
        let cells = steps(&cell, &DEMAND).unwrap();
        let shown: Vec<String> = cells.iter().map(ToString::to_string).collect();
        let plain = "threads row auto pool 15";
        let expected = [
            format!("{plain} placement pinned"),
            format!("{plain} placement pinned inject spin=5us"),
            format!("{plain} placement pinned inject spin=10us"),
            format!("{plain} client-cpus 0.8 placement pinned"),
            format!("{plain} db-cpus 0.4 placement pinned"),
            format!("{plain} link local-queued placement pinned"),
            format!("{plain} link rtt=500us placement pinned"),
            format!("{plain} placement pinned synchronous-commit off"),
            "threads row auto pool 7 placement pinned".into(),
            "threads row auto pool 30 placement pinned".into(),
        ];
        assert_eq!(shown, expected);
        assert!(cells[1..].iter().all(|other| Factor::between(&cell, other).len() == 1));
    }

    #[test]
    fn a_longer_way_keeps_the_rest_of_the_profile() {
        let far = Demand { row: 0.3, trips: 1.0, ..DEMAND };
        assert_eq!(longer("rtt=80ms,loss=1%,up=2mbit", &far).unwrap(), "rtt=140ms,loss=1%,up=2mbit");
    }
}
