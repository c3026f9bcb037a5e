//! One result of what several ingesters did that shared a run. Pure: figures add up, or are not there.
//!
//! ```text
//! client 1 ─ result, its rows over time ─┐
//! client 2 ─ result, its rows over time ─┼─► one result: all rows, the rate while all were busy, what each did
//! …                                      ┘
//! ```
//! A part that is missing is an error, never a smaller total.

use super::metrics::{Busiest, Histogram, PhaseMetrics, ProcessUse, RunMetrics, StageSummary};
use super::{
    Acknowledged, ClientPhase, ClientResult, Cpu, Interrupt, ItemTally, Job, PhaseResult, Retried, RunResult, Timeline,
};
use crate::model::checksum::Tally;
use crate::model::share::Share;
use crate::model::{Phase, Scheme, Stage};
use std::collections::BTreeMap;

/// From so many times the median on an operation was stalled.
const STALLED: u64 = 10;

impl Acknowledged {
    /// What was confirmed to several together. Deliveries add up to a digest that says nothing of an order among them.
    pub fn together(all: impl IntoIterator<Item = Self>) -> Self {
        let mut merged = Self::default();
        let mut items: BTreeMap<i32, Tally> = BTreeMap::new();
        for one in all {
            merged.geo_rows = merged.geo_rows.saturating_add(one.geo_rows);
            merged.geo_digest = modulo(merged.geo_digest.wrapping_add(one.geo_digest));
            merged.lines = merged.lines.saturating_add(one.lines);
            for item in one.items {
                items.entry(item.item).or_default().merge(&item.tally);
            }
            merged.lookup = match (merged.lookup, one.lookup) {
                (Some(one), Some(other)) => Some(one.plus(other)),
                (a, b) => a.or(b),
            };
        }
        merged.items = items.into_iter().map(|(item, tally)| ItemTally { item, tally }).collect();
        merged
    }
}

/// A sum of what strangers may have written: more than can be counted is the most.
fn sum(all: impl Iterator<Item = u64>) -> u64 {
    all.fold(0, u64::saturating_add)
}

/// Digests add up modulo 2^63, as the database computes them.
fn modulo(sum: u64) -> u64 {
    sum & (u64::MAX >> 1)
}

/// The result of all parts of a run together; a sentence where they are not all of one run.
pub fn merge(mut parts: Vec<RunResult>) -> Result<RunResult, String> {
    parts.sort_by_key(|part| part.job.share.client);
    let first = parts.first().ok_or("nobody gave a result")?;
    let told = |job: &Job| Job { share: Share::WHOLE, barrier: false, ..job.clone() };
    let job = told(&first.job);
    if !parts.iter().map(|part| part.job.share).eq(Share::all(first.job.share.of)) {
        let (came, of) = (parts.len(), first.job.share.of);
        return Err(format!("{came} results came, and they are not those of the run's {of} clients, one each"));
    }
    if let Some(other) = parts.iter().find(|part| told(&part.job) != job || part.program != first.program) {
        return Err(format!("{} did another job than client 1, or is another program", other.job.share));
    }
    let mut clients: Vec<ClientResult> = parts.iter().map(client).collect();
    let phases: Vec<PhaseResult> = job
        .phases
        .iter()
        .filter_map(|phase| together(*phase, &parts, &mut clients).transpose())
        .collect::<Result<_, _>>()?;
    let mut retried = Retried::default();
    parts.iter().filter_map(|part| part.retried).for_each(|one| retried.merge(&one));
    let named =
        |part: &RunResult| part.lost.iter().map(|lost| format!("{}: {lost}", part.job.share)).collect::<Vec<_>>();
    Ok(RunResult {
        schema: first.schema,
        program: first.program.clone(),
        began: parts.iter().map(|part| part.began).fold(f64::INFINITY, f64::min),
        phases,
        verification: None,
        cpu: parts.iter().fold(Cpu::default(), |all, part| all.plus(part.cpu)),
        peak_memory: sum(parts.iter().map(|part| part.peak_memory)),
        interrupted: parts.iter().any(|part| part.interrupted.is_some()).then_some(Interrupt::Signal),
        interpreter_lock: parts.iter().any(|part| part.interpreter_lock),
        lost: parts.iter().flat_map(named).collect(),
        retried: retried.if_any(),
        metrics: connects(&parts),
        acknowledged: Acknowledged::together(parts.into_iter().map(|part| part.acknowledged)),
        job,
        clients,
    })
}

fn client(part: &RunResult) -> ClientResult {
    let (client, cpu, peak_memory) = (part.job.share.client, part.cpu, part.peak_memory);
    ClientResult { client, phases: Vec::new(), cpu, peak_memory }
}

