//! The arguments of `lab compare`.

use super::lab::form;
use crate::analysis::Gate;
use crate::lab::{CompareConfig, Form};
use clap::Args;
use std::path::PathBuf;

/// How a comparison exits: 10 and 11 are the gate's.
const COMPARE_EXITS: &str = "Exit codes: 0 compared, and the gate passed · 2 usage · 10 the gate found what it forbids · \
11 the gate cannot tell: setups or noise don't allow it · 12 no cell in common, or a series that is not finished";

#[derive(Debug, Args)]
#[command(after_help = COMPARE_EXITS)]
pub(super) struct Compare {
    /// What the others are compared with: a series' name (`lab list` shows them), its folder, or a bundle
    #[arg(value_name = "BASE")]
    base: String,
    /// What is compared with it
    #[arg(value_name = "SERIES", required = true)]
    others: Vec<String>,
    #[command(flatten)]
    form: CompareForm,
    /// Write it to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Compare series that are not finished, too, by the runs that are there
    #[arg(long)]
    partial: bool,
    /// Let the exit code say whether a cell became slower than allowed: for CI
    #[arg(long)]
    gate: bool,
    /// The most that a cell may lose
    #[arg(long, value_name = "PERCENT", default_value = "5%", requires = "gate", value_parser = percentage)]
    max_slowdown: f64,
    /// Whether what bounds a cell has to stay
    #[arg(long, value_name = "WHICH", default_value = "any", requires = "gate", value_parser = ["any", "same"])]
    verdicts: String,
}

/// Unless one is given: tables for a terminal.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct CompareForm {
    /// One file with a chart that needs no network
    #[arg(long)]
    html: bool,
    /// For a wiki or a pull request
    #[arg(long)]
    markdown: bool,
    /// A line a cell
    #[arg(long)]
    csv: bool,
    /// Every figure with its interval
    #[arg(long)]
    json: bool,
}

/// `5%` or `2.5 %` as a part.
fn percentage(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let part = number.map(|percent| percent / 100.0).filter(|part| (0.0..1.0).contains(part));
    part.ok_or_else(|| format!("`{text}` is no percentage from 0% to below 100%"))
}

impl Compare {
    pub(super) fn config(self) -> CompareConfig {
        let CompareForm { html, markdown, csv, json } = self.form;
        let form =
            form([(html, Form::Html), (markdown, Form::Markdown), (csv, Form::Csv), (json, Form::Json)], &self.output);
        let gate = Gate { max_slowdown: self.max_slowdown, same_verdicts: self.verdicts == "same" };
        CompareConfig {
            series: std::iter::once(self.base).chain(self.others).collect(),
            form,
            output: self.output,
            gate: self.gate.then_some(gate),
            partial: self.partial,
        }
    }
}
