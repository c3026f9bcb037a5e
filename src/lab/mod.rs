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
mod pace;
mod peer;
mod placement;
mod plan;
mod progress;
mod raising;
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
pub use pace::Pace;
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
use crate::model::PlacedBy;
use crate::model::nodes::Nodes;
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
    /// What places its containers.
    pub placed_by: PlacedBy,
    /// How the nodes' engines are reached, where it is on a swarm.
    pub nodes: Nodes,
}

impl StackConfig {
    async fn connect(&self) -> Result<Stack> {
        self.connect_with(&Nodes::default()).await
    }

    /// The same, with what an experiment says of the nodes.
    async fn connect_with(&self, more: &Nodes) -> Result<Stack> {
        let engine = Engine::connect().await?;
        match self.placed_by {
            PlacedBy::Docker => Ok(Stack::new(engine, &self.project, &self.tag)),
            PlacedBy::Swarm => {
                // A name of its own: a stack that compose made on one of the engines is another one.
                let project = format!("{}-swarm", self.project);
                Stack::on_swarm(engine, &self.nodes.and(more), &project, &self.tag).await
            }
        }
    }
}
