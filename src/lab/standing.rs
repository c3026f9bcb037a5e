//! How far a series got, by its plan.

use super::experiment::Experiment;
use super::plan::{Step, plan};
use super::run_loop::is_done;
use crate::series::Folder;
use crate::wire::exit::{Exit, Failure};
use crate::wire::record::RunRecord;
use anyhow::Result;

/// A series beside its plan.
#[derive(Debug)]
pub(super) struct Standing {
    /// Its experiment.
    pub experiment: Experiment,
    /// Its runs so far, in order.
    pub records: Vec<RunRecord>,
    /// What is planned, the warm-up first.
    steps: Vec<Step>,
}

impl Standing {
    /// Reads a series; an error where its experiment or a run cannot be read.
    pub fn of(folder: &Folder) -> Result<Self> {
        let records = folder.runs()?;
        let name = records.first().map_or_else(|| folder.name().to_owned(), |run| run.experiment.clone());
        let experiment = Experiment::parse(&name, &folder.experiment()?).map_err(|error| {
            Failure::new(Exit::Bundle, format!("the experiment of {} cannot be read: {error}", folder.name()))
        })?;
        Ok(Self { steps: plan(&experiment), experiment, records })
    }

    /// Runs that are planned, without the warm-up.
    pub fn planned(&self) -> usize {
        self.steps.len() - 1
    }

    /// How many of them were brought to their end.
    pub fn ended(&self) -> usize {
        self.steps.iter().filter(|step| step.run > 0 && is_done(&self.records, step)).count()
    }

    /// Whether nothing is left to do, the warm-up included.
    pub fn is_whole(&self) -> bool {
        self.steps.iter().all(|step| is_done(&self.records, step))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::experiment;
    use super::*;
    use crate::model::Scheme;
    use crate::wire::Interrupt;
    use crate::wire::record::Outcome;
    use crate::wire::testing::record;

    #[test]
    fn a_run_that_was_cut_short_is_not_done() {
        let results = tempfile::tempdir().unwrap();
        let folder = Folder::create(results.path(), "test", "2026-11-20").unwrap();
        folder.save_experiment(&toml::to_string(&experiment(1)).unwrap()).unwrap();
        for run in 0..=3 {
            folder.save(&record(run, Scheme::Threads, 9_000.0)).unwrap();
        }
        let whole = Standing::of(&folder).unwrap();
        assert_eq!((whole.planned(), whole.ended(), whole.is_whole()), (3, 3, true));
        let mut cut = record(3, Scheme::Threads, 9_000.0);
        if let Outcome::Finished { result } = &mut cut.outcome {
            result.interrupted = Some(Interrupt::Signal);
        }
        folder.save(&cut).unwrap();
        let part = Standing::of(&folder).unwrap();
        assert_eq!((part.ended(), part.is_whole()), (2, false));
    }
}
