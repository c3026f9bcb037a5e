//! Whether a series may pass: for CI. Each cell is asked by itself whether it lost more than allowed.
//!
//! It fails where a loss is shown, with an interval that holds together with all others, and was measured as more than is
//! allowed: a cell that lost nothing fails in one comparison of twenty at most. Its rate may show it; or that it lost
//! against the cell that it is compared with under the same conditions, where its own rate fell as far: the machine moves
//! both alike, so that shows more in fewer runs. The interval need not leave the allowed loss out: it would take far more
//! runs to find a tenth with 5 % allowed. The price is that a loss just within what is allowed fails at times.
//! That it did not needs no wider interval than its own (5 % at the lower end): for all cells to pass each of them has to,
//! so no number of cells makes a wrong pass more likely. Source: R. L. Berger, Multiparameter Hypothesis Testing and
//! Acceptance Sampling, Technometrics 24 (1982) 295. What is neither is not decided, nor is a cell that only the base has:
//! who drops the slow one must not pass by that.

use super::{Across, CellChange, Change, VerdictChange};
use crate::analysis::Means;
use crate::model::cell::Cell;
use crate::model::units;
use serde::Serialize;

/// What a gate forbids.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// The most that a cell may lose, as a part of its rate.
    pub max_slowdown: f64,
    /// Whether what bounds a cell has to stay.
    pub same_verdicts: bool,
}

/// What a gate decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// No cell lost more than allowed.
    Passed,
    /// It cannot tell.
    Undecided,
    /// It found what it forbids.
    Failed,
}

/// Why a gate doesn't let a series pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason<'s> {
    /// The cell it is about; none where it is about all of them.
    pub cell: Option<&'s Cell>,
    /// What about it.
    pub why: String,
    /// What it leads to.
    pub decision: Decision,
}

/// A gate's decision, with the reasons for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruling<'s> {
    /// The worst of all reasons.
    pub decision: Decision,
    /// Why not to pass, the worst first; empty where it passed.
    pub reasons: Vec<Reason<'s>>,
    /// The slowdown that could have been allowed for nothing to be undecided because of noise, as a part; none where
    /// that would not have helped.
    pub would_decide: Option<f64>,
    /// Where verdicts have to stay: cells of which neither series says what bounds them. There nothing is known to have
    /// changed, and a gate that is undecided for good because of one such cell would be switched off; so they are no
    /// reason, but told. Where all cells are such, nobody looked at anything: that is one.
    pub unsaid: usize,
}

