//! What a comparison answers: are rates the same, are ratios, are verdicts, and what the gate says.

use crate::analysis::{Across, CellChange, Change, Decision, Gate, Means, RatioChange, Ruling, VerdictChange};
use crate::model::{Factor, units};
use crate::report::names::Names;
use crate::report::{Answer, Line};

/// So many are told one by one.
const ONE_BY_ONE: usize = 4;

fn line(lead: String, detail: impl Into<String>, strong: bool) -> Line {
    Line { at: String::new(), lead, detail: detail.into(), strong }
}

/// Whether rates are what they were.
pub(super) fn rates(across: &Across<'_>, names: &Names) -> Answer {
    let question = format!("Is {} as fast as {}?", across.other.name, across.base.name);
    if !across.setups.absolute() {
        let why = across.setups.against.join(", and ");
        return Answer { question, lines: vec![line("Rates are not compared".into(), why, false)] };
    }
    let all = across.cells.len();
    let mut lines: Vec<Line> = [(Means::Slower, "slower"), (Means::Faster, "faster")]
        .into_iter()
        .filter_map(|(means, word)| changed(across, means, word, names))
        .collect();
    let is = |wanted: &'static [Means]| {
        move |cell: &&CellChange<'_>| cell.rate.means().is_some_and(|means| wanted.contains(&means))
    };
    let same: Vec<_> = across.cells.iter().filter(is(&[Means::Same, Means::WithinNoise])).collect();
    if !same.is_empty() {
        let noisy = same.iter().filter(|cell| cell.rate.means() == Some(Means::WithinNoise)).count();
        let lead = match lines.is_empty() {
            true => format!("Same: {} of {all} cells", same.len()),
            false => format!("{} of {all} cells same", same.len()),
        };
        let mut detail = would_have_shown(same.iter().map(|cell| &cell.rate));
        if noisy > 0 {
            let floor = units::percent(across.floor);
            detail.push_str(&format!("; {noisy} of them off by no more than identical cells of one series, {floor}"));
        }
        lines.push(line(lead, detail, false));
    }
    let left = across.cells.iter().filter(|cell| cell.rate.means().is_none()).count();
    if left > 0 {
        lines.push(line(format!("{left} of {all} cells not compared"), "why is below the table", false));
    }
    Answer { question, lines }
}

