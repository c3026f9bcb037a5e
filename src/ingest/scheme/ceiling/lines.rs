//! The lines of a ceiling's data phase, by their number in file order. They are read twice: to be rendered before the
//! clock starts, and when it is over for the tallies of those that are acknowledged. In between only a byte a line is
//! kept.

use crate::census::line::Line;
use crate::ingest::census::{SELECT_KEYS, check_keys, items};
use crate::ingest::reader::{self, Source};
use crate::ingest::stats::Acks;
use crate::ingest::worker::Context;
use crate::ingest::workload::{Record, explain};
use crate::model::Phase;
use crate::wire::{Acknowledged, Job};
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use tokio_postgres::Client;

/// What is known of all lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The segment of each.
    pub(super) segments: Vec<u8>,
    /// The ids of a segment's items, in file order.
    pub(super) keys: BTreeMap<u8, Vec<i32>>,
}

impl Lines {
    /// How many.
    pub(super) fn count(&self) -> usize {
        self.segments.len()
    }

    /// Rows of one.
    pub(super) fn rows(&self, line: usize) -> u64 {
        self.segments.get(line).map_or(0, |segment| items(*segment) as u64)
    }
}

/// Looks through the lines, and asks the database for their segments' keys.
pub(super) async fn of(context: &Context, control: &Client) -> Result<Lines> {
    let mut lines = Lines::default();
    let mut first = BTreeMap::new();
    each(&context.job, |number, segment, line, record| {
        lines.segments.push(segment);
        first.entry(segment).or_insert_with(|| (number, line.clone(), record.clone()));
        Ok(())
    })?;
    for (segment, (_, line, record)) in first {
        let rows = control.query(SELECT_KEYS, &[&i16::from(segment)]).await.context("ask for a segment's items")?;
        let keys: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
        check_keys(&keys, segment, &line).map_err(|error| explain(error, &[record], &context.job.dburl))?;
        lines.keys.insert(segment, keys);
    }
    Ok(lines)
}

/// Hands every line of the job over, in file order: its number, its segment, itself, and the record it came as.
pub(super) fn each(job: &Job, mut to: impl FnMut(usize, u8, &Line, &Record) -> Result<()>) -> Result<()> {
    let mut source = Source::Files(reader::open(job)?);
    let (mut number, mut outcome) = (0, Ok(()));
    source.read(job, Phase::Data, false, &mut |record| {
        if let Record::Line(segment, line, _) = &record {
            outcome = to(number, *segment, line, &record);
            number += 1;
        }
        outcome.is_ok()
    })?;
    outcome
}

/// The account of the lines that are done.
pub(super) fn acknowledged(job: &Job, lines: &Lines, done: &[bool]) -> Result<Acknowledged> {
    let mut acks = Acks::default();
    each(job, |number, segment, line, _| {
        if done.get(number).copied().unwrap_or(false) {
            let keys = lines.keys.get(&segment).context("a segment came later: the files were changed")?;
            acks.line(line.logrecno, keys, &line.values);
        }
        Ok(())
    })?;
    Ok(acks.into_acknowledged())
}