/// A phase of all clients; none where nobody came to it. What each did in it goes to its account.
fn together(phase: Phase, parts: &[RunResult], clients: &mut [ClientResult]) -> Result<Option<PhaseResult>, String> {
    let ran: Vec<(usize, &RunResult, &PhaseResult)> =
        parts.iter().enumerate().filter_map(|(at, part)| Some((at, part, part.phase(phase)?))).collect();
    let all = || ran.iter().map(|(.., seen)| *seen);
    let Some(longest) = all().map(|seen| seen.seconds).reduce(f64::max) else { return Ok(None) };
    let mut timelines = Vec::new();
    for (_, part, seen) in &ran {
        let missing = || format!("{} does not say its rows of phase {phase} over time", part.job.share);
        timelines.push(seen.timeline.clone().ok_or_else(missing)?);
    }
    let rows = sum(all().map(|seen| seen.rows));
    let merged = timelines.iter().cloned().reduce(Timeline::with).unwrap_or_default();
    // One that was stopped before the phase began had nothing to do in it: not all were busy at any time.
    let merged = Timeline { busy: merged.busy.filter(|_| ran.len() == parts.len()), ..merged };
    let rates = merged.rates(rows, longest);
    for ((at, _, seen), timeline) in ran.iter().zip(&timelines) {
        let own = || timeline.rates(seen.rows, seen.seconds).whole;
        let rate = rates.steady.map_or_else(own, |steady| Some(timeline.rate_within(steady)));
        let PhaseResult { records, rows, seconds, cpu, .. } = **seen;
        clients[*at].phases.push(ClientPhase { phase, records, rows, seconds, rate, cpu });
    }
    let measured: Option<Vec<(&RunResult, &PhaseMetrics)>> =
        ran.iter().map(|(_, part, seen)| Some((*part, seen.metrics.as_deref()?))).collect();
    Ok(Some(PhaseResult {
        phase,
        records: sum(all().map(|seen| seen.records)),
        rows,
        skipped: sum(all().map(|seen| seen.skipped)),
        seconds: longest,
        cpu: all().fold(Cpu::default(), |sum, seen| sum.plus(seen.cpu)),
        rates,
        metrics: measured.map(|measured| Box::new(metrics(&measured))),
        timeline: None,
    }))
}

/// What was measured in a phase: workers of a client are numbered behind those of the clients before it.
fn metrics(parts: &[(&RunResult, &PhaseMetrics)]) -> PhaseMetrics {
    let (mut workers, mut connections) = (Vec::new(), Vec::new());
    for (part, measured) in parts {
        let each = if part.job.scheme == Scheme::Serial { 1 } else { part.job.pool };
        let before = (part.job.share.client - 1).saturating_mul(each);
        workers.extend(measured.workers.iter().map(|ledger| {
            let mut ledger = *ledger;
            ledger.worker = ledger.worker.saturating_add(before);
            ledger
        }));
        connections.extend_from_slice(&measured.connections);
    }
    let in_full = parts.iter().all(|(_, one)| one.stages.is_empty() || !one.histograms.is_empty());
    let histograms = parts.iter().flat_map(|(_, one)| &one.histograms).filter(|_| in_full);
    PhaseMetrics {
        stages: summaries(histograms),
        workers,
        process: process(parts),
        connections,
        histograms: Vec::new(),
    }
}

/// The busiest thread is that of the client whose own was the least busy: every client has one that is at least so busy.
fn process(parts: &[(&RunResult, &PhaseMetrics)]) -> ProcessUse {
    let busiest: Option<Vec<Busiest>> = parts
        .iter()
        .map(|(part, one)| {
            let Busiest { name, share } = one.process.busiest.as_ref()?;
            Some(Busiest { name: format!("client {}: {name}", part.job.share.client), share: *share })
        })
        .collect();
    let all = || parts.iter().map(|(_, one)| &one.process);
    ProcessUse {
        run_queue: all().map(|one| one.run_queue).sum(),
        busiest: busiest.and_then(|all| all.into_iter().min_by(|a, b| a.share.total_cmp(&b.share))),
        voluntary_switches: sum(all().map(|one| one.voluntary_switches)),
        involuntary_switches: sum(all().map(|one| one.involuntary_switches)),
    }
}

fn connects(parts: &[RunResult]) -> Option<RunMetrics> {
    let all: Vec<&RunMetrics> = parts.iter().map(|part| part.metrics.as_ref()).collect::<Option<_>>()?;
    let in_full = all.iter().all(|one| one.connect.is_none() || one.histogram.is_some());
    let histograms = all.iter().filter_map(|one| one.histogram.as_ref()).filter(|_| in_full);
    Some(RunMetrics { connect: summaries(histograms).first().copied(), histogram: None })
}

/// What durations in full say in figures, a summary a stage: as if one program had measured them all.
pub fn summaries<'a>(all: impl IntoIterator<Item = &'a Histogram>) -> Vec<StageSummary> {
    let mut stages: BTreeMap<Stage, Histogram> = BTreeMap::new();
    for one in all {
        let none = || Histogram { stage: one.stage, max: 0, total: 0, counts: Vec::new() };
        let sum = stages.entry(one.stage).or_insert_with(none);
        sum.max = sum.max.max(one.max);
        sum.total = sum.total.saturating_add(one.total);
        sum.counts.extend_from_slice(&one.counts);
    }
    stages.into_values().filter_map(summary).collect()
}

fn summary(mut all: Histogram) -> Option<StageSummary> {
    all.counts.sort_unstable();
    let count = sum(all.counts.iter().map(|(_, count)| *count));
    let quantile = |share: f64| {
        let wanted = ((count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0_u64;
        let found = all.counts.iter().find(|(_, count)| {
            seen = seen.saturating_add(*count);
            seen >= wanted
        });
        found.map_or(all.max, |(value, _)| (*value).min(all.max))
    };
    let p50 = quantile(0.5);
    let long = all.counts.iter().filter(|(value, _)| *value > p50.saturating_mul(STALLED));
    let stalled = long.fold(0_u64, |sum, (value, count)| sum.saturating_add(value.saturating_mul(*count)));
    (count > 0).then(|| StageSummary {
        stage: all.stage,
        count,
        mean: all.total as f64 / count as f64,
        p50,
        p90: quantile(0.9),
        p99: quantile(0.99),
        max: all.max,
        total: all.total,
        stalled: stalled.min(all.total),
    })
}

#[cfg(test)]
mod tests;
