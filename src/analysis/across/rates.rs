//! A cell's rate in one series against its rate in another, on one machine. Their runs are not paired: other hours lie
//! between them.

use super::{Change, Setups, conditions};
use crate::analysis::compare::OWN_VARIANCE;
use crate::analysis::estimate::{Estimate, freedom_of_sum};
use crate::analysis::scatter::{Scatter, Scatters};
use crate::analysis::{CellRuns, LEAST_PAIRS};

/// What two series of one setup on one machine lie apart besides what their runs scatter by: a standard deviation of
/// their log rates' difference. No scatter within a series shows it, and two series have but one such difference: it is
/// a figure of experience (`tests/noise.rs` prints that of a machine), so nothing below it is ever called a change.
const SHIFT: f64 = 0.02;

/// At most so many times what single runs scatter by: cells that wait for a link don't follow the machine's moods.
const SHIFT_OF_SCATTER: f64 = 2.0;

/// A cell's log rate in one series.
struct Level {
    mean: f64,
    /// Of a run, and the mean's.
    of_a_run: f64,
    variance: f64,
    freedom: usize,
    runs: usize,
}

impl Level {
    /// None below six runs. The scatter is the cell's own beside those of the same conditions, with what moves blocks
    /// as a whole, which all of them tell; unless its runs lie far farther apart.
    fn of(cell: &CellRuns<'_>, scatters: &Scatters<'_, '_>) -> Option<Self> {
        let logs: Vec<f64> = cell.by_block().into_values().map(f64::ln).collect();
        if logs.len() < LEAST_PAIRS {
            return None;
        }
        let runs = logs.len();
        let mean = logs.iter().sum::<f64>() / runs as f64;
        let own = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (runs - 1) as f64;
        let shared = scatters.whole(cell).filter(|shared| own <= OWN_VARIANCE * shared.variance);
        let Scatter { variance, freedom } = shared.unwrap_or(Scatter { variance: own, freedom: runs - 1 });
        Some(Self { mean, of_a_run: variance, variance: variance / runs as f64, freedom, runs })
    }
}

/// The difference of a cell's log rates, or why there is none.
pub(super) fn compared(
    base: &CellRuns<'_>,
    other: &CellRuns<'_>,
    scatters: &[Scatters<'_, '_>; 2],
    setups: &Setups,
) -> Result<Estimate, Change> {
    if let Some(why) = setups.against.first() {
        return Err(Change::cannot(*why));
    }
    let levels = (Level::of(base, &scatters[0]), Level::of(other, &scatters[1]));
    let (Some(was), Some(is)) = levels else { return Err(too_few(base, other)) };
    let moved = conditions::moved(base, other).map_err(Change::cannot)?;
    let shift = shift([was.of_a_run, is.of_a_run]).hypot(moved);
    let error = (was.variance + is.variance + shift.powi(2)).sqrt();
    let freedom = freedom_of_sum(shift.powi(2), [(was.variance, was.freedom), (is.variance, is.freedom)]);
    Ok(Estimate { mean: is.mean - was.mean, error, freedom, pairs: was.runs.min(is.runs) })
}

/// What the machine may have moved between two series, given the variances of single runs.
pub(super) fn shift(of_a_run: impl IntoIterator<Item = f64>) -> f64 {
    let most = of_a_run.into_iter().fold(0.0, f64::max);
    SHIFT.min(SHIFT_OF_SCATTER * most.sqrt())
}

/// The range of the ratios of any two runs.
fn too_few(base: &CellRuns<'_>, other: &CellRuns<'_>) -> Change {
    let [was, is] = [base, other].map(|cell| cell.by_block().into_values().collect::<Vec<f64>>());
    let ends = |rates: &[f64]| {
        let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
        (least, rates.iter().copied().fold(0.0, f64::max))
    };
    let range = (!was.is_empty() && !is.is_empty()).then(|| {
        let ((was_least, was_most), (least, most)) = (ends(&was), ends(&is));
        (least / was_most, most / was_least)
    });
    let why = format!("{} and {} valid runs: {LEAST_PAIRS} of each carry an interval", was.len(), is.len());
    Change::Incomparable { why, range }
}
