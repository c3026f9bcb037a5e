//! A worker's connection broke: it is opened again, and what it was at is done again unless it is there.
//!
//! ```text
//! broke ─► pause, open ─► take the mark: whoever held it is gone ─► ask progress ─► there: acknowledged
//!             ▲    └ broke                                                     └─► not there: done again
//!             └──────┘
//! ```
//! A COMMIT whose answer never came may have been read by the server, or lie in its socket still. Only when that server
//! process is gone is `progress` the last word about it.

use super::backoff::Backoff;
use super::census;
use super::session::Session;
use super::statement::listed;
use super::worker::{Bench, Context, Message, Prepared};
use super::workload::{Counters, Record};
use crate::db;
use crate::db::geo::Columns;
use crate::db::progress;
use crate::model::Stage;
use crate::telemetry::Stages;
use crate::wire::Retried;
use crate::wire::exit::{Exit, Failure};
use anyhow::{Result, anyhow};
use std::time::{Duration, Instant};
use tokio_postgres::Error;

/// How often an interrupt is looked for while nothing can be done.
const LOOK: Duration = Duration::from_millis(100);

/// What keeps a connection from being used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Database(#[from] Error),
    #[error(
        "the connection that broke is still there on the server's side: look for it in pg_stat_activity, and end it"
    )]
    Held,
    #[error("another run has taken this ingest over: this one stops")]
    TakenOver,
}

/// Since when the records at hand have been in trouble: attempts at them end together with patience.
#[derive(Debug)]
pub(super) struct Trouble {
    since: Instant,
    backoff: Backoff,
}

impl Trouble {
    /// It begins now.
    pub(super) fn new(worker: usize) -> Self {
        // The time is different in each process of a pool.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let seed = now.as_nanos() as u64 ^ (worker as u64) << 48 ^ u64::from(std::process::id()) << 32;
        Self { since: Instant::now(), backoff: Backoff::new(seed) }
    }
}

impl Bench {
    /// Opens the connection again, and takes its mark from the one that broke.
    pub(super) async fn reopen(
        &mut self,
        context: &Context,
        worker: usize,
        stages: &Stages,
        trouble: &mut Trouble,
        error: &Error,
    ) -> Result<Retried> {
        let (begun, before) = (Instant::now(), trouble.backoff.attempts());
        context.tell(Message::ConnectionLost { worker, error: context.explain(error).to_string() });
        stages.time(Stage::Connect, self.open_again(context, trouble)).await?;
        let (seconds, attempts) = (begun.elapsed().as_secs_f64(), trouble.backoff.attempts() - before);
        context.tell(Message::ConnectionBack { worker, seconds, attempts });
        Ok(Retried { reconnects: 1, attempts, longest_outage: seconds, ..Retried::default() })
    }

    async fn open_again(&mut self, context: &Context, trouble: &mut Trouble) -> Result<()> {
        let driver = self.session.driver();
        let mut last = None;
        loop {
            let Some(pause) = trouble.backoff.next(trouble.since.elapsed()) else {
                let seconds = trouble.since.elapsed().as_secs();
                let last = last.unwrap_or_else(|| anyhow!("each connection broke again"));
                return Err(last.context(format!("given up after {seconds} s; `--resume` continues this ingest")));
            };
            self.wait(context, pause).await?;
            let opened = async {
                let mut session = Session::open(driver, &context.config).await?;
                if let Some(mark) = self.mark {
                    claim(&mut session, mark).await?;
                }
                let prepared = Prepared::on(&mut session, context).await?;
                Ok::<_, Unusable>((session, prepared))
            };
            match opened.await {
                Ok((session, prepared)) => {
                    (self.session, self.prepared) = (session, prepared);
                    return Ok(());
                }
                Err(Unusable::Database(error)) if db::is_curable(&error) => last = Some(context.explain(&error)),
                Err(Unusable::Database(error)) => return Err(context.explain(&error)),
                Err(refused) => return Err(Failure::new(Exit::Database, refused.to_string()).into()),
            }
        }
    }

    /// An interrupt ends the wait: what is in flight is told by `progress`, to whoever resumes.
    async fn wait(&mut self, context: &Context, pause: Duration) -> Result<()> {
        let until = Instant::now() + pause;
        loop {
            if context.interrupted() {
                let text = "interrupted while the database was away; `--resume` continues this ingest";
                return Err(Failure::new(Exit::Interrupted, text).into());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.session.sleep(left.min(LOOK)).await;
        }
    }

    /// Acknowledges those of the records that are there, and leaves the others.
    pub(super) async fn find(&mut self, records: &mut Vec<Record>, counters: &mut Counters<'_>) -> Result<Told, Error> {
        let mut there = crate::model::ranges::Listed::default();
        for (source, first, last) in listed(records).iter() {
            for number in self.session.ids(&progress::find(source, first, last), &[]).await? {
                there.add(source, number as u64, number as u64);
            }
        }
        let mut told = Told::default();
        records.retain(|record| {
            let found = record.origin().is_some_and(|origin| there.contains(&origin.file, origin.line));
            if found {
                acknowledge(record, counters);
                told.records += 1;
                told.rows += record.rows();
            }
            !found
        });
        Ok(told)
    }
}

/// How much was there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    /// Records.
    pub(super) records: u64,
    /// Their rows.
    pub(super) rows: u64,
}

fn acknowledge(record: &Record, counters: &mut Counters<'_>) {
    counters.rows(record.rows());
    match record {
        Record::Geo(geo, _) => counters.geo(&Columns::of(geo)),
        Record::Line(segment, line, _) => counters.line(line, &census::keys(*segment)),
        Record::Raw(..) | Record::Keys(_) => {} // no worker with a connection has one that was to be written
    }
}

/// Takes a mark, ending whoever holds it still.
async fn claim(session: &mut Session, mark: u32) -> Result<(), Unusable> {
    let begun = Instant::now();
    while session.ids(&progress::take(mark), &[]).await? != [1] {
        if begun.elapsed() > progress::GONE {
            return Err(Unusable::Held);
        }
        session.ids(&progress::end_holder(mark), &[]).await?;
        session.sleep(progress::LOOK).await;
    }
    match session.ids(&progress::others(mark), &[]).await?.as_slice() {
        [0] => Ok(()),
        _ => Err(Unusable::TakenOver),
    }
}
