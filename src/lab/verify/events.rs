//! Whether each run's record is what its ingester said, where that is in the bundle.

use super::Check;
use super::numbers::compare;
use crate::model::{Phase, units};
use crate::series::bundle::Bundle;
use crate::series::stem;
use crate::wire::reader::LineReader;
use crate::wire::record::{Outcome, RunRecord};
use crate::wire::{self, Event, Line, RunResult};
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;

/// Bytes of a file read at a time.
const PIECE: usize = 256 * 1024;

/// Every run whose events are there.
pub(super) fn check(bundle: &Bundle, records: &[RunRecord]) -> Result<Check> {
    let (mut runs, mut lines, mut unheard, mut wrong) = (0, 0, 0, Vec::new());
    for record in records {
        let name = format!("{}.events.jsonl", stem(record));
        if bundle.manifest().file(&name).is_none() {
            // Every result came as what an ingester said, and the lab keeps that: who has none left it out.
            unheard += usize::from(record.result().is_some());
            continue;
        }
        let mut file = fs_err::File::open(bundle.folder().path().join(&name)).context("read what an ingester said")?;
        let heard = Heard::read(&mut file).context("read what an ingester said")?;
        runs += 1;
        lines += heard.lines;
        wrong.extend(heard.against(record).into_iter().map(|sentence| format!("{name}: {sentence}")));
    }
    let said = match runs {
        0 => "none are in it".to_owned(),
        _ if runs < records.len() => format!("of {runs} of {} runs: their records are what was said", records.len()),
        _ => format!("{} lines: every record is what its ingester said", units::count(lines)),
    };
    let all = records.len();
    let unchecked = (unheard > 0)
        .then(|| format!("the results of {unheard} of {all} runs, as what their ingesters said is not in the bundle"));
    Ok(Check::new("raw events", said, wrong).leaving(unchecked))
}

/// What the ingesters of a run said, put together.
#[derive(Debug, Default)]
struct Heard {
    lines: u64,
    /// Why no more could be read, or what was out of order.
    broken: Option<String>,
    /// When each of them spoke last, by its number; 0 where there is one.
    at: BTreeMap<usize, f64>,
    /// Rows of each phase, added up over its seconds.
    rows: Vec<(Phase, u64)>,
    /// The results of several, as they came.
    results: Vec<RunResult>,
    last: Option<Event>,
}

impl Heard {
    fn read(from: &mut impl Read) -> std::io::Result<Self> {
        let mut heard = Self::default();
        let mut reader = LineReader::default();
        let mut piece = vec![0; PIECE];
        loop {
            let count = from.read(&mut piece)?;
            let read = if count == 0 { reader.end().map(|()| Vec::new()) } else { reader.push(&piece[..count]) };
            match read {
                Ok(lines) => lines.into_iter().for_each(|line| heard.take(line)),
                Err(bad) => heard.broken = Some(bad.to_string()),
            }
            if count == 0 || heard.broken.is_some() {
                return Ok(heard);
            }
        }
    }

    fn take(&mut self, line: Line) {
        self.lines += 1;
        let before = self.at.insert(line.client.unwrap_or(0), line.at);
        if before.is_some_and(|before| line.at < before) {
            self.broken = Some(format!("line {} is earlier than the one before", line.seq));
        }
        // Another ingester goes on where a killed one was: its result is of its own rows.
        if matches!(line.event, Event::Started { .. }) && line.client.is_none() {
            self.rows.clear();
        }
        if let (Event::Finished { result }, Some(_)) = (&line.event, line.client) {
            self.results.push((**result).clone());
        }
        if let Event::Second { phase, second } = &line.event {
            match self.rows.iter_mut().find(|(of, _)| of == phase) {
                Some((_, rows)) => *rows += second.rows,
                None => self.rows.push((*phase, second.rows)),
            }
        }
        self.last = Some(line.event);
    }

    /// What of a run's record is not what was said.
    fn against(mut self, record: &RunRecord) -> Vec<String> {
        if self.at.keys().any(|client| *client > 0) {
            // Of several clients the record has what they did together: told from what each said, once more. Where one
            // was lost, what the others said last is not why.
            self.last = match wire::merge(std::mem::take(&mut self.results)) {
                Ok(result) => Some(Event::Finished { result: Box::new(result) }),
                Err(error) if record.result().is_some() => return vec![error],
                Err(_) => None,
            };
        }
        match (&record.outcome, &self.last) {
            (Outcome::Finished { result }, Some(Event::Finished { result: said })) => {
                let mut wrong: Vec<String> = self.broken.clone().into_iter().collect();
                wrong.extend(apart(said, result));
                wrong.extend(self.rows.iter().filter_map(|(phase, rows)| too_many(*phase, *rows, result)));
                wrong
            }
            (Outcome::Finished { .. }, _) => {
                vec![self.broken.unwrap_or_else(|| "the ingester never finished, and the record has a result".into())]
            }
            (Outcome::Failed { error, .. }, Some(Event::Failed { error: said, .. }))
                if !error.contains(said.as_str()) =>
            {
                vec!["the record tells another error than the ingester".into()]
            }
            // How a run that failed came to its end may be in no line.
            (Outcome::Failed { .. }, _) => Vec::new(),
        }
    }
}

