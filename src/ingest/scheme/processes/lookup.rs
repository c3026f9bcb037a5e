//! The feeder of a lookup: hands a child chunks of keys, takes whole rows back and delivers them. A child that dies is
//! no end of the run: others do what it left.

use super::handout::Handout;
use super::pipe::{Died, Pipe};
use super::{AHEAD, connected, count, end};
use crate::ingest::lookup::{Keys, from_frame};
use crate::ingest::stats::PhaseLog;
use crate::ingest::worker::{Context, Ended, Message};
use crate::model::Phase;
use crate::wire::Event;
use crate::wire::feed::Feed;
use anyhow::{Context as _, Result, anyhow, bail};
use std::collections::VecDeque;
use std::time::Instant;
use tokio::sync::Semaphore;

/// What became of a child.
#[derive(Default)]
struct Standing {
    /// The chunks it holds.
    outstanding: VecDeque<Keys>,
    log: PhaseLog,
    /// Whether its part of the phase is over, and said to be.
    through: bool,
}

/// One child of a lookup from its start to its end, or to its death.
pub(super) async fn feed(context: &Context, worker: usize, starting: &Semaphore, handout: &Handout) -> Result<Ended> {
    let mut standing = Standing::default();
    let error = match work(context, worker, starting, handout, &mut standing).await {
        Ok(ended) => return Ok(ended),
        Err(error) => error,
    };
    if error.downcast_ref::<Died>().is_none() {
        handout.fail();
        return Err(error);
    }
    let left = standing.outstanding.len();
    if handout.lost(standing.outstanding) == 0 {
        handout.fail();
        return Err(error.context("no worker process is left"));
    }
    let chunk = if left == 1 { "chunk" } else { "chunks" };
    let error = format!("{error:#}: the {left} {chunk} of keys it had are done by others");
    context.tell(Message::Lost { worker, error });
    if !standing.through {
        handout.ended().await;
        context.tell(Message::PhaseDone(standing.log));
    }
    Ok(Ended::default())
}

async fn work(
    context: &Context,
    worker: usize,
    starting: &Semaphore,
    handout: &Handout,
    standing: &mut Standing,
) -> Result<Ended> {
    let mut pipe = connected(context, worker, starting).await?;
    let mut busy = Vec::new();
    for (_, queue) in &context.phases {
        let Standing { outstanding, log, through } = &mut *standing;
        let mut over = false;
        while !over || !outstanding.is_empty() {
            let room = !over && outstanding.len() <= AHEAD;
            tokio::select! {
                biased;
                keys = handout.next(context, queue), if room => match keys {
                    Some(keys) => {
                        outstanding.push_back(keys);
                        hand(&mut pipe, keys, log).await?;
                    }
                    None => over = true,
                },
                event = pipe.next() => {
                    let keys = outstanding.front().copied();
                    let count_of = taken(context, &event?, keys)?;
                    count(context, worker, log, count_of, count_of);
                    outstanding.pop_front();
                    handout.done();
                }
            }
        }
        busy.push(log.first_taken.zip(log.last_done));
        *through = true;
        context.tell(Message::PhaseDone(std::mem::take(log)));
    }
    end(pipe, worker, busy).await
}

/// Hands a child a chunk of keys.
async fn hand(pipe: &mut Pipe, keys: Keys, log: &mut PhaseLog) -> Result<()> {
    if log.first_taken.is_none() {
        pipe.send(&Feed::Phase { phase: Phase::Data }).await?;
        log.first_taken = Some(Instant::now());
    }
    pipe.send(&Feed::Keys { first: keys.first, keys: keys.count }).await
}

/// Takes the rows of the oldest chunk that a child has, and delivers them; gives how many.
fn taken(context: &Context, event: &Event, keys: Option<Keys>) -> Result<u64> {
    let Event::Rows { first, rows, frame, .. } = event else {
        bail!("a worker process said {event:?} instead of handing over rows")
    };
    let keys = keys.filter(|keys| (keys.first, keys.count) == (*first, *rows));
    keys.ok_or_else(|| anyhow!("a worker process handed over rows that it was not asked for: this is a bug"))?;
    let nodes =
        from_frame(frame, *rows).context("a worker process handed over what cannot be read as rows: this is a bug")?;
    context.delivery.take(*first, nodes);
    Ok(*rows)
}
