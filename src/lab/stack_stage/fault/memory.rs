//! The database may have hardly more memory than it uses, and a query asks for much: the kernel ends one of its processes,
//! and PostgreSQL ends all the others, because they share memory.

use super::Scene;
use crate::db;
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use std::time::Duration;

/// What it may have besides what it uses, bytes: PostgreSQL takes that much to connect and to read ahead.
const SPARE: u64 = 64 << 20;

/// What the query asks for, bytes.
const GREED: u64 = 512 << 20;

/// Limits to try, each with more to spare: the kernel refuses one that it cannot reach by giving up what is kept of
/// files, some of which is still to be written.
const LIMITS: u64 = 4;

/// How long the kernel may take to end somebody.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn begin(scene: &Scene<'_>) -> Result<()> {
    let (stage, database) = (scene.stage, scene.database());
    let greedy = db::connect(&stage.server().url).await?;
    let used = stage.stack.memory_in_use(database).await?;
    for more in 1..=LIMITS {
        match stage.stack.limit_memory(database, used + SPARE * more).await {
            Err(error) if more == LIMITS => return Err(error),
            Err(_) => {}
            Ok(()) => break,
        }
    }
    match tokio::time::timeout(PATIENCE, db::take_memory(&greedy, GREED)).await {
        Ok(Err(_)) => Ok(()), // its connection went, or everybody's
        Ok(Ok(())) | Err(_) => {
            let message = "the kernel ended nobody although the database asked for more memory than it may have: has \
                           the engine's machine swap?";
            Err(Failure::new(Exit::Engine, message).into())
        }
    }
}

pub(super) async fn end(scene: &Scene<'_>) -> Result<()> {
    let (stage, database) = (scene.stage, scene.database());
    stage.stack.free_memory(database, stage.memory()).await?;
    // The process that was ended may have been the first: then the container ended with it.
    stage.stack.bring_back(database).await.map(drop)
}
