//! Forecasts of cells whose truth is a network of queues itself.

use super::*;
use crate::model::{Commit, Stage, Statement};
use crate::wire::conditions::CpuCheck;
use crate::wire::measured::{LinkMeasured, Quantiles};
use crate::wire::metrics::{PhaseMetrics, StageSummary};
use crate::wire::record::Outcome;
use crate::wire::testing;
use crate::wire::watched::{Doing, Look, Observed, Seen, Used};

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
    let parts = [Station::processors(may(cell.client_cpus), CLIENT), Station::processors(may(cell.db_cpus), DATABASE)];
    let stations = parts.map(|(station, _)| station);
    throughput(cell.pool, &stations, LEFT + rtt_of(&cell.link) + 50e-6)
}

fn ran(cell: &Cell, run: usize) -> RunRecord {
    ran_at(truth(cell), cell, run)
}

fn ran_at(rate: f64, cell: &Cell, run: usize) -> RunRecord {
    let mut record = testing::run_of(cell, Part::Cell, run, 1, rate / 1.1); // its steady window does a tenth more
    let Outcome::Finished { result } = &mut record.outcome else { panic!() };
    for phase in &mut result.phases {
        let summary = |stage| StageSummary {
            stage,
            count: phase.rows,
            mean: 1.0,
            p50: 1,
            p90: 1,
            p99: 1,
            max: 1,
            total: 1,
            stalled: 0,
        };
        let metrics = PhaseMetrics { stages: vec![summary(Stage::Execute)], ..Default::default() };
        phase.metrics = Some(Box::new(metrics));
    }
    let asked = rtt_of(&cell.link);
    let trip = ((asked + 50e-6) * 1e9) as u64;
    let times = Quantiles { count: 20, p50: trip, p99: trip };
    let used = |a_row: f64| -> Vec<Used> {
        (0..=10).map(|at| Used { at: f64::from(at), cpu: f64::from(at) * rate * a_row, ..Default::default() }).collect()
    };
    let check =
        |asked, cpuset: &str| CpuCheck { asked, cgroup: Some(asked), cpuset: cpuset.into(), ..Default::default() };
    let conditions = &mut record.conditions;
    conditions.engine.processors = 2;
    conditions.link_asked = Some(crate::model::profiles::Profiles::shipped().find(&cell.link).unwrap());
    conditions.link_measured = Some(LinkMeasured { connect: times, exchange: times, up: None, down: None });
    conditions.client = Some(check(cell.client_cpus, "0"));
    conditions.database = Some(check(cell.db_cpus, "1"));
    conditions.observed =
        Some(Observed { data_began: Some(0.0), client: used(CLIENT), database: used(DATABASE), ..Default::default() });
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
    let measured = [cell("threads row auto pool 15"), cell("async row auto pool 4"), cell("threads row auto pool 1")];
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

/// Looks that found backends asleep for the disk in this part of the time.
fn asleep(part: f64) -> Vec<Look> {
    asleep_for(Doing::Wal, part)
}

/// The same for anything.
fn asleep_for(what: Doing, part: f64) -> Vec<Look> {
    let seen = |doing, part: f64| Seen { doing, wait: String::new(), count: (part * 1e6).round() as u32 };
    let look = |number: i32| Look {
        at: f64::from(number) / 10.0,
        accounted: f64::from(number) / 10.0,
        backends: vec![seen(what, part), seen(Doing::Runnable, 1.0 - part)],
        ..Look::default()
    };
    (0..=100).map(look).collect()
}

#[test]
fn what_is_waited_for_is_not_told_by_a_rate_that_hardly_depends_on_it() {
    let full = "threads row auto pool 60";
    let away = "threads row auto pool 15 link near-region";
    for cell in [full, away].map(cell) {
        // A run of three per cent less than usual.
        let rate = 0.97 * truth(&cell);
        let left = |looks: Vec<Look>| {
            let mut record = ran_at(rate, &cell, 1);
            record.conditions.observed.as_mut().unwrap().looks = looks;
            let records = [record];
            let known = Known::of(&cells(&records)[0]).unwrap();
            let (stations, fixed) = network(known.cell, known.processors, known.demand.client, known.demand.database);
            let delay = fixed + known.left + known.on_the_way();
            let told = known.factor * throughput(cell.pool, &stations, delay);
            assert!((told / known.rate - 1.0).abs() < 1e-6, "{cell}: the network says of it what was measured");
            known.left
        };
        let (by_the_rate, by_looks) = (left(Vec::new()), left(asleep(LEFT * rate / cell.pool as f64)));
        assert!(by_the_rate > 2.0 * LEFT, "{cell}: {by_the_rate}");
        assert!((by_looks / LEFT - 1.0).abs() < 0.1, "{cell}: {by_looks}");
    }
}

#[test]
fn one_alone_waits_for_the_disk_and_for_no_lock() {
    let [crowd, alone] = ["threads row auto pool 8", "threads row auto pool 1"].map(cell);
    let told = |what: Doing| {
        let mut record = ran(&crowd, 1);
        record.conditions.observed.as_mut().unwrap().looks = asleep_for(what, LEFT * truth(&crowd) / crowd.pool as f64);
        let records = [record];
        let known = Known::of(&cells(&records)[0]).unwrap();
        let nothing = known.left_in(1.0, &Queue::of(&[&known])) < 0.05 * known.left;
        assert_eq!(nothing, what == Doing::Lock);
        forecast(&records, Ahead { cell: &alone, rtt: rtt_of(&alone.link), processors: 2 }).unwrap().rate
    };
    let (disk, locks) = (told(Doing::Wal), told(Doing::Lock));
    assert!(locks > 1.1 * disk, "{locks} {disk}");
}

#[test]
fn ceilings_and_schemes_say_nothing_of_each_other() {
    let [scheme, ceiling] = ["threads row auto pool 15", "pgbench row auto pool 15"].map(cell);
    let far = " link near-region";
    assert_eq!(told_of(&cell(&format!("pgbench row auto pool 15{far}")), std::slice::from_ref(&scheme)), None);
    let target = cell(&format!("threads row auto pool 15{far}"));
    assert_eq!(told_of(&target, std::slice::from_ref(&ceiling)), None);
    let [alone, beside] = [vec![scheme.clone()], vec![scheme, ceiling]].map(|known| told_of(&target, &known).unwrap());
    assert_eq!(alone, beside);
}

#[test]
fn a_lookup_is_not_told_nor_anything_from_it() {
    let [ingest, lookup] = ["threads row auto pool 15", "lookup threads row pool 15"].map(cell);
    let other = cell("lookup threads row pool 4");
    assert_eq!(told_of(&other, &[ingest.clone(), lookup.clone()]), None);
    let [alone, beside] = [vec![ingest.clone()], vec![ingest, lookup]]
        .map(|known| told_of(&cell("threads row auto pool 30"), &known).unwrap());
    assert_eq!(alone, beside);
}

#[test]
fn factors_without_a_model_go_by_analogy() {
    let plain = "threads row auto pool 15";
    let [both_on, no_keys, no_wait, neither] =
        ["", " foreign-keys off", " synchronous-commit off", " synchronous-commit off foreign-keys off"]
            .map(|more| cell(&format!("{plain}{more}")));
    let told = told_of(&neither, &[both_on.clone(), no_keys.clone(), no_wait.clone()]).unwrap();
    assert!((told.rate / truth(&both_on) - 1.0).abs() < 1e-6, "as little as each of them changed: {told:?}");
    // An analogy knows of no bound, which the network does.
    let known = told_of(&cell("threads row auto pool 60"), std::slice::from_ref(&both_on)).unwrap();
    assert!(told.high / told.low > 1.5 * known.high / known.low, "{told:?} {known:?}");
    assert_eq!(told_of(&neither, &[both_on, no_wait]), None, "nobody saw what foreign keys cost");
}

#[test]
fn the_way_past_the_link_is_forecast_by_what_was_measured_of_it_with_nothing_on_top() {
    let cell = |link: &str| Cell { link: link.into(), ..Cell::new(Scheme::Async, Statement::Row, Commit::Auto, 8) };
    let records = [ran(&cell("local"), 1), ran(&cell("near-region"), 2)];
    let told = |link: &str, rtt: f64| {
        let cell = cell(link);
        forecast(&records, Ahead { cell: &cell, rtt, processors: 2 }).unwrap().rate
    };
    // Nearby the link takes 50 us by itself, which `direct` has in its figure.
    let (local, direct) = (told("local", 0.0), told("direct", 50e-6));
    assert!((local / direct - 1.0).abs() < 0.02, "{local} {direct}");
    assert!(told("direct", 5e-3) < 0.5 * direct);
}

#[test]
fn another_speed_of_a_processor_moves_the_rate_where_that_side_is_the_bound() {
    let at_speeds = |text: &str, speeds: [f64; 2]| {
        let records = [ran(&cell(text), 1)];
        on_processors(&cells(&records)[0], speeds).unwrap()
    };
    let (of_client, of_database) =
        ("threads row auto pool 15 client-cpus 0.25", "threads row auto pool 15 db-cpus 0.25");
    for (text, slower, beside) in [(of_client, [0.7, 1.0], [1.0, 0.7]), (of_database, [1.0, 0.7], [0.7, 1.0])] {
        let (bound, other) = (at_speeds(text, slower), at_speeds(text, beside));
        assert!((bound / 0.7 - 1.0).abs() < 0.02 && (0.98..=1.0).contains(&other), "{text}: {bound} {other}");
        assert!((at_speeds(text, [1.0, 1.0]) - 1.0).abs() < 1e-6, "{text}");
    }
}