/// The result as it was said, beside the record's: the lab adds what it found in the database, nothing else.
fn apart(said: &RunResult, kept: &RunResult) -> Vec<String> {
    let value = |result: &RunResult| {
        let result = RunResult { verification: None, ..result.clone() };
        serde_json::to_value(result).unwrap_or(Value::Null)
    };
    let found = compare(&value(kept), &value(said)).apart;
    found
        .into_iter()
        .map(|apart| format!("the record is not what was said: {}", apart.replace("anew", "said")))
        .collect()
}

fn too_many(phase: Phase, rows: u64, result: &RunResult) -> Option<String> {
    let all = result.phase(phase).map_or(0, |phase| phase.rows);
    (rows > all).then(|| format!("its seconds of phase {phase} have {rows} rows, the phase {all}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::bundling::testing::events;
    use crate::model::Scheme;
    use crate::model::share::Share;
    use crate::wire::testing::record;
    use crate::wire::{SCHEMA, Timeline};

    fn wrong(text: &str, record: &RunRecord) -> Vec<String> {
        Heard::read(&mut text.as_bytes()).unwrap().against(record)
    }

    #[test]
    fn a_record_is_what_its_ingester_said_but_for_what_the_lab_found() {
        let record = record(1, Scheme::Threads, 9_000.0);
        assert!(record.result().unwrap().verification.is_some());
        assert_eq!(wrong(&events(&record), &record), Vec::<String>::new());
    }

    #[test]
    fn a_record_that_was_improved_is_found() {
        let mut better = record(1, Scheme::Threads, 9_000.0);
        let said = events(&better);
        if let Outcome::Finished { result } = &mut better.outcome {
            result.phases[1].rates.whole = Some(9_900.0);
        }
        let wrong = wrong(&said, &better);
        assert_eq!(wrong, ["the record is not what was said: phases[1].rates.whole is 9900.0, said 9000.0"]);
    }

    #[test]
    fn lines_that_are_missing_or_count_too_much_are_found() {
        let record = record(1, Scheme::Threads, 9_000.0);
        let said = events(&record);
        let without: String =
            said.lines().enumerate().filter(|(at, _)| *at != 1).map(|(_, line)| format!("{line}\n")).collect();
        assert!(wrong(&without, &record)[0].contains("is missing"), "{:?}", wrong(&without, &record));
        let more = said.replace("\"rows\":1000,", "\"rows\":99000,");
        assert_ne!(more, said);
        assert!(wrong(&more, &record)[0].contains("99000 rows, the phase 8880"), "{:?}", wrong(&more, &record));
        let cut = &said[..said.len() / 2];
        assert!(!wrong(cut, &record).is_empty());
    }

    #[test]
    fn of_several_clients_the_record_is_what_they_said_together() {
        let mut record = record(1, Scheme::Threads, 9_000.0);
        record.cell.clients = 2;
        let one = record.result().unwrap().clone();
        let parts: Vec<RunResult> = Share::all(2)
            .map(|share| {
                let mut part = RunResult { verification: None, ..one.clone() };
                part.job.share = share;
                let line = Timeline::new(vec![220.0; 40], Some((0.0, 4.0)), None);
                part.phases.iter_mut().for_each(|phase| phase.timeline = Some(line.clone()));
                part
            })
            .collect();
        let mut merged = wire::merge(parts.clone()).unwrap();
        merged.verification = one.verification;
        record.outcome = Outcome::Finished { result: Box::new(merged) };
        let line = |seq: u64, client: usize, at: f64, event: Event| {
            serde_json::to_string(&Line { schema: SCHEMA, seq, at, client: Some(client), event }).unwrap() + "\n"
        };
        let started = || Event::Started { program: "ingester test".into() };
        let finished = |at: usize| Event::Finished { result: Box::new(parts[at].clone()) };
        let first = line(0, 1, 0.5, started()) + &line(1, 2, 0.1, started());
        let said = first.clone() + &line(2, 2, 4.0, finished(1)) + &line(3, 1, 4.5, finished(0));
        assert_eq!(wrong(&said, &record), Vec::<String>::new());
        let half = first.clone() + &line(2, 2, 4.0, finished(1));
        assert!(wrong(&half, &record)[0].contains("1 results came"), "{:?}", wrong(&half, &record));
        let back = first + &line(2, 2, 0.05, finished(1)) + &line(3, 1, 4.5, finished(0));
        assert_eq!(wrong(&back, &record), ["line 2 is earlier than the one before"]);
        if let Outcome::Finished { result } = &mut record.outcome {
            result.acknowledged.lines += 1;
        }
        assert!(wrong(&said, &record)[0].contains("acknowledged.lines"), "{:?}", wrong(&said, &record));
        record.outcome = Outcome::Failed { error: "client 1 of 2 is lost".into(), code: 1 };
        assert_eq!(wrong(&half, &record), Vec::<String>::new());
    }

    #[test]
    fn a_run_that_failed_need_not_have_said_so() {
        let mut failed = record(1, Scheme::Threads, 9_000.0);
        let said = events(&failed);
        failed.outcome = Outcome::Failed { error: "the ingester ran out of memory".into(), code: 1 };
        let first: String = said.lines().take(2).map(|line| format!("{line}\n")).collect();
        assert_eq!(wrong(&first, &failed), Vec::<String>::new());
    }
}
