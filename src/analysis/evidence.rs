//! What a run's raw observations say together, as parts of what there is: the ground of its verdict. Pure.
//!
//! What is seen from outside is taken from the window in which every worker was busy; what the ingester accounts for,
//! and the link's bytes, from the whole data phase. Asked-for figures are not read: a limit is what the control group
//! held and the processors it ran on, a round trip what was measured, a rate what the link's agent says it lets through.
//! Of several clients that share a run the figures are those of all of them together: one that is at its limit while
//! others wait is no bound of the run's.

mod others;
mod trips;

pub use trips::{round_trips, rounds_on_the_link, waits_a_row};

use super::verdict::{Evidence, Flushes};
use crate::model::Phase;
use crate::model::limits::processors;
use crate::wire::conditions::CpuCheck;
use crate::wire::metrics::PhaseMetrics;
use crate::wire::record::RunRecord;
use crate::wire::watched::{Doing, Look, Machine, Observed, Used};
use crate::wire::{PhaseResult, Steady};
use std::collections::{BTreeMap, BTreeSet};

/// Of fewer looks no share is told: one look more or less would be a twentieth.
pub const LEAST_LOOKS: usize = 20;

/// From when to when, seconds on the machine's monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Its start.
    pub from: f64,
    /// Its end.
    pub to: f64,
}

impl Window {
    /// The steady window of a run's data phase, where it has one and was looked at.
    pub fn of(record: &RunRecord) -> Option<Self> {
        let began = record.conditions.observed.as_ref()?.data_began?;
        let steady = steady(record)?;
        Some(Self { from: began + steady.from, to: began + steady.to })
    }

    /// How long it is, seconds.
    pub fn seconds(self) -> f64 {
        self.to - self.from
    }

