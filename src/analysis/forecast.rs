//! What a cell will do, told before it runs from the cells that were measured. Pure.
//!
//! ```text
//! measured cells that send rows alike ─► CPU time a row on both sides, round trips a row, what is left: a delay
//!        └─► closed network under the new cell's pool, processors and round trip ─► rate (weighed by nearness)
//! no such cell: by analogy, A : B = C : what is asked
//! how far off the model is for each measured cell, told from others as far apart ─► interval
//! ```
//! A cell's own figures enter only as of the cells measured before; nothing is fitted to what is forecast.

use self::crowd::{CLIENT, Crowding, DATABASE, Queue};
use self::known::Known;
use super::cells::{CellRuns, cells};
use super::queueing::{Station, throughput};
use super::student::two_sided;
use super::summary::Summary;
use crate::model::cell::{Cell, DIRECT};
use crate::model::quantity::Delay;
use crate::model::{Factor, Part, Placement, Scheme, Workload};
use crate::wire::forecast::Forecast;
use crate::wire::record::RunRecord;

/// How many tries what is believed before the model has been tried on the series itself is worth.
const PRIOR_TRIES: usize = 4;

/// How much more a cell counts that is nearer by one factor's four times (e to this power): single runs scatter, so that what
/// several say goes before what the nearest says alone.
const NEARNESS: f64 = 1.5;

/// From this ratio on, levels of one factor are far apart.
const FAR: f64 = 4.0;

/// A cell that has not run yet.
#[derive(Debug, Clone, Copy)]
pub struct Ahead<'a> {
    /// Which.
    pub cell: &'a Cell,
    /// The round trip its link is asked to have, seconds; of the way past the link (`direct`) what was measured.
    pub rtt: f64,
    /// Processors of the machine.
    pub processors: usize,
}

/// A forecast from these records; none where nothing measured sends rows alike or lets it be told by analogy.
pub fn forecast(records: &[RunRecord], ahead: Ahead<'_>) -> Option<Forecast> {
    // What a lookup's row takes hangs on how chunks meet the pool, of which the model knows nothing; nor of what
    // breaks, nor of several clients.
    let of_one = ahead.cell.clients == 1;
    if ahead.cell.workload == Workload::Lookup || !ahead.cell.fault.is_none() || !of_one {
        return None;
    }
    let all = cells(records);
    let ingests = |cell: &&CellRuns<'_>| cell.part == Part::Cell && cell.cell.workload == Workload::Census;
    // PostgreSQL's own tools wait for each other in ways of their own (pgbench 20 ms away in a sixth of all looks).
    let is_alike = |cell: &&CellRuns<'_>| cell.cell.scheme.is_ceiling() == ahead.cell.scheme.is_ceiling();
    let known: Vec<Known<'_>> = all.iter().filter(ingests).filter(is_alike).filter_map(Known::of).collect();
    let target = Target::of(ahead, &known);
    let (rate, model) = told(&target, &known)?;
    let log_rate = rate.ln();
    let nearest = known.iter().min_by(|a, b| target.apart(a).total_cmp(&target.apart(b)))?;
    let distance = target.apart(nearest);
    let misses: Vec<f64> = (0..known.len()).filter_map(|left_out| miss(&known, left_out, distance, model)).collect();
    let squares =
        PRIOR_TRIES as f64 * model.prior_error().powi(2) + misses.iter().map(|miss| miss.powi(2)).sum::<f64>();
    let tries = PRIOR_TRIES + misses.len();
    let half = two_sided(0.10, tries) * (squares / tries as f64).sqrt();
    let apart = Factor::between(nearest.cell, ahead.cell);
    Some(Forecast {
        rate: log_rate.exp(),
        low: (log_rate - half).exp(),
        high: (log_rate + half).exp(),
        from: known.len(),
        nearest: nearest.cell.clone(),
        nearest_rate: nearest.rate,
        held_out: apart.len() > 1 || apart.iter().any(|factor| target.levels_apart(*factor, nearest) >= FAR),
        apart,
    })
}

/// How many times as many rows a second a measured cell would do if its processors were so many times as fast: client,
/// database. None where what a row takes is not known.
pub(super) fn on_processors(cell: &CellRuns<'_>, [client, database]: [f64; 2]) -> Option<f64> {
    let known = Known::of(cell).filter(|_| cell.cell.workload == Workload::Census)?;
    let demand = known.demand;
    let (stations, fixed) = network(known.cell, known.processors, demand.client / client, demand.database / database);
    let delay = fixed + known.left + known.on_the_way();
    Some(known.factor * throughput(workers(known.cell) as usize, &stations, delay) / known.rate)
}

