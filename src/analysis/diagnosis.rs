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
use super::limit::{Confidence, Limit};
use super::scatter::Scatters;
use super::verdict::Bound;
use crate::model::cell::{CONTROL, Cell, DIRECT, LOCAL};
use crate::model::{Factor, Part, Switch};

/// From this elasticity on the rate hangs on a resource most of all.
const MOST_OF_IT: f64 = 0.5;

/// Elasticity of the rate to a resource: the middle, the interval's lower end, its upper end.
pub type Elasticity = (f64, f64, f64);

/// What one change of one resource did.
#[derive(Debug, Clone, PartialEq)]
pub struct Influence {
    /// What was changed.
    pub factor: Factor,
    /// The cell with the change.
    pub cell: Cell,
    /// Elasticity of the rate to the resource; of `synchronous_commit` the part of a row's time that goes with it. The
    /// intervals of all ways to take from one resource hold together with 95 % confidence.
    pub elasticity: Elasticity,
    /// Whether the rate moved by no more than two identical cells may differ by.
    pub within_noise: bool,
}

impl Influence {
    /// Whether the rate is shown to follow: the interval leaves 0 out, and no two identical cells differ by as much.
    fn is_shown(&self) -> bool {
        self.elasticity.1 > 0.0 && !self.within_noise
    }
}

/// What a cell's rate hangs on.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// The cell.
    pub cell: Cell,
    /// Every change that six blocks or more have.
    pub influences: Vec<Influence>,
    /// What the influences leave of 1, below zero where they overlap; its ends are where theirs lead together.
    pub undiagnosed: Elasticity,
    /// What they say bounds the cell, and how much of the rate hangs on it; none where that is not shown of any.
    pub bound: Option<(Bound, Elasticity)>,
    /// What the cell's own runs say bounds it.
    pub by_ledgers: Option<Bound>,
}

/// What both ways say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// Both say the same.
    Same,
    /// Client and database use up the same processors: the change shows one of them, watching that all are busy.
    SameProcessors,
    /// They say different things.
    Different,
    /// What watching says is nothing that is changed here: a change cannot show it.
    NotByChanging,
    /// Changing says something, watching does not.
    NotByWatching,
    /// Changing shows nothing.
    NotShown,
}

impl Agreement {
    fn of(changing: Option<Bound>, watching: Option<Bound>) -> Self {
        match (changing, watching.filter(|bound| *bound != Bound::Undetermined)) {
            (_, Some(Bound::Bandwidth | Bound::DatabaseLocks | Bound::Coordination | Bound::Mixed)) => {
                Self::NotByChanging
            }
            (None, _) => Self::NotShown,
            (Some(_), None) => Self::NotByWatching,
            (Some(one), Some(other)) if one == other => Self::Same,
            (Some(Bound::ClientCpu), Some(Bound::ClientThread)) => Self::Same,
            (Some(Bound::DatabaseCpu), Some(Bound::DatabaseThread)) => Self::Same,
            (Some(Bound::ClientCpu | Bound::DatabaseCpu), Some(Bound::HostCpu)) => Self::SameProcessors,
            (Some(_), Some(_)) => Self::Different,
        }
    }
}

