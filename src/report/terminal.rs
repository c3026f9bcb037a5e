//! The first screen: the question, the answer, the table, why believe it. 80 columns, or 120 where there are.

use super::faults;
use super::ledgers::{self, CellLedgers};
use super::names::Names;
use super::not_counted;
use super::table::{self, RATES, Row};
use super::{Report, answer::Answer, then};
use crate::analysis::{Analysis, Summary};
use crate::model::{INSTEAD, printable, units};
use crate::wire::record::RunRecord;
use std::fmt::Write;

/// From here on a cell's figures fit one line.
pub(super) const WIDE: usize = 120;

/// From so many cells on each has one line, whatever the width.
pub(super) const MANY: usize = 13;

/// How the styles begin and end, behind what begins every order to a terminal.
const STYLES: [&str; 5] = ["0m", "1m", "2m", "1;36m", "33m"];

/// What a report is shown on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Characters a line; below 80 counts as 80, above 120 as 120.
    pub columns: usize,
    /// Whether it knows bold and colours.
    pub colours: bool,
}

impl Screen {
    /// 80 columns without colours: a file, a pipe, a log.
    pub const PLAIN: Self = Self { columns: 80, colours: false };

    pub(super) fn width(self) -> usize {
        if self.columns >= WIDE { WIDE } else { 80 }
    }

    fn styled(self, code: &str, text: &str) -> String {
        if self.colours && !text.trim().is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.styled("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.styled("2", text)
    }

    pub(super) fn found(self, text: &str) -> String {
        self.styled("1;36", text)
    }

    pub(super) fn careful(self, text: &str) -> String {
        self.styled("33", text)
    }

    /// A text that is whole, with nothing in it that a terminal obeys but these styles: the one place where what peers,
    /// bundles and experiments say is made fit to be shown.
    pub(super) fn shown(self, text: &str) -> String {
        let mut pieces = text.split("\x1b[");
        let mut shown = printable(pieces.next().unwrap_or_default()).into_owned();
        for piece in pieces {
            let is_own = self.colours && STYLES.iter().any(|style| piece.starts_with(style));
            let begins = if is_own { "\x1b[".to_owned() } else { format!("{INSTEAD}[") };
            shown.push_str(&begins);
            shown.push_str(&printable(piece));
        }
        shown
    }
}

/// What there is to see before a series is over: the tables alone.
pub fn provisional(records: &[RunRecord]) -> String {
    let analysis = Analysis::of(records);
    let names = Names::of(&analysis);
    let mut text = String::new();
    broken(&mut text, &faults::rows(&analysis), Screen::PLAIN);
    if !analysis.cells.is_empty() {
        figures(&mut text, &table::rows(&analysis, &names), &names, Screen::PLAIN);
    }
    Screen::PLAIN.shown(&text)
}

impl Report<'_> {
    /// The first screen.
    pub fn terminal(&self, screen: Screen) -> String {
        let mut text = String::new();
        let title = self.source.experiment.to_uppercase();
        let head = wrapped(&format!("{title}: {}", self.source.question), screen.width(), 0);
        let _ = writeln!(text, "{}\n{}\n", screen.bold(&head), screen.dim(&self.tally()));
        for answer in &self.answers {
            tell(&mut text, answer, screen);
        }
        bars(&mut text, ledgers::told(&self.ledgers), screen);
        broken(&mut text, &self.faults, screen);
        if !self.analysis.cells.is_empty() {
            figures(&mut text, &table::rows(&self.analysis, &self.names), &self.names, screen);
            text.push('\n');
        }
        self.years(&mut text, screen);
        self.believe(&mut text, screen);
        screen.shown(&text)
    }

    /// 2015's tables with this series beside them.
    fn years(&self, text: &mut String, screen: Screen) {
        if self.then.is_empty() {
            return;
        }
        let _ = writeln!(text, "  {}{:22}geo  filling    after", screen.bold("2015, and now"), "");
        for table in &self.then {
            let _ = writeln!(text, "  {}", screen.dim(table.place));
            for row in &table.rows {
                let [geo, filling, after] = &row.rates;
                let _ = writeln!(text, "    {:<26}{geo:>8}{filling:>9}{after:>9}", row.who);
            }
        }
        let _ = writeln!(text, "  {}\n", screen.dim(&wrapped(then::NOTE, screen.width(), 2)));
    }