    fn holds(self, at: f64) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

fn data(record: &RunRecord) -> Option<&PhaseResult> {
    record.result()?.phase(Phase::Data)
}

fn steady(record: &RunRecord) -> Option<Steady> {
    data(record)?.rates.steady
}

/// What the watcher saw in a window.
pub fn looks(record: &RunRecord, window: Window) -> Vec<&Look> {
    let all = record.conditions.observed.as_ref().map_or(&[][..], |observed| &observed.looks);
    all.iter().filter(|look| window.holds(look.at)).collect()
}

/// The evidence of one run; none where it has no steady window.
pub fn evidence(record: &RunRecord) -> Option<Evidence> {
    let (steady, data) = (steady(record)?, data(record)?);
    let conditions = &record.conditions;
    let nothing = Observed::default();
    let observed = conditions.observed.as_ref().unwrap_or(&nothing);
    let window = Window::of(record);
    let may = |check: &Option<CpuCheck>| check.as_ref().map(allowed);
    let metrics = data.metrics.as_deref();
    let interpreter_lock = record.result()?.interpreter_lock;
    let looks =
        window.map(|window| looks(record, window)).filter(|looks| looks.len() >= LEAST_LOOKS).unwrap_or_default();
    // Of a server that is not the lab's there is PostgreSQL's word alone, which is no evidence of what a backend waits for.
    let hidden = conditions.external.is_some();
    let asleep = |doing: &[Doing]| fraction(&looks, doing).filter(|_| !hidden);
    // What the machine underneath took is nobody's to use; a quota of less than what is left is not touched by it.
    let left = 1.0 - stolen_in(&looks).unwrap_or(0.0);
    let shared = shares_processors(record);
    // The watcher sees the processors of the database's host.
    let share = |used: &[&[Used]], checks: &[&CpuCheck], is_seen: bool| {
        let used: f64 = used.iter().map(|one| rate(one, window?)).sum::<Option<f64>>()?;
        let (may, all) = (allowed_together(checks)?, processors_of_all(checks));
        let own = Some(checks).filter(|_| is_seen && !shared).and_then(processors_together);
        let taken = own.and_then(|own| others::taken(&looks, &own, used, 1.0 - left));
        let most = may.min(taken.map_or(all * left, |taken| all - taken).max(f64::EPSILON));
        Some(((used / most).min(1.0), 1.0 - most / may))
    };
    let clients: Vec<&CpuCheck> = conditions.clients().collect();
    let used_by_clients: Vec<&[Used]> = observed.clients().collect();
    let database: Vec<&CpuCheck> = conditions.database.iter().collect();
    let of_client = share(&used_by_clients, &clients, conditions.client_engine.is_none());
    let of_database = share(&[&observed.database], &database, true);
    Some(Evidence {
        clients: clients.len().max(1),
        client_cpu: of_client.map(|(share, _)| share),
        client_taken: of_client.map_or(0.0, |(_, taken)| taken),
        client_thread: match interpreter_lock {
            // All of its threads together are one at most.
            true => least_used(&used_by_clients, window?).map(|used| used.min(1.0)),
            false => metrics.and_then(|metrics| Some(metrics.process.busiest.as_ref()?.share)),
        },
        interpreter_lock,
        client_processors: may(&conditions.client).unwrap_or(1.0),
        database_cpu: of_database.map(|(share, _)| share),
        database_taken: of_database.map_or(0.0, |(_, taken)| taken),
        database_thread: only_backend(&looks).filter(|_| !hidden),
        database_processors: may(&conditions.database).unwrap_or(1.0),
        host_cpu: host(&looks),
        shared,
        bandwidth: bandwidth(observed, record, data.seconds),
        way: trips::way(record, steady.rate),
        io: asleep(&[Doing::Wal, Doing::Io]),
        flushes: flushes(&looks),
        locks: asleep(&[Doing::Lock]),
        records: metrics.and_then(waiting_for_records),
        hidden,
        said: fraction(&looks, &[Doing::Wal, Doing::Io, Doing::Lock]).filter(|_| hidden),
    })
}

/// Processors' worth of time that a side may have: what its control group holds, on the processors it may run on.
pub fn allowed(check: &CpuCheck) -> f64 {
    let processors = processors_of(check);
    check.cgroup.and_then(|cgroup| cgroup.count()).map_or(processors, |quota| quota.min(processors))
}

/// The same of several containers of a side: on each host what their control groups hold together, on the processors
/// that any of them may run on there.
fn allowed_together(checks: &[&CpuCheck]) -> Option<f64> {
    let on = |host: &[&CpuCheck]| host.iter().map(|check| allowed(check)).sum::<f64>().min(processors_on(host));
    (!checks.is_empty()).then(|| by_host(checks).values().map(|host| on(host)).sum())
}

fn processors_of_all(checks: &[&CpuCheck]) -> f64 {
    by_host(checks).values().map(|host| processors_on(host)).sum::<f64>().max(1.0)
}

/// Processors of one host that any of these may run on: one where that is not known.
fn processors_on(host: &[&CpuCheck]) -> f64 {
    processors_together(host).map_or(1, |all| all.len().max(1)) as f64
}

fn processors_together(checks: &[&CpuCheck]) -> Option<BTreeSet<usize>> {
    let known: Option<Vec<_>> = checks.iter().map(|check| processors(&check.cpuset)).collect();
    Some(known?.into_iter().flatten().collect())
}

fn by_host<'a>(checks: &[&'a CpuCheck]) -> BTreeMap<usize, Vec<&'a CpuCheck>> {
    let mut hosts: BTreeMap<usize, Vec<_>> = BTreeMap::new();
    checks.iter().for_each(|check| hosts.entry(check.host).or_default().push(*check));
    hosts
}

/// What the client used that used the least: each used so much.
fn least_used(used: &[&[Used]], window: Window) -> Option<f64> {
    let rates: Option<Vec<f64>> = used.iter().map(|one| rate(one, window)).collect();
    rates?.into_iter().reduce(f64::min)
}

fn processors_of(check: &CpuCheck) -> f64 {
    processors(&check.cpuset).map_or(1, |all| all.len()) as f64
}

/// Client and database run on some of the same processors, which hosts of their own have not.
pub fn shares_processors(record: &RunRecord) -> bool {
    if record.conditions.client_engine.is_some() {
        return false;
    }
    let sides = [&record.conditions.client, &record.conditions.database];
    let [client, database] =
        sides.map(|check| check.as_ref().and_then(|check| processors(&check.cpuset)).unwrap_or_default());
    client.iter().any(|processor| database.contains(processor))
}

/// Processors' worth of time used in the window; between two readings use is taken for even.
pub fn rate(used: &[Used], window: Window) -> Option<f64> {
    // A container that ends with the window has no reading after it: its last one has to do.
    let to = window.to.min(used.last()?.at);
    let from = window.from.max(used.first()?.at);
    let points: Vec<(f64, f64)> = used.iter().map(|one| (one.at, one.cpu)).collect();
    (to > from).then_some(())?;
    Some((at(&points, to)? - at(&points, from)?) / (to - from))
}

