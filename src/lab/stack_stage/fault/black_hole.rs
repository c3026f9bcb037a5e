//! No packet passes, either way, and nobody is told: a cable that is out.

use super::Scene;
use crate::model::LinkFault;
use anyhow::Result;

pub(super) async fn begin(scene: &Scene<'_>) -> Result<()> {
    scene.stage.ask_link(&["break", LinkFault::BlackHole.word()]).await.map(drop)
}

pub(super) async fn end(scene: &Scene<'_>) -> Result<()> {
    scene.stage.ask_link(&["break"]).await.map(drop)
}