    fn believe(&self, text: &mut String, screen: Screen) {
        let _ = writeln!(text, "  {}", screen.bold("Why believe it"));
        let facts = self.facts.iter().map(|fact| (fact.about.as_str(), fact.text.as_str(), fact.warning));
        let column = facts.clone().map(|(about, ..)| about.chars().count()).max().unwrap_or(0).max("not shown".len());
        let mut before = "";
        for (about, said, warning) in facts {
            item(text, if about == before { "" } else { about }, said, column, warning, screen);
            before = about;
        }
        for (index, said) in not_counted::lines(&self.invalid).iter().enumerate() {
            item(text, if index == 0 { "not valid" } else { "" }, said, column, true, screen);
        }
        for (index, what) in self.not_shown.iter().enumerate() {
            item(text, if index == 0 { "not shown" } else { "" }, what, column, false, screen);
        }
        // Where the report's files are follows, alike.
        let _ = writeln!(text, "\n  {:<9}  {}", "results", self.source.path);
    }
}

/// A name and what is said of it, the latter in a column of its own.
pub(super) fn item(text: &mut String, about: &str, said: &str, column: usize, warning: bool, screen: Screen) {
    let said = wrapped(said, screen.width(), column + 4);
    let about = format!("{about:<column$}");
    let about = if warning { screen.careful(&about) } else { screen.dim(&about) };
    let _ = writeln!(text, "  {about}  {said}");
}

/// Sentences beside a name are at least so wide, in characters.
const LEAST_COLUMN: usize = 30;

pub(super) fn tell(text: &mut String, answer: &Answer, screen: Screen) {
    let _ = writeln!(text, "  {}", screen.bold(&answer.question));
    let column = answer.lines.iter().map(|line| line.at.chars().count()).max().unwrap_or(0);
    // Beside long names sentences would be a word wide: they stand below.
    let below = column + 6 + LEAST_COLUMN > screen.width();
    for line in &answer.lines {
        let (before, indent) = match column {
            0 => ("    ".to_owned(), 4),
            _ if below => (format!("    {}\n        ", screen.dim(&line.at)), 8),
            _ => (format!("    {}  ", screen.dim(&format!("{:<column$}", line.at))), column + 6),
        };
        let said = wrapped(&line.text(), screen.width(), indent);
        // Coloured after it is wrapped: codes take no room.
        let said = match said.strip_prefix(&line.lead) {
            Some(rest) if line.strong => format!("{}{rest}", screen.found(&line.lead)),
            Some(rest) => format!("{}{rest}", screen.bold(&line.lead)),
            None => said,
        };
        let _ = writeln!(text, "{before}{said}");
    }
    text.push('\n');
}

/// What each fault cost, and a run of each over time.
fn broken(text: &mut String, rows: &[faults::Row], screen: Screen) {
    if rows.is_empty() {
        return;
    }
    let column = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).min(24);
    let heads = ["at, s", "rows/s", "no row, s", "back, s", "lost/twice", "valid"];
    let line = |cells: [String; 6]| -> String {
        let widths = [6, 8, 10, 9, 11, 6];
        cells.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}")).collect()
    };
    let _ = writeln!(text, "  {}", screen.bold("What each fault cost"));
    let _ = writeln!(text, "    {:column$}{}", "", line(heads.map(str::to_owned)));
    for row in rows {
        let mut name = folded(&row.name, column).into_iter();
        let _ = writeln!(text, "    {:column$}{}", name.next().unwrap_or_default(), line(row.short()));
        name.for_each(|more| {
            let _ = writeln!(text, "    {more}");
        });
    }
    text.push('\n');
    for row in rows.iter().filter(|row| !row.drawn.is_empty()) {
        let name = folded(&row.name, column).into_iter().next().unwrap_or_default();
        let _ = writeln!(text, "    {}  {}", screen.dim(&format!("{name:<column$}")), row.drawn);
    }
    let legend = "Medians of the valid runs. no row: the longest time; back: the rate of a second at 90 % of that \
                  before, from the fault on. Above: a run of each over time, what was broken between upright lines.";
    let _ = writeln!(text, "  {}\n", screen.dim(&wrapped(legend, screen.width(), 2)));
}

