//! Whether a run counts. Pure: every reason against it is a sentence; an empty list means that it counts.

use super::pace::{self, Pace};
use crate::analysis;
use crate::model::link::LinkProfile;
use crate::model::quantity::Rate;
use crate::model::share::Share;
use crate::model::{Commit, Part, Phase, Workload};
use crate::wire::RunResult;
use crate::wire::conditions::{Conditions, CpuCheck};
use crate::wire::measured::LinkMeasured;
use crate::wire::record::{OFF_SPEED, RunRecord, TAKEN};

/// Records of the data phase that each worker has to have done, on average; chunks of them, where a chunk is a
/// transaction or is handed out together.
const RECORDS_A_WORKER: u64 = 2;

/// The shortest window with every worker busy, seconds.
const STEADY: f64 = 1.0;

/// The farthest that wall clock and steady clock may go apart in a run, seconds: a laptop that slept shows more.
const CLOCK_JUMP: f64 = 0.5;

/// How far a round trip may lie from the one asked for, nanoseconds: what the path has by itself …
const RTT_LEAST: u64 = 300_000;

/// … or a part of the one asked for, whichever is more. Jitter comes on top.
const RTT_PERCENT: u64 = 2;

/// Bits that an exchange sends each way at most: a byte with its headers, and an acknowledgement by itself (a new
/// connection acknowledges at once). A slow link takes time to send them.
const EXCHANGE_BITS: u64 = (53 + 52) * 8;

/// What a flow has to reach of the rate asked for, or of what the window allows in a round trip.
const RATE_LEAST: f64 = 0.85;

/// What it may have at most: headers count on the link, and a probe's last reports come in one piece.
const RATE_MOST: f64 = 1.05;

/// What the machine underneath may take of the processors while every worker is busy. A fifth taken halved the rate of
/// otherwise equal runs; a twentieth can hardly be told from their scatter.
const STOLEN: f64 = 0.05;

/// Every reason why a run does not count, given those before it.
pub fn judge(record: &RunRecord, before: &[RunRecord]) -> Vec<String> {
    let mut reasons = record.outcome.invalid();
    if record.part == Part::WarmUp {
        reasons.push("it was the warm-up".into());
    }
    if !record.cell.fault.is_none() {
        reasons.extend(broken(record));
    } else if let Some(result) = record.result() {
        reasons.extend(result.miscounted(record.cell.workload));
        reasons.extend(enough(result));
        reasons.extend(lost(result));
    }
    reasons.extend(conditions(&record.conditions, record.cell.fault.is_none()));
    if record.cell.fault.is_none() {
        reasons.extend(speed(record, before));
        reasons.extend(taken(record));
    }
    reasons
}

/// A run in which something broke shows how that went, not a rate: it counts where the fault came and went.
fn broken(record: &RunRecord) -> Option<String> {
    let Some(seen) = &record.conditions.fault else { return Some("nobody saw what its fault did".into()) };
    if let Some(problem) = &seen.problem {
        return Some(format!("its fault did not come or go as it should: {problem}"));
    }
    if seen.applied.is_none() {
        return Some(format!("it ended before its fault came, {:.1} s into the data phase", seen.asked));
    }
    // One that fails for its fault says so itself.
    let survived = record.result().is_some();
    (survived && seen.lifted.is_none()).then(|| "it ended before its fault was over: let runs last longer".into())
}

/// Processor time that was nobody's to use, as on a virtual machine beside busy ones.
fn taken(record: &RunRecord) -> Option<String> {
    let stolen = analysis::stolen(record).filter(|stolen| *stolen > STOLEN)?;
    let [stolen, most] = [stolen, STOLEN].map(|part| part * 100.0);
    Some(format!("{TAKEN} {stolen:.0} % of the processors' time: more than {most:.0} %"))
}

/// Enough records and enough time to speak of a rate.
fn enough(result: &RunResult) -> Vec<String> {
    let Some(data) = result.phase(Phase::Data) else { return Vec::new() };
    let mut reasons = Vec::new();
    let (pool, records) = (result.connections() as u64, data.records);
    let chunks = result.job.commit == Commit::Chunk || result.job.workload == Workload::Lookup;
    let together = if chunks { result.job.chunk as u64 } else { 1 };
    let needed = RECORDS_A_WORKER * together;
    if records < needed * pool {
        reasons.push(format!(
            "{records} records for {pool} workers are too few: {needed} a worker are needed, so let runs last longer"
        ));
    }
    let steady = data.rates.steady.map_or(0.0, |steady| steady.to - steady.from);
    if steady < STEADY {
        reasons.push(format!(
            "all workers were busy for {steady:.2} s only: {STEADY} s are needed, so let runs last longer"
        ));
    }
    reasons
}

/// A pool that shrank on the way.
fn lost(result: &RunResult) -> Option<String> {
    let (verb, rate) = match result.lost.len() {
        0 => return None,
        1 => ("1 worker process died".to_owned(), "others did its work: the rate"),
        many => (format!("{many} worker processes died"), "others did their work: the rate"),
    };
    Some(format!("{verb}; {rate} is not that of the pool asked for ({})", result.lost.join("; ")))
}

