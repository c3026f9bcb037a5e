//! What produced a series, for the end of a report: engine, machine, images, the way, settings, data, programs.

use super::why::{Fact, fact};
use crate::model::units;
use crate::wire::clocks::Clocks;
use crate::wire::conditions::Conditions;
use crate::wire::emulation::Fidelity;
use crate::wire::record::RunRecord;
use crate::wire::setup::{EngineFacts, ImageFacts, LinkStatus, MachineFacts};
use std::collections::BTreeMap;

/// What of a checksum tells it from another, characters.
const ENOUGH: usize = 12;

/// Of the last run; settings of all. Empty where nothing ran.
pub(super) fn setup(records: &[RunRecord]) -> Vec<Fact> {
    let Some(last) = records.iter().max_by_key(|run| (run.run, run.attempt)) else { return Vec::new() };
    let found = &last.conditions;
    let mut facts = engine(&found.engine, &found.machine);
    facts.extend(hosts(found));
    facts.extend(found.images.iter().map(image));
    facts.extend(found.link.iter().flat_map(way));
    facts.extend(settings(records));
    facts.extend(data(found));
    facts.extend(programs(records));
    facts
}

/// What is empty was not told.
fn listed(parts: impl IntoIterator<Item = (&'static str, String)>) -> Option<String> {
    let told = parts.into_iter().filter(|(_, value)| !value.is_empty());
    let all: Vec<String> = told.map(|(name, value)| format!("{name}{value}")).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn engine(found: &EngineFacts, below: &MachineFacts) -> Vec<Fact> {
    let processors = match (found.processors, below.processor.as_str()) {
        (0, model) => model.to_owned(),
        (count, "") => format!("{count} processors"),
        (count, model) => format!("{count} × {model}"),
    };
    let memory = u64::try_from(found.memory).ok().filter(|memory| *memory > 0);
    let engine = [("", found.version.clone()), ("API ", found.api.clone()), ("cgroup ", found.cgroup.clone())];
    let machine = [
        ("", found.system.clone()),
        ("kernel ", found.kernel.clone()),
        ("", found.architecture.clone()),
        ("", processors),
        ("", memory.map(units::bytes).unwrap_or_default()),
        ("clock ", below.clocksource.clone()),
    ];
    let writes = below.synced_writes.map(|rate| format!("{} synced 8 KiB writes/s", units::number(rate)));
    let disk = [
        ("", below.filesystem.clone()),
        ("engine's storage ", found.storage.clone()),
        ("", writes.unwrap_or_default()),
    ];
    let tcp = [
        ("", below.congestion.clone()),
        ("receive buffer ", below.receive_buffer.clone()),
        ("send buffer ", below.send_buffer.clone()),
    ];
    let told = [("engine", listed(engine)), ("machine", listed(machine)), ("disk", listed(disk)), ("TCP", listed(tcp))];
    told.into_iter().filter_map(|(about, text)| Some(fact(about, text?))).collect()
}

/// The client's host, where it is another one, and what is known of the time there. By role: no host has a name here.
pub(super) fn hosts(found: &Conditions) -> Vec<Fact> {
    let Some(client) = &found.client_engine else { return Vec::new() };
    let mut facts = engine(client, &MachineFacts::default());
    facts.iter_mut().for_each(|fact| fact.about = format!("client's {}", fact.about));
    facts.extend(found.clocks.as_ref().map(clocks));
    facts
}

/// How far the hosts' clocks are apart, and how far off that may be.
pub(super) fn clocks(found: &Clocks) -> Fact {
    let (apart, error) = found.apart();
    let milliseconds = |seconds: f64| units::number(seconds * 1e3);
    let whose = if found.more_clients.is_empty() { "the client's host" } else { "of the clients' hosts the farthest" };
    let which = if apart < 0.0 { "behind" } else { "ahead of" };
    let [client, database] = [found.client_error(), found.database.error].map(milliseconds);
    fact(
        "clocks",
        format!(
            "{whose} is {} ms {which} the database's (± {} ms); times are on the lab's clock, off by {client} ms \
             (client) and {database} ms (database) at most",
            milliseconds(apart.abs()),
            milliseconds(error)
        ),
    )
}

fn image(found: &ImageFacts) -> Fact {
    let registry = found.digests.first().map(|digest| format!(", from the registry as {}", short(digest)));
    fact(
        &format!("image {}", found.role),
        format!("{} base, id {}{}", found.base, short(&found.id), registry.unwrap_or_default()),
    )
}

/// How the link forwards and what makes it slow, each with why nothing that goes before it.
fn way(found: &LinkStatus) -> Vec<Fact> {
    let emulation = &found.emulation;
    let because =
        |what: String, reason: &str| format!("; not {what}: {}", reason.lines().next().unwrap_or("no reason"));
    let others: String = found.rejected.iter().map(|one| because(one.forwarding.to_string(), &one.reason)).collect();
    let backends: String = emulation.rejected.iter().map(|one| because(one.backend.to_string(), &one.reason)).collect();
    let kind = match emulation.fidelity {
        Fidelity::Packets => "packet by packet",
        Fidelity::Stream => "bytes wait, not packets",
    };
    let floor = emulation.floor.map(|floor| format!(", adds {floor} by itself")).unwrap_or_default();
    let notes: String = emulation.notes.iter().map(|note| format!("; {note}")).collect();
    vec![
        fact("forwarding", format!("{}{others}", found.forwarding)),
        fact("emulation", format!("{}, {kind}{floor}{backends}{notes}", emulation.backend)),
    ]
}

/// Each setting as it was asked for and as it was found, all runs together.
fn settings(records: &[RunRecord]) -> Vec<Fact> {
    let mut seen: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for setting in records.iter().flat_map(|run| &run.conditions.settings) {
        let said = format!("asked {}, found {}", setting.asked, setting.found);
        let known = seen.entry(&setting.name).or_default();
        if !known.contains(&said) {
            known.push(said);
        }
    }
    seen.into_iter().map(|(name, said)| fact(&name.replace('_', " "), said.join("; "))).collect()
}

fn data(found: &Conditions) -> Option<Fact> {
    (!found.data.is_empty()).then(|| fact("data", format!("checksum {}", short(&found.data))))
}

/// The programs of all runs, and what made this report.
fn programs(records: &[RunRecord]) -> Vec<Fact> {
    let mut ran: Vec<&str> = records.iter().filter_map(|run| Some(run.result()?.program.as_str())).collect();
    ran.sort_unstable();
    ran.dedup();
    let report = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    let ran = (!ran.is_empty()).then(|| fact("ingester", ran.join(", ")));
    ran.into_iter().chain([fact("report", report)]).collect()
}

/// Enough of a checksum to tell it from another; of a digest the part after the repository's name.
pub(super) fn short(checksum: &str) -> String {
    let digits = checksum.rsplit_once("sha256:").map_or(checksum, |(_, digits)| digits);
    digits.chars().take(ENOUGH).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::quick;
    use super::*;
    use crate::wire::conditions::Setting;

    #[test]
    fn settings_of_all_runs_are_told_once_each() {
        let mut records = quick();
        let off = |found: &str| Setting { name: "foreign_keys".into(), asked: "off".into(), found: found.into() };
        records[3].conditions.settings = vec![off("off")];
        let all = setup(&records);
        let keys: Vec<&Fact> = all.iter().filter(|fact| fact.about == "foreign keys").collect();
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].text, "asked on, found on; asked off, found off");
        assert!(setup(&[]).is_empty());
    }

    #[test]
    fn the_client_s_host_is_told_by_its_role_with_the_error_of_its_clock() {
        let mut records = quick();
        let last = records.last_mut().unwrap();
        last.conditions.client_engine = Some(EngineFacts { version: "26.1.5".into(), ..Default::default() });
        let ahead = |wall, error| crate::wire::clocks::Ahead { wall, error, ..Default::default() };
        last.conditions.clocks =
            Some(Clocks { database: ahead(0.25, 0.001), client: ahead(0.125, 0.002), ..Default::default() });
        let all = setup(&records);
        let said = |about: &str| all.iter().find(|fact| fact.about == about).map(|fact| fact.text.as_str());
        assert_eq!(said("client's engine"), Some("26.1.5"));
        let expected = "the client's host is 125 ms behind the database's (± 3.00 ms); times are on the lab's clock, off by \
                        2.00 ms (client) and 1.00 ms (database) at most";
        assert_eq!(said("clocks"), Some(expected));
    }

    #[test]
    fn checksums_are_shortened_to_what_tells_them_apart() {
        assert_eq!(short("sha256:0123456789abcdef"), "0123456789ab");
        assert_eq!(short("postgres@sha256:fedcba9876543210"), "fedcba987654");
        assert_eq!(short(""), "");
    }
}
