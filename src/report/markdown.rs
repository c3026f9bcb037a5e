//! The report as Markdown: for a pull request, a wiki, a mail.

use super::bounds;
use super::faults;
use super::forecasts;
use super::latency;
use super::machine;
use super::not_counted;
use super::table::{self, RATES};
use super::then;
use super::waits::{self, Wait};
use super::{Answer, Fact, Report};
use crate::analysis::{Finding, Means, Summary};
use crate::model::units;
use std::fmt::Write;

impl Report<'_> {
    /// The whole report.
    pub fn markdown(&self) -> String {
        let source = &self.source;
        let mut text = format!("# {}\n\n*{} · {}*\n", escaped(source.question), escaped(source.series), self.tally());
        for fact in self.warnings() {
            let _ = writeln!(text, "\n> **{}**: {}", escaped(&fact.about), escaped(&fact.text));
        }
        self.in_words().for_each(|answer| tell(&mut text, answer));
        self.costs(&mut text);
        self.rates(&mut text);
        self.then(&mut text);
        self.bounds(&mut text);
        self.forecasts(&mut text);
        self.machine(&mut text);
        self.latency(&mut text);
        self.waited_for(&mut text);
        self.comparisons(&mut text);
        facts(&mut text, "Why believe it", &self.facts);
        if !self.invalid.is_empty() {
            text.push_str("\n## Runs that do not count\n\n");
            for line in not_counted::lines(&self.invalid) {
                let _ = writeln!(text, "* {}", escaped(&line));
            }
        }
        text.push_str("\n## Not shown\n\n");
        for what in &self.not_shown {
            let _ = writeln!(text, "* {}", escaped(what));
        }
        facts(&mut text, "Setup", &self.setup);
        let _ = writeln!(text, "\nEvery run, with the configuration that produced it: `{}`.", source.path);
        text
    }

    fn rates(&self, text: &mut String) {
        let rows = table::rows(&self.analysis, &self.names);
        if rows.is_empty() {
            return;
        }
        let _ = writeln!(text, "\n## Rows a second\n\nAll cells: {}.\n", escaped(&self.names.common()));
        let heads: Vec<&str> = RATES.iter().map(|(name, ..)| *name).collect();
        let _ =
            writeln!(text, "| cell | {} | client CPU, µs a row | round trips a row | valid runs |", heads.join(" | "));
        let _ = writeln!(text, "|---|{}", "--:|".repeat(RATES.len() + 3));
        for row in &rows {
            let rates: Vec<String> = row.rates.iter().map(|rate| with_spread(*rate, units::rate)).collect();
            let cpu = with_spread(row.cpu, units::number);
            let _ = writeln!(
                text,
                "| {} | {} | {cpu} | {} | {}/{} |",
                escaped(&row.name),
                rates.join(" | "),
                row.trips(),
                row.valid,
                row.runs
            );
        }
        let what: Vec<String> = RATES.iter().map(|(name, what, _)| format!("{name}: {what}")).collect();
        let _ = writeln!(
            text,
            "\nMedians of the valid runs; in brackets {}. {}. {}.",
            table::spread_is(&rows),
            what.join("; "),
            table::TRIPS
        );
    }

    fn costs(&self, text: &mut String) {
        if self.faults.is_empty() {
            return;
        }
        let heads = faults::HEADS.into_iter().chain([("over time", false)]);
        let _ = writeln!(text, "\n## What each fault cost\n\n{}", head(heads));
        for row in &self.faults {
            let cells: Vec<String> = row.cells().iter().map(|cell| escaped(cell)).collect();
            let _ = writeln!(text, "| {} | `{}` |", cells.join(" | "), row.drawn.replace('|', "\\|"));
        }
        let _ = writeln!(text, "\n{}", faults::note());
    }

    fn then(&self, text: &mut String) {
        for (number, table) in self.then.iter().enumerate() {
            if number == 0 {
                text.push_str("\n## 2015, and now\n");
            }
            let _ = writeln!(text, "\n{}:\n\n| | geo | filling | after |\n|---|--:|--:|--:|", table.place);
            for row in &table.rows {
                let _ = writeln!(text, "| {} | {} |", row.who, row.rates.join(" | "));
            }
        }
        if !self.then.is_empty() {
            let _ = writeln!(text, "\n{}", then::NOTE);
        }
    }

    fn bounds(&self, text: &mut String) {
        if self.bounds.is_empty() {
            return;
        }
        let _ = writeln!(text, "\n## What bounds each cell\n\n{}", head(bounds::HEADS));
        for row in &self.bounds {
            let cells = row.cells().map(|cell| escaped(&cell));
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        let _ = writeln!(text, "\n{}", bounds::NOTE);
    }

    fn forecasts(&self, text: &mut String) {
        if self.forecasts.is_empty() {
            return;
        }
        let _ = writeln!(text, "\n## Told before it ran\n\n{}", head(forecasts::HEADS));
        for row in &self.forecasts {
            let cells = row.cells().map(|cell| escaped(&cell));
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        let _ = writeln!(text, "\n{}", forecasts::NOTE);
    }

    fn machine(&self, text: &mut String) {
        if self.machine.is_empty() {
            return;
        }
        let _ = writeln!(text, "\n## {}\n\n{}", machine::TITLE, head(machine::HEADS));
        for row in &self.machine {
            let cells = row.cells().map(|cell| escaped(&cell));
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        let _ = writeln!(text, "\n{}", machine::NOTE);
    }

    fn latency(&self, text: &mut String) {
        if self.latencies.is_empty() {
            return;
        }
        let heads: Vec<&str> = latency::heads().collect();
        let (columns, heads) = (heads.len(), heads.join(" | "));
        let _ = writeln!(text, "\n## Latency\n\n| cell | stage | operations a run | {heads} |");
        let _ = writeln!(text, "|---|---|{}", "--:|".repeat(columns + 1));
        for (cell, stage) in self.latencies.iter().flat_map(|cell| cell.stages.iter().map(move |stage| (cell, stage))) {
            let (name, operations) = (escaped(&cell.name), units::count(stage.operations.round() as u64));
            let figures = stage.columns().join(" | ");
            let _ = writeln!(text, "| {name} | {} | {operations} | {figures} |", stage.stage);
        }
        let _ = writeln!(text, "\n{}", latency::NOTE);
    }

    fn waited_for(&self, text: &mut String) {
        if self.waits.is_empty() {
            return;
        }
        text.push_str("\n## What backends waited for\n\n| cell | waited for | looks |\n|---|---|--:|\n");
        for cell in &self.waits {
            let one = |wait: &Wait| format!("{} {} ({})", wait.percent(), escaped(&wait.event), wait.counts_as);
            let all = match cell.waits.as_slice() {
                [] => "nothing above 1 %".into(),
                some => some.iter().map(one).collect::<Vec<_>>().join(", "),
            };
            let _ = writeln!(text, "| {} | {all} | {} |", escaped(&cell.name), units::count(cell.looks as u64));
        }
        let _ = writeln!(text, "\n{}", waits::NOTE);
    }

    fn comparisons(&self, text: &mut String) {
        if self.analysis.comparisons.is_empty() {
            return;
        }
        text.push_str(
            "\n## Every comparison\n\n| factor | at | what | times the rows/s | it means |\n|---|---|---|--:|---|\n",
        );
        for one in self.comparison_rows() {
            let cells = [&one.factor, &one.at, &one.what, &one.ratio, &one.means].map(|cell| escaped(cell));
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        text.push_str("\nPairs of runs within a block; intervals of one factor hold together at 95 % (Bonferroni).\n");
    }

    /// The comparisons as text.
    pub(super) fn comparison_rows(&self) -> Vec<ComparisonRow> {
        let names = &self.names;
        let row = |one: &crate::analysis::Comparison<'_>| {
            let (ratio, means) = finding(&one.finding);
            let said = |cell| names.side(one.factor, cell);
            ComparisonRow {
                factor: one.factor.name(),
                at: names.without(Some(one.factor), one.base),
                what: format!("{} / {}", said(one.other), said(one.base)),
                ratio,
                means,
            }
        };
        self.analysis.comparisons.iter().map(row).collect()
    }
}

/// The head of a table: names, and whether what stands below is a number.
fn head<'h>(heads: impl IntoIterator<Item = (&'h str, bool)>) -> String {
    let (names, sides): (Vec<&str>, Vec<&str>) =
        heads.into_iter().map(|(name, number)| (name, if number { "--:|" } else { "---|" })).unzip();
    format!("| {} |\n|{}", names.join(" | "), sides.concat())
}

