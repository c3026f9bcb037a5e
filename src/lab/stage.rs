//! The seam between the run loop and the world: what it takes to run one cell.

use super::pace::Pace;
use super::plan::Step;
use super::stop::Stop;
use crate::wire::Line;
use crate::wire::record::{Conditions, Outcome};
use anyhow::Result;
use std::future::Future;

/// Where runs happen. The real one is a stack of containers; tests play on a fake.
pub trait Stage {
    /// Tells how fast the processors were so far, before [`Stage::prepare`]: a stage may wait until they are again, but not
    /// once it is to stop.
    fn keep_pace(&mut self, _pace: Pace, _stop: &Stop) {}

    /// Brings everything to the state every run starts from, sets what the step asks for, measures it, and says what
    /// was found: in the conditions, which hold as much as is known where it fails.
    fn prepare(&mut self, step: &Step, conditions: &mut Conditions) -> impl Future<Output = Result<()>>;

    /// Runs one ingester, and compares the rows with what it acknowledged. Adds to the conditions what shows only
    /// then. A run that fails for reasons of its
    /// own is an [`Outcome`]; an error means that no other run can succeed either.
    fn ingest(
        &mut self,
        step: &Step,
        conditions: &mut Conditions,
        stop: &Stop,
        heard: &mut dyn FnMut(&Line),
    ) -> impl Future<Output = Result<Outcome>>;

    /// After a run that failed: where the ground went from under it, waits until it stands again, tells people so, and
    /// says what had happened. None where the failure was the run's own; an error where no other run can succeed.
    fn recover(
        &mut self,
        error: &anyhow::Error,
        stop: &Stop,
        say: &dyn Fn(&str),
    ) -> impl Future<Output = Result<Option<String>>>;

    /// Puts back whatever was changed. Called once, however the series ended.
    fn restore(&mut self) -> impl Future<Output = Result<()>>;
}