impl Diagnosis {
    /// Of a series that changes one resource of its first cell at a time; none where it does not. Two identical cells
    /// may differ by `floor`, a part of the rate.
    pub fn of(cells: &[CellRuns<'_>], scatters: &Scatters<'_, '_>, floor: f64) -> Option<Self> {
        let first = cells.iter().find(|cell| cell.part == Part::Twin)?.cell;
        let base = cells.iter().find(|cell| cell.part == Part::Cell && cell.cell == first)?;
        let is_injected = |cell: &&CellRuns<'_>| {
            Factor::between(cell.cell, first) == [Factor::Inject] && cell.cell.inject.spin != first.inject.spin
        };
        cells.iter().find(is_injected)?;
        let own = Demand::of(base)?;
        let changed: Vec<(Factor, &CellRuns<'_>)> = cells
            .iter()
            .filter(|cell| cell.part == Part::Cell && cell.cell != first && cell.cell.link != CONTROL)
            .filter_map(|cell| match Factor::between(first, cell.cell)[..] {
                [factor] => Some((factor, cell)),
                _ => None,
            })
            .collect();
        let ways = |factor: Factor| {
            let same = |other: Factor| resource(other).map_or(other == factor, |one| resource(factor) == Some(one));
            changed.iter().filter(|(other, _)| same(*other)).count()
        };
        let influences: Vec<Influence> = changed
            .iter()
            .filter_map(|(factor, cell)| {
                let against = against(base, *factor, cells);
                let ratio = compare::ratio(against, cell, scatters, ways(*factor))?;
                let of = elasticity(*factor, &own, against, cell)?;
                let ends = [of(ratio.low), of(ratio.high)];
                Some(Influence {
                    factor: *factor,
                    cell: cell.cell.clone(),
                    elasticity: (of(ratio.ratio), ends[0].min(ends[1]), ends[0].max(ends[1])),
                    within_noise: ratio.ratio.ln().abs() <= floor.ln_1p(),
                })
            })
            .collect();
        Some(Self {
            cell: first.clone(),
            undiagnosed: undiagnosed(&influences),
            bound: shown(&influences),
            by_ledgers: Limit::of(base).map(|limit| limit.bound),
            influences,
        })
    }

    /// What both ways say together.
    pub fn agreement(&self) -> Agreement {
        Agreement::of(self.bound.map(|(bound, _)| bound), self.by_ledgers)
    }

    /// A verdict of watching this cell, less sure where a change shows something else. Verdicts of other cells as they
    /// are.
    pub fn weighed(&self, cell: &Cell, limit: Limit) -> Limit {
        let Some((bound, _)) = self.bound.filter(|_| self.contradicts(cell)) else { return limit };
        let confidence = if limit.confidence == Confidence::High { Confidence::Some } else { limit.confidence };
        let why = format!("{}; but changing one resource at a time points to {bound}", limit.why);
        Limit { confidence, less_sure: true, why, ..limit }
    }

    /// Whether it is this cell's, and a change shows something else than watching the cell does.
    pub fn contradicts(&self, cell: &Cell) -> bool {
        let elsewhere = match self.agreement() {
            Agreement::Different => true,
            Agreement::NotByChanging => self.bound.is_some() && self.by_ledgers != Some(Bound::Mixed),
            _ => false,
        };
        elsewhere && self.cell == *cell
    }
}

/// What a change takes from.
fn resource(factor: Factor) -> Option<Bound> {
    match factor {
        Factor::Inject | Factor::ClientCpus => Some(Bound::ClientCpu),
        Factor::DbCpus => Some(Bound::DatabaseCpu),
        Factor::Link => Some(Bound::RoundTrips),
        Factor::SynchronousCommit => Some(Bound::DatabaseIo),
        _ => None,
    }
}

/// One influence for each resource. Of several ways to take from it that one with the highest lower end: the highest
/// middle would be the noisiest, and where one way shows nothing (a quota does not hold back one busy thread) another
/// may.
fn of_each_resource(influences: &[Influence]) -> Vec<(Bound, &Influence)> {
    let mut found: Vec<(Bound, &Influence)> = Vec::new();
    for one in influences {
        let Some(bound) = resource(one.factor) else { continue };
        match found.iter_mut().find(|(other, _)| *other == bound) {
            Some((_, best)) if one.elasticity.1 > best.elasticity.1 => *best = one,
            Some(_) => {}
            None => found.push((bound, one)),
        }
    }
    found
}

/// The resource that the rate is shown to hang on most of all.
fn shown(influences: &[Influence]) -> Option<(Bound, Elasticity)> {
    let all = of_each_resource(influences).into_iter().filter(|(_, one)| one.is_shown());
    let most = all.filter(|(_, one)| one.elasticity.0 >= MOST_OF_IT);
    most.max_by(|(_, a), (_, b)| a.elasticity.1.total_cmp(&b.elasticity.1)).map(|(bound, one)| (bound, one.elasticity))
}

/// What they leave of 1. Nothing is below zero: less of a resource makes no rate higher. The ends are where all theirs
/// lead together, whatever errors they share (each is a ratio to the same runs).
fn undiagnosed(influences: &[Influence]) -> Elasticity {
    let each = of_each_resource(influences);
    let left =
        |end: fn(&Elasticity) -> f64| 1.0 - each.iter().map(|(_, one)| end(&one.elasticity).max(0.0)).sum::<f64>();
    (left(|one| one.0), left(|one| one.2), left(|one| one.1))
}

/// What a change is compared with: a way through the emulator with one through the emulator.
fn against<'c, 'a>(base: &'c CellRuns<'a>, factor: Factor, cells: &'c [CellRuns<'a>]) -> &'c CellRuns<'a> {
    let control = |cell: &&CellRuns<'_>| Cell { link: base.cell.link.clone(), ..cell.cell.clone() } == *base.cell;
    match factor {
        Factor::Link if [LOCAL, DIRECT].contains(&base.cell.link.as_str()) => {
            cells.iter().filter(|cell| cell.cell.link == CONTROL).find(control).unwrap_or(base)
        }
        _ => base,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Commit, Scheme, Statement};

    fn influence(factor: Factor, elasticity: Elasticity) -> Influence {
        let cell = Cell::new(Scheme::Threads, Statement::Row, Commit::Auto, 15);
        Influence { factor, cell, elasticity, within_noise: false }
    }

    #[test]
    fn a_bound_is_named_only_where_its_interval_leaves_0_out_and_half_of_the_rate_hangs_on_it() {
        let noisy = influence(Factor::Inject, (0.8, -0.2, 1.8));
        assert_eq!(shown(std::slice::from_ref(&noisy)), None, "it may be nothing");
        let database = influence(Factor::DbCpus, (0.7, 0.5, 0.9));
        assert_eq!(shown(&[noisy.clone(), database.clone()]), Some((Bound::DatabaseCpu, (0.7, 0.5, 0.9))));
        let little = influence(Factor::DbCpus, (0.3, 0.2, 0.4));
        assert_eq!(shown(&[little]), None, "less than half");
        let as_two_alike = Influence { within_noise: true, ..database.clone() };
        assert_eq!(shown(&[as_two_alike]), None);
        // One busy thread: the quota does not show it, work put in does.
        let quota = influence(Factor::ClientCpus, (0.1, -0.1, 0.3));
        let work = influence(Factor::Inject, (0.9, 0.6, 1.2));
        assert_eq!(shown(&[quota, noisy, work]).unwrap().0, Bound::ClientCpu);
    }

    #[test]
    fn what_is_left_has_ends() {
        let all = [
            influence(Factor::DbCpus, (0.7, 0.5, 0.9)),
            influence(Factor::Link, (0.1, 0.05, 0.15)),
            influence(Factor::Inject, (-0.1, -0.3, 0.1)),
            influence(Factor::Pool, (0.5, 0.4, 0.6)),
        ];
        let (middle, low, high) = undiagnosed(&all);
        let near = |one: f64, other: f64| (one - other).abs() < 1e-12;
        assert!(near(middle, 0.2) && near(low, -0.15) && near(high, 0.45), "{middle} ({low} to {high})");
    }

    #[test]
    fn two_ways_that_look_at_different_things_do_not_disagree() {
        use Bound::{
            ClientCpu, ClientThread, DatabaseCpu, DatabaseLocks, DatabaseThread, HostCpu, RoundTrips, Undetermined,
        };
        let of = |changing, watching| Agreement::of(changing, Some(watching));
        assert_eq!(of(Some(ClientCpu), ClientThread), Agreement::Same);
        assert_eq!(of(Some(DatabaseCpu), DatabaseThread), Agreement::Same);
        assert_eq!(of(Some(ClientCpu), HostCpu), Agreement::SameProcessors);
        assert_eq!(of(Some(DatabaseCpu), HostCpu), Agreement::SameProcessors);
        assert_eq!(of(Some(RoundTrips), HostCpu), Agreement::Different);
        assert_eq!(of(Some(ClientCpu), DatabaseCpu), Agreement::Different);
        assert_eq!(of(Some(ClientCpu), DatabaseLocks), Agreement::NotByChanging);
        assert_eq!(of(None, DatabaseLocks), Agreement::NotByChanging);
        assert_eq!(of(None, DatabaseCpu), Agreement::NotShown);
        assert_eq!(of(Some(ClientCpu), Undetermined), Agreement::NotByWatching);
        assert_eq!(Agreement::of(None, None), Agreement::NotShown);
    }

    #[test]
    fn a_verdict_that_a_change_contradicts_is_less_sure_and_says_so() {
        let cell = Cell::new(Scheme::Threads, Statement::Row, Commit::Auto, 15);
        let told = |by_ledgers| Diagnosis {
            cell: cell.clone(),
            influences: Vec::new(),
            undiagnosed: (0.2, 0.1, 0.3),
            bound: Some((Bound::ClientCpu, (0.8, 0.6, 1.0))),
            by_ledgers: Some(by_ledgers),
        };
        let limit = |bound| Limit {
            bound,
            of: vec![bound],
            agree: 6,
            runs: 6,
            confidence: Confidence::High,
            less_sure: false,
            why: "so it was".into(),
        };
        let doubted = told(Bound::DatabaseCpu).weighed(&cell, limit(Bound::DatabaseCpu));
        assert_eq!((doubted.bound, doubted.confidence), (Bound::DatabaseCpu, Confidence::Some));
        assert!(doubted.why.ends_with("points to client CPU"), "{}", doubted.why);
        assert_eq!(told(Bound::ClientCpu).weighed(&cell, limit(Bound::ClientCpu)).confidence, Confidence::High);
        let other = Cell { pool: 30, ..cell.clone() };
        let kept = told(Bound::DatabaseCpu).weighed(&other, limit(Bound::DatabaseCpu));
        assert_eq!(kept.confidence, Confidence::High, "another cell's");
    }
}
