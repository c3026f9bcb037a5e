//! What the ingester says of itself and what is seen from outside, made up to fit a run's rate.

use crate::model::cell::Cell;
use crate::model::{Phase, Stage, Statement, Workload};
use crate::wire::PhaseResult;
use crate::wire::metrics::{Busiest, Ledger, PhaseMetrics, ProcessUse, StageSummary};
use crate::wire::record::{Outcome, RunRecord};
use crate::wire::watched::{Counted, Doing, Look, Machine, Observed, Pages, Seen, Statements, Used, Wal};

/// How a cell spends its time, parts of the whole on either side.
struct Spent {
    /// Workers: on CPU, ready, waiting for records, unexplained; the rest for the database.
    workers: [f64; 4],
    /// Backends: on CPU, ready by the kernel's account.
    account: [f64; 2],
    /// Backends as they are seen asleep; those that are not are ready.
    asleep: &'static [(Doing, &'static str, f64)],
    /// Processors' worth of time: the client's control group, the database's.
    used: [f64; 2],
}

const NEARBY: Spent = Spent {
    workers: [0.055, 0.02, 0.004, 0.012],
    account: [0.064, 0.44],
    asleep: &[
        (Doing::Wal, "LWLock:WALWrite", 0.19),
        (Doing::Wal, "IO:WalSync", 0.05),
        (Doing::Lock, "LWLock:LockManager", 0.04),
        (Doing::Lock, "LWLock:BufferContent", 0.03),
        (Doing::Client, "Client:ClientRead", 0.14),
        (Doing::Io, "IO:DataFileExtend", 0.015),
        (Doing::Io, "IO:DataFileRead", 0.004),
    ],
    used: [0.55, 0.97],
};

/// Less than half a percent below zero, which is zero.
const AWAY: Spent = Spent {
    workers: [0.004, 0.001, 0.0, -0.000_4],
    account: [0.006, 0.002],
    asleep: &[(Doing::Client, "Client:ClientRead", 0.985), (Doing::Wal, "LWLock:WALWrite", 0.004)],
    used: [0.06, 0.1],
};

/// States that overlap.
const AT_ONCE: Spent = Spent {
    workers: [0.12, 0.03, 0.01, -0.021],
    account: [0.063, 0.3],
    asleep: &[(Doing::Client, "Client:ClientRead", 0.5), (Doing::Wal, "IO:WalSync", 0.12)],
    used: [0.8, 0.96],
};

fn spent(cell: &Cell) -> &'static Spent {
    match (cell.statement, cell.link.as_str()) {
        (Statement::Executemany, _) => &AT_ONCE,
        (_, "near-region") => &AWAY,
        _ => &NEARBY,
    }
}

/// Whatever the cell.
const COUNTED: Counted = Counted {
    statements: Some(Statements { calls: 60_000.0, seconds: 5.7 }),
    pages: Some(Pages { hit: 900_000.0, read: 1_500.0, read_seconds: 0.03, write_seconds: 0.0 }),
};

/// Adds metrics and looks to a run that finished. Whoever has a quota for the database is held back by it.
pub fn add(record: &mut RunRecord) {
    let (cell, index) = (record.cell.clone(), record.run as f64);
    let Outcome::Finished { result } = &mut record.outcome else { return };
    let Some(data) = result.phases.iter_mut().find(|phase| phase.phase == Phase::Data) else { return };
    let rows = data.rates.whole.map_or(0, |rate| (rate * data.seconds) as u64);
    // A row costs as much as before.
    data.cpu.user *= rows as f64 / data.rows as f64;
    data.cpu.system *= rows as f64 / data.rows as f64;
    data.rows = rows;
    data.metrics = Some(Box::new(metrics(&cell, data)));
    record.conditions.observed = Some(observed(&cell, 1_000.0 + 14.0 * index, data.seconds));
}

