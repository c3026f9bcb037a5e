//! Series side by side, as they are told: each against the first. Pure; one view, shown in several forms.
//!
//! ```text
//! analysis::across ─► Compared: a Versus a series: answers, setups, cells, ratios, verdicts
//!                          └─► terminal · Markdown · HTML with a chart · CSV · JSON
//! ```

mod answers;
mod export;
mod html;
mod markdown;
mod rows;
mod setups;
mod terminal;
#[cfg(test)]
pub(super) mod tests;

use super::names::Names;
use super::{Answer, Fact};
use crate::analysis::{Across, Decision, Gate, Ruling};
use rows::{CellRow, Only, RatioRow, VerdictRow};

/// Series side by side.
#[derive(Debug, Clone)]
pub struct Compared<'s> {
    title: String,
    all: Vec<Versus<'s>>,
}

/// A series against the first.
#[derive(Debug, Clone)]
struct Versus<'s> {
    across: &'s Across<'s>,
    /// What all cells have in common.
    common: String,
    answers: Vec<Answer>,
    setups: Vec<Fact>,
    cells: Vec<CellRow>,
    /// Why cells are not compared, and which are in one series only.
    notes: Vec<Only>,
    ratios: Vec<RatioRow>,
    verdicts: Vec<VerdictRow>,
    ruling: Option<Ruled>,
}

/// What the gate decides, in words.
#[derive(Debug, Clone)]
struct Ruled {
    decision: Decision,
    sentence: String,
}

impl<'s> Compared<'s> {
    /// Each of these comparisons with the same base, and what a gate says of it.
    pub fn of(all: &'s [Across<'s>], gate: Option<Gate>) -> Self {
        let base = all.first().map_or("", |one| one.base.name);
        let others: Vec<&str> = all.iter().map(|one| one.other.name).collect();
        Self {
            title: format!("{} against {base}", others.join(", ")),
            all: all.iter().map(|across| Versus::of(across, gate)).collect(),
        }
    }

    /// The gate's decision over all series, and the sentence that says why; none where there is no gate.
    pub fn decision(&self) -> Option<(Decision, String)> {
        let ruled = || self.all.iter().filter_map(|one| Some((one, one.ruling.as_ref()?)));
        let worst = ruled().map(|(_, ruled)| ruled.decision).max()?;
        let sentences = ruled().filter(|(_, ruled)| ruled.decision == worst);
        let several = self.all.len() > 1;
        let named = sentences.map(|(one, ruled)| match several {
            true => format!("{}: {}", one.across.other.name, ruled.sentence),
            false => ruled.sentence.clone(),
        });
        Some((worst, named.collect::<Vec<_>>().join("; ")))
    }
}

impl<'s> Versus<'s> {
    fn of(across: &'s Across<'s>, gate: Option<Gate>) -> Self {
        let names = Names::of_all(&[&across.base.analysis, &across.other.analysis]);
        let ruling = gate.map(|gate| (gate, gate.rules(across)));
        let mut answers = vec![answers::rates(across, &names)];
        answers.extend(answers::ratios(across, &names));
        answers.extend(answers::verdicts(across, &names));
        answers.extend(ruling.as_ref().map(|(gate, ruling)| answers::gate(gate, ruling, &names)));
        let ruled = |(gate, ruling): (Gate, Ruling<'_>)| Ruled {
            decision: ruling.decision,
            sentence: answers::sentence(&gate, &ruling, &names),
        };
        Self {
            common: names.common(),
            answers,
            setups: setups::facts(across, &names),
            cells: rows::cells(across, &names),
            notes: rows::notes(across, &names),
            ratios: rows::ratios(across, &names),
            verdicts: rows::verdicts(across, &names),
            ruling: ruling.map(ruled),
            across,
        }
    }

    /// The two series' names: what columns are headed by.
    fn heads(&self) -> [&'s str; 2] {
        [self.across.base.name, self.across.other.name]
    }
}
