//! What a cell will do, told before it runs from the cells that were measured. Pure.
//!
//! ```text
//! measured cells that send rows alike ─► CPU time a row on both sides, round trips a row, what is left: a delay
//!        └─► closed network under the new cell's pool, processors and round trip ─► rate (weighed by nearness)
//! no such cell: by analogy, A : B = C : what is asked
//! how far off the model is for each measured cell, told from the others ─► interval
//! ```
//! A cell's own figures enter only as of the cells measured before; nothing is fitted to what is forecast.

use super::cells::{CellRuns, cells};
use super::evidence::{Window, allowed, evidence, rate, round_trips};
use super::queueing::{Station, delay_for, throughput};
use super::student::two_sided;
use super::summary::Summary;
use crate::model::cell::Cell;
use crate::model::{Factor, Part, Phase, Placement, Scheme};
use crate::wire::conditions::CpuCheck;
use crate::wire::forecast::Forecast;
use crate::wire::record::RunRecord;

/// How far off a forecast is taken to be before the model has been tried on the series itself (of the log rate), and
/// how many tries that belief is worth.
const PRIOR_ERROR: f64 = 0.10;
const PRIOR_TRIES: usize = 4;

/// From this ratio on, levels of one factor are far apart.
const FAR: f64 = 4.0;

/// A cell that has not run yet.
#[derive(Debug, Clone, Copy)]
pub struct Ahead<'a> {
    /// Which.
    pub cell: &'a Cell,
    /// The round trip its link is asked to have, seconds.
    pub rtt: f64,
    /// Processors of the machine.
    pub processors: usize,
}

/// A forecast from these records; none where nothing measured sends rows alike or lets it be told by analogy.
pub fn forecast(records: &[RunRecord], ahead: Ahead<'_>) -> Option<Forecast> {
    let all = cells(records);
    let known: Vec<Known<'_>> = all.iter().filter(|cell| cell.part == Part::Cell).filter_map(Known::of).collect();
    let target = Target::of(ahead, &known);
    let log_rate = told(&target, &known)?.ln();
    let misses: Vec<f64> = (0..known.len()).filter_map(|left_out| miss(&known, left_out)).collect();
    let squares = PRIOR_TRIES as f64 * PRIOR_ERROR.powi(2) + misses.iter().map(|miss| miss.powi(2)).sum::<f64>();
    let tries = PRIOR_TRIES + misses.len();
    let half = two_sided(0.10, tries) * (squares / tries as f64).sqrt();
    let nearest = known.iter().min_by(|a, b| target.apart(a).total_cmp(&target.apart(b)))?;
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

/// How far off (log) the model is for a measured cell, told from the others.
fn miss(known: &[Known<'_>], left_out: usize) -> Option<f64> {
    let one = &known[left_out];
    let others: Vec<Known<'_>> =
        known.iter().enumerate().filter(|(index, _)| *index != left_out).map(|(_, other)| other.clone()).collect();
    Some((told(&Target::from(one), &others)? / one.rate).ln())
}

fn told(target: &Target<'_>, known: &[Known<'_>]) -> Option<f64> {
    by_network(target, known).or_else(|| by_analogy(target, known))
}

/// Processors' worth of time for either side, and whether they are the same processors.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Processors {
    client: f64,
    database: f64,
    /// How many the machine has, where both sides run on all of them.
    shared: Option<f64>,
}

/// A measured cell: medians over its valid runs, seconds.
#[derive(Debug, Clone)]
struct Known<'a> {
    cell: &'a Cell,
    /// Rows a second.
    rate: f64,
    /// Client CPU time a row.
    client: f64,
    /// Database CPU time a row.
    database: f64,
    /// Round trips a row, and how long one takes.
    trips: f64,
    rtt: f64,
    /// Of it what was asked for.
    asked: f64,
    processors: Processors,
    /// Rows a record becomes.
    rows: f64,
    /// What is left of the time of a row: waiting for the disk, for locks, for the kernel.
    left: f64,
    /// Where the demands alone say less than was measured: how many times as much that was.
    factor: f64,
}

