//! A stack that is the lab's own to make: on a swarm there is no `make up`, so it is made before a series and removed
//! after it, however that ended. On one machine the stack is there, and stays.

use super::stack_stage::StackStage;
use super::stop::Stop;
use crate::engine::{Raised, Stack};
use crate::model::Program;
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use std::time::Duration;

/// From so long ago on nobody is still making a stack that is not whole.
const MAKING: Duration = Duration::from_secs(150);

/// How long removing it may take when an end at once was asked for.
const LAST: Duration = Duration::from_secs(30);

/// Makes the stack, works on it, removes it.
pub(super) async fn on_a_stack(stack: &Stack, stop: &Stop, work: impl Future<Output = Result<()>>) -> Result<()> {
    if !stack.is_on_swarm() {
        return work.await;
    }
    clear(stack).await?;
    let made = tokio::select! {
        made = raise(stack) => made,
        () = stop.asked() => Err(Failure::new(Exit::Interrupted, "interrupted before the first run").into()),
    };
    let outcome = match made {
        Ok(()) => work.await,
        Err(error) => Err(error),
    };
    let lowered = tokio::select! {
        lowered = stack.lower() => lowered,
        () = at_last(stop) => Err(anyhow::anyhow!("an end at once was asked for")),
    };
    match (outcome, lowered) {
        (outcome, Ok(_)) => outcome,
        (Ok(()), Err(failed)) => Err(failed.context("remove the stack from the nodes; the next lab removes the rest")),
        // The first error is the cause; what was left is told beside it.
        (Err(error), Err(failed)) => {
            eprintln!("what is left of the stack on the nodes is removed by the next lab: {failed:#}");
            Err(error)
        }
    }
}

/// A little after an end at once was asked for.
async fn at_last(stop: &Stop) {
    stop.now().await;
    tokio::time::sleep(LAST).await;
}

/// Removes what a killed lab left on the nodes; refuses where one is at work.
pub(super) async fn clear(stack: &Stack) -> Result<()> {
    match stack.raised().await? {
        Raised::Whole => {
            let taken = StackStage::take_within(stack.clone(), Duration::ZERO).await.map(drop);
            if let Err(error) = taken
                && Failure::exit_of(&error) == Exit::Busy
            {
                return Err(error);
            }
        }
        Raised::Partly(age) if age < MAKING => {
            let message = format!(
                "another lab began to make this stack {} s ago: wait for it; what is left of a killed one is removed {} s \
                 after it began",
                age.as_secs(),
                MAKING.as_secs()
            );
            return Err(Failure::new(Exit::Busy, message).into());
        }
        Raised::Partly(_) | Raised::No => {}
    }
    let left = stack.lower().await?;
    if left > 0 {
        eprintln!("put back what an earlier lab left: {left} services, networks and containers on the nodes");
    }
    Ok(())
}

async fn raise(stack: &Stack) -> Result<()> {
    let mut sent = 0;
    // The watcher is of the ingester's image; responder and control connection are of the link's.
    for (role, to_clients) in [("db", false), ("link", false), (Program::Ingester.word(), true)] {
        sent += stack.bring(role, to_clients).await?;
    }
    if sent > 0 {
        eprintln!("{sent} images sent to nodes that lacked them");
    }
    eprintln!("stack: starting on the swarm");
    stack.raise().await
}
