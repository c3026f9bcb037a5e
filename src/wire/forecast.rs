//! What a run is expected to do, written down before it begins.

use crate::model::Factor;
use crate::model::cell::Cell;
use serde::{Deserialize, Serialize};

/// A forecast of a cell's rate. Rates are rows a second of the data phase with every worker busy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// The rate.
    pub rate: f64,
    /// The lower end of what it will be with a probability of 90 %.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// How many measured cells it is made from.
    pub from: usize,
    /// The one nearest to it: what a guess without a model would say.
    pub nearest: Cell,
    /// What that one did.
    pub nearest_rate: f64,
    /// What the two differ in.
    pub apart: Vec<Factor>,
    /// Whether they are far apart: in two factors or more, or in one by four times or more.
    pub held_out: bool,
}