impl<'a> Known<'a> {
    fn of(cell: &CellRuns<'a>) -> Option<Self> {
        let runs: Vec<&RunRecord> = cell.runs.iter().copied().filter(|run| run.is_valid()).collect();
        let median = |figure: &dyn Fn(&RunRecord) -> Option<f64>| {
            Summary::of(runs.iter().filter_map(|run| figure(run))).map(|summary| summary.median)
        };
        let rows_a_second = cell.rate()?.median;
        let used = |side: fn(&RunRecord) -> &[crate::wire::watched::Used]| {
            median(&|run| rate(side(run), Window::of(run)?)).map(|processors| processors / rows_a_second)
        };
        let conditions = &runs.first()?.conditions;
        let of = |check: &Option<CpuCheck>| check.as_ref().map(allowed);
        let machine = conditions.engine.processors.max(1) as f64;
        let shared = evidence(runs[0])?.shared;
        let mut known = Self {
            left: 0.0,
            factor: 1.0,
            cell: cell.cell,
            rate: rows_a_second,
            client: used(|run| run.conditions.observed.as_ref().map_or(&[], |seen| &seen.client))?,
            database: used(|run| run.conditions.observed.as_ref().map_or(&[], |seen| &seen.database))?,
            trips: median(&round_trips)?,
            rtt: median(&|run| Some(run.conditions.round_trip()?.p50 as f64 / 1e9))?,
            asked: cell.rtt as f64 / 1e9,
            processors: Processors {
                client: of(&conditions.client)?,
                database: of(&conditions.database)?,
                shared: shared.then_some(machine),
            },
            rows: median(&|run| {
                let data = run.result()?.phase(Phase::Data)?;
                (data.records > 0).then(|| data.rows as f64 / data.records as f64)
            })?,
        };
        known.calibrate();
        Some(known)
    }

    /// So that the network says of this cell what was measured of it.
    fn calibrate(&mut self) {
        let (stations, fixed) = network(self.cell, self.processors, self.client, self.database);
        let (connections, besides) = (workers(self.cell) as usize, fixed + self.on_the_way());
        match delay_for(self.rate, connections, &stations).filter(|delay| *delay >= besides) {
            Some(delay) => self.left = delay - besides,
            None => self.factor = self.rate / throughput(connections, &stations, besides),
        }
    }

    /// What each connection waits a row for the way there and back.
    fn on_the_way(&self) -> f64 {
        self.trips * self.rtt
    }

    /// Connections that are not on the way, on average (Little's law): as many as crowd the database.
    fn present(&self) -> f64 {
        (workers(self.cell) - self.rate * self.on_the_way()).max(0.5)
    }
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
        let alike = |one: &&Known<'_>| (one.asked > 0.0) == (rtt > 0.0);
        let own = Summary::of(known.iter().filter(alike).map(|one| one.rtt - one.asked)).map_or(0.0, |own| own.median);
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
        Self { cell: known.cell, rtt: known.rtt, processors: known.processors }
    }

    /// How many times as much of a factor one has as the other; 1 where it has no size.
    fn levels_apart(&self, factor: Factor, known: &Known<'_>) -> f64 {
        let (mine, theirs) = match factor {
            Factor::Pool => (self.cell.pool as f64, known.cell.pool as f64),
            Factor::InFlight => (self.cell.in_flight as f64, known.cell.in_flight as f64),
            Factor::Link => (self.rtt, known.rtt),
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

    /// Whether a row costs the same there: the same statements, with the same durability, on the same storage.
    fn sends_like(&self, known: &Known<'_>) -> bool {
        use Factor::{ClientCpus, Congestion, DbCpus, Inject, Link, Placement, Pool, Reader, Scheme};
        Factor::between(self.cell, known.cell).iter().all(|factor| {
            matches!(factor, Scheme | Pool | Link | ClientCpus | DbCpus | Placement | Congestion | Reader | Inject)
        })
    }
}

/// From every cell that sends rows alike, the nearer the more.
fn by_network(target: &Target<'_>, known: &[Known<'_>]) -> Option<f64> {
    let alike: Vec<&Known<'_>> = known.iter().filter(|one| target.sends_like(one)).collect();
    let crowding = Crowding::of(&alike);
    let (mut sum, mut weights) = (0.0, 0.0);
    for one in &alike {
        let weight = (-2.0 * target.apart(one)).exp();
        sum += weight * from_one(target, one, &alike, &crowding).ln();
        weights += weight;
    }
    (weights > 0.0).then(|| (sum / weights).exp())
}