/// Where something broke on purpose (not `whole`), a checkpoint and lost packets are its doing.
fn conditions(found: &Conditions, whole: bool) -> Vec<String> {
    let mut reasons = Vec::new();
    let of = found.clients().count();
    for (share, check) in Share::all(of).zip(found.clients()) {
        let side = if share.is_whole() { "the client".to_owned() } else { share.to_string() };
        reasons.extend(limit(&side, check));
    }
    reasons.extend(found.database.as_ref().and_then(|check| limit("the database", check)));
    reasons.extend(link(found, whole));
    for setting in found.settings.iter().filter(|setting| setting.asked != "system" && setting.asked != setting.found) {
        reasons.push(format!("{} was to be {}, but it was {}", setting.name, setting.asked, setting.found));
    }
    // A server that is not the lab's has checkpoints when it likes.
    if whole && found.external.is_none() && found.checkpoints > 0 {
        reasons.push(format!("{} checkpoints began while it ran", found.checkpoints));
    }
    if found.clock_jump.abs() > CLOCK_JUMP {
        reasons.push(format!("the clock jumped by {:.1} s: did the machine sleep?", found.clock_jump));
    }
    reasons
}

/// A limit that the engine, the kernel or a spin knows differently.
fn limit(side: &str, check: &CpuCheck) -> Option<String> {
    let asked = check.asked;
    if check.engine != asked {
        return Some(format!("{side} was to have {asked} CPUs, the engine says {}", check.engine));
    }
    if let Some(cgroup) = check.cgroup.filter(|cgroup| *cgroup != asked) {
        return Some(format!("{side} was to have {asked} CPUs, its control group says {cgroup}"));
    }
    if check.cpuset != check.cpuset_asked {
        let (asked, found) = (&check.cpuset_asked, &check.cpuset);
        return Some(format!("{side} was to run on processors {asked}, its control group says {found}"));
    }
    (!check.within_tolerance()).then(|| {
        let (measured, most) = (check.measured, CpuCheck::TOLERANCE * 100.0);
        format!("{side} was to have {asked} CPUs and got {measured:.3}: more than {most:.0} % off")
    })
}

/// A link that is not what was asked for, or that lost what nobody asked it to lose.
fn link(found: &Conditions, whole: bool) -> Vec<String> {
    let (Some(asked), Some(status)) = (&found.link_asked, &found.link) else { return Vec::new() };
    let mut reasons = Vec::new();
    let emulation = &status.emulation;
    if emulation.profile != *asked {
        reasons.push(format!("the link was to be {asked}, the agent says {}", emulation.profile));
    }
    let lost: u64 = [&emulation.up, &emulation.down].into_iter().flatten().filter_map(|way| way.dropped_unasked).sum();
    if whole && lost > 0 {
        reasons.push(format!("the link lost {lost} packets that nobody asked it to lose"));
    }
    if let Some(measured) = &found.link_measured {
        reasons.extend(round_trip(asked, measured));
        reasons.extend(rates(asked, measured));
    }
    reasons
}

/// An exchange that took longer or shorter than the profile says.
fn round_trip(asked: &LinkProfile, measured: &LinkMeasured) -> Option<String> {
    let jitter: u64 = [asked.up.jitter, asked.down.jitter].iter().flatten().map(|jitter| jitter.width.nanos()).sum();
    let (rtt, found) = (asked.rtt().nanos(), measured.exchange.p50);
    let sent = |rate: Rate| rate.bits_per_second().map_or(0, |bits| EXCHANGE_BITS * 1_000_000_000 / bits);
    let less = RTT_LEAST.max(rtt * RTT_PERCENT / 100) + jitter;
    let most = if found < rtt { less } else { less + sent(asked.up.rate) + sent(asked.down.rate) };
    let milliseconds = |nanos: u64| nanos as f64 / 1e6;
    (rtt > 0 && found.abs_diff(rtt) > most).then(|| {
        let (found, most) = (milliseconds(found), milliseconds(most));
        format!("the link's round trip was to be {} and was {found:.2} ms: more than {most:.2} ms off", asked.rtt())
    })
}

/// A rate that a flow didn't reach, or went beyond. Where packets get lost, TCP decides how fast it goes.
fn rates(asked: &LinkProfile, measured: &LinkMeasured) -> Vec<String> {
    let ways = [("up", asked.up, measured.up), ("down", asked.down, measured.down)];
    let off = ways.into_iter().filter(|_| !asked.loses()).filter_map(|(name, way, found)| {
        let (limit, found) = (way.rate.bits_per_second()?, found?);
        let least = (limit as f64).min(LinkMeasured::window_bound(asked.rtt())) * RATE_LEAST;
        let most = limit as f64 * RATE_MOST;
        (!(least..=most).contains(&(found as f64))).then(|| {
            let mbit = |bits: f64| bits / 1e6;
            format!(
                "the link's rate {name} was to be {} and was {:.2} Mbit/s: not within {:.2} to {:.2}",
                way.rate,
                mbit(found as f64),
                mbit(least),
                mbit(most)
            )
        })
    });
    off.collect()
}

fn speed(record: &RunRecord, before: &[RunRecord]) -> Vec<String> {
    let pace = Pace::of(before);
    let sides = pace::works(&record.conditions).into_iter().enumerate();
    let told = sides.filter_map(|(side, work)| {
        let off = pace.off(side, work?)?;
        let (name, percent) = (pace::SIDES[side], off.abs() * 100.0);
        let how = if off > 0.0 { "above" } else { "below" };
        Some(format!("{OFF_SPEED} ({name}) was {percent:.0} % {how} the series' median"))
    });
    told.collect()
}

#[cfg(test)]
mod tests;