/// A growing figure at a time between two readings (time, figure): on the line between them.
pub fn at(points: &[(f64, f64)], time: f64) -> Option<f64> {
    let after = points.iter().position(|(at, _)| *at >= time)?;
    let (end, figure) = points[after];
    let Some((start, before)) = after.checked_sub(1).map(|index| points[index]) else {
        return (end <= time).then_some(figure);
    };
    Some(before + (time - start) / (end - start).max(f64::EPSILON) * (figure - before))
}

/// Of all backends seen in the looks, those that did one of these.
fn fraction(looks: &[&Look], doing: &[Doing]) -> Option<f64> {
    let seen = |which: &dyn Fn(Doing) -> bool| -> u64 {
        let backends = looks.iter().flat_map(|look| &look.backends);
        backends.filter(|seen| which(seen.doing)).map(|seen| u64::from(seen.count)).sum()
    };
    let all = seen(&|_| true);
    (all > 0).then(|| seen(&|one| doing.contains(&one)) as f64 / all as f64)
}

/// What the one backend there was had of a processor, by the kernel's account: it is one thread. Of several it is not known
/// what each of them had.
fn only_backend(looks: &[&Look]) -> Option<f64> {
    let (first, last) = (looks.first()?, looks.last()?);
    let is_one = looks.iter().all(|look| look.backends.iter().map(|seen| u64::from(seen.count)).sum::<u64>() <= 1);
    let seconds = last.accounted - first.accounted;
    (is_one && seconds > 0.0).then(|| (last.on_cpu - first.on_cpu) / seconds)
}

/// Flushes of WAL between the first look and the last; none where the server keeps no account of their time.
fn flushes(looks: &[&Look]) -> Option<Flushes> {
    let (first, last) = (looks.first()?, looks.last()?);
    let (seconds, count) = (last.accounted - first.accounted, last.wal.syncs - first.wal.syncs);
    let time = last.wal.sync_seconds - first.wal.sync_seconds;
    (seconds > 0.0 && count > 0.0 && time > 0.0).then(|| Flushes { rate: count / seconds, mean: time / count })
}

/// The machine's time between the first look and the last.
pub(super) fn passed(looks: &[&Look]) -> Option<Machine> {
    let (first, last) = (looks.first()?.machine, looks.last()?.machine);
    let pressures = last.pressure.zip(first.pressure);
    Some(Machine {
        busy: last.busy - first.busy,
        softirq: last.softirq - first.softirq,
        iowait: last.iowait - first.iowait,
        stolen: last.stolen - first.stolen,
        idle: last.idle - first.idle,
        pressure: pressures.map(|(last, first)| std::array::from_fn(|of| last[of] - first[of])),
    })
}

/// What the machine underneath took of the processors while every worker was busy, as a part of all their time; none
/// where nobody looked.
pub fn stolen(record: &RunRecord) -> Option<f64> {
    stolen_in(&looks(record, Window::of(record)?))
}

fn stolen_in(looks: &[&Look]) -> Option<f64> {
    let passed = passed(looks)?;
    let all = passed.stolen + passed.busy + passed.idle + passed.iowait;
    (all > 0.0).then(|| passed.stolen / all)
}

/// How busy the processors were. What the machine underneath took away is nobody's to use.
fn host(looks: &[&Look]) -> Option<f64> {
    let passed = passed(looks)?;
    let all = passed.busy + passed.idle + passed.iowait;
    (all > 0.0).then(|| passed.busy / all)
}

/// Bytes through the link since the data phase began, headers and all, of what the agent says it lets through; the
/// fuller direction. A direction without a rate has no end that was measured.
fn bandwidth(observed: &Observed, record: &RunRecord, seconds: f64) -> Option<f64> {
    let (before, after) = (observed.link_at_data.as_ref()?, record.conditions.link.as_ref()?);
    let (one, other) = (&before.emulation, &after.emulation);
    let ways = [(&one.up, &other.up, other.profile.up), (&one.down, &other.down, other.profile.down)];
    let parts = ways.into_iter().filter_map(|(before, after, way)| {
        let bytes = after.as_ref()?.bytes.saturating_sub(before.as_ref()?.bytes);
        Some(bytes as f64 * 8.0 / seconds / way.rate.bits_per_second()? as f64)
    });
    parts.reduce(f64::max)
}