/// Cells that became slower, or faster, the most first.
fn changed(across: &Across<'_>, wanted: Means, word: &str, names: &Names) -> Option<Line> {
    let found = across.cells.iter().filter_map(|cell| match cell.rate {
        Change::Measured { ratio, means, .. } if means == wanted => Some((cell, ratio)),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    let (most, ratio) = found.iter().max_by(|a, b| a.1.ratio.ln().abs().total_cmp(&b.1.ratio.ln().abs()))?;
    let [by, low, high] = [ratio.ratio, ratio.low, ratio.high].map(|times| (times - 1.0).abs());
    let between = units::percents((low.min(high), low.max(high)));
    let detail = format!("the most by {} ({between}): {}", units::percent(by), names.cell(most.base.cell));
    Some(line(format!("{} of {} cells {word}", found.len(), across.cells.len()), detail, true))
}

/// The smallest differences that would have been found.
fn would_have_shown<'c>(changes: impl Iterator<Item = &'c Change>) -> String {
    let smallest = changes.filter_map(|change| match change {
        Change::Measured { smallest, .. } => Some(*smallest),
        Change::Incomparable { .. } => None,
    });
    let (least, most) = smallest.fold((f64::INFINITY, 0.0_f64), |(least, most), one| (least.min(one), most.max(one)));
    let [first, last] = [least, most].map(units::percent);
    if first == last {
        return format!("a difference would have shown from {first} on");
    }
    format!("a difference would have shown from {first} on, in others from {last} on")
}

/// Whether cells compare with each other as they did; none where there is nothing to compare.
pub(super) fn ratios(across: &Across<'_>, names: &Names) -> Option<Answer> {
    let (schemes, others): (Vec<_>, Vec<_>) = across.ratios.iter().partition(|one| one.factor == Factor::Scheme);
    let lines: Vec<Line> = [("scheme ratios", schemes), ("other ratios", others)]
        .into_iter()
        .filter(|(_, ratios)| !ratios.is_empty())
        .flat_map(|(what, ratios)| agree(what, &ratios, names))
        .collect();
    (!lines.is_empty()).then(|| Answer { question: "Do cells compare with each other as before?".into(), lines })
}

fn agree(what: &str, ratios: &[&RatioChange<'_>], names: &Names) -> Vec<Line> {
    let all = ratios.len();
    let mut lines = Vec::new();
    let differ: Vec<&&RatioChange<'_>> = ratios.iter().filter(|one| one.change.differs()).collect();
    if !differ.is_empty() {
        let told: Vec<String> = differ.iter().take(ONE_BY_ONE).map(|one| differs(one, names)).collect();
        let more = if differ.len() > ONE_BY_ONE { "; …" } else { "" };
        lines.push(line(format!("{} of {all} {what} differ", differ.len()), told.join("; ") + more, true));
    }
    let said: Vec<&Change> = ratios.iter().map(|one| &one.change).filter(|change| change.means().is_some()).collect();
    let same = said.len() - differ.len();
    if same > 0 {
        let width = said.iter().filter_map(|change| match change {
            Change::Measured { ratio, .. } => Some((ratio.high - ratio.low) / ratio.ratio),
            Change::Incomparable { .. } => None,
        });
        let detail = format!("intervals up to {} wide", units::percent(width.fold(0.0, f64::max)));
        lines.push(line(format!("{same} of {all} {what} agree"), detail, false));
    }
    if said.len() < all {
        let detail = "fewer than six blocks have both cells";
        lines.push(line(format!("{} of {all} {what} cannot be compared", all - said.len()), detail, false));
    }
    lines
}

/// `async / threads, local: 1.01 then, 0.90 now`.
fn differs(one: &RatioChange<'_>, names: &Names) -> String {
    let what = format!("{} / {}", names.said(one.factor, one.other), names.said(one.factor, one.base));
    let at = names.without(Some(one.factor), one.base);
    let at = if at.is_empty() { String::new() } else { format!(", {at}") };
    let [was, is] = one.in_each.map(|found| found.map_or_else(String::new, |found| units::multiple(found.ratio)));
    format!("{what}{at} was {was}, is {is}")
}

/// Whether what bounds cells is what it was; none where nobody looked.
pub(super) fn verdicts(across: &Across<'_>, names: &Names) -> Option<Answer> {
    let all = across.cells.len();
    let mut lines = Vec::new();
    let flipped: Vec<String> = across
        .cells
        .iter()
        .filter_map(|cell| match &cell.verdict {
            VerdictChange::Flipped { base, other } => {
                Some(format!("{} was {}, is {}", names.cell(cell.base.cell), base.words(), other.words()))
            }
            _ => None,
        })
        .collect();
    if !flipped.is_empty() {
        let told = flipped.iter().take(ONE_BY_ONE).cloned().collect::<Vec<_>>().join("; ");
        let more = if flipped.len() > ONE_BY_ONE { "; …" } else { "" };
        lines.push(line(format!("{} of {all} verdicts flipped", flipped.len()), told + more, true));
    }
    let kept = across.cells.iter().filter(|cell| matches!(cell.verdict, VerdictChange::Kept(_))).count();
    if kept > 0 {
        lines.push(line(format!("{kept} of {all} verdicts kept"), "", false));
    }
    let said =
        |cell: &&CellChange<'_>| matches!(&cell.verdict, VerdictChange::NotSaid { said, .. } if said.contains(&true));
    let in_one = across.cells.iter().filter(said).count();
    if in_one > 0 {
        lines.push(line(format!("{in_one} of {all} verdicts not said in both"), "why is in the table", false));
    }
    (!lines.is_empty()).then(|| Answer { question: "Is what bounds them the same?".into(), lines })
}

/// What the gate says.
pub(super) fn gate(gate: &Gate, ruling: &Ruling<'_>, names: &Names) -> Answer {
    let (lead, strong) = match ruling.decision {
        Decision::Passed => ("Passed", false),
        Decision::Undecided => ("Not decided", true),
        Decision::Failed => ("Failed", true),
    };
    let question = format!("May it pass? At most {} slower", units::percent(gate.max_slowdown));
    let verdicts = if gate.same_verdicts { ", the same verdicts" } else { "" };
    let lines = vec![line(lead.into(), sentence(gate, ruling, names), strong)];
    Answer { question: question + verdicts, lines }
}

/// The gate's decision in a sentence, with what to do.
pub(super) fn sentence(gate: &Gate, ruling: &Ruling<'_>, names: &Names) -> String {
    let allowed = units::percent(gate.max_slowdown);
    let worst: Vec<String> = ruling
        .reasons
        .iter()
        .filter(|reason| reason.decision == ruling.decision)
        .map(|reason| match reason.cell {
            Some(cell) => format!("{}: {}", names.cell(cell), reason.why),
            None => reason.why.clone(),
        })
        .collect();
    let told = worst.iter().take(ONE_BY_ONE).cloned().collect::<Vec<_>>().join("; ");
    let told = match worst.len().saturating_sub(ONE_BY_ONE) {
        0 => told,
        more => format!("{told}; and {more} more"),
    };
    match (ruling.decision, ruling.would_decide) {
        (Decision::Passed, _) if ruling.unsaid > 0 => {
            let verdicts = format!("what bounds {} of them neither series says", ruling.unsaid);
            format!("no cell lost more than {allowed}; {verdicts}")
        }
        (Decision::Passed, _) => format!("no cell lost more than {allowed}"),
        (Decision::Failed, _) => format!("the gate found what it forbids: {told}"),
        (Decision::Undecided, None) => format!("the gate cannot tell: {told}"),
        (Decision::Undecided, Some(enough)) => format!(
            "the gate cannot tell: {told}; run more blocks, or allow more (--max-slowdown {}%)",
            (enough * 100.0).ceil()
        ),
    }
}

/// What a word of the tables means, for the end of a table.
pub(super) const NOTE: &str = "Multiples of the first series' medians come from means of log rates; intervals of all \
    rates and ratios hold together at 95 % (Bonferroni). within noise: the interval leaves 1 out, but identical cells of \
    one series lay as far apart. incomparable: nothing is claimed; with ? the range of what was seen.";

/// What ratios are, for the end of their table.
pub(super) const RATIOS: &str = "How cells of one series compare, paired within its blocks: on another machine, too.";