/// Where time went: a bar of letters for each side of a cell, its shares beside it, and what the letters mean.
fn bars(text: &mut String, cells: &[CellLedgers], screen: Screen) {
    if cells.is_empty() {
        return;
    }
    let _ = writeln!(text, "  {}", screen.bold(ledgers::QUESTION));
    let (most, width) = if screen.width() == WIDE { (34, 24) } else { (17, 12) };
    let column = cells.iter().map(|cell| cell.name.chars().count()).max().unwrap_or(0).min(most);
    let indent = 4 + column + 2 + "backends".len() + 1 + width + 2;
    for cell in cells {
        let mut beside = Vec::new();
        for (side, shares) in cell.sides() {
            let (words, bar) = (ledgers::few_words(shares), ledgers::letters(shares, width));
            let mut said = packed(words.iter().map(String::as_str), " ", screen.width() - indent).into_iter();
            beside.push(format!("{side:<8} {bar}  {}", said.next().unwrap_or_default()));
            beside.extend(said.map(|line| format!("{:9}{:width$}  {line}", "", "")));
        }
        let name = folded(&cell.name, column);
        for line in 0..name.len().max(beside.len()) {
            let [name, beside] = [&name, &beside].map(|lines| lines.get(line).map_or("", String::as_str));
            // Padded after it is dimmed, so that what ends a line can be cut off.
            let room = " ".repeat(column.saturating_sub(name.chars().count()));
            let both = format!("    {}{room}  {beside}", screen.dim(name));
            let _ = writeln!(text, "{}", both.trim_end());
        }
    }
    let signs: Vec<String> =
        ledgers::legend(cells).iter().map(|state| format!("{} {}", state.sign, state.legend)).collect();
    for line in packed(signs.iter().map(String::as_str), "   ", screen.width() - 4) {
        let _ = writeln!(text, "    {}", screen.dim(&line));
    }
    text.push('\n');
}

/// The table, in 2015's form.
fn figures(text: &mut String, rows: &[Row], names: &Names, screen: Screen) {
    let _ = writeln!(text, "  {}", screen.bold("Rows a second"));
    let common = names.common();
    if !common.is_empty() {
        let _ = writeln!(text, "  {}", screen.dim(&wrapped(&format!("all cells: {common}"), screen.width(), 2)));
    }
    let form = match (screen.width(), rows.len()) {
        (WIDE, _) => RowForm::Wide,
        (_, MANY..) => RowForm::Short,
        _ => RowForm::TwoLines,
    };
    let (name_width, rate_width) = form.widths();
    let heads: String = RATES.iter().map(|(name, ..)| format!("{name:>rate_width$}")).collect();
    let ends = if form == RowForm::Short { "" } else { "   CPU runs" };
    let _ = writeln!(text, "  {:name_width$}{heads}{ends}", "");
    for row in rows {
        form.row(text, row, screen);
    }
    let said = match form {
        RowForm::Wide => "in brackets",
        RowForm::TwoLines => "below them",
        RowForm::Short => "of steady in brackets",
    };
    let mut legend = format!("Medians of the valid runs, {said} {}. ", table::spread_is(rows));
    legend.push_str("filling, after: data while the queue fills and after; steady: with every worker busy.");
    if form != RowForm::Short {
        legend.push_str(" CPU: µs of the client a row.");
    }
    let _ = writeln!(text, "  {}", screen.dim(&wrapped(&legend, screen.width(), 2)));
}

/// How a cell's figures are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowForm {
    /// Every median with its spread, on one line.
    Wide,
    /// The medians, and below them their spreads.
    TwoLines,
    /// The medians, and the spread of the last, on one line: many cells are read as a list.
    Short,
}