/// A question with its answers.
pub(super) fn tell(text: &mut String, answer: &Answer) {
    let _ = writeln!(text, "\n## {}\n", escaped(&answer.question));
    for line in &answer.lines {
        let at = if line.at.is_empty() { String::new() } else { format!("{}: ", escaped(&line.at)) };
        let detail = if line.detail.is_empty() { String::new() } else { format!(": {}", escaped(&line.detail)) };
        let _ = writeln!(text, "* {at}**{}**{detail}.", escaped(&line.lead));
    }
}

/// A table of names and what was found; none where there is nothing.
pub(super) fn facts(text: &mut String, title: &str, facts: &[Fact]) {
    if facts.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n## {title}\n\n| | |\n|---|---|");
    for fact in facts {
        let _ = writeln!(text, "| {} | {} |", escaped(&fact.about), escaped(&fact.text));
    }
}

/// A comparison as text.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct ComparisonRow {
    factor: String,
    at: String,
    what: String,
    ratio: String,
    means: String,
}

/// A figure and its meaning.
fn finding(finding: &Finding) -> (String, String) {
    match finding {
        Finding::TooFew { pairs, range } => {
            let seen =
                range.map_or_else(|| "n/a".into(), |range| format!("range {}", units::range(range, units::multiple)));
            (seen, format!("cannot be said: {pairs} blocks have both"))
        }
        Finding::Measured { ratio, smallest, means } => {
            let interval = units::between((ratio.low, ratio.high), units::multiple);
            let means = match means {
                Means::Same => {
                    format!("no measurable difference; from {} on it would have shown", units::percent(*smallest))
                }
                Means::WithinNoise => "within what identical cells differ by".into(),
                Means::Slower => "slower".into(),
                Means::Faster => "faster".into(),
            };
            (format!("{} ({interval})", units::multiple(ratio.ratio)), means)
        }
    }
}

/// A median and how far it is sure.
pub(super) fn with_spread(figure: Option<Summary>, unit: fn(f64) -> String) -> String {
    match figure {
        None => "n/a".into(),
        Some(figure) if figure.runs == 1 => unit(figure.median),
        Some(figure) => format!("{} ({})", unit(figure.median), units::between(figure.spread(), unit)),
    }
}

/// Text that means nothing to Markdown.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '|' | '*' | '_' | '`' | '<' | '[' | ']' | '\\' | '#' => safe.extend(['\\', letter]),
            '\n' => safe.push(' '),
            _ => safe.push(letter),
        }
    }
    safe
}