/// What the target does if everything else is as in this cell.
fn from_one(target: &Target<'_>, one: &Known<'_>, alike: &[&Known<'_>], crowding: &Crowding) -> f64 {
    let of_scheme = alike
        .iter()
        .filter(|other| other.cell.scheme == target.cell.scheme)
        .min_by(|a, b| target.apart(a).total_cmp(&target.apart(b)))
        .unwrap_or(&one);
    let nanos = |delay: crate::model::quantity::Delay| delay.nanos() as f64 / 1e9;
    let (inject, known) = (target.cell.inject, one.cell.inject);
    let client = (of_scheme.client - nanos(of_scheme.cell.inject.spin) + nanos(inject.spin)).max(0.0);
    let asleep = (nanos(inject.sleep) - nanos(known.sleep)) / one.rows;
    let way = one.trips * target.rtt;
    let mut present = workers(target.cell);
    let mut rate = one.rate;
    // How crowded the database is decides what a row costs it, and that how crowded it is.
    for _ in 0..20 {
        let database = one.database * crowding.at(present) / crowding.at(one.present());
        let (stations, fixed) = network(target.cell, target.processors, client, database);
        let delay = (fixed + one.left + asleep + way).max(0.0);
        rate = one.factor * throughput(workers(target.cell) as usize, &stations, delay);
        let now = (workers(target.cell) - rate * way).max(0.5);
        present = (present * now).sqrt();
    }
    let reader = if inject.read.is_zero() { f64::INFINITY } else { one.rows / nanos(inject.read) };
    rate.min(reader)
}

/// The stations that rows queue at, and the delay that several processors are besides.
fn network(cell: &Cell, processors: Processors, client: f64, database: f64) -> (Vec<Station>, f64) {
    let one_thread = matches!(cell.scheme, Scheme::Serial | Scheme::AsyncSingle);
    let usable = if one_thread { processors.client.min(1.0) } else { processors.client };
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

/// The database's CPU time a row by how many connections crowd it: between measured points along the logarithm of the
/// crowd, beyond them even. It is no constant: group commit makes it fall, contention makes it rise.
struct Crowding(Vec<(f64, f64)>);

impl Crowding {
    fn of(known: &[&Known<'_>]) -> Self {
        let mut points: Vec<(f64, f64)> = known.iter().map(|one| (one.present().ln(), one.database)).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self(points)
    }

    fn at(&self, present: f64) -> f64 {
        let (x, points) = (present.ln(), &self.0);
        let Some(after) = points.iter().position(|(at, _)| *at >= x) else {
            return points.last().map_or(1.0, |(_, demand)| *demand);
        };
        let Some((from, low)) = after.checked_sub(1).map(|before| points[before]) else { return points[0].1 };
        let (to, high) = points[after];
        low + (high - low) * (x - from) / (to - from).max(1e-9)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Commit, Stage, Statement};
    use crate::wire::conditions::CpuCheck;
    use crate::wire::measured::{LinkMeasured, Quantiles};
    use crate::wire::metrics::{PhaseMetrics, StageSummary};
    use crate::wire::record::Outcome;
    use crate::wire::testing;
    use crate::wire::watched::{Observed, Used};

    /// CPU time a row, and what a row waits besides, seconds.
    const CLIENT: f64 = 60e-6;
    const DATABASE: f64 = 140e-6;
    const LEFT: f64 = 300e-6;

    fn rtt_of(link: &str) -> f64 {
        crate::model::profiles::Profiles::shipped().find(link).unwrap().rtt().nanos() as f64 / 1e9
    }

    /// What a machine with a processor for each side would do.
    fn truth(cell: &Cell) -> f64 {
        let may = |cpus: crate::model::limits::Cpus| cpus.count().unwrap_or(1.0).min(1.0);
        let parts =
            [Station::processors(may(cell.client_cpus), CLIENT), Station::processors(may(cell.db_cpus), DATABASE)];
        let stations = parts.map(|(station, _)| station);
        throughput(cell.pool, &stations, LEFT + rtt_of(&cell.link) + 50e-6)
    }

    fn ran(cell: &Cell, run: usize) -> RunRecord {
        let rate = truth(cell);
        let mut record = testing::run_of(cell, Part::Cell, run, 1, rate / 1.1); // its steady window does a tenth more
        let Outcome::Finished { result } = &mut record.outcome else { panic!() };
        for phase in &mut result.phases {
            let summary =
                |stage| StageSummary { stage, count: phase.rows, mean: 1.0, p50: 1, p90: 1, p99: 1, max: 1, total: 1 };
            let metrics = PhaseMetrics { stages: vec![summary(Stage::Execute)], ..Default::default() };
            phase.metrics = Some(Box::new(metrics));
        }
        let asked = rtt_of(&cell.link);
        let trip = ((asked + 50e-6) * 1e9) as u64;
        let times = Quantiles { count: 20, p50: trip, p99: trip };
        let used = |a_row: f64| -> Vec<Used> {
            (0..=10)
                .map(|at| Used { at: f64::from(at), cpu: f64::from(at) * rate * a_row, ..Default::default() })
                .collect()
        };
        let check =
            |asked, cpuset: &str| CpuCheck { asked, cgroup: Some(asked), cpuset: cpuset.into(), ..Default::default() };
        let conditions = &mut record.conditions;
        conditions.engine.processors = 2;
        conditions.link_asked = Some(crate::model::profiles::Profiles::shipped().find(&cell.link).unwrap());
        conditions.link_measured = Some(LinkMeasured { connect: times, exchange: times, up: None, down: None });
        conditions.client = Some(check(cell.client_cpus, "0"));
        conditions.database = Some(check(cell.db_cpus, "1"));
        conditions.observed = Some(Observed {
            data_began: Some(0.0),
            client: used(CLIENT),
            database: used(DATABASE),
            ..Default::default()
        });
        record
    }

    fn cell(text: &str) -> Cell {
        format!("{text} placement pinned").parse().unwrap()
    }

    fn told_of(target: &Cell, measured: &[Cell]) -> Option<Forecast> {
        let records: Vec<RunRecord> = measured.iter().enumerate().map(|(run, cell)| ran(cell, run + 1)).collect();
        forecast(&records, Ahead { cell: target, rtt: rtt_of(&target.link), processors: 2 })
    }

    #[test]
    fn far_cells_are_told_from_near_ones_and_better_than_by_the_nearest() {
        let measured =
            [cell("threads row auto pool 15"), cell("async row auto pool 4"), cell("threads row auto pool 1")];
        for wanted in [
            "threads row auto pool 15 link near-region",
            "async row auto pool 120 link transatlantic",
            "threads row auto pool 15 client-cpus 0.25",
            "threads row auto pool 15 db-cpus 0.25",
            "async row auto pool 60 link near-region db-cpus 0.5",
        ] {
            let target = cell(wanted);
            let (told, real) = (told_of(&target, &measured).unwrap(), truth(&target));
            assert!((told.rate / real - 1.0).abs() < 0.10, "{wanted}: said {:.0}, is {real:.0}", told.rate);
            assert!(told.low < real && real < told.high && told.held_out, "{told:?}");
            assert!((told.rate / real).ln().abs() < (told.nearest_rate / real).ln().abs(), "{told:?}");
        }
    }

    #[test]
    fn what_is_near_is_not_held_out_and_what_nobody_measured_is_not_told() {
        let near = told_of(&cell("threads row auto pool 30"), &[cell("threads row auto pool 15")]).unwrap();
        assert_eq!((near.held_out, near.apart), (false, vec![Factor::Pool]));
        let other = Cell::new(Scheme::Threads, Statement::Executemany, Commit::Record, 15);
        assert_eq!(told_of(&other, &[cell("threads row auto pool 15")]), None);
        assert_eq!(told_of(&other, &[]), None);
    }

    #[test]
    fn factors_without_a_model_go_by_analogy() {
        let plain = "threads row auto pool 15";
        let [both_on, no_keys, no_wait, neither] =
            ["", " foreign-keys off", " synchronous-commit off", " synchronous-commit off foreign-keys off"]
                .map(|more| cell(&format!("{plain}{more}")));
        let told = told_of(&neither, &[both_on.clone(), no_keys.clone(), no_wait.clone()]).unwrap();
        assert!((told.rate / truth(&both_on) - 1.0).abs() < 1e-6, "as little as each of them changed: {told:?}");
        assert_eq!(told_of(&neither, &[both_on, no_wait]), None, "nobody saw what foreign keys cost");
    }
}
