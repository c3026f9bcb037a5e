//! Every connection is reset at both ends, as by a firewall that forgot them.

use super::Scene;
use crate::model::LinkFault;
use anyhow::Result;

pub(super) async fn begin(scene: &Scene<'_>) -> Result<()> {
    scene.stage.ask_link(&["break", LinkFault::Reset.word()]).await.map(drop)
}

pub(super) async fn end(scene: &Scene<'_>) -> Result<()> {
    scene.stage.ask_link(&["break"]).await.map(drop)
}
