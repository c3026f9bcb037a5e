//! A measured cell, and what the network of queues has to take for a row of it so as to say what was measured.

use super::crowd::Queue;
use super::{Processors, network, seconds, workers};
use crate::analysis::cells::CellRuns;
use crate::analysis::demand::Demand;
use crate::analysis::evidence::{evidence, shares_processors};
use crate::analysis::queueing::{delay_for, throughput};
use crate::analysis::summary::Summary;
use crate::analysis::verdict::Evidence;
use crate::model::Phase;
use crate::model::cell::Cell;

/// From this part of its time on a station counts as full, or a connection as away: what is waited for besides hardly changes
/// the rate any more, so the rate hardly tells it.
const FULL: f64 = 0.85;

/// A measured cell.
#[derive(Debug, Clone)]
pub(super) struct Known<'a> {
    pub(super) cell: &'a Cell,
    /// Rows a second.
    pub(super) rate: f64,
    /// What a row takes.
    pub(super) demand: Demand,
    /// Of the round trip, what was asked for, seconds.
    pub(super) asked: f64,
    pub(super) processors: Processors,
    /// Rows a record becomes.
    pub(super) rows: f64,
    /// What is left of the time of a row: waiting for the disk, for locks, for the kernel.
    pub(super) left: f64,
    /// Of that, what backends were seen to wait for each other, as one alone does not.
    for_others: f64,
    /// Where the demands alone say less than was measured: how many times as much that was.
    pub(super) factor: f64,
}

impl<'a> Known<'a> {
    pub(super) fn of(cell: &CellRuns<'a>) -> Option<Self> {
        let demand = Demand::of(cell)?;
        let first = cell.valid_runs().next()?;
        let machine = first.conditions.engine.processors.max(1) as f64;
        let mut known = Self {
            left: 0.0,
            for_others: 0.0,
            factor: 1.0,
            cell: cell.cell,
            rate: cell.rate()?.median,
            asked: cell.rtt as f64 / 1e9,
            processors: Processors {
                client: demand.client_may,
                database: demand.database_may,
                shared: shares_processors(first).then_some(machine),
            },
            rows: cell.median(|run| {
                let data = run.result()?.phase(Phase::Data)?;
                (data.records > 0).then(|| data.rows as f64 / data.records as f64)
            })?,
            demand,
        };
        let seen: Vec<Evidence> = cell.valid_runs().filter_map(evidence).collect();
        let of_a_row = |part: fn(&Evidence) -> Option<f64>| {
            Summary::of(seen.iter().filter_map(part)).map(|share| share.median * known.demand.row)
        };
        // Asleep for WAL, files or each other, and for each other alone.
        let asleep = of_a_row(|seen| Some(seen.io? + seen.locks?));
        let for_locks = of_a_row(|seen| seen.locks).unwrap_or(0.0);
        known.calibrate(asleep);
        let has_others = known.present() >= 2.0;
        known.for_others = if has_others { for_locks.min(known.left) } else { 0.0 };
        Some(known)
    }

    /// So that the network says of this cell what was measured of it. Where a station is full, or the way is nearly all of the
    /// time, nearly the same rate goes with much to wait for besides and with little: then it is no more than what backends
    /// were seen asleep for.
    fn calibrate(&mut self, asleep: Option<f64>) {
        let (stations, fixed) = network(self.cell, self.processors, self.demand.client, self.demand.database);
        let (connections, besides) = (workers(self.cell) as usize, fixed + self.on_the_way());
        let is_full = stations.iter().any(|station| station.demand * self.rate >= FULL);
        let is_away = self.on_the_way() >= FULL * connections as f64 / self.rate;
        let most = asleep.filter(|_| is_full || is_away).unwrap_or(f64::INFINITY);
        let delay = delay_for(self.rate, connections, &stations).unwrap_or(0.0);
        self.left = (delay - besides).clamp(0.0, most);
        self.factor = self.rate / throughput(connections, &stations, besides + self.left);
    }

    /// What each connection waits a row for the way there and back.
    pub(super) fn on_the_way(&self) -> f64 {
        self.demand.trips * self.demand.rtt
    }

    /// Client CPU time a row without what is put in.
    pub(super) fn client_itself(&self) -> f64 {
        (self.demand.client - seconds(self.cell.inject.spin)).max(0.0)
    }

    /// What is left of the time of a row but for locks: waiting for a turn.
    pub(super) fn for_a_turn(&self) -> f64 {
        self.left - self.for_others
    }

    /// What is left of the time of a row where so many crowd the database. Of locks each meets the others only.
    pub(super) fn left_in(&self, present: f64, queue: &Queue) -> f64 {
        let others = (present - 1.0).max(0.0) / (self.present() - 1.0).max(1.0);
        self.for_a_turn() * queue.at(present) / queue.at(self.present()) + self.for_others * others
    }

    /// Connections that are not on the way, on average (Little's law): as many as crowd the database.
    pub(super) fn present(&self) -> f64 {
        (workers(self.cell) - self.rate * self.on_the_way()).max(0.5)
    }
}
