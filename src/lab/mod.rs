//! The orchestrator: turns an experiment into a plan, plays it on a stage, keeps every run.
//!
//! ```text
//! experiment.toml ─► plan (cells, seeded order) ─► run loop ─► series folder ─► report
//!                                                     └── Stage: prepare, ingest, restore
//! ```
//! It speaks to containers through `engine` and to the database through `db`, never itself.

mod bundling;
mod calibration;
mod clients;
mod compare;
mod data;
mod diagnose;
mod doctor;
mod experiment;
mod judge;
mod links;
mod peer;
mod placement;
mod plan;
mod progress;
mod replay;
mod reporting;
mod run_loop;
mod session;
mod stack_stage;
mod stage;
mod standing;
mod stop;
#[cfg(test)]
pub(crate) mod testing;
mod verbs;
mod verify;

pub use bundling::{BundleConfig, bundle};
pub use calibration::calibrate;
pub(crate) use compare::side_by_side;
pub use compare::{CompareConfig, compare};
pub use diagnose::{DiagnoseConfig, diagnose};
pub use doctor::doctor;
pub use experiment::{CellSpan, EXPERIMENTS, Experiment, Overrides, StopRule};
pub(crate) use peer::heard;
pub use peer::{PeerConfig, check_peer};
pub use plan::{Estimate, Step, estimate, fit, plan, shorten};
pub(crate) use reporting::every_form;
pub use reporting::{Form, ReportConfig, report};
pub use session::{RunConfig, run};
pub use stack_stage::Capacity;
pub use stage::Stage;
pub use stop::{Asked, Stop};
pub use verbs::{clean, list, show_plan};
pub(crate) use verify::verified;
pub use verify::verify;

use crate::engine::{Engine, Stack};
use anyhow::Result;

/// Name and version of the lab.
const PROGRAM: &str = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));

/// Which stack: a compose project and its images.
#[derive(Debug, Clone)]
pub struct StackConfig {
    /// The compose project.
    pub project: String,
    /// The images' tag.
    pub tag: String,
}

impl StackConfig {
    async fn connect(&self) -> Result<Stack> {
        Ok(Stack::new(Engine::connect().await?, &self.project, &self.tag))
    }
}
