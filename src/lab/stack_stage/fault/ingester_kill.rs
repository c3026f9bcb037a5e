//! The ingester is killed. Another is started, told to go on, and verified over everything in the tables.

use super::Scene;
use anyhow::Result;

pub(super) async fn begin(scene: &Scene<'_>) -> Result<()> {
    scene.stage.stack.kill(&scene.client).await
}

/// The run starts the other one: it needs the first one's end.
pub(super) fn end() -> Result<()> {
    Ok(())
}