impl RowForm {
    /// Characters for the name, and for each rate.
    fn widths(self) -> (usize, usize) {
        match self {
            Self::Wide => (27, 20),
            Self::TwoLines => (19, 12),
            Self::Short => (29, 8),
        }
    }

    fn row(self, text: &mut String, row: &Row, screen: Screen) {
        let (name_width, rate_width) = self.widths();
        let mut name = folded(&row.name, name_width - 1).into_iter();
        let _ = write!(text, "  {:name_width$}", name.next().unwrap_or_default());
        for rate in row.rates {
            let (median, spread) = (median(rate), spread(rate));
            let both =
                if self == Self::Wide && !spread.is_empty() { format!("{median} ({spread})") } else { median.clone() };
            let _ = write!(text, "{}", format!("{both:>rate_width$}").replacen(&median, &screen.bold(&median), 1));
        }
        let spreads: Vec<String> = row.rates.iter().map(|rate| spread(*rate)).collect();
        let last = spreads.last().filter(|spread| !spread.is_empty());
        let _ = match (self, last) {
            (Self::Short, Some(spread)) => writeln!(text, "  {}", screen.dim(&format!("({spread})"))),
            (Self::Short, None) => writeln!(text),
            _ => writeln!(text, "{}", ends(row)),
        };
        if self == Self::TwoLines && spreads.iter().any(|spread| !spread.is_empty()) {
            let line: String = spreads.iter().map(|spread| format!("{spread:>rate_width$}")).collect();
            let _ = writeln!(text, "  {:name_width$}{}", name.next().unwrap_or_default(), screen.dim(line.trim_end()));
        }
        name.for_each(|line| {
            let _ = writeln!(text, "  {line}");
        });
    }
}

fn median(figure: Option<Summary>) -> String {
    figure.map_or_else(|| "n/a".into(), |figure| units::rate(figure.median))
}

/// Nothing where one run has no spread.
fn spread(figure: Option<Summary>) -> String {
    let several = figure.filter(|figure| figure.runs > 1);
    several.map_or_else(String::new, |figure| compact(figure.spread()))
}

/// Two ends in at most eleven characters: `8,740-9,080`, `13.0-13.9k`, `1.24-1.31M`.
fn compact(ends: (f64, f64)) -> String {
    let (low, high) = ends;
    match high {
        _ if high >= 999_500.0 => format!("{:.2}-{:.2}M", low / 1e6, high / 1e6),
        _ if high >= 99_950.0 => format!("{:.0}-{:.0}k", low / 1e3, high / 1e3),
        _ if high >= 9_999.5 => format!("{:.1}-{:.1}k", low / 1e3, high / 1e3),
        _ => units::between(ends, units::rate),
    }
}

/// The processor time and the runs, at a line's end.
fn ends(row: &Row) -> String {
    let cpu = row.cpu.map_or_else(|| "n/a".into(), |cpu| units::number(cpu.median));
    format!("{cpu:>6}{:>5}", format!("{}/{}", row.valid, row.runs))
}

/// Words in lines of at most so many characters; a longer word has a line of its own.
pub(super) fn folded(text: &str, width: usize) -> Vec<String> {
    packed(text.split_whitespace(), " ", width)
}

/// Pieces in lines of at most so many characters, with something between those of a line.
fn packed<'p>(pieces: impl Iterator<Item = &'p str>, between: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for piece in pieces {
        let last = lines.last_mut().expect("there is one from the start");
        if last.is_empty() {
            last.push_str(piece);
        } else if last.chars().count() + between.chars().count() + piece.chars().count() <= width {
            last.push_str(between);
            last.push_str(piece);
        } else {
            lines.push(piece.to_owned());
        }
    }
    lines
}

/// The text from column `indent` on; its further lines begin there.
pub(super) fn wrapped(text: &str, width: usize, indent: usize) -> String {
    folded(text, width.saturating_sub(indent).max(20)).join(&format!("\n{}", " ".repeat(indent)))
}
