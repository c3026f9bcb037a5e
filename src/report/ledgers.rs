//! Where connection time went, cell by cell: as sentences, as letters on a terminal, as a chart's stacks.

use super::answer::{Answer, Line};
use super::chart::{HATCHED, Side};
use super::names::Names;
use crate::analysis::{Analysis, CellRuns, Ledgers, NO_WAIT, Share, UNEXPLAINED};
use crate::model::units;

/// What the ledgers answer.
pub(super) const QUESTION: &str = "Where did connection time go?";

/// The ledgers of so many cells are told one by one; of more they are only drawn: nobody would read them.
const ONE_BY_ONE: usize = 8;

/// A part of the time below this is not worth naming, unless nothing explains it.
const WORTH_NAMING: f64 = 0.005;

/// How a state is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    /// Its name in a ledger.
    name: &'static str,
    /// The same where there is little room.
    short: &'static str,
    /// What a legend says of its sign and its colour.
    pub legend: &'static str,
    /// Its letter in a bar on a terminal.
    pub sign: char,
    /// Its colour in a chart, by number.
    pub style: usize,
}

const fn state(name: &'static str, short: &'static str, legend: &'static str, sign: char, style: usize) -> State {
    State { name, short, legend, sign, style }
}

/// Every state of both ledgers, what nothing explains last. Waiting for the other side looks the same on both.
const STATES: [State; 11] = [
    state("on CPU", "CPU", "on CPU", '#', 0),
    state(NO_WAIT, "no wait", "no wait event", 'o', 4),
    state("ready, no CPU", "ready", "ready, no CPU", '+', 1),
    state("waiting for the database", "database", "waiting for the other side", '=', 2),
    state("waiting for the client", "client", "waiting for the other side", '=', 2),
    state("waiting for records", "records", "waiting for records", ':', 3),
    state("connecting", "connecting", "connecting", '~', 4),
    state("WAL", "WAL", "waiting for WAL", 'w', 5),
    state("files", "files", "waiting for files", 'f', 6),
    state("locks", "locks", "waiting for locks", 'x', 7),
    state(UNEXPLAINED, "?", "unexplained", '.', HATCHED),
];

/// Whatever has no look of its own explains nothing to a reader.
fn shown(name: &str) -> State {
    STATES.iter().find(|state| state.name == name).copied().unwrap_or(STATES[STATES.len() - 1])
}

/// A cell with its two ledgers.
#[derive(Debug, Clone)]
pub(super) struct CellLedgers {
    /// The cell, by what varies in its series.
    pub name: String,
    /// Of the client's workers.
    pub workers: Vec<Share>,
    /// Of the database's backends; empty where nobody looked.
    pub backends: Vec<Share>,
}

impl CellLedgers {
    /// The sides that kept one.
    pub fn sides(&self) -> impl Iterator<Item = (&'static str, &[Share])> {
        let both = [("workers", self.workers.as_slice()), ("backends", self.backends.as_slice())];
        both.into_iter().filter(|(_, shares)| !shares.is_empty())
    }

    /// Both sides as a chart draws them.
    pub fn drawn(&self) -> Vec<Side> {
        let side = |(side, shares): (&'static str, &[Share])| Side {
            name: side,
            parts: shares.iter().map(|(name, share)| (shown(name).style, *share)).collect(),
            title: format!("{}, {side}: {}", self.name, exactly(shares)),
        };
        self.sides().map(side).collect()
    }
}

/// Of every cell whose runs kept ledgers.
pub(super) fn ledgers(analysis: &Analysis<'_>, names: &Names) -> Vec<CellLedgers> {
    let of = |cell: &CellRuns<'_>| Ledgers::of(cell).map(|found| (names.cell(cell.cell), found));
    let found = analysis.compared().filter_map(of);
    found.map(|(name, Ledgers { workers, backends })| CellLedgers { name, workers, backends }).collect()
}

/// The cells whose ledgers are told one by one: all, or none where there are too many.
pub(super) fn told(cells: &[CellLedgers]) -> &[CellLedgers] {
    if cells.len() > ONE_BY_ONE { &[] } else { cells }
}

/// As sentences.
pub(super) fn answer(cells: &[CellLedgers]) -> Option<Answer> {
    let line = |cell: &CellLedgers| {
        let (lead, detail) = match (cell.workers.is_empty(), cell.backends.is_empty()) {
            (false, false) => ("Workers", format!("{}; backends {}", words(&cell.workers), words(&cell.backends))),
            (false, true) => ("Workers", words(&cell.workers)),
            (true, _) => ("Backends", words(&cell.backends)),
        };
        Line { at: cell.name.clone(), lead: lead.into(), detail, strong: false }
    };
    let lines: Vec<Line> = told(cells).iter().map(line).collect();
    (!lines.is_empty()).then(|| Answer { question: QUESTION.into(), lines })
}

/// States that are worth a word, in the ledger's order.
fn worth(shares: &[Share]) -> impl Iterator<Item = &Share> {
    shares.iter().filter(|(name, share)| *name == UNEXPLAINED || *share >= WORTH_NAMING)
}

