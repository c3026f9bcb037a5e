//! Why believe it: what was asked for next to what was measured, and what nobody measured.

use super::names::Names;
use super::{encrypted, external, forecasts, held_back, in_progress, machine, setup};
use crate::analysis::{Analysis, CellRuns, Finding, LEAST_PAIRS, Limit, Summary};
use crate::model::cell::{Cell, DIRECT};
use crate::model::{Backend, Factor, Part, Scheme, Workload, units};
use crate::wire::RunResult;
use crate::wire::conditions::{Conditions, CpuCheck};
use crate::wire::emulation::Fidelity;
use crate::wire::measured::{LinkMeasured, Quantiles};
use crate::wire::record::{RunRecord, only_processors};
use crate::wire::setup::{EngineFacts, Forwarding};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A reason to believe the figures, or not to.
#[derive(Debug, Clone, Serialize)]
pub struct Fact {
    /// What it is about.
    pub about: String,
    /// What was found.
    pub text: String,
    /// Whether the reader should be careful because of it.
    pub warning: bool,
}

pub(super) fn fact(about: &str, text: impl Into<String>) -> Fact {
    Fact { about: about.into(), text: text.into(), warning: false }
}

pub(super) fn warning(about: &str, text: impl Into<String>) -> Fact {
    Fact { warning: true, ..fact(about, text) }
}

/// Everything a reader can check the figures by.
pub fn facts(analysis: &Analysis<'_>, names: &Names) -> Vec<Fact> {
    let runs: Vec<&RunRecord> = analysis.runs().collect();
    let Some(last) = runs.iter().max_by_key(|run| (run.run, run.attempt)) else {
        return vec![warning("runs", "there is none yet")];
    };
    let mut facts = vec![counts(&runs), verification(&runs), noise(analysis, names)];
    facts.extend(links(analysis, names));
    facts.extend(way(&runs));
    facts.extend(external::facts(&runs));
    facts.extend(machine::statements(analysis));
    facts.extend(encrypted::fact_of(&runs));
    facts.extend(processors(&runs));
    facts.extend(held_back::facts(analysis, names));
    facts.extend(in_progress::check(&runs));
    facts.extend(watcher(&runs));
    facts.extend(forecasts::facts(analysis, names));
    facts.extend(images(&last.conditions));
    facts.extend(driver(analysis));
    facts.push(machine(&last.conditions));
    facts.extend(hosts(&last.conditions));
    facts
}

fn counts(runs: &[&RunRecord]) -> Fact {
    let valid = runs.iter().filter(|run| run.is_valid()).count();
    let mut text = format!("{valid} of {} are valid; the others and the warm-up are in no figure", runs.len());
    let warning = valid * 10 < runs.len() * 9;
    let loud = runs.iter().filter(|run| only_processors(&run.invalid)).count();
    // Nothing in the experiment cures that: a reader has to know it first.
    if warning && loud > 0 {
        let _ = write!(
            text,
            "; {loud} ran while the processors were faster or slower than before, or somebody else's: a quieter machine would \
             let them count"
        );
    }
    Fact { warning, ..fact("runs", text) }
}

fn verification(runs: &[&RunRecord]) -> Fact {
    let verified = runs.iter().filter(|run| run.result().is_some_and(RunResult::is_verified)).count();
    let [ingests, lookups] =
        [Workload::Census, Workload::Lookup].map(|workload| runs.iter().any(|run| run.cell.workload == workload));
    let items = "count, sum and checksum of every item, against what was acknowledged";
    let delivered = "what was delivered in the order of the keys, against the table";
    let how = match (ingests, lookups) {
        (_, false) => items.to_owned(),
        (false, true) => delivered.to_owned(),
        (true, true) => format!("{items}; {delivered}"),
    };
    let text = format!("{how}: right in {verified} of {} runs", runs.len());
    Fact { warning: verified < runs.len(), ..fact("rows", text) }
}

