//! Many packets are lost for a while, both ways. The link's backend loses them: one that copies bytes refuses, and says
//! so.

use super::Scene;
use crate::model::link::{LinkProfile, Loss};
use crate::model::quantity::Share;
use anyhow::Result;

pub(super) async fn begin(scene: &Scene<'_>, share: Share) -> Result<()> {
    scene.stage.set_link(&lossy(&scene.profile, share), scene.seed).await.map(drop)
}

pub(super) async fn end(scene: &Scene<'_>) -> Result<()> {
    scene.stage.set_link(&scene.profile, scene.seed).await.map(drop)
}

/// The link as it is, with so many of its packets lost.
pub(in crate::lab::stack_stage) fn lossy(profile: &LinkProfile, share: Share) -> LinkProfile {
    let loss = Some(Loss { share, burst: None });
    let mut lossy = profile.clone();
    (lossy.up.loss, lossy.down.loss) = (loss, loss);
    lossy.name = lossy.to_string();
    lossy
}