impl Gate {
    /// Decides. Where setups don't allow to compare rates nothing is decided, whatever the rates are.
    pub fn rules<'s>(&self, across: &Across<'s>) -> Ruling<'s> {
        let undecided = |why: &&str| Reason { cell: None, why: (*why).to_owned(), decision: Decision::Undecided };
        let mut reasons: Vec<Reason<'s>> = across.setups.against.iter().map(undecided).collect();
        let unsaid = across.cells.iter().filter(|cell| self.same_verdicts && is_unsaid(cell)).count();
        if reasons.is_empty() {
            let lost = |cell| self.against_another(across, cell).or_else(|| self.rate(cell));
            reasons.extend(across.cells.iter().filter_map(lost));
            reasons.extend(across.only_base.iter().copied().map(|cell| missing(cell, across.other.name)));
            reasons.extend(across.cells.iter().filter(|_| self.same_verdicts).filter_map(verdict));
            if unsaid == across.cells.len() {
                reasons.push(undecided(&"neither series says of any cell what bounds it, so no verdict is compared"));
            }
        }
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.decision));
        let decision = reasons.first().map_or(Decision::Passed, |worst| worst.decision);
        let noisy: Vec<f64> = across.cells.iter().filter_map(|cell| self.undecided_by(cell)).collect();
        // To allow more helps only where noise is all that is in the way.
        let other_reasons =
            reasons.iter().filter(|reason| reason.decision == Decision::Undecided).count() > noisy.len();
        let would_decide = noisy.into_iter().reduce(f64::max).filter(|_| !other_reasons);
        Ruling { decision, reasons, would_decide, unsaid }
    }

    fn rate<'s>(&self, cell: &CellChange<'s>) -> Option<Reason<'s>> {
        let reason = |why: String, decision| Some(Reason { cell: Some(cell.base.cell), why, decision });
        let (ratio, alone, smallest, means) = match &cell.rate {
            Change::Incomparable { why, .. } => return reason(why.clone(), Decision::Undecided),
            Change::Measured { ratio, alone, smallest, means } => (ratio, alone, *smallest, *means),
        };
        let least = 1.0 - self.max_slowdown;
        if means == Means::Slower && ratio.ratio < least {
            let lost = units::percent(1.0 - ratio.ratio);
            let between = units::percents((1.0 - ratio.high, 1.0 - ratio.low));
            return reason(format!("slower by {lost} ({between})"), Decision::Failed);
        }
        let no_difference = matches!(means, Means::Same | Means::WithinNoise);
        if alone.low >= least || (no_difference && smallest <= self.max_slowdown) {
            return None;
        }
        let [low, high] = [alone.low, alone.high].map(|end| signed(end - 1.0));
        reason(format!("its change reaches from {low} to {high}"), Decision::Undecided)
    }

    /// Whether a cell lost more than allowed against one that it is compared with, and that did not become faster.
    fn against_another<'s>(&self, across: &Across<'s>, cell: &CellChange<'s>) -> Option<Reason<'s>> {
        let least = 1.0 - self.max_slowdown;
        let Change::Measured { ratio: own, means: Means::Same | Means::WithinNoise, .. } = &cell.rate else {
            return None;
        };
        if own.ratio >= least {
            return None;
        }
        across.ratios.iter().filter(|one| one.change.differs()).find_map(|one| {
            let Change::Measured { ratio, .. } = &one.change else { return None };
            let (is_base, is_other) = (one.base == cell.base.cell, one.other == cell.base.cell);
            let (lost, low, high, beside) = match (is_base, is_other) {
                (true, _) => (1.0 / ratio.ratio, 1.0 / ratio.high, 1.0 / ratio.low, one.other),
                (_, true) => (ratio.ratio, ratio.low, ratio.high, one.base),
                _ => return None,
            };
            let faster =
                |other: &CellChange<'_>| other.base.cell == beside && other.rate.means() == Some(Means::Faster);
            (lost < least && !across.cells.iter().any(faster)).then(|| Reason {
                cell: Some(cell.base.cell),
                why: format!(
                    "slower by {} against {beside} ({})",
                    units::percent(1.0 - lost),
                    units::percents((1.0 - high, 1.0 - low))
                ),
                decision: Decision::Failed,
            })
        })
    }

    /// What a cell would have to be allowed to lose, where its noise is why nothing was decided.
    fn undecided_by(&self, cell: &CellChange<'_>) -> Option<f64> {
        let Change::Measured { alone, .. } = &cell.rate else { return None };
        let undecided = self.rate(cell).is_some_and(|reason| reason.decision == Decision::Undecided);
        undecided.then_some(1.0 - alone.low)
    }
}

/// A cell that only the base has: whatever it lost, nobody would see.
fn missing<'s>(cell: &'s Cell, other: &str) -> Reason<'s> {
    Reason { cell: Some(cell), why: format!("{other} has no run of it"), decision: Decision::Undecided }
}

/// Whether neither series says what bounds a cell.
fn is_unsaid(cell: &CellChange<'_>) -> bool {
    matches!(cell.verdict, VerdictChange::NotSaid { said: [false, false], .. })
}

fn verdict<'s>(cell: &CellChange<'s>) -> Option<Reason<'s>> {
    let reason = |why: String, decision| Some(Reason { cell: Some(cell.base.cell), why, decision });
    match &cell.verdict {
        VerdictChange::Flipped { base, other } => {
            reason(format!("bounded by {} instead of {}", other.words(), base.words()), Decision::Failed)
        }
        VerdictChange::NotSaid { said, why } if said.contains(&true) => {
            reason(format!("what bounds it cannot be compared: {why}"), Decision::Undecided)
        }
        VerdictChange::Kept(_) | VerdictChange::NotSaid { .. } => None,
    }
}

/// A change with its sign: `+3.0 %`, `−9.1 %`.
fn signed(part: f64) -> String {
    let sign = if part < 0.0 { "−" } else { "+" };
    format!("{sign}{}", units::percent(part.abs()))
}