fn metrics(cell: &Cell, data: &PhaseResult) -> PhaseMetrics {
    let Spent { workers: [on_cpu, ready, records, unexplained], used, .. } = spent(cell);
    let (wall, database) = (data.seconds, 1.0 - on_cpu - ready - records - unexplained);
    let is_task = matches!(cell.scheme, crate::model::Scheme::Async | crate::model::Scheme::AsyncSingle);
    let worker = |worker| {
        let ledger = Ledger {
            worker,
            wall,
            on_cpu: on_cpu * wall,
            run_queue: (!is_task).then_some(ready * wall),
            ready: is_task.then_some(ready * wall),
            records: records * wall,
            database: database * wall,
            connecting: 0.0,
            unexplained: 0.0,
        };
        ledger.balance()
    };
    // What workers do between two requests takes a fifth of their processor time.
    let at_requests = (database + 0.8 * on_cpu + ready).min(0.999) * wall * cell.pool as f64 * 1e9;
    let executes = if cell.statement == Statement::Row { data.rows } else { data.rows / 222 };
    let chunks = if cell.statement == Statement::Row { data.rows } else { data.rows / cell.chunk as u64 };
    let stages = match cell.workload {
        Workload::Census => vec![(Stage::Select, data.rows / 111, 0.01), (Stage::Execute, executes, 0.99)],
        Workload::Lookup => vec![(Stage::Select, chunks, 1.0)],
    };
    PhaseMetrics {
        stages: stages.into_iter().map(|(stage, count, part)| summary(stage, count, at_requests * part)).collect(),
        workers: (0..cell.pool).map(worker).collect(),
        process: ProcessUse {
            busiest: Some(Busiest { name: "worker-0".into(), share: used[0] / 4.0 }),
            ..Default::default()
        },
        ..Default::default()
    }
}

/// So many operations that took so long together, ns.
fn summary(stage: Stage, count: u64, total: f64) -> StageSummary {
    let mean = total / count.max(1) as f64;
    let times = |factor: f64| (mean * factor) as u64;
    let (p50, p90, p99, max) = (times(0.9), times(1.4), times(2.2), times(31.0));
    StageSummary { stage, count, mean, p50, p90, p99, max, total: total as u64, stalled: (total * 0.03) as u64 }
}

fn observed(cell: &Cell, began: f64, seconds: f64) -> Observed {
    let looks = (0..=(seconds * 10.0) as u32 + 4).map(|number| look(cell, began, number));
    let readings = |rate: f64, quota: bool| -> Vec<Used> {
        (0..=(seconds * 2.0) as u32).map(|number| used(began, f64::from(number) / 2.0, rate, quota)).collect()
    };
    let [client, database] = spent(cell).used;
    let quota = cell.db_cpus.count();
    Observed {
        data_began: Some(began),
        looks: looks.collect(),
        client: readings(client, false),
        database: readings(quota.unwrap_or(1.0) * database, quota.is_some()),
        counted: Some(COUNTED),
        ..Default::default()
    }
}

/// Ten a second, the first a little before the phase. Of a part of all backends as many are seen, over some looks.
fn look(cell: &Cell, began: f64, number: u32) -> Look {
    let Spent { account: [on_cpu, run_queue], asleep, .. } = spent(cell);
    let (passed, connections) = (f64::from(number) / 10.0, cell.pool as f64);
    let seen = |part: f64| {
        ((f64::from(number + 1) * part * connections) as u32) - ((f64::from(number) * part * connections) as u32)
    };
    let mut backends: Vec<Seen> = asleep
        .iter()
        .map(|(doing, wait, part)| Seen { doing: *doing, wait: (*wait).into(), count: seen(*part) })
        .collect();
    let rest = (cell.pool as u32).saturating_sub(backends.iter().map(|one| one.count).sum());
    backends.push(Seen { doing: Doing::Runnable, wait: String::new(), count: rest });
    backends.retain(|one| one.count > 0);
    Look {
        at: began - 0.2 + passed,
        accounted: began - 0.2 + passed + 0.001,
        backends,
        on_cpu: on_cpu * connections * passed,
        run_queue: run_queue * connections * passed,
        server_on_cpu: 0.02 * passed,
        machine: Machine {
            busy: 1.6 * passed,
            softirq: 0.06 * passed,
            idle: 0.4 * passed,
            pressure: Some([0.35 * passed, 0.04 * passed, 0.0]),
            ..Default::default()
        },
        wal: Wal { bytes: f64::from(3 << 20) * passed, ..Default::default() },
        ..Default::default()
    }
}

/// A control group's account: ten periods a second, nine of ten held back where there is a quota.
fn used(began: f64, passed: f64, rate: f64, quota: bool) -> Used {
    let periods = if quota { (passed * 10.0) as u64 } else { 0 };
    let throttled_periods = periods * 9 / 10;
    Used {
        at: began + passed,
        cpu: rate * passed,
        periods,
        throttled_periods,
        throttled: throttled_periods as f64 * 0.08,
    }
}
