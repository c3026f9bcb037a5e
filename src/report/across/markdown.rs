//! A comparison as Markdown: for a pull request.

use super::answers::{NOTE, RATIOS};
use super::{Compared, Versus};
use crate::model::units;
use crate::report::markdown::{escaped, facts, tell, with_spread};
use std::fmt::Write;

impl Compared<'_> {
    /// Everything.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n", escaped(&self.title));
        for one in &self.all {
            if self.all.len() > 1 {
                let _ = writeln!(text, "\n---\n\n**{}**", escaped(one.across.other.name));
            }
            one.markdown(&mut text);
        }
        text
    }
}

impl Versus<'_> {
    fn markdown(&self, text: &mut String) {
        self.answers.iter().for_each(|answer| tell(text, answer));
        facts(text, "Setups", &self.setups);
        let heads = self.heads().map(escaped).join(" | ");
        text.push_str("\n## Rows a second\n\n");
        if !self.common.is_empty() {
            let _ = writeln!(text, "All cells: {}.\n", escaped(&self.common));
        }
        let _ = writeln!(text, "| cell | {heads} | times | it means | |\n|---|--:|--:|--:|---|---|");
        for row in &self.cells {
            let rates = row.rates.map(|rate| with_spread(rate, units::rate)).join(" | ");
            let (name, detail) = (escaped(&row.name), escaped(&row.detail));
            let _ =
                writeln!(text, "| {name} | {rates} | {} | {} | {detail} |", row.times, strong(row.means, row.differs));
        }
        for note in &self.notes {
            let _ = writeln!(text, "\n* {}", escaped(&note.text(usize::MAX)));
        }
        let _ = writeln!(text, "\n{NOTE}");
        if !self.ratios.is_empty() {
            let _ = writeln!(text, "\n## Cells against each other\n");
            let _ = writeln!(text, "| what | at | {heads} | times | it means | |\n|---|---|--:|--:|--:|---|---|");
            for row in &self.ratios {
                let (what, at, each) = (escaped(&row.what), escaped(&row.at), row.in_each.join(" | "));
                let (means, detail) = (strong(row.means, row.differs), escaped(&row.detail));
                let _ = writeln!(text, "| {what} | {at} | {each} | {} | {means} | {detail} |", row.times);
            }
            let _ = writeln!(text, "\n{RATIOS}");
        }
        let _ = writeln!(text, "\n## What bounds them\n\n| cell | {heads} | | |\n|---|---|---|---|---|");
        for row in &self.verdicts {
            let (means, detail) = (strong(row.means, row.means == "flipped"), escaped(&row.detail));
            let _ = writeln!(text, "| {} | {} | {means} | {detail} |", escaped(&row.name), row.bounds.join(" | "));
        }
    }
}

fn strong(word: &str, is_strong: bool) -> String {
    if is_strong { format!("**{word}**") } else { word.to_owned() }
}
