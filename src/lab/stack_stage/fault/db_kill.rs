//! The database's every process is killed, as when its machine fails, and it is started again: it has to recover from its
//! write-ahead log.

use super::Scene;
use anyhow::Result;

pub(super) async fn begin(scene: &Scene<'_>) -> Result<()> {
    scene.stage.stack.kill(scene.database()).await
}

pub(super) async fn end(scene: &Scene<'_>) -> Result<()> {
    scene.stage.stack.bring_back(scene.database()).await.map(drop)
}