/// How far off (log) the model is for a measured cell, told from the others that are at least so far apart from it: from its
/// neighbours it is told better than what has none.
fn miss(known: &[Known<'_>], left_out: usize, distance: f64, model: Model) -> Option<f64> {
    let one = &known[left_out];
    let target = Target::from(one);
    let is_far = |(index, other): &(usize, &Known<'_>)| *index != left_out && target.apart(other) >= distance;
    let others: Vec<Known<'_>> = known.iter().enumerate().filter(is_far).map(|(_, other)| other.clone()).collect();
    Some((model.told(&target, &others)? / one.rate).ln())
}

/// How a rate is told.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Model {
    /// Through the network of queues, from cells that send rows alike.
    Network,
    /// By analogy.
    Analogy,
}

impl Model {
    fn told(self, target: &Target<'_>, known: &[Known<'_>]) -> Option<f64> {
        match self {
            Self::Network => by_network(target, known),
            Self::Analogy => by_analogy(target, known),
        }
    }

    /// How far off (log) it is taken to be before it has been tried on the series itself. What a change does under one bound
    /// it doesn't do under another, and an analogy knows of none.
    fn prior_error(self) -> f64 {
        match self {
            Self::Network => 0.15,
            Self::Analogy => 0.4,
        }
    }
}

fn told(target: &Target<'_>, known: &[Known<'_>]) -> Option<(f64, Model)> {
    [Model::Network, Model::Analogy].into_iter().find_map(|model| Some((model.told(target, known)?, model)))
}

/// Processors' worth of time for either side, and whether they are the same processors.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Processors {
    client: f64,
    database: f64,
    /// How many the machine has, where both sides run on all of them.
    shared: Option<f64>,
}

fn seconds(delay: Delay) -> f64 {
    delay.nanos() as f64 / 1e9
}

/// Requests that can be under way at once.
fn workers(cell: &Cell) -> f64 {
    if cell.scheme == Scheme::Serial { 1.0 } else { cell.pool as f64 }
}

/// What a rate is wanted for.
#[derive(Debug, Clone, Copy)]
struct Target<'a> {
    cell: &'a Cell,
    rtt: f64,
    processors: Processors,
}

impl<'a> Target<'a> {
    fn of(ahead: Ahead<'a>, known: &[Known<'_>]) -> Self {
        let Ahead { cell, rtt, processors: machine } = ahead;
        // What the path takes by itself; where nothing is delayed it has no emulator in it.
        let alike = |one: &&Known<'_>| one.cell.link != DIRECT && (one.asked > 0.0) == (rtt > 0.0);
        let own = match cell.link.as_str() {
            DIRECT => 0.0, // what was measured has it
            _ => Summary::of(known.iter().filter(alike).map(|one| one.demand.rtt - one.asked))
                .map_or(0.0, |own| own.median),
        };
        let placed = known.iter().find(|one| one.cell.placement == cell.placement).map(|one| one.processors);
        let machine = machine.max(1) as f64;
        let each = if cell.placement == Placement::Pinned { (machine / 2.0).max(1.0) } else { machine };
        let side = |quota: Option<f64>| quota.map_or(each, |quota| quota.min(each));
        let shared = placed.map_or(cell.placement == Placement::Shared, |placed| placed.shared.is_some());
        Self {
            cell,
            rtt: rtt + own.max(0.0),
            processors: Processors {
                client: side(cell.client_cpus.count()),
                database: side(cell.db_cpus.count()),
                shared: shared.then_some(machine),
            },
        }
    }

    fn from(known: &Known<'a>) -> Self {
        Self { cell: known.cell, rtt: known.demand.rtt, processors: known.processors }
    }

    /// How many times as much of a factor one has as the other; 1 where it has no size.
    fn levels_apart(&self, factor: Factor, known: &Known<'_>) -> f64 {
        let (mine, theirs) = match factor {
            Factor::Pool => (self.cell.pool as f64, known.cell.pool as f64),
            Factor::InFlight => (self.cell.in_flight as f64, known.cell.in_flight as f64),
            Factor::Batch => (self.cell.batch as f64, known.cell.batch as f64),
            Factor::Chunk => (self.cell.chunk as f64, known.cell.chunk as f64),
            Factor::Link => (self.rtt, known.demand.rtt),
            Factor::ClientCpus => (self.processors.client, known.processors.client),
            Factor::DbCpus => (self.processors.database, known.processors.database),
            _ => return 1.0,
        };
        let ratio = mine.max(1e-6) / theirs.max(1e-6);
        ratio.max(1.0 / ratio)
    }

    /// How unlike another cell is.
    fn apart(&self, known: &Known<'_>) -> f64 {
        Factor::between(self.cell, known.cell)
            .into_iter()
            .map(|factor| match factor {
                Factor::Scheme => 0.3,
                Factor::Statement | Factor::Commit | Factor::ForeignKeys => 3.0,
                factor => match self.levels_apart(factor, known) {
                    1.0 => 1.0,
                    ratio => ratio.ln() / FAR.ln(),
                },
            })
            .sum()
    }

    /// Whether a row costs the same there: the same statements in as many round trips, with the same durability, on the
    /// same storage.
    fn sends_like(&self, known: &Known<'_>) -> bool {
        use Factor::{ClientCpus, Congestion, DbCpus, Inject, Link, Placement, Pool, Reader, Scheme};
        let of_no_matter = |factor: &Factor| {
            matches!(factor, Scheme | Pool | Link | ClientCpus | DbCpus | Placement | Congestion | Reader | Inject)
        };
        self.cell.travels() == known.cell.travels() && Factor::between(self.cell, known.cell).iter().all(of_no_matter)
    }
}

