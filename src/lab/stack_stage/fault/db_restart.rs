//! The database is shut down in order, as for an update, and started again.

use super::Scene;
use anyhow::Result;

/// The image asks for PostgreSQL's fast shutdown: clients are sent away, what they had not committed is undone, and a
/// checkpoint is written.
pub(super) async fn begin(scene: &Scene<'_>) -> Result<()> {
    scene.stage.stack.stop_service(scene.database()).await.map(drop)
}

pub(super) async fn end(scene: &Scene<'_>) -> Result<()> {
    scene.stage.stack.bring_back(scene.database()).await.map(drop)
}
