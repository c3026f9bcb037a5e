//! The feeder of an ingest: hands a child records, and hears when they are committed. Where the job retries, a child that
//! dies is replaced, and what it had is done again unless `progress` lists it.

use super::pipe::{Died, Pipe};
use super::{AHEAD, Busy, connected, count, done, end};
use crate::db::{self, progress};
use crate::ingest::reader::feed_of;
use crate::ingest::statement::{listed, together};
use crate::ingest::stats::PhaseLog;
use crate::ingest::worker::{Context, Ended, Message};
use crate::ingest::workload::Record;
use crate::model::Phase;
use crate::model::ranges::Listed;
use crate::wire::Retried;
use crate::wire::feed::Feed;
use anyhow::{Context as _, Result};
use async_channel::Receiver;
use std::collections::VecDeque;
use std::time::Instant;
use tokio::sync::Semaphore;

/// So many children of a worker may die in a row without having done a record: there is a cause that stays.
const IN_VAIN: usize = 3;

/// What a worker's children hold, the one that lives and those before it.
#[derive(Default)]
struct Held {
    /// Records the child has, in the order it was handed them.
    out: VecDeque<Record>,
    /// Records a dead child left, to be handed out first.
    again: VecDeque<Record>,
    /// What the living child acknowledged; kept where the job retries.
    done: Listed,
    /// What dead children acknowledged.
    orphans: Listed,
    /// Whether the living child knows the phase.
    told: bool,
    /// Children that died in a row without having done a record.
    in_vain: usize,
    retried: Retried,
    busy: Busy,
}

/// A worker's children from the first one's start to the last one's end.
pub(super) async fn feed(context: &Context, worker: usize, starting: &Semaphore) -> Result<Ended> {
    let mut pipe = connected(context, worker, starting).await?;
    let mut held = Held::default();
    for (phase, queue) in &context.phases {
        let mut log = PhaseLog::default();
        held.told = false;
        while let Err(error) = work(context, worker, &mut pipe, (*phase, queue), &mut held, &mut log).await {
            replace(context, worker, starting, &mut pipe, &mut held, &mut log, error).await?;
        }
        held.busy.push(log.first_taken.zip(log.last_done));
        context.tell(Message::PhaseDone(log));
    }
    let ended = match end(pipe, worker, held.busy).await {
        Err(error) if context.job.retry && error.is::<Died>() => {
            held.orphans.merge(&held.done);
            context.tell(Message::Lost { worker, error: format!("{error:#}: all it had was committed") });
            Ended::default()
        }
        ended => ended?,
    };
    Ok(Ended { retried: held.retried, orphans: held.orphans, ..ended })
}

/// Hands out a phase's records until there are no more, and the child is done with all it has.
async fn work(
    context: &Context,
    worker: usize,
    pipe: &mut Pipe,
    (phase, queue): (Phase, &Receiver<Record>),
    held: &mut Held,
    log: &mut PhaseLog,
) -> Result<()> {
    let ahead = together(context.manner(), phase) * (1 + AHEAD);
    while let Some(record) = held.again.pop_front() {
        held.hand(context, pipe, phase, record).await?;
    }
    loop {
        let room = held.out.len() < ahead && !context.stopped();
        tokio::select! {
            biased;
            record = queue.recv(), if room => {
                let Ok(record) = record else { break };
                log.first_taken.get_or_insert_with(Instant::now);
                held.hand(context, pipe, phase, record).await?;
            }
            event = pipe.next(), if !held.out.is_empty() => {
                held.heard(context, done(context, worker, log, &event?)?);
            }
            else => break,
        }
    }
    while !held.out.is_empty() {
        let event = pipe.next().await?;
        held.heard(context, done(context, worker, log, &event)?);
    }
    Ok(())
}

impl Held {
    async fn hand(&mut self, context: &Context, pipe: &mut Pipe, phase: Phase, record: Record) -> Result<()> {
        // It is the child's before it is sent: of one that dies nobody knows how much it read.
        let kept = if context.job.retry { record.clone() } else { Record::kept_nowhere() };
        self.out.push_back(kept);
        if !self.told {
            pipe.send(&Feed::Phase { phase }).await?;
            self.told = true;
        }
        pipe.send(&feed_of(record)).await
    }

    /// The child is done with so many of the oldest.
    fn heard(&mut self, context: &Context, records: usize) {
        let through: Vec<Record> = self.out.drain(..records.min(self.out.len())).collect();
        self.in_vain = 0;
        if context.job.retry {
            self.done.merge(&listed(&through));
        }
    }
}

/// Starts another child in the place of one that died, once nothing of that one is left in the database.
async fn replace(
    context: &Context,
    worker: usize,
    starting: &Semaphore,
    pipe: &mut Pipe,
    held: &mut Held,
    log: &mut PhaseLog,
    error: anyhow::Error,
) -> Result<()> {
    let Some(mark) = context.mark(worker).filter(|_| context.job.retry && error.is::<Died>()) else {
        return Err(error);
    };
    held.in_vain += 1;
    if held.in_vain > IN_VAIN {
        return Err(error.context(format!("{} worker processes in a row did nothing", held.in_vain)));
    }
    let begun = Instant::now();
    let client = db::connect_again(&context.job.dburl).await?;
    progress::fence(&client, Some(mark)).await?;
    let there = progress::load(&client).await.context("look what a worker process left")?;
    let (found, left): (Vec<Record>, Vec<Record>) = held
        .out
        .drain(..)
        .partition(|record| record.origin().is_some_and(|origin| there.contains(&origin.file, origin.line)));
    count(context, worker, log, found.len() as u64, found.iter().map(Record::rows).sum());
    held.orphans.merge(&std::mem::take(&mut held.done));
    held.orphans.merge(&listed(&found));
    held.retried.found += found.len() as u64;
    held.retried.redone += left.len() as u64;
    held.again.extend(left);
    let error = format!("{error:#}: another one does the {} records it had that are not there", held.again.len());
    context.tell(Message::Lost { worker, error });
    *pipe = connected(context, worker, starting).await?;
    held.told = false;
    held.retried.reconnects += 1;
    held.retried.attempts += 1;
    held.retried.longest_outage = held.retried.longest_outage.max(begun.elapsed().as_secs_f64());
    Ok(())
}
