//! Whether a cell ran under the same conditions in both series, by what was asked for and by what was measured.

use crate::analysis::forecast::on_processors;
use crate::analysis::{CellRuns, Summary};
use crate::model::Phase;
use crate::model::units;
use crate::wire::conditions::{Conditions, CpuCheck};
use std::collections::BTreeSet;

/// How far two round trips may lie apart: what a run's may lie from the one asked for, twice. Nanoseconds …
const RTT_LEAST: f64 = 600_000.0;

/// … or a part of them, whichever is more.
const RTT_PART: f64 = 0.04;

/// How much another speed of the processors may move a cell's rate, as a part: from there on it is not compared.
const MOVED: f64 = 0.10;

/// How many times as long as in the other series a cell's runs may take.
const LENGTH: f64 = 2.0;

/// What the processors' speeds alone do to a cell's rate in the other series, a difference of log rates; or why its rates
/// don't mean the same in both.
pub(super) fn moved(base: &CellRuns<'_>, other: &CellRuns<'_>) -> Result<f64, String> {
    let apart = link(base, other).or_else(|| settings(base, other)).or_else(|| lengths(base, other));
    apart.map_or_else(|| speeds(base, other), Err)
}

fn conditions<'c>(cell: &'c CellRuns<'_>) -> impl Iterator<Item = &'c Conditions> {
    cell.valid_runs().map(|run| &run.conditions)
}

fn link(base: &CellRuns<'_>, other: &CellRuns<'_>) -> Option<String> {
    let asked = |cell: &CellRuns<'_>| conditions(cell).find_map(|found| found.link_asked.clone());
    if let (Some(was), Some(is)) = (asked(base), asked(other))
        && (was.up, was.down) != (is.up, is.down)
    {
        return Some(format!("its link was asked to be {was}, is asked to be {is}"));
    }
    let measured = |cell: &CellRuns<'_>| cell.median(|run| Some(run.conditions.round_trip()?.p50 as f64));
    let (was, is) = (measured(base)?, measured(other)?);
    let allowed = RTT_LEAST.max(RTT_PART * was.max(is));
    let [was_ms, is_ms] = [was, is].map(units::milliseconds);
    ((was - is).abs() > allowed).then(|| format!("its round trip was measured as {was_ms} ms, is {is_ms} ms"))
}

/// Settings of the database and of TCP, as they were found.
fn settings(base: &CellRuns<'_>, other: &CellRuns<'_>) -> Option<String> {
    let found = |cell: &CellRuns<'_>| -> BTreeSet<(String, String)> {
        let all = conditions(cell).flat_map(|found| &found.settings);
        all.map(|setting| (setting.name.clone(), setting.found.clone())).collect()
    };
    let (was, is) = (found(base), found(other));
    // What only one of them recorded is not known to differ.
    let (name, value, now) = was.iter().find_map(|(name, value)| {
        let now: Vec<&str> = is.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect();
        (!now.is_empty() && !now.contains(&value.as_str())).then(|| (name, value, now.join(" and ")))
    })?;
    Some(format!("{} was {value}, is {now}", name.replace('_', " ")))
}

fn lengths(base: &CellRuns<'_>, other: &CellRuns<'_>) -> Option<String> {
    let length = |cell: &CellRuns<'_>| cell.figure(|run| Some(run.phase(Phase::Data)?.seconds));
    let (was, is) = (length(base)?.median, length(other)?.median);
    let apart = was > LENGTH * is || is > LENGTH * was;
    apart.then(|| format!("its runs took {}, take {}", units::duration(was), units::duration(is)))
}

/// Which side's processors.
type Side = fn(&Conditions) -> Option<&CpuCheck>;

/// How fast the processors were in the other series, over all cells.
pub(super) fn speeds_of(both: &[(&CellRuns<'_>, &CellRuns<'_>)]) -> [Option<f64>; 2] {
    let by_cell: Vec<[Option<f64>; 2]> = both.iter().map(|(base, other)| speed_of(base, other)).collect();
    [0, 1].map(|side| Some(Summary::of(by_cell.iter().filter_map(|speeds| speeds[side]))?.median))
}

/// How fast the processors were in the other series, as a multiple of the base's, client and database: by a fixed piece
/// of work before every run.
fn speed_of(base: &CellRuns<'_>, other: &CellRuns<'_>) -> [Option<f64>; 2] {
    let sides: [Side; 2] = [|found| found.client.as_ref(), |found| found.database.as_ref()];
    sides.map(|side| {
        let work = |cell: &CellRuns<'_>| {
            let all = conditions(cell).filter_map(|found| Some(side(found)?.work)).filter(|work| *work > 0.0);
            Some(Summary::of(all)?.median)
        };
        Some(work(base)? / work(other)?)
    })
}

/// By a network of what a row takes of them, where it is known; else the rate follows the side that changed most.
fn speeds(base: &CellRuns<'_>, other: &CellRuns<'_>) -> Result<f64, String> {
    let speeds = speed_of(base, other);
    let times = speeds.map(|times| times.unwrap_or(1.0));
    let most = times.into_iter().max_by(|one, other| one.ln().abs().total_cmp(&other.ln().abs()));
    let moved = on_processors(base, times).or(most).map_or(0.0, f64::ln);
    if moved.abs() <= MOVED.ln_1p() {
        return Ok(moved);
    }
    let sides = ["client", "database"].into_iter().zip(speeds);
    let told = |(side, times): (&str, Option<f64>)| {
        Some(format!("the {side}'s processor was {}x as fast", units::multiple(times?)))
    };
    let told: Vec<String> = sides.filter_map(told).collect();
    Err(format!("{}: that alone makes it {}x", told.join(" and "), units::multiple(moved.exp())))
}