fn noise(analysis: &Analysis<'_>, names: &Names) -> Fact {
    match &analysis.noise {
        Some(noise) => {
            let seen = match noise.finding {
                Finding::Measured { ratio, .. } => {
                    let interval = units::between((ratio.low, ratio.high), units::multiple);
                    format!("{}x of itself ({interval})", units::multiple(ratio.ratio))
                }
                Finding::TooFew { pairs, range } => {
                    let range = range.map_or_else(|| "n/a".into(), |range| units::range(range, units::multiple));
                    let blocks = if pairs == 1 { "block" } else { "blocks" };
                    format!("{range}x of itself, the range of {pairs} {blocks}")
                }
            };
            let (cell, floor) = (names.cell(noise.cell), units::percent(noise.floor));
            fact("noise", format!("{cell}, twice a block: {seen}; up to {floor} is no difference"))
        }
        None if analysis.cells.is_empty() => fact("noise", "nothing is compared here"),
        None => warning("noise", "no block has a valid run of the same cell twice: what is noise is not known"),
    }
}

/// Each link: what it was to be, what it was, what it lost.
fn links(analysis: &Analysis<'_>, names: &Names) -> Vec<Fact> {
    let mut links: BTreeMap<(u64, &str), Vec<&CellRuns<'_>>> = BTreeMap::new();
    for cell in &analysis.cells {
        links.entry((cell.rtt, &cell.cell.link)).or_default().push(cell);
    }
    links.into_iter().filter_map(|((rtt, _), cells)| link(rtt, &cells, names)).collect()
}

