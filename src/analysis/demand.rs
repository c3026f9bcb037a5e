//! What a row takes in a measured cell: the ground of diagnosis and forecast. Pure.

use super::cells::CellRuns;
use super::evidence::{Window, allowed, rate, waits_a_row};
use crate::wire::record::RunRecord;
use crate::wire::watched::{Observed, Used};

/// What a row takes in a cell: medians over its valid runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Client CPU time, seconds.
    pub client: f64,
    /// Database CPU time, seconds.
    pub database: f64,
    /// Round trips.
    pub trips: f64,
    /// A connection's time, seconds.
    pub row: f64,
    /// A round trip, seconds.
    pub rtt: f64,
    /// Processors' worth of time the client may use …
    pub client_may: f64,
    /// … and the database.
    pub database_may: f64,
}

impl Demand {
    /// Of a cell; none where no valid run was looked at. Nor where several clients shared its runs: what a row takes of
    /// each of them says nothing of one.
    pub fn of(cell: &CellRuns<'_>) -> Option<Self> {
        if cell.cell.clients > 1 {
            return None;
        }
        let rate_of = cell.rate()?.median;
        type Side = fn(&Observed) -> &Vec<Used>;
        let a_row = |side: Side| {
            cell.median(|run| rate(side(run.conditions.observed.as_ref()?), Window::of(run)?))
                .map(|used| used / rate_of)
        };
        Some(Self {
            row: cell.cell.pool as f64 / rate_of,
            client: a_row(|seen| &seen.client)?,
            database: a_row(|seen| &seen.database)?,
            trips: cell.median(waits_a_row)?,
            rtt: cell.median(round_trip)?,
            client_may: cell.median(|run| run.conditions.client.as_ref().map(allowed))?,
            database_may: cell.median(|run| run.conditions.database.as_ref().map(allowed))?,
        })
    }
}

/// The round trip through a run's link, seconds.
pub(super) fn round_trip(run: &RunRecord) -> Option<f64> {
    Some(run.conditions.round_trip()?.p50 as f64 / 1e9)
}
