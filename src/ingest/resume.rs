//! An ingest that broke off is continued: what `progress` lists is passed over, and counted from the archives as if this
//! run had written it, so that the verification in the end covers every row in the tables.

use super::census;
use super::reader::{self, Source};
use super::stats::Acks;
use super::workload::Record;
use crate::db;
use crate::db::geo::Columns;
use crate::model::Phase;
use crate::model::ranges::Listed;
use crate::model::share::Share;
use crate::wire::exit::{Exit, Failure};
use crate::wire::{Acknowledged, Job};
use anyhow::Result;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio_postgres::Client;

/// What an earlier run committed.
pub struct Earlier {
    listed: Listed,
    /// What the listed records hold.
    pub(super) acknowledged: Acknowledged,
    /// Records passed over in the phase under way.
    skipped: AtomicU64,
}

impl Earlier {
    /// Reads `progress`, and the records it lists from their archives. No connection of an earlier run may be left.
    pub(super) async fn load(client: &Client, job: &Job, interrupt: &AtomicBool) -> Result<Self> {
        let listed = db::progress::load(client).await?;
        let acknowledged = tally(job, &listed, interrupt)?;
        let counts = (acknowledged.geo_rows, acknowledged.lines);
        db::require_resumable(client, job.phases.contains(&Phase::Geo), counts).await?;
        Ok(Self { listed, acknowledged, skipped: AtomicU64::new(0) })
    }

    /// Whether a record is there already.
    pub(super) fn skips(&self, record: &Record) -> bool {
        let there = record.origin().is_some_and(|origin| self.listed.contains(&origin.file, origin.line));
        self.skipped.fetch_add(u64::from(there), Ordering::Relaxed);
        there
    }

    /// How many records were passed over since the last call.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped.swap(0, Ordering::Relaxed)
    }
}

/// What listed records hold, by their archives, whatever phases and limits the job has.
pub(super) fn tally(job: &Job, listed: &Listed, interrupt: &AtomicBool) -> Result<Acknowledged> {
    let mut left = listed.count();
    if left == 0 {
        return Ok(Acknowledged::default());
    }
    let whole = Job { limit_geo: None, limit_lines: None, share: Share::WHOLE, ..job.clone() };
    let mut source = Source::Files(reader::open(&whole)?);
    let mut acks = Acks::default();
    for phase in [Phase::Geo, Phase::Data] {
        source.read(&whole, phase, false, &mut |record| {
            if record.origin().is_some_and(|origin| listed.contains(&origin.file, origin.line)) {
                count(&record, &mut acks);
                left -= 1;
            }
            left > 0 && !interrupt.load(Ordering::Relaxed)
        })?;
    }
    if interrupt.load(Ordering::Relaxed) {
        let text = "interrupted while what is there already was read; nothing was written";
        return Err(Failure::new(Exit::Interrupted, text).into());
    }
    if left > 0 {
        let text = format!(
            "progress lists {left} records that the archives in {} don't hold: name the data folder of the run that broke off",
            job.data.display()
        );
        return Err(Failure::new(Exit::Data, text).into());
    }
    Ok(acks.into_acknowledged())
}

fn count(record: &Record, acks: &mut Acks) {
    match record {
        Record::Geo(geo, _) => acks.geo(Columns::of(geo).digest()),
        Record::Line(segment, line, _) => acks.line(line.logrecno, &census::keys(*segment), &line.values),
        Record::Raw(..) | Record::Keys(_) => {} // archives are read parsed here
    }
}

/// Adds what records hold whose acknowledgement was lost with the process that got it.
pub(super) fn adopt(
    job: &Job,
    orphans: &Listed,
    acknowledged: &mut Acknowledged,
    interrupt: &AtomicBool,
) -> Result<()> {
    if !orphans.is_empty() {
        let found = tally(job, orphans, interrupt)?;
        *acknowledged = Acknowledged::together([std::mem::take(acknowledged), found]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{GenerateSpec, generate};
    use crate::ingest::testing::job;
    use crate::model::Workload;

    #[test]
    fn what_is_listed_is_counted_whoever_wrote_it_and_however_it_is_split() {
        let dir = tempfile::TempDir::new().unwrap();
        let spec = GenerateSpec { geo_records: 20, lines: 20, segments: vec![1], ..GenerateSpec::default() };
        generate(&spec, dir.path()).unwrap();
        let phases = vec![Phase::Geo, Phase::Data];
        let job = Job { workload: Workload::Census, data: dir.path().into(), phases, limit_lines: Some(2), ..job() };
        let never = AtomicBool::new(false);
        let of = |ranges: &[(&str, u64, u64)]| {
            let mut listed = Listed::default();
            ranges.iter().for_each(|(source, first, last)| assert!(listed.add(source, *first, *last)));
            tally(&job, &listed, &never)
        };
        let (geo, data) = ("nygeo_uf1.zip", "ny00001_uf1.zip");
        let whole = of(&[(geo, 1, 20), (data, 1, 20)]).unwrap();
        assert_eq!((whole.geo_rows, whole.lines), (20, 20), "a limit of the resumed run is no limit of what is there");
        let parts = [of(&[(geo, 3, 20), (data, 1, 4)]), of(&[(geo, 1, 2), (data, 5, 5)]), of(&[(data, 6, 20)])];
        assert_eq!(Acknowledged::together(parts.map(Result::unwrap)), whole);
        let error = of(&[(data, 15, 25)]).unwrap_err();
        assert!(Failure::exit_of(&error) == Exit::Data && error.to_string().contains("lists 5 records"), "{error}");
    }
}
