//! The database's every process stands still, as when its machine is moved or its disk hangs: connections stay open, and
//! nobody answers.

use super::Scene;
use anyhow::Result;

pub(super) async fn begin(scene: &Scene<'_>) -> Result<()> {
    scene.stage.stack.pause(scene.database()).await
}

pub(super) async fn end(scene: &Scene<'_>) -> Result<()> {
    scene.stage.stack.bring_back(scene.database()).await.map(drop)
}
