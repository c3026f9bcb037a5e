//! What bounds each cell: as an answer, and as a table of the evidence, a line a cell.

use super::answer::{Answer, Line};
use super::names::Names;
use crate::analysis::{Analysis, Bound, CellRuns, Confidence, LEAST_PAIRS, Limit};
use serde::Serialize;

/// As many cells are told one by one; of more, how many are bounded by what, and the table has each.
const ONE_BY_ONE: usize = 8;

/// The heads of the table, and whether what stands below is a number.
pub(super) const HEADS: [(&str, bool); 5] =
    [("cell", false), ("bound", false), ("confidence", false), ("runs that say so", true), ("evidence", false)];

/// What the words mean, for those who read them.
pub(super) const NOTE: &str = "Confidence is high where six runs or more all say the same and all that may bound them was \
    seen, fair where two thirds of the runs agree, none where fewer do. The evidence is that of one of the runs that agree.";

/// What bounds a cell, and why that is believed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    /// The cell, by what varies in its series.
    #[serde(skip)]
    pub name: String,
    /// What.
    pub bound: &'static str,
    /// For mixed: which.
    pub of: Vec<&'static str>,
    /// How sure that is: high, fair, none.
    pub confidence: &'static str,
    /// What makes it no surer; none where it is high.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not_high: Option<String>,
    /// Runs that say so …
    pub agree: usize,
    /// … of those that say anything.
    pub runs: usize,
    /// The evidence of one of them.
    pub evidence: String,
}

impl Row {
    /// Of a cell; none where nobody looked.
    pub fn of(analysis: &Analysis<'_>, cell: &CellRuns<'_>, names: &Names) -> Option<Self> {
        let limit = analysis.limit(cell)?;
        let why_not_high = doubts(&limit);
        let Limit { bound, of, agree, runs, confidence, why, .. } = limit;
        Some(Self {
            name: names.runs(cell),
            bound: bound.words(),
            of: of.into_iter().map(Bound::words).collect(),
            confidence: confidence.word(),
            why_not_high: (!why_not_high.is_empty()).then(|| why_not_high.join("; ")),
            agree,
            runs,
            evidence: why,
        })
    }

    /// Its cells, under [`HEADS`].
    pub fn cells(&self) -> [String; 5] {
        let bound =
            if self.of.len() > 1 { format!("{}: {}", self.bound, self.of.join(", ")) } else { self.bound.into() };
        let doubts = self.why_not_high.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
        let confidence = format!("{}{doubts}", self.confidence);
        [self.name.clone(), bound, confidence, format!("{}/{}", self.agree, self.runs), self.evidence.clone()]
    }
}

/// Of every cell that was looked at, the one that ran twice a block among them.
pub(super) fn rows(analysis: &Analysis<'_>, names: &Names) -> Vec<Row> {
    analysis.cells.iter().filter_map(|cell| Row::of(analysis, cell, names)).collect()
}

/// What keeps a verdict from being sure.
fn doubts(limit: &Limit) -> Vec<String> {
    let mut doubts = Vec::new();
    if limit.confidence == Confidence::None {
        doubts.push("the runs disagree".to_owned());
    } else if limit.agree < limit.runs {
        doubts.push("not all runs agree".to_owned());
    }
    if limit.runs < LEAST_PAIRS {
        doubts.push(format!("fewer than {LEAST_PAIRS} runs"));
    }
    if limit.less_sure {
        doubts.push("something else may bound it, too".to_owned());
    }
    doubts
}

