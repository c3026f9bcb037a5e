//! A comparison for programs: JSON, and CSV, a line a cell.

use super::{Compared, Versus};
use crate::analysis::{Change, Decision};
use crate::report::export::line;
use crate::wire::SCHEMA;
use serde_json::{Value, json};

impl Compared<'_> {
    /// Everything, figures and words. Rates are rows a second, ratios multiples, `smallest` and `floor` parts of a rate.
    pub fn json(&self) -> String {
        let whole = json!({
            "schema": SCHEMA,
            "base": self.all.first().map(|one| one.across.base.name),
            "series": self.all.iter().map(Versus::json).collect::<Vec<_>>(),
            "gate": self.decision().map(|(decision, why)| json!({ "decision": decision, "why": why })),
        });
        format!("{whole:#}\n")
    }

    /// A line a cell and series; what is not claimed is empty. RFC 4180.
    pub fn csv(&self) -> String {
        const HEADS: [&str; 11] = [
            "base",
            "series",
            "cell",
            "base_rows_per_s",
            "rows_per_s",
            "ratio",
            "low",
            "high",
            "smallest",
            "means",
            "verdict",
        ];
        let mut text = line(HEADS.map(str::to_owned).into_iter());
        for one in &self.all {
            let cells = one.across.cells.iter().zip(&one.cells).zip(&one.verdicts);
            for ((cell, row), verdict) in cells {
                let figures = match &cell.rate {
                    Change::Measured { ratio, smallest, .. } => {
                        [ratio.ratio, ratio.low, ratio.high, *smallest].map(|figure| figure.to_string())
                    }
                    Change::Incomparable { .. } => Default::default(),
                };
                let rates = row.rates.map(|rate| rate.map_or_else(String::new, |rate| rate.median.to_string()));
                let names = one.heads().map(str::to_owned).into_iter().chain([cell.base.cell.to_string()]);
                let words = [row.means.to_owned(), verdict.means.to_owned()];
                text.push_str(&line(names.chain(rates).chain(figures).chain(words)));
            }
        }
        text
    }
}

impl Versus<'_> {
    fn json(&self) -> Value {
        let across = self.across;
        let cells = across.cells.iter().zip(&self.cells).zip(&self.verdicts).map(|((cell, row), verdict)| {
            json!({
                "cell": cell.base.cell, "name": row.name, "rows_per_s": row.rates, "rate": cell.rate, "means": row.means,
                "bounds": verdict.bounds, "verdict": verdict.means,
            })
        });
        let ratios = across
            .ratios
            .iter()
            .zip(&self.ratios)
            .map(|(ratio, row)| json!({ "ratio": ratio, "what": row.what, "at": row.at, "means": row.means }));
        json!({
            "series": across.other.name,
            "answers": self.answers,
            "setups": across.setups,
            "facts": self.setups,
            "differs": across.differs(),
            "floor": across.floor,
            "cells": cells.collect::<Vec<_>>(),
            "only_in_base": across.only_base,
            "only_in_series": across.only_other,
            "ratios": ratios.collect::<Vec<_>>(),
            "passed": self.ruling.as_ref().map(|ruled| ruled.decision == Decision::Passed),
        })
    }
}
