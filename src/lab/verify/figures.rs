//! Whether the report's plain figures are those of the runs: which cells there are, how many runs of each count, their
//! middle rate, and the rates of every run. No version of the analysis makes anything else of them: what differs is damage,
//! whoever made the report.

use super::Check;
use super::numbers::compare;
use crate::analysis::{Analysis, CellRuns};
use crate::model::Phase;
use crate::model::cell::Cell;
use crate::series::bundle::Bundle;
use crate::wire::record::RunRecord;
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

/// `report.json` beside the runs.
pub(super) fn check(bundle: &Bundle, records: &[RunRecord]) -> Result<Check> {
    let text = bundle.text("report.json")?;
    let Some(report) = text.and_then(|text| serde_json::from_str::<Value>(&text).ok()) else {
        return Ok(Check::new("figures", "", vec!["there is no report.json that can be read".into()]));
    };
    let analysis = Analysis::of(records);
    let runs = records.iter().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>().context("write the runs")?;
    let then = figures(rows(&report["cells"]).map(of_cell), rows(&report["runs"]).map(of_run));
    let now = figures(analysis.cells.iter().map(measured), runs.iter().map(of_run));
    let apart = compare(&then, &now).apart.into_iter().map(|apart| format!("report.json: {apart}"));
    let said = format!("of {} cells and {} runs: the report has what they have", analysis.cells.len(), runs.len());
    Ok(Check::new("figures", said, apart.collect()))
}

/// Figures by the names of what they are of; and how many there are, as a name that is there twice is once in a map.
fn figures(cells: impl Iterator<Item = (String, Value)>, runs: impl Iterator<Item = (String, Value)>) -> Value {
    let (cells, runs): (Vec<_>, Vec<_>) = (cells.collect(), runs.collect());
    let listed = json!({ "cells": cells.len(), "runs": runs.len() });
    let [cells, runs] = [cells, runs].map(|all| all.into_iter().collect::<Map<String, Value>>());
    json!({ "listed": listed, "cells": cells, "runs": runs })
}

fn rows(table: &Value) -> impl Iterator<Item = &Value> {
    table.as_array().into_iter().flatten()
}

/// A cell's row in a report.
fn of_cell(row: &Value) -> (String, Value) {
    // In this lab's words: another one may have named it otherwise.
    let cell = serde_json::from_value::<Cell>(row["cell"].clone());
    let name = cell.map_or_else(|_| row["cell"].to_string(), |cell| cell.to_string());
    let figures = json!({ "valid": row["valid"], "rows_per_s": row["rows_per_s"]["steady"]["median"] });
    (named(&name, &row["part"]), figures)
}

/// The same of its runs.
fn measured(cell: &CellRuns<'_>) -> (String, Value) {
    let steady = cell.figure(|run| Some(run.phase(Phase::Data)?.rates.steady?.rate));
    let figures = json!({ "valid": cell.valid().count(), "rows_per_s": steady.map(|rate| rate.median) });
    (named(&cell.cell.to_string(), &json!(cell.part)), figures)
}

fn named(cell: &str, part: &Value) -> String {
    format!("{cell} ({})", part.as_str().unwrap_or_default())
}

/// A run, in a report or as it is kept.
fn of_run(run: &Value) -> (String, Value) {
    let data = rows(&run["outcome"]["result"]["phases"]).find(|phase| phase["phase"] == "data");
    let rates = data.map_or(&Value::Null, |data| &data["rates"]);
    let counts = run["invalid"].as_array().is_some_and(Vec::is_empty);
    let figures = json!({ "counts": counts, "whole": rates["whole"], "steady": rates["steady"]["rate"] });
    (format!("{} attempt {}", run["run"], run["attempt"].as_u64().unwrap_or(1)), figures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scheme;
    use crate::wire::testing::record;

    #[test]
    fn a_reports_rows_and_the_runs_behind_them_have_the_same_figures() {
        let runs = [record(1, Scheme::Threads, 9_000.0), record(2, Scheme::Threads, 9_100.0)];
        let analysis = Analysis::of(&runs);
        let (name, figures) = measured(&analysis.cells[0]);
        let rates = json!({ "steady": { "median": 9_955.0 } });
        let told = json!({ "cell": runs[0].cell, "part": "cell", "valid": 2, "rows_per_s": rates });
        let (other, said) = of_cell(&told);
        assert_eq!(name, other);
        assert_eq!(compare(&said, &figures).apart, Vec::<String>::new());
        let run = of_run(&serde_json::to_value(&runs[0]).unwrap());
        assert_eq!((run.0.as_str(), &run.1["counts"], &run.1["whole"]), ("1 attempt 1", &json!(true), &json!(9_000.0)));
    }

    #[test]
    fn a_row_that_is_there_twice_and_one_that_is_nothing_are_found() {
        let row = json!({ "cell": "none", "part": "cell", "valid": 1 });
        let twice = figures([&row, &row].into_iter().map(of_cell), std::iter::empty());
        let once = figures([&row].into_iter().map(of_cell), std::iter::empty());
        assert_eq!(compare(&twice, &once).apart, ["listed.cells is 2, anew 1"]);
        assert!(compare(&figures(rows(&Value::Null).map(of_cell), std::iter::empty()), &once).apart.len() > 1);
    }
}
