//! Where time went: of the client's workers, by their own account, and of the database's backends, by the kernel's
//! account and by how often each was seen asleep for what. States exclude each other; what they leave is shown. Pure.

use super::CellRuns;
use super::evidence::{Window, at, looks};
use crate::model::Phase;
use crate::wire::record::RunRecord;
use crate::wire::watched::Doing;

/// A state with its part of the time; 1 is all of it.
pub type Share = (&'static str, f64);

/// What the states leave of the time; below zero where they overlap.
pub const UNEXPLAINED: &str = "unexplained";

/// Backends that wait for nothing, where only PostgreSQL's word is known: on a CPU, or ready for one.
pub const NO_WAIT: &str = "no wait (by PostgreSQL's word)";

/// Both sides of a cell, each the mean of its valid runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Ledgers {
    /// Of the workers' time in the data phase.
    pub workers: Vec<Share>,
    /// Of the backends' time in the steady window; empty where nobody looked.
    pub backends: Vec<Share>,
}

impl Ledgers {
    /// Of a cell; none where no valid run kept a ledger. A program that measures nothing of itself has its backends' only.
    pub fn of(cell: &CellRuns<'_>) -> Option<Self> {
        let ledgers = Self {
            workers: mean(cell.valid_runs().filter_map(workers)),
            backends: mean(cell.valid_runs().filter_map(backends)),
        };
        (!ledgers.workers.is_empty() || !ledgers.backends.is_empty()).then_some(ledgers)
    }
}

fn mean(all: impl Iterator<Item = Vec<Share>>) -> Vec<Share> {
    let mut sum: Vec<Share> = Vec::new();
    let mut count = 0.0;
    for shares in all {
        count += 1.0;
        for (name, share) in shares {
            match sum.iter_mut().find(|(known, _)| *known == name) {
                Some((_, total)) => *total += share,
                None => sum.push((name, share)),
            }
        }
    }
    sum.into_iter().map(|(name, total)| (name, total / count)).collect()
}

/// The workers' own ledgers, added up.
fn workers(run: &RunRecord) -> Option<Vec<Share>> {
    let metrics = run.result()?.phase(Phase::Data)?.metrics.as_ref()?;
    let all = &metrics.workers;
    let wall: f64 = all.iter().map(|ledger| ledger.wall).sum();
    let part = |of: &dyn Fn(&crate::wire::metrics::Ledger) -> f64| all.iter().map(of).sum::<f64>() / wall;
    (wall > 0.0).then(|| {
        vec![
            ("on CPU", part(&|ledger| ledger.on_cpu)),
            ("ready, no CPU", part(&|ledger| ledger.run_queue.unwrap_or(0.0) + ledger.ready.unwrap_or(0.0))),
            ("waiting for the database", part(&|ledger| ledger.database)),
            ("waiting for records", part(&|ledger| ledger.records)),
            ("connecting", part(&|ledger| ledger.connecting)),
            (UNEXPLAINED, part(&|ledger| ledger.unexplained)),
        ]
    })
}

/// What PostgreSQL says alone, of a server that nobody looks into: who waits for nothing is on a CPU, or ready; who
/// is said to wait may be ready, too.
fn by_word(all: f64, seen: &dyn Fn(Doing) -> f64) -> Option<Vec<Share>> {
    (all > 0.0).then(|| {
        let states = [
            (NO_WAIT, Doing::Runnable),
            ("WAL", Doing::Wal),
            ("files", Doing::Io),
            ("locks", Doing::Lock),
            ("waiting for the client", Doing::Client),
        ];
        let mut shares: Vec<Share> = states.into_iter().map(|(name, doing)| (name, seen(doing) / all)).collect();
        shares.push((UNEXPLAINED, seen(Doing::Other) / all));
        shares
    })
}

/// CPU and run queue are the kernel's account of each process; the rest is how often a backend was seen asleep for it.
/// The two are measured apart from each other: what is missing to the whole, or too much, is shown.
fn backends(run: &RunRecord) -> Option<Vec<Share>> {
    let window = Window::of(run)?;
    let looks = looks(run, window);
    let seen = |doing: Doing| -> f64 {
        let backends = looks.iter().flat_map(|look| &look.backends);
        backends.filter(|one| one.doing == doing).map(|one| f64::from(one.count)).sum()
    };
    let all: f64 = looks.iter().flat_map(|look| &look.backends).map(|one| f64::from(one.count)).sum();
    if run.conditions.external.is_some() {
        return by_word(all, &seen);
    }
    let every = &run.conditions.observed.as_ref()?.looks;
    let account = |of: &dyn Fn(&crate::wire::watched::Look) -> f64| {
        let points: Vec<(f64, f64)> = every.iter().map(|look| (look.accounted, of(look))).collect();
        Some((at(&points, window.to)? - at(&points, window.from)?) / window.seconds())
    };
    let connections = all / (looks.len().max(1)) as f64;
    if connections <= 0.0 {
        return None;
    }
    let mut shares = vec![
        ("on CPU", account(&|look| look.on_cpu)? / connections),
        ("ready, no CPU", account(&|look| look.run_queue)? / connections),
        ("WAL", seen(Doing::Wal) / all),
        ("files", seen(Doing::Io) / all),
        ("locks", seen(Doing::Lock) / all),
        ("waiting for the client", seen(Doing::Client) / all),
    ];
    let rest = 1.0 - shares.iter().map(|(_, share)| share).sum::<f64>();
    shares.push((UNEXPLAINED, rest));
    Some(shares)
}
