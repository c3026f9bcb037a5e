//! What a cell's rate hangs on, told by changing one resource at a time: the second way to a verdict, which knows
//! nothing of the first. Pure.
//!
//! An elasticity of 1 means that the rate follows a resource one to one, 0 that it does not care. Of a closed system
//! in which a row uses resources one after the other or side by side they add up to 1: what is missing hangs on
//! something that was not changed.

use super::cells::CellRuns;
use super::compare;
use super::demand::{Demand, round_trip};
use super::evidence::allowed;
use super::limit::Limit;
use super::scatter::Scatters;
use super::verdict::Bound;
use crate::model::cell::{CONTROL, Cell, DIRECT, LOCAL};
use crate::model::{Factor, Part, Switch};

/// From this elasticity on the rate hangs on a resource most of all.
const MOST_OF_IT: f64 = 0.5;

/// What one change of one resource did.
#[derive(Debug, Clone, PartialEq)]
pub struct Influence {
    /// What was changed.
    pub factor: Factor,
    /// The cell with the change.
    pub cell: Cell,
    /// Elasticity of the rate to the resource, with a 95 % interval; of `synchronous_commit` the part of a row's time
    /// that goes with it.
    pub elasticity: (f64, f64, f64),
}

/// What a cell's rate hangs on.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// Every change that six blocks or more have.
    pub influences: Vec<Influence>,
    /// What the influences leave of 1: below zero where they overlap.
    pub undiagnosed: f64,
    /// What they say bounds the cell; none where nothing stands out.
    pub bound: Option<Bound>,
    /// What the cell's own runs say bounds it.
    pub by_ledgers: Option<Bound>,
}

impl Diagnosis {
    /// Of a series that changes one resource of its first cell at a time; none where it does not.
    pub fn of(cells: &[CellRuns<'_>], scatters: &Scatters<'_, '_>) -> Option<Self> {
        let first = cells.iter().find(|cell| cell.part == Part::Twin)?.cell;
        let base = cells.iter().find(|cell| cell.part == Part::Cell && cell.cell == first)?;
        let is_injected = |cell: &&CellRuns<'_>| {
            Factor::between(cell.cell, first) == [Factor::Inject] && cell.cell.inject.spin != first.inject.spin
        };
        cells.iter().find(is_injected)?;
        let own = Demand::of(base)?;
        let changed = cells.iter().filter(|cell| cell.part == Part::Cell && cell.cell != first);
        let influences: Vec<Influence> =
            changed.filter_map(|cell| influence(base, &own, cell, cells, scatters)).collect();
        // Two ways to take from one resource count once.
        let strongest = |factors: &[Factor]| {
            let of_these = influences.iter().filter(|one| factors.contains(&one.factor));
            of_these.map(|one| one.elasticity.0).reduce(f64::max)
        };
        let shares: Vec<(Bound, f64)> = [
            (Bound::ClientCpu, strongest(&[Factor::Inject, Factor::ClientCpus])),
            (Bound::DatabaseCpu, strongest(&[Factor::DbCpus])),
            (Bound::RoundTrips, strongest(&[Factor::Link])),
            (Bound::DatabaseIo, strongest(&[Factor::SynchronousCommit])),
        ]
        .into_iter()
        .filter_map(|(bound, share)| Some((bound, share?)))
        .collect();
        let most = shares.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
        Some(Self {
            undiagnosed: 1.0 - shares.iter().map(|(_, share)| share.max(0.0)).sum::<f64>(),
            bound: most.filter(|(_, share)| *share >= MOST_OF_IT).map(|(bound, _)| bound),
            by_ledgers: Limit::of(base).map(|limit| limit.bound),
            influences,
        })
    }

    /// Whether both ways say the same; none where one of them says nothing.
    pub fn agrees(&self) -> Option<bool> {
        let (one, other) = (self.bound?, self.by_ledgers?);
        let one_thread = one == Bound::ClientCpu && other == Bound::ClientThread;
        Some(one == other || one_thread)
    }
}

fn influence(
    base: &CellRuns<'_>,
    own: &Demand,
    changed: &CellRuns<'_>,
    cells: &[CellRuns<'_>],
    scatters: &Scatters<'_, '_>,
) -> Option<Influence> {
    let [factor] = Factor::between(base.cell, changed.cell)[..] else { return None };
    if changed.cell.link == CONTROL {
        return None;
    }
    // A way through the emulator is compared with one through the emulator.
    let control = |cell: &&CellRuns<'_>| Cell { link: base.cell.link.clone(), ..cell.cell.clone() } == *base.cell;
    let against = match factor {
        Factor::Link if [LOCAL, DIRECT].contains(&base.cell.link.as_str()) => {
            cells.iter().filter(|cell| cell.cell.link == CONTROL).find(control).unwrap_or(base)
        }
        _ => base,
    };
    let ratio = compare::ratio(against, changed, scatters)?;
    let of = elasticity(factor, own, against, changed)?;
    let ends = [of(ratio.low), of(ratio.high)];
    let elasticity = (of(ratio.ratio), ends[0].min(ends[1]), ends[0].max(ends[1]));
    Some(Influence { factor, cell: changed.cell.clone(), elasticity })
}

/// From the ratio of rates to the elasticity.
fn elasticity(
    factor: Factor,
    own: &Demand,
    against: &CellRuns<'_>,
    changed: &CellRuns<'_>,
) -> Option<Box<dyn Fn(f64) -> f64>> {
    let logarithmic = |of_resource: f64| -> Option<Box<dyn Fn(f64) -> f64>> {
        (of_resource.ln().abs() > 1e-3).then(|| Box::new(move |ratio: f64| ratio.ln() / of_resource.ln()) as Box<_>)
    };
    match factor {
        // So much more work a row is so much less of the client's speed.
        Factor::Inject => {
            let more = (changed.cell.inject.spin.nanos() as f64 - against.cell.inject.spin.nanos() as f64) / 1e9;
            logarithmic(own.client / (own.client + more))
        }
        Factor::ClientCpus => {
            let may = changed.median(|run| run.conditions.client.as_ref().map(allowed))?;
            logarithmic(may / own.client_may)
        }
        Factor::DbCpus => {
            let may = changed.median(|run| run.conditions.database.as_ref().map(allowed))?;
            logarithmic(may / own.database_may)
        }
        Factor::Pool => logarithmic(changed.cell.pool as f64 / against.cell.pool as f64),
        // How much of an added wait shows in a connection's time a row, for the wait there is.
        Factor::Link => {
            let added = own.trips * (changed.median(round_trip)? - against.median(round_trip)?);
            let a_row = against.cell.pool as f64 / against.rate()?.median;
            let way = own.trips * own.rtt / own.row;
            (added > 0.0).then(|| Box::new(move |ratio: f64| a_row * (1.0 / ratio - 1.0) / added * way) as Box<_>)
        }
        // Not changed by a part but taken away: what it takes of a row's time.
        Factor::SynchronousCommit if changed.cell.synchronous_commit == Switch::Off => {
            Some(Box::new(|ratio: f64| 1.0 - 1.0 / ratio))
        }
        _ => None,
    }
}