fn waiting_for_records(metrics: &PhaseMetrics) -> Option<f64> {
    let wall: f64 = metrics.workers.iter().map(|worker| worker.wall).sum();
    (wall > 0.0).then(|| metrics.workers.iter().map(|worker| worker.records).sum::<f64>() / wall)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::watched::{Seen, Wal};

    #[test]
    fn use_is_read_between_the_readings_around_the_window() {
        let used: Vec<Used> =
            (0..=4).map(|at| Used { at: f64::from(at), cpu: f64::from(at) * 0.5, ..Used::default() }).collect();
        let share = rate(&used, Window { from: 0.5, to: 3.25 }).unwrap();
        assert!((share - 0.5).abs() < 1e-9, "{share}");
        let late = rate(&used, Window { from: 2.5, to: 9.0 }).unwrap();
        assert!((late - 0.5).abs() < 1e-9, "ends with the last reading: {late}");
        assert_eq!(rate(&used, Window { from: 5.0, to: 9.0 }), None);
        assert_eq!(rate(&[], Window { from: 0.0, to: 1.0 }), None);
    }

    fn check(cpuset: &str, quota: &str) -> CpuCheck {
        CpuCheck { cpuset: cpuset.into(), cgroup: quota.parse().ok(), ..CpuCheck::default() }
    }

    #[test]
    fn clients_may_have_together_what_their_quotas_add_up_to_and_no_more_than_there_is() {
        let together = |checks: &[CpuCheck]| allowed_together(&checks.iter().collect::<Vec<_>>());
        assert_eq!(together(&[check("0-3", "0.5"), check("0-3", "0.5")]), Some(1.0));
        assert_eq!(together(&vec![check("0-1", "unlimited"); 4]), Some(2.0));
        assert_eq!(together(&[check("0", "unlimited"), check("1", "0.5")]), Some(1.5));
        let other = |cpuset: &str, quota: &str| CpuCheck { host: 1, ..check(cpuset, quota) };
        assert_eq!(together(&[check("0-1", "unlimited"), other("0-1", "unlimited")]), Some(4.0), "two hosts");
        assert_eq!(together(&[check("0", "0.75"), check("0", "0.75"), other("0", "0.75")]), Some(1.75));
        assert_eq!(together(&[]), None);
    }

    #[test]
    fn one_backend_alone_is_a_thread_and_of_several_nobody_knows() {
        let look = |second: f64, count| Look {
            accounted: second,
            on_cpu: 7.0 + second * 0.95,
            backends: vec![Seen { doing: Doing::Runnable, wait: String::new(), count }],
            ..Look::default()
        };
        let used = |counts: [u32; 3]| {
            let looks: Vec<Look> = counts.into_iter().zip([0.0, 1.0, 3.0]).map(|(count, at)| look(at, count)).collect();
            only_backend(&looks.iter().collect::<Vec<_>>())
        };
        assert!(used([1, 0, 1]).is_some_and(|share| (share - 0.95).abs() < 1e-9), "{:?}", used([1, 0, 1]));
        assert_eq!(used([1, 2, 1]), None);
        assert_eq!(only_backend(&[]), None);
    }

    #[test]
    fn flushes_are_told_between_looks_where_the_server_times_them() {
        let look = |accounted, syncs, sync_seconds| Look {
            accounted,
            wal: Wal { syncs, sync_seconds, ..Wal::default() },
            ..Look::default()
        };
        let (first, last) = (look(1.0, 100.0, 0.5), look(3.0, 500.0, 2.5));
        assert_eq!(flushes(&[&first, &last]), Some(Flushes { rate: 200.0, mean: 0.005 }));
        let untimed = look(3.0, 500.0, 0.5);
        assert_eq!((flushes(&[&first, &untimed]), flushes(&[&first])), (None, None));
    }

    #[test]
    fn what_the_machine_underneath_took_is_nobody_s_to_use() {
        let look = |busy, stolen, idle| Look {
            machine: Machine { busy, stolen, idle, ..Default::default() },
            ..Look::default()
        };
        let (first, last) = (look(10.0, 1.0, 5.0), look(17.0, 2.0, 7.0));
        assert_eq!((stolen_in(&[&first, &last]), host(&[&first, &last])), (Some(0.1), Some(7.0 / 9.0)));
        assert_eq!(stolen_in(&[]), None);
    }
}
