//! A comparison on a terminal: the answers, the setups, the tables. 80 columns, or 120 where there are.

use super::answers::{NOTE, RATIOS};
use super::rows::{CellRow, NOTHING, RatioRow, VerdictRow};
use super::{Compared, Versus};
use crate::analysis::Summary;
use crate::model::units;
use crate::report::terminal::{MANY, Screen, WIDE, folded, item, tell, wrapped};
use std::fmt::Write;

/// Cells of a note that are named.
const NAMED: usize = 4;

/// Characters of a table's columns: the name, each series, the multiple.
struct Columns {
    name: usize,
    series: usize,
    times: usize,
}

impl Columns {
    /// Of rates, of ratios, of verdicts.
    fn of(screen: Screen) -> [Self; 3] {
        let of = |name, series, times| Self { name, series, times };
        match screen.width() {
            WIDE => [of(34, 24, 19), of(48, 17, 19), of(44, 26, 0)],
            _ => [of(26, 9, 18), of(27, 9, 18), of(20, 23, 0)],
        }
    }

    /// Room between the figures and the word that ends a row.
    const BEFORE_MEANS: usize = 2;

    /// Series' names over their columns, in as many lines as they need.
    fn heads(&self, text: &mut String, names: [&str; 2], times: &str, screen: Screen) {
        let heads = names.map(|name| hyphenated(name, self.series - 1));
        let lines = heads.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..lines {
            // The last lines stand side by side, right over the figures.
            let at = |head: &Vec<String>| {
                (line + head.len()).checked_sub(lines).map_or("", |at| head[at].as_str()).to_owned()
            };
            let [one, other] = [at(&heads[0]), at(&heads[1])];
            let times = if line + 1 == lines { times } else { "" };
            let (name, series, width) = (self.name, self.series, self.times);
            let head = format!("  {:name$}{one:>series$}{other:>series$}{times:>width$}", "");
            let _ = writeln!(text, "{}", screen.dim(head.trim_end()));
        }
    }

    /// A row: its name in as many lines as it needs, the figures beside the first.
    fn row(&self, text: &mut String, name: &str, figures: &str, means: &str, differs: bool, screen: Screen) {
        let name_width = self.name;
        let mut names = folded(name, name_width - 1).into_iter();
        let first = names.next().unwrap_or_default();
        let means = if differs { screen.found(means) } else { means.to_owned() };
        let _ = writeln!(text, "  {first:name_width$}{figures}{:1$}{means}", "", Self::BEFORE_MEANS);
        names.for_each(|line| {
            let _ = writeln!(text, "  {line}");
        });
    }
}

impl Compared<'_> {
    /// Everything, in few lines.
    pub fn terminal(&self, screen: Screen) -> String {
        let mut text = format!("{}\n\n", screen.bold(&wrapped(&format!("COMPARE: {}", self.title), screen.width(), 0)));
        for (number, one) in self.all.iter().enumerate() {
            if number > 0 {
                let _ = writeln!(text, "{}\n", "─".repeat(screen.width()));
            }
            one.terminal(&mut text, screen);
        }
        screen.shown(&text)
    }
}