/// What bounds each cell; none where nobody looked.
pub(super) fn limits(analysis: &Analysis<'_>, names: &Names) -> Option<Answer> {
    let cells: Vec<(&CellRuns<'_>, Limit)> =
        analysis.compared().filter_map(|cell| Some((cell, analysis.limit(cell)?))).collect();
    if cells.is_empty() {
        return None;
    }
    let told = |(cell, limit): &(&CellRuns<'_>, Limit)| one(&names.cell(cell.cell), limit);
    let lines = if cells.len() <= ONE_BY_ONE {
        cells.iter().map(told).collect()
    } else {
        // A verdict that a change contradicts is told by itself.
        let doubted =
            |cell: &CellRuns<'_>| analysis.diagnosis.as_ref().is_some_and(|found| found.contradicts(cell.cell));
        let (alone, together): (Vec<_>, Vec<_>) = cells.into_iter().partition(|(cell, _)| doubted(cell));
        alone.iter().map(told).chain(by_bound(&together, names)).collect()
    };
    Some(Answer { question: "What is the limit?".into(), lines })
}

fn one(at: &str, limit: &Limit) -> Line {
    let Limit { bound, agree, runs, confidence, why, .. } = limit;
    let mut sure = match confidence {
        Confidence::High => format!("all {runs} runs agree"),
        Confidence::Some => format!("{agree} of {runs} runs say so"),
        Confidence::None => format!("the {runs} runs disagree"),
    };
    if *runs < LEAST_PAIRS {
        sure.push_str(&format!(", fewer than {LEAST_PAIRS}"));
    }
    Line {
        at: at.into(),
        lead: capital(bound.words()),
        detail: format!("{why} (confidence {}: {sure})", confidence.word()),
        strong: *confidence == Confidence::High,
    }
}

/// How many cells are bounded by what, and how many of them surely.
fn by_bound(cells: &[(&CellRuns<'_>, Limit)], names: &Names) -> Vec<Line> {
    let mut bounds: Vec<_> = cells.iter().map(|(_, limit)| limit.bound).collect();
    bounds.sort();
    bounds.dedup();
    let line = |bound: Bound| {
        let of: Vec<&(&CellRuns<'_>, Limit)> = cells.iter().filter(|(_, limit)| limit.bound == bound).collect();
        let are = |confidence| of.iter().filter(|(_, limit)| limit.confidence == confidence).count();
        let sure = are(Confidence::High);
        let names = of.iter().take(ONE_BY_ONE / 2).map(|(cell, _)| names.cell(cell.cell));
        // A name may have commas of its own.
        let shown = names.collect::<Vec<_>>().join("; ");
        let more = if of.len() > ONE_BY_ONE / 2 { "; …" } else { "" };
        let levels = [Confidence::High, Confidence::Some, Confidence::None];
        let confidence = match levels.iter().find(|level| are(**level) == of.len()) {
            Some(level) => format!("confidence {}", level.word()),
            None if sure == 0 => format!("confidence fair in {}, none in the others", are(Confidence::Some)),
            None => format!("confidence high in {sure}, fair in {}", are(Confidence::Some)),
        };
        Line {
            at: format!("{} cells", of.len()),
            lead: capital(bound.words()),
            detail: format!("{shown}{more} ({confidence})"),
            strong: sure == of.len(),
        }
    };
    bounds.into_iter().map(line).collect()
}

/// A sentence's first word.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{diagnosed, quick, quick_of};
    use super::*;
    use crate::wire::record::RunRecord;

    #[test]
    fn every_cell_has_its_evidence_however_many_there_are() {
        let records = diagnosed();
        let analysis = Analysis::of(&records);
        let rows = rows(&analysis, &Names::of(&analysis));
        assert!(rows.len() > ONE_BY_ONE && rows.len() == analysis.cells.len(), "{}", rows.len());
        for row in &rows {
            assert_eq!((row.bound, row.confidence, row.agree, row.runs), ("database CPU", "high", 6, 6), "{row:?}");
            assert!(row.evidence.contains("of the CPU time it may have") && row.why_not_high.is_none(), "{row:?}");
        }
        let report = super::super::testing::report(&records);
        let said = "the database used 97 % of the CPU time it may have";
        for text in [report.markdown(), report.html()] {
            assert!(text.matches(said).count() >= rows.len(), "{text}");
        }
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        let cells = json["cells"].as_array().unwrap();
        let verdict = &cells[0]["verdict"];
        assert_eq!((cells.len(), &verdict["bound"]), (rows.len(), &serde_json::json!("database CPU")));
        assert_eq!((&verdict["confidence"], &verdict["agree"]), (&serde_json::json!("high"), &serde_json::json!(6)));
        assert_eq!(verdict["evidence"], said);
    }

    #[test]
    fn few_runs_are_told_as_what_makes_it_unsure() {
        let records = quick_of(3);
        let analysis = Analysis::of(&records);
        let names = Names::of(&analysis);
        let first = &rows(&analysis, &names)[0];
        assert_eq!((first.confidence, first.why_not_high.as_deref()), ("fair", Some("fewer than 6 runs")));
        let said = &limits(&analysis, &names).unwrap().lines[0];
        assert!(said.detail.ends_with("(confidence fair: 3 of 3 runs say so, fewer than 6)"), "{}", said.detail);
        let records = quick();
        let analysis = Analysis::of(&records);
        let said = &limits(&analysis, &Names::of(&analysis)).unwrap().lines[0];
        assert!(said.detail.ends_with("(confidence high: all 6 runs agree)"), "{}", said.detail);
    }

    #[test]
    fn cells_that_are_told_together_have_their_confidence() {
        let mut records = diagnosed();
        let told = |records: &[RunRecord]| {
            let analysis = Analysis::of(records);
            let lines = limits(&analysis, &Names::of(&analysis)).unwrap().lines;
            lines.into_iter().map(|line| line.detail).collect::<Vec<_>>().join("; ")
        };
        assert!(told(&records).ends_with("(confidence high)"), "{}", told(&records));
        records.retain(|record| record.block <= 3);
        assert!(told(&records).ends_with("(confidence fair)"), "{}", told(&records));
    }
}
