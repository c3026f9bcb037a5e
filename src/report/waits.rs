//! What backends waited for: the names PostgreSQL has for it, as often as they were seen.

use super::ledgers;
use super::names::Names;
use crate::analysis::{Analysis, CellRuns, LEAST_LOOKS, Window, looks};
use crate::wire::record::RunRecord;
use crate::wire::watched::{Doing, Seen};
use serde::Serialize;
use std::collections::BTreeMap;

/// So many waits of a cell are named, and only those above this part of all looks.
const MOST: usize = 5;
const WORTH_NAMING: f64 = 0.01;

/// What the shares are of, for those who read them.
pub(super) const NOTE: &str = "Parts of all looks at backends, at random times while every worker was busy, of the \
    valid runs together; the five most frequent, each above 1 %. The rest ran, was ready to run, or waited for what is \
    rarer.";

/// A cell's waits.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CellWaits {
    /// The cell, by what varies in its series.
    pub name: String,
    /// Looks at its backends, all valid runs together.
    pub looks: usize,
    /// The most frequent first; empty where there is none above 1 %.
    pub waits: Vec<Wait>,
}

/// Something that backends slept for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Wait {
    /// PostgreSQL's name for it: `LWLock:WALWrite`.
    pub event: String,
    /// What the ledger counts it as.
    pub counts_as: &'static str,
    /// The part of all looks; 1 is all of them.
    pub share: f64,
}

impl Wait {
    /// The part of all looks, in text.
    pub fn percent(&self) -> String {
        format!("{} %", ledgers::whole(self.share))
    }
}

/// Of every cell that was looked at often enough.
pub(super) fn waits(analysis: &Analysis<'_>, names: &Names) -> Vec<CellWaits> {
    analysis.compared().filter_map(|cell| of(cell, names)).collect()
}

fn of(cell: &CellRuns<'_>, names: &Names) -> Option<CellWaits> {
    let mut seen_at = 0;
    let mut counts: BTreeMap<(&str, Doing), u64> = BTreeMap::new();
    for seen in cell.valid_runs().flat_map(looks_of) {
        seen_at += 1;
        for one in seen {
            *counts.entry((one.wait.as_str(), one.doing)).or_default() += u64::from(one.count);
        }
    }
    let all: u64 = counts.values().sum();
    if seen_at < LEAST_LOOKS || all == 0 {
        return None;
    }
    let named = counts.into_iter().filter(|((event, _), _)| !event.is_empty());
    let mut waits: Vec<Wait> = named
        .map(|((event, doing), count)| Wait {
            event: event.into(),
            counts_as: counts_as(doing),
            share: count as f64 / all as f64,
        })
        .filter(|wait| wait.share > WORTH_NAMING)
        .collect();
    waits.sort_by(|a, b| b.share.total_cmp(&a.share));
    waits.truncate(MOST);
    Some(CellWaits { name: names.cell(cell.cell), looks: seen_at, waits })
}

/// What was seen in the window in which every worker was busy, a look each.
fn looks_of(run: &RunRecord) -> Vec<&[Seen]> {
    let seen = Window::of(run).map(|window| looks(run, window)).unwrap_or_default();
    seen.into_iter().map(|look| look.backends.as_slice()).collect()
}

/// A backend's state as the ledger names it.
fn counts_as(doing: Doing) -> &'static str {
    match doing {
        Doing::Runnable => "on CPU or ready",
        Doing::Wal => "WAL",
        Doing::Io => "files",
        Doing::Lock => "locks",
        Doing::Client => "waiting for the client",
        Doing::Other => "unexplained",
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::quick;
    use super::*;

    #[test]
    fn the_most_frequent_waits_come_first_and_few_looks_say_nothing() {
        let mut records = quick();
        let analysis = Analysis::of(&records);
        let all = waits(&analysis, &Names::of(&analysis));
        assert_eq!(all.len(), 6);
        for cell in &all {
            assert!(cell.waits.len() <= MOST && cell.waits.is_sorted_by(|a, b| a.share >= b.share), "{cell:?}");
            assert!(cell.waits.iter().all(|wait| wait.share > WORTH_NAMING && !wait.event.is_empty()), "{cell:?}");
            assert!(cell.waits.iter().map(|wait| wait.share).sum::<f64>() <= 1.0, "{cell:?}");
        }
        assert_eq!(all[0].waits[0].event, "LWLock:WALWrite");
        for record in &mut records {
            record.conditions.observed.as_mut().unwrap().looks.truncate(4);
        }
        let analysis = Analysis::of(&records);
        assert!(waits(&analysis, &Names::of(&analysis)).is_empty());
    }

    #[test]
    fn looks_outside_the_window_do_not_count() {
        let mut records = quick();
        for look in records.iter_mut().flat_map(|run| &mut run.conditions.observed.as_mut().unwrap().looks) {
            look.at -= 3_600.0;
        }
        let analysis = Analysis::of(&records);
        assert!(waits(&analysis, &Names::of(&analysis)).is_empty());
    }
}
