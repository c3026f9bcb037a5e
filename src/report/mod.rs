//! Results for people and programs. Pure: records in, text out; one view, shown in several forms.
//!
//! ```text
//! records ─► analysis ─► Report: answers, where time went, tables, why believe it, what doesn't count, the setup
//!                           └─► terminal (80 or 120 columns) · Markdown · HTML with charts · CSV · JSON
//! ```

mod across;
mod answer;
mod bounds;
#[cfg(test)]
mod browser;
mod ceilings;
mod chart;
mod clients;
mod encrypted;
mod export;
mod external;
mod faults;
mod forecasts;
mod hangs_on;
mod held_back;
mod html;
mod in_progress;
mod latency;
mod ledgers;
mod machine;
mod markdown;
mod names;
mod not_counted;
mod page;
mod setup;
mod table;
mod terminal;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod then;
mod waits;
mod why;

pub use across::Compared;
pub use answer::{Answer, Line};
pub use terminal::{Screen, provisional};
pub use why::Fact;

use crate::analysis::Analysis;
use crate::model::{Part, units};
use crate::wire::record::RunRecord;
use latency::CellLatency;
use ledgers::CellLedgers;
use names::Names;
use not_counted::Invalid;
use then::Then;
use waits::CellWaits;

/// What a report is made of.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The series' name.
    pub series: &'a str,
    /// The experiment's name.
    pub experiment: &'a str,
    /// What the experiment asks.
    pub question: &'a str,
    /// Its runs, in order.
    pub records: &'a [RunRecord],
    /// Where they are kept.
    pub path: &'a str,
}

/// A series as it is told: the same content whatever the form.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    source: Source<'a>,
    analysis: Analysis<'a>,
    names: Names,
    answers: Vec<Answer>,
    /// Where time went: drawn where there is room for a chart.
    ledgers: Vec<CellLedgers>,
    /// The same in words.
    time: Option<Answer>,
    /// What was broken, and what that cost.
    faults: Vec<faults::Row>,
    forecasts: Vec<forecasts::Row>,
    /// What bounds every cell.
    bounds: Vec<bounds::Row>,
    latencies: Vec<CellLatency>,
    waits: Vec<CellWaits>,
    /// What the database's machine did besides.
    machine: Vec<machine::Row>,
    facts: Vec<Fact>,
    invalid: Vec<Invalid>,
    not_shown: Vec<String>,
    setup: Vec<Fact>,
    /// 2015's tables, where the series ran its job.
    then: Vec<Then>,
}

impl<'a> Report<'a> {
    /// Of a series.
    pub fn of(source: Source<'a>) -> Self {
        let analysis = Analysis::of(source.records);
        let names = Names::of(&analysis);
        let faults = faults::rows(&analysis);
        let mut answers: Vec<Answer> = faults::answer(&faults).into_iter().collect();
        // Beside faults a cell alone is their control: nothing is asked of it.
        if answers.is_empty() || analysis.compared().count() > 1 {
            answers.extend(answer::answers(&analysis, &names));
            answers.extend(clients::answer(&analysis, &names));
        }
        let ledgers = ledgers::ledgers(&analysis, &names);
        let called = |record: &RunRecord| match record.cell.fault.is_none() {
            true => names.cell(&record.cell),
            false => record.cell.fault.to_string(),
        };
        let invalid = counted(source.records).filter(|record| !record.is_valid()).map(|record| Invalid {
            run: record.run,
            attempt: record.attempt,
            cell: called(record),
            why: reasons(record),
        });
        Self {
            answers,
            time: ledgers::answer(&ledgers),
            faults,
            forecasts: forecasts::rows(&analysis, &names),
            bounds: bounds::rows(&analysis, &names),
            latencies: latency::latencies(&analysis, &names),
            waits: waits::waits(&analysis, &names),
            machine: machine::rows(&analysis, &names),
            facts: why::facts(&analysis, &names),
            invalid: invalid.collect(),
            not_shown: why::not_shown(&analysis),
            setup: setup::setup(source.records),
            then: then::tables(source.experiment, &analysis),
            ledgers,
            source,
            analysis,
            names,
        }
    }

    /// Every answer as sentences; a terminal draws the last.
    fn in_words(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter().chain(&self.time)
    }

    /// One line of figures: how many runs count, whether all rows verified, how long it took.
    fn tally(&self) -> String {
        let all = counted(self.source.records).count();
        let valid = counted(self.source.records).filter(|record| record.is_valid()).count();
        let finished = counted(self.source.records).filter_map(RunRecord::result);
        let verified = finished.filter(|run| run.is_verified()).count();
        let rows = match verified {
            0 => "no run verified".into(),
            _ if verified == all => "every row verified".into(),
            _ => format!("the rows of {verified} runs verified"),
        };
        let mut parts = vec![format!("{valid} of {all} runs valid"), rows];
        parts.extend(self.seconds().map(units::duration));
        parts.join(" · ")
    }

    /// From the first run's start to the last one's end, seconds.
    fn seconds(&self) -> Option<f64> {
        let spans = self
            .source
            .records
            .iter()
            .filter_map(RunRecord::result)
            .filter(|run| run.began > 0.0)
            .map(|run| (run.began, run.began + run.phases.iter().map(|phase| phase.seconds).sum::<f64>()));
        let (first, last) =
            spans.fold((f64::INFINITY, 0.0_f64), |(first, last), (from, to)| (first.min(from), last.max(to)));
        (last > first).then_some(last - first)
    }

    /// Where the engine's stand-in images, a relay or the like put a question mark.
    fn warnings(&self) -> impl Iterator<Item = &Fact> {
        self.facts.iter().filter(|fact| fact.warning)
    }
}

/// Every run but the warm-ups.
fn counted(records: &[RunRecord]) -> impl Iterator<Item = &RunRecord> {
    records.iter().filter(|record| record.part != Part::WarmUp)
}

/// Why a run doesn't count, on one line: what a container said at its end stays in the run's file.
fn reasons(record: &RunRecord) -> String {
    let first: Vec<&str> = record.invalid.iter().filter_map(|reason| reason.lines().next()).collect();
    first.join("; ").trim_end_matches("; its last words:").to_owned()
}