impl Versus<'_> {
    fn terminal(&self, text: &mut String, screen: Screen) {
        self.answers.iter().for_each(|answer| tell(text, answer, screen));
        let _ = writeln!(text, "  {}", screen.bold("Setups"));
        let column = self.setups.iter().map(|fact| fact.about.chars().count()).max().unwrap_or(0);
        let mut before = "";
        for fact in &self.setups {
            let about = if fact.about == before { "" } else { fact.about.as_str() };
            item(text, about, &fact.text, column, fact.warning, screen);
            before = &fact.about;
        }
        text.push('\n');
        let [rates, ratios, verdicts] = Columns::of(screen);
        self.cells(text, &rates, screen);
        self.ratios(text, &ratios, screen);
        self.verdicts(text, &verdicts, screen);
    }

    fn cells(&self, text: &mut String, columns: &Columns, screen: Screen) {
        let _ = writeln!(text, "  {}", screen.bold("Rows a second"));
        if !self.common.is_empty() {
            let _ =
                writeln!(text, "  {}", screen.dim(&wrapped(&format!("all cells: {}", self.common), screen.width(), 2)));
        }
        columns.heads(text, self.heads(), "times", screen);
        let wide = screen.width() == WIDE;
        for CellRow { name, rates, times, means, differs, .. } in &self.cells {
            let (series, width) = (columns.series, columns.times);
            let [one, other] = rates.map(|rate| figure(rate, wide));
            let figures = format!("{one:>series$}{other:>series$}{times:>width$}");
            columns.row(text, name, &figures, means, *differs, screen);
        }
        for note in &self.notes {
            let _ = writeln!(text, "  {}", screen.careful(&wrapped(&note.text(NAMED), screen.width(), 2)));
        }
        let _ = writeln!(text, "  {}\n", screen.dim(&wrapped(NOTE, screen.width(), 2)));
    }

    /// Schemes' ratios; of the others those that differ, where they are many.
    fn ratios(&self, text: &mut String, columns: &Columns, screen: Screen) {
        let few = self.ratios.len() < MANY;
        let shown: Vec<&RatioRow> = self.ratios.iter().filter(|row| few || row.differs || row.is_scheme).collect();
        if self.ratios.is_empty() {
            return;
        }
        let _ = writeln!(text, "  {}", screen.bold("Cells against each other"));
        columns.heads(text, self.heads(), "times", screen);
        for row in &shown {
            let (series, width) = (columns.series, columns.times);
            let [one, other] = &row.in_each;
            let figures = format!("{one:>series$}{other:>series$}{:>width$}", row.times);
            let name = if row.at.is_empty() { row.what.clone() } else { format!("{}, {}", row.what, row.at) };
            columns.row(text, &name, &figures, row.means, row.differs, screen);
        }
        let left = self.ratios.len() - shown.len();
        let more =
            if left > 0 { format!(" {left} more that agree or cannot be said: --markdown.") } else { String::new() };
        let _ = writeln!(text, "  {}\n", screen.dim(&wrapped(&format!("{RATIOS}{more}"), screen.width(), 2)));
    }

    /// Of many cells those whose verdict was not kept.
    fn verdicts(&self, text: &mut String, columns: &Columns, screen: Screen) {
        let few = self.verdicts.len() < MANY;
        let said = |row: &&VerdictRow| row.bounds.iter().any(|bound| bound != NOTHING);
        let shown: Vec<&VerdictRow> = self.verdicts.iter().filter(said).filter(|row| few || !row.is_kept).collect();
        if shown.is_empty() {
            return;
        }
        let _ = writeln!(text, "  {}", screen.bold("What bounds them"));
        columns.heads(text, self.heads(), "", screen);
        for row in shown {
            let series = columns.series;
            let [one, other] = &row.bounds;
            let figures = format!("{one:>series$}{other:>series$}");
            columns.row(text, &row.name, &figures, row.means, row.means == "flipped", screen);
        }
        text.push('\n');
    }
}

/// A median, with its spread where there is room.
fn figure(rate: Option<Summary>, wide: bool) -> String {
    let Some(rate) = rate else { return NOTHING.into() };
    let median = units::rate(rate.median);
    match wide && rate.runs > 1 {
        true => format!("{median} ({})", units::between(rate.spread(), units::rate)),
        false => median,
    }
}

/// A series' name in lines of at most so many characters, broken after hyphens and at blanks where it can be.
fn hyphenated(name: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for piece in name.split_inclusive(['-', ' ']) {
        let letters: Vec<char> = piece.chars().collect();
        for part in letters.chunks(width.max(1)) {
            let part: String = part.iter().collect();
            let last = lines.last_mut().expect("there is one from the start");
            // A blank at the end of a line takes no room.
            let fits = last.chars().count() + part.trim_end().chars().count() <= width;
            if fits { last.push_str(&part) } else { lines.push(part) }
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_breaks_after_hyphens_and_at_blanks_and_elsewhere_only_where_it_must() {
        assert_eq!(hyphenated("2026-11-21-quick", 8), ["2026-11-", "21-quick"]);
        assert_eq!(hyphenated("2026-11-28-quick-2 (bundle)", 8), ["2026-11-", "28-", "quick-2", "(bundle)"]);
        assert_eq!(hyphenated("measurements", 8), ["measurem", "ents"]);
        assert_eq!(hyphenated("", 8), [""]);
    }
}
