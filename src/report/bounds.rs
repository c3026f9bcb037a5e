//! What bounds each cell, as an answer.

use super::answer::{Answer, Line};
use super::names::Names;
use crate::analysis::{Analysis, CellRuns, Confidence, Limit};

/// As many cells are told one by one; of more, how many are bounded by what.
const ONE_BY_ONE: usize = 8;

/// What bounds each cell; none where nobody looked.
pub(super) fn limits(analysis: &Analysis<'_>, names: &Names) -> Option<Answer> {
    let cells: Vec<(&CellRuns<'_>, Limit)> =
        analysis.compared().filter_map(|cell| Some((cell, Limit::of(cell)?))).collect();
    if cells.is_empty() {
        return None;
    }
    let lines = if cells.len() <= ONE_BY_ONE {
        cells.iter().map(|(cell, limit)| one(&names.cell(cell.cell), limit)).collect()
    } else {
        by_bound(&cells, names)
    };
    Some(Answer { question: "What is the limit?".into(), lines })
}

fn one(at: &str, limit: &Limit) -> Line {
    let Limit { bound, agree, runs, confidence, why, .. } = limit;
    let sure = match confidence {
        Confidence::High => format!("all {runs} runs agree"),
        Confidence::Some => format!("{agree} of {runs} runs say so"),
        Confidence::None => format!("the {runs} runs disagree"),
    };
    Line {
        at: at.into(),
        lead: capital(bound.words()),
        detail: format!("{why} ({sure})"),
        strong: *confidence == Confidence::High,
    }
}

fn by_bound(cells: &[(&CellRuns<'_>, Limit)], names: &Names) -> Vec<Line> {
    let mut bounds: Vec<_> = cells.iter().map(|(_, limit)| limit.bound).collect();
    bounds.sort();
    bounds.dedup();
    let line = |bound| {
        let mut limits = cells.iter().map(|(_, limit)| limit).filter(|limit| limit.bound == bound);
        let sure = limits.all(|limit| limit.confidence == Confidence::High);
        let of: Vec<String> =
            cells.iter().filter(|(_, limit)| limit.bound == bound).map(|(cell, _)| names.cell(cell.cell)).collect();
        let shown = of.iter().take(ONE_BY_ONE / 2).cloned().collect::<Vec<_>>().join(", ");
        let more = if of.len() > ONE_BY_ONE / 2 { ", …" } else { "" };
        Line {
            at: format!("{} cells", of.len()),
            lead: capital(bound.words()),
            detail: format!("{shown}{more}"),
            strong: sure,
        }
    };
    bounds.into_iter().map(line).collect()
}

/// A sentence's first word.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
