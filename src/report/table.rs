//! The table at the end of a series, in the form of 2015's: rows a second for the geo phase, for the data
//! phase while the queue was being filled and after, and in its steady window. 80 columns.

use crate::analysis::Summary;
use crate::model::{Part, Phase, cell::Cell, units};
use crate::wire::RunResult;
use crate::wire::record::RunRecord;
use std::fmt::Write;

/// From here on thousands are enough, and a range still fits its column.
const IN_THOUSANDS: f64 = 99_999.5;

/// What each column reads from a run.
type Figure = fn(&RunResult) -> Option<f64>;

/// The four rates of a run, in the order of the columns.
const RATES: [(&str, Figure); 4] = [
    ("geo", |run| run.phase(Phase::Geo)?.rates.whole),
    ("while filling", |run| run.phase(Phase::Data)?.rates.while_filling),
    ("after", |run| run.phase(Phase::Data)?.rates.after),
    ("steady", |run| Some(run.phase(Phase::Data)?.rates.steady?.rate)),
];

/// One block of lines a cell, in the order the cells were first run.
pub fn table(records: &[RunRecord]) -> String {
    let mut text = String::from("rows a second; data: while the queue fills, after it, with every worker busy\n");
    let _ = write!(text, "{:<8}", "");
    for (name, _) in RATES {
        let _ = write!(text, "{name:>14}");
    }
    let _ = writeln!(text, "{:>9}{:>7}", "CPU µs", "rows");
    let records: Vec<&RunRecord> = records.iter().filter(|record| record.part != Part::WarmUp).collect();
    let mut blocks: Vec<(&Cell, Part)> = Vec::new();
    for record in &records {
        if !blocks.contains(&(&record.cell, record.part)) {
            blocks.push((&record.cell, record.part));
        }
    }
    blocks.sort_by_key(|(_, part)| *part);
    for (cell, part) in blocks {
        let runs = records.iter().filter(|record| record.cell == *cell && record.part == part).copied();
        block(&mut text, cell, part, &runs.collect::<Vec<_>>());
    }
    let valid = records.iter().filter(|record| record.is_valid()).count();
    let _ =
        writeln!(text, "\n{valid} of {} runs count; ranges are what these runs spanned, not intervals.", records.len());
    text.push_str("pool: workers, one connection each; CPU µs: the client's, a row of data.\n");
    text
}

fn block(text: &mut String, cell: &Cell, part: Part, runs: &[&RunRecord]) {
    let again = if part == Part::Twin { " (again: what differs is noise)" } else { "" };
    let _ = writeln!(text, "{cell}{again}");
    let results: Vec<&RunResult> = runs.iter().filter(|run| run.is_valid()).filter_map(|run| run.result()).collect();
    let columns: Vec<Option<Summary>> =
        RATES.iter().map(|(_, figure)| Summary::of(results.iter().filter_map(|run| figure(run)))).collect();
    let cpu = Summary::of(results.iter().filter_map(|run| cpu_a_row(run)));
    let verified = runs.iter().filter(|run| is_verified(run)).count();
    let _ = write!(text, "{:<8}", if results.len() > 1 { "  median" } else { "" });
    for column in &columns {
        let _ = write!(text, "{:>14}", column.map_or_else(|| "n/a".into(), |column| rate(column.median)));
    }
    let cpu = cpu.map_or_else(|| "n/a".into(), |cpu| units::number(cpu.median));
    let verified =
        if verified == runs.len() { format!("{verified} ok") } else { format!("{verified}/{}!", runs.len()) };
    let _ = writeln!(text, "{cpu:>9}{verified:>7}");
    if results.len() > 1 {
        let _ = write!(text, "{:<8}", "  range");
        for column in &columns {
            let _ = write!(text, "{:>14}", column.map_or_else(String::new, range));
        }
        let _ = writeln!(text, "   of {} runs", results.len());
    }
    for run in runs.iter().filter(|run| !run.is_valid()) {
        let reasons: Vec<&str> = run.invalid.iter().filter_map(|reason| reason.lines().next()).collect();
        let _ = writeln!(
            text,
            "  run {} does not count: {}",
            run.run,
            reasons.join("; ").trim_end_matches("; its last words:")
        );
    }
}

/// Microseconds of the client's processor time a row of the data phase.
fn cpu_a_row(run: &RunResult) -> Option<f64> {
    let data = run.phase(Phase::Data)?;
    (data.rows > 0).then(|| data.cpu.total() * 1e6 / data.rows as f64)
}

fn is_verified(run: &RunRecord) -> bool {
    run.result().and_then(|result| result.verification.as_ref()).is_some_and(|verification| verification.verified)
}

fn rate(value: f64) -> String {
    if value < IN_THOUSANDS { units::number(value) } else { format!("{} k", units::number((value / 1_000.0).round())) }
}

fn range(column: Summary) -> String {
    let one = |value: f64| rate(value).replace(" k", "k");
    format!("{}-{}", one(column.least), one(column.most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scheme;
    use crate::wire::testing::{record, unverified};

    #[test]
    fn the_table_fits_80_columns_and_names_what_does_not_count() {
        let records = [
            record(1, Scheme::Threads, 8_910.4),
            record(2, Scheme::Async, 1_234_567.0),
            record(3, Scheme::Async, 2_345_678.0),
            unverified(4, Scheme::Threads),
        ];
        let text = table(&records);
        assert!(text.lines().all(|line| line.chars().count() <= 80 || line.contains("does not count")), "{text}");
        insta::assert_snapshot!(text);
    }
}