fn words(shares: &[Share]) -> String {
    worth(shares).map(|(name, share)| format!("{name} {} %", whole(*share))).collect::<Vec<_>>().join(", ")
}

/// The same with a digit more, and without leaving anything out: what a reader gets who asks for it.
fn exactly(shares: &[Share]) -> String {
    let said = shares.iter().filter(|(name, share)| *name == UNEXPLAINED || *share > 0.0).map(|(name, share)| {
        let overlap = if *share <= -WORTH_NAMING { " (states overlap by this much)" } else { "" };
        // Less than a tenth of a percent is zero, and zero has no sign.
        format!("{name} {}{overlap}", units::percent((share * 1e3).round() / 1e3 + 0.0))
    });
    said.collect::<Vec<_>>().join(", ")
}

/// For beside a bar: `CPU 6,` `database 91,` `? 3 %`.
pub(super) fn few_words(shares: &[Share]) -> Vec<String> {
    let mut all: Vec<String> =
        worth(shares).map(|(name, share)| format!("{} {},", shown(name).short, whole(*share))).collect();
    if let Some(last) = all.last_mut() {
        last.pop();
        last.push_str(" %");
    }
    all
}

/// A share in whole percents. Zero has no sign.
pub(super) fn whole(share: f64) -> String {
    if share.is_finite() { format!("{:.0}", (share * 100.0).round() + 0.0) } else { "n/a".into() }
}

/// A bar of so many letters, each state's sign as often as its share. What is below zero is not drawn: states that
/// overlap fill the bar.
pub(super) fn letters(shares: &[Share], width: usize) -> String {
    let drawn = || shares.iter().filter(|(_, share)| *share > 0.0 && share.is_finite());
    let whole: f64 = drawn().map(|(_, share)| share).sum::<f64>().max(1.0);
    let (mut bar, mut until) = (String::new(), 0.0);
    for (name, share) in drawn() {
        until += share / whole * width as f64;
        let more = (until.round() as usize).saturating_sub(bar.chars().count());
        bar.extend(std::iter::repeat_n(shown(name).sign, more));
    }
    format!("{bar:<width$}")
}

/// States that some cell spent time in, each look once, in the ledgers' order.
pub(super) fn legend(cells: &[CellLedgers]) -> Vec<State> {
    let shares = || cells.iter().flat_map(CellLedgers::sides).flat_map(|(_, shares)| shares);
    let seen = |state: &State| shares().any(|(name, share)| *name == state.name && *share >= WORTH_NAMING);
    let mut states: Vec<State> = STATES.into_iter().filter(seen).collect();
    states.dedup_by_key(|state| state.style);
    states
}

/// The most by which the states of a ledger overlap, where that is worth a word.
pub(super) fn overlap(cells: &[CellLedgers]) -> Option<f64> {
    let shares = cells.iter().flat_map(CellLedgers::sides).flat_map(|(_, shares)| shares);
    let below = shares.filter(|(name, share)| *name == UNEXPLAINED && *share <= -WORTH_NAMING);
    below.map(|(_, share)| -share).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::super::testing::quick;
    use super::*;

    #[test]
    fn every_state_of_a_ledger_has_a_look() {
        let records = quick();
        let analysis = Analysis::of(&records);
        let all = ledgers(&analysis, &Names::of(&analysis));
        assert_eq!(all.len(), 6);
        for (name, _) in all.iter().flat_map(CellLedgers::sides).flat_map(|(_, shares)| shares) {
            assert!(STATES.iter().any(|state| state.name == *name), "{name}");
        }
    }

    #[test]
    fn zero_has_no_sign_and_what_is_no_number_is_said_to_be_none() {
        for (share, expected) in [(-0.004, "0"), (-0.0, "0"), (0.004, "0"), (-0.03, "-3"), (0.5, "50")] {
            assert_eq!(whole(share), expected, "{share}");
        }
        assert_eq!(whole(f64::NAN), "n/a");
        let said = exactly(&[("on CPU", 0.9996), (UNEXPLAINED, -0.000_4)]);
        assert_eq!(said, "on CPU 100 %, unexplained 0.0 %");
        let said = exactly(&[("on CPU", 1.02), ("files", 0.0), (UNEXPLAINED, -0.02)]);
        assert_eq!(said, "on CPU 102 %, unexplained -2.0 % (states overlap by this much)");
    }

    #[test]
    fn a_bar_is_as_long_as_it_is_to_be() {
        let bar = |shares: &[Share]| letters(shares, 10);
        assert_eq!(bar(&[("on CPU", 0.3), ("waiting for the database", 0.6), (UNEXPLAINED, 0.1)]), "###======.");
        assert_eq!(bar(&[("on CPU", 0.6), ("waiting for the client", 0.5), (UNEXPLAINED, -0.1)]), "#####=====");
        assert_eq!(bar(&[(UNEXPLAINED, f64::NAN)]), " ".repeat(10));
        for part in 0..=100 {
            let part = f64::from(part) / 100.0;
            let shares = [("on CPU", part / 3.0), ("WAL", part / 7.0), (UNEXPLAINED, 1.0 - part / 3.0 - part / 7.0)];
            assert_eq!(bar(&shares).chars().count(), 10, "{part}");
        }
    }
}