/// From every cell that sends rows alike, the nearer the more.
fn by_network(target: &Target<'_>, known: &[Known<'_>]) -> Option<f64> {
    let alike: Vec<&Known<'_>> = known.iter().filter(|one| target.sends_like(one)).collect();
    let crowding = Crowding::of(DATABASE, alike.iter().copied(), |one| one.demand.database);
    let queue = Queue::of(&alike);
    let (mut sum, mut weights) = (0.0, 0.0);
    for one in &alike {
        let weight = (-NEARNESS * target.apart(one)).exp();
        sum += weight * from_one(target, one, &alike, &crowding, &queue).ln();
        weights += weight;
    }
    (weights > 0.0).then(|| (sum / weights).exp())
}

/// What the target does if everything else is as in this cell.
fn from_one(target: &Target<'_>, one: &Known<'_>, alike: &[&Known<'_>], crowding: &Crowding, queue: &Queue) -> f64 {
    let of_scheme = alike
        .iter()
        .filter(|other| other.cell.scheme == target.cell.scheme)
        .min_by(|a, b| target.apart(a).total_cmp(&target.apart(b)))
        .unwrap_or(&one);
    let (inject, known) = (target.cell.inject, one.cell.inject);
    let same_scheme = alike.iter().copied().filter(|other| other.cell.scheme == of_scheme.cell.scheme);
    let of_client = Crowding::of(CLIENT, same_scheme, |one| one.client_itself());
    let asleep = (seconds(inject.sleep) - seconds(known.sleep)) / one.rows;
    let way = one.demand.trips * target.rtt;
    let mut present = workers(target.cell);
    let mut rate = one.rate;
    // How crowded the database is decides what a row costs it, and that how crowded it is.
    for _ in 0..20 {
        let database = one.demand.database * crowding.between(present, one.present());
        let itself = of_scheme.client_itself() * of_client.between(present, of_scheme.present());
        let client = itself + seconds(inject.spin);
        let (stations, fixed) = network(target.cell, target.processors, client, database);
        let left = one.left_in(present, queue);
        let delay = (fixed + left + asleep + way).max(0.0);
        rate = one.factor * throughput(workers(target.cell) as usize, &stations, delay);
        let now = (workers(target.cell) - rate * way).max(0.5);
        present = (present * now).sqrt();
    }
    let reader = if inject.read.is_zero() { f64::INFINITY } else { one.rows / seconds(inject.read) };
    rate.min(reader)
}

/// The stations that rows queue at, and the delay that several processors are besides.
fn network(cell: &Cell, processors: Processors, client: f64, database: f64) -> (Vec<Station>, f64) {
    let usable = if cell.scheme.is_one_at_a_time() { processors.client.min(1.0) } else { processors.client };
    let mut parts = Vec::new();
    match processors.shared {
        Some(machine) => {
            parts.push(Station::processors(machine, client + database));
            // A side that may use less than the machine has queues for that, too.
            let less = |may: f64, of: f64| (may < machine).then(|| Station::processors(may, of));
            parts.extend(less(usable, client));
            parts.extend(less(processors.database, database));
        }
        None => {
            parts.push(Station::processors(usable, client));
            parts.push(Station::processors(processors.database, database));
        }
    }
    let delay = parts.iter().map(|(_, delay)| delay).sum();
    (parts.into_iter().map(|(station, _)| station).collect(), delay)
}

/// Where a pair of measured cells shows what changing a factor does, and another cell differs from the target in that
/// factor only: what it does there, it does here.
fn by_analogy(target: &Target<'_>, known: &[Known<'_>]) -> Option<f64> {
    let mut logs = Vec::new();
    for start in known {
        let [factor] = Factor::between(start.cell, target.cell)[..] else { continue };
        let (from, to) = (factor.level(start.cell), factor.level(target.cell));
        for before in known.iter().filter(|one| factor.level(one.cell) == from) {
            let changed =
                |one: &&Known<'_>| factor.level(one.cell) == to && Factor::between(before.cell, one.cell) == [factor];
            logs.extend(known.iter().filter(changed).map(|after| (start.rate * after.rate / before.rate).ln()));
        }
    }
    Summary::of(logs).map(|summary| summary.median.exp())
}

mod crowd;
mod known;
#[cfg(test)]
mod tests;