fn link(rtt: u64, cells: &[&CellRuns<'_>], names: &Names) -> Option<Fact> {
    let conditions: Vec<&Conditions> = valid(cells).map(|run| &run.conditions).collect();
    let connects = || conditions.iter().filter_map(|found| found.round_trip());
    let p50 = Summary::of(connects().map(|connect| connect.p50 as f64))?;
    let p99 = connects().map(|connect| connect.p99).max()?;
    let ways = conditions
        .iter()
        .filter_map(|found| found.link.as_ref())
        .flat_map(|link| [&link.emulation.up, &link.emulation.down]);
    let lost = ways.flatten().filter_map(|way| way.dropped_unasked).fold(0, u64::saturating_add);
    if cells[0].cell.link == DIRECT {
        return Some(fact(&format!("link {DIRECT}"), as_it_is(&conditions, p50, p99)));
    }
    let asked = if rtt == 0 { "no delay".to_owned() } else { format!("{} ms", units::milliseconds(rtt as f64)) };
    let text = format!(
        "asked {asked}, measured {} ms ({}), p99 up to {} ms; {} lost unasked",
        units::milliseconds(p50.median),
        units::between((p50.least, p50.most), units::milliseconds),
        units::milliseconds(p99 as f64),
        if lost == 1 { "1 packet".into() } else { format!("{} packets", units::count(lost)) },
    );
    let name = names.said(Factor::Link, cells[0].cell);
    Some(Fact { warning: lost > 0, ..fact(&format!("link {name}"), text) })
}

/// The way past the link: what was measured of it, which nobody asked for.
fn as_it_is(conditions: &[&Conditions], p50: Summary, p99: u64) -> String {
    let measured = || conditions.iter().filter_map(|found| found.link_measured);
    let rate = |bits: &dyn Fn(LinkMeasured) -> Option<u64>| {
        let rates = Summary::of(measured().filter_map(bits).map(|bits| bits as f64 / 1e6));
        rates.map_or_else(|| "not measured".into(), |rate| format!("{} Mbit/s", units::number(rate.median)))
    };
    let jitter = Summary::of(conditions.iter().filter_map(|found| found.round_trip()).map(Quantiles::jitter));
    format!(
        "past the link, measured {} ms ({}), p99 up to {} ms, jitter {} ms (p99 beyond p50); one flow's rate up {}, down \
         {}; packets and round trips on the way: not seen",
        units::milliseconds(p50.median),
        units::between((p50.least, p50.most), units::milliseconds),
        units::milliseconds(p99 as f64),
        jitter.map_or_else(|| "n/a".into(), |jitter| units::milliseconds(jitter.median)),
        rate(&|found| found.up),
        rate(&|found| found.down),
    )
}

/// How the link forwards, and what makes it slow.
fn way(runs: &[&RunRecord]) -> Option<Fact> {
    let link = runs.iter().rev().find_map(|run| run.conditions.link.as_ref())?;
    let emulation = &link.emulation;
    let text = format!("forwarding by {}, emulation by {}", link.forwarding, emulation.backend);
    let caveat = match (emulation.fidelity, link.forwarding, emulation.backend) {
        (Fidelity::Stream, ..) | (_, _, Backend::Relay) => {
            ": bytes wait, not packets, so no handshake, loss or slow start is imitated"
        }
        (_, Forwarding::Relay, _) => ": a program copies every byte and uses processor time for it",
        _ => return Some(fact("way", format!("{text}: packet by packet"))),
    };
    Some(warning("way", format!("{text}{caveat}")))
}

/// Where a side's limits are.
type Side = fn(&Conditions) -> Vec<&CpuCheck>;

/// Each side's limits: what was asked for, what a spin got.
fn processors(runs: &[&RunRecord]) -> Vec<Fact> {
    let sides: [(&str, Side); 2] =
        [("client", |found| found.clients().collect()), ("database", |found| found.database.iter().collect())];
    let mut facts = Vec::new();
    for (side, check) in sides {
        let checks: Vec<&CpuCheck> =
            runs.iter().filter(|run| run.is_valid()).flat_map(|run| check(&run.conditions)).collect();
        let mut asked: Vec<(crate::model::limits::Cpus, &str)> =
            checks.iter().map(|check| (check.asked, check.cpuset.as_str())).collect();
        asked.sort();
        asked.dedup();
        for (limit, cpuset) in asked {
            let of_this = checks.iter().filter(|check| check.asked == limit && check.cpuset == cpuset);
            let Some(measured) = Summary::of(of_this.map(|check| check.measured)) else { continue };
            let on = if cpuset.is_empty() { String::new() } else { format!(" on processors {cpuset}") };
            let asked = if limit.count().is_some() { format!("asked {limit}") } else { "not limited".into() };
            let text = format!(
                "{side}: {asked}{on}, measured {} ({})",
                units::number(measured.median),
                units::between((measured.least, measured.most), units::number)
            );
            facts.push(fact("CPUs", text));
        }
    }
    let waited: f64 = runs
        .iter()
        .flat_map(|run| run.conditions.clients().chain(&run.conditions.database))
        .filter_map(|check| check.waited)
        .sum();
    if waited > 0.0 {
        facts.push(fact(
            "CPUs",
            format!("{} waited for them to be as fast as in the runs before", units::duration(waited)),
        ));
    }
    facts
}

/// Runs of which something was not seen from outside, and why.
fn watcher(runs: &[&RunRecord]) -> Option<Fact> {
    let problems: Vec<&str> = runs
        .iter()
        .filter_map(|run| run.conditions.observed.as_ref()?.problem.as_deref())
        .filter_map(|problem| problem.lines().next())
        .collect();
    let first = problems.first()?;
    Some(warning(
        "watcher",
        format!("{} of {} runs were not wholly seen from outside: {first}", problems.len(), runs.len()),
    ))
}

fn images(found: &Conditions) -> Option<Fact> {
    let (official, other): (Vec<_>, Vec<_>) = found.images.iter().partition(|image| image.base == "official");
    let roles = |images: &[&crate::wire::setup::ImageFacts]| {
        images.iter().map(|image| image.role.as_str()).collect::<Vec<_>>().join(", ")
    };
    match (official.is_empty(), other.is_empty()) {
        (true, true) => None,
        (_, true) => Some(fact("images", "built on the official ones, pinned by digest")),
        _ => Some(warning("images", format!("built on stand-ins made from Debian packages: {}", roles(&other)))),
    }
}

fn driver(analysis: &Analysis<'_>) -> Option<Fact> {
    let has = |wanted: &[Scheme]| analysis.compared().any(|cell| wanted.contains(&cell.cell.scheme));
    (has(&[Scheme::Threads]) && has(&[Scheme::Async, Scheme::AsyncSingle])).then(|| {
        fact("driver", "threads and async share one (postgres wraps tokio-postgres): they differ in scheduling")
    })
}

/// That there are two hosts, and how well their clocks are known: by role, no host has a name here.
fn hosts(found: &Conditions) -> Vec<Fact> {
    let Some(client) = &found.client_engine else { return Vec::new() };
    let EngineFacts { version, kernel, processors, .. } = client;
    let told = format!(
        "client and database on hosts of their own; the client's: {processors} processors, engine {version}, kernel {kernel}"
    );
    [fact("hosts", told)].into_iter().chain(found.clocks.as_ref().map(setup::clocks)).collect()
}

fn machine(found: &Conditions) -> Fact {
    let engine = &found.engine;
    let mut parts = Vec::new();
    if engine.processors > 0 {
        parts.push(format!("{} processors", engine.processors));
    }
    if let Some(memory) = u64::try_from(engine.memory).ok().filter(|memory| *memory > 0) {
        parts.push(units::bytes(memory));
    }
    for (name, value) in [("engine", &engine.version), ("cgroup", &engine.cgroup), ("kernel", &engine.kernel)] {
        if !value.is_empty() {
            parts.push(format!("{name} {value}"));
        }
    }
    if !found.data.is_empty() {
        parts.push(format!("data {}", setup::short(&found.data)));
    }
    fact("machine", if parts.is_empty() { "not recorded".into() } else { parts.join(", ") })
}

/// What a reader might think was shown, and was not.
pub fn not_shown(analysis: &Analysis<'_>) -> Vec<String> {
    let mut list = Vec::new();
    let few = |finding: &Finding| matches!(finding, Finding::TooFew { .. });
    if analysis.comparisons.iter().any(|comparison| few(&comparison.finding)) {
        list.push(format!("a difference between cells that share fewer than {LEAST_PAIRS} blocks"));
    }
    if analysis.comparisons.is_empty() && !analysis.cells.is_empty() {
        list.push("any comparison: no two cells differ in one factor only".into());
    } else if analysis.compared().count() > 2 {
        list.push("how cells compare that differ in more than one factor: they are not ranked".into());
    }
    let all: Vec<&Cell> = analysis.compared().map(|runs| runs.cell).collect();
    let first = |one: &Cell| all.iter().find(|other| other.statement == one.statement).map(|first| first.travels());
    if all.iter().any(|one| first(one) != Some(one.travels())) {
        list.push(
            "how schemes that send a chunk's statements together compare with those that wait for each: they are not \
             ranked"
                .into(),
        );
    }
    if let Some(cell) = analysis.cells.iter().find(|cell| cell.part == Part::Cell) {
        let varying = analysis.varying();
        let asked = [Factor::Scheme, Factor::Statement, Factor::Commit, Factor::Pool, Factor::Link];
        let fixed: Vec<String> = asked
            .iter()
            .filter(|factor| !varying.contains(factor) && factor.is_used(cell.cell))
            .map(|factor| format!("{} ({})", factor.name(), factor.level(cell.cell)))
            .collect();
        if !fixed.is_empty() {
            list.push(format!("other levels of {}", fixed.join(", ")));
        }
    }
    if analysis.compared().all(|cell| Limit::of(cell).is_none()) {
        list.push("why: what bounds a cell was not measured".into());
    }
    list.push("other hardware, other data, PostgreSQL with other settings".into());
    list
}

fn valid<'r>(cells: &'r [&CellRuns<'_>]) -> impl Iterator<Item = &'r RunRecord> {
    cells.iter().flat_map(|cell| cell.valid_runs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;
    use crate::wire::record::TAKEN;
    use crate::wire::testing::run_of;

    #[test]
    fn schemes_whose_statements_travel_otherwise_are_said_not_to_be_ranked() {
        let told = |schemes: [&str; 2]| {
            let runs = schemes.map(|scheme| {
                let cell: Cell = format!("{scheme} multirow chunk pool 4").parse().unwrap();
                run_of(&cell, Part::Cell, 1, 1, 9_000.0)
            });
            not_shown(&Analysis::of(&runs))
                .iter()
                .any(|one| one.contains("those that wait for each: they are not ranked"))
        };
        assert!(told(["threads", "py-asyncio"]) && !told(["threads", "py-psycopg3"]));
    }

    #[test]
    fn a_loud_machine_is_told_where_it_cost_runs() {
        let mut records = testing::quick();
        let quiet = counts(&records.iter().collect::<Vec<_>>());
        assert!(!quiet.text.contains("quieter machine"), "{}", quiet.text);
        records
            .iter_mut()
            .skip(1)
            .take(9)
            .for_each(|run| run.invalid = vec![format!("{TAKEN} 20 % of the processors' time")]);
        let loud = counts(&records.iter().collect::<Vec<_>>());
        assert!(loud.warning && loud.text.contains("; 9 ran while the processors were"), "{}", loud.text);
    }
}
