//! What a fault did to a run, as it was seen: when it came and went, what the ingester said, how many rows came when.

use crate::model::fault::Fault;
use serde::{Deserialize, Serialize};

/// A fault in a run. Times are seconds into the data phase, on the lab's clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FaultSeen {
    /// Which.
    pub fault: Fault,
    /// When it was to come.
    pub asked: f64,
    /// When it came; none where the run was over before.
    pub applied: Option<f64>,
    /// When what broke was made good; none where the run was over before, which is made good after it.
    pub lifted: Option<f64>,
    /// Why it could not come or go as it should; none where it could.
    pub problem: Option<String>,
    /// The first error that the ingester told; none where it told none.
    pub error: Option<String>,
    /// Connections that were opened again.
    pub reconnects: u64,
    /// Rows acknowledged, piece by piece of the data phase.
    pub rows: Vec<Piece>,
    /// What that comes to; none where the fault never came, or no row before it.
    pub outage: Option<Outage>,
}

/// Rows acknowledged in a piece of time. Between two pieces may be a gap: no ingester ran.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    /// Where it begins, seconds into the data phase.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Rows acknowledged in it.
    pub rows: u64,
}

/// What a fault cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Outage {
    /// Rows a second before it, without the run's first second.
    pub before: f64,
    /// The longest time without a row from there on, seconds.
    pub without: f64,
    /// Seconds from the fault until the rate was back at nine tenths of that before; none: not within the run.
    pub back: Option<f64>,
}
