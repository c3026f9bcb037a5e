//! Images on their way to the nodes that lack them: saved by the manager's engine, loaded by the node's, streamed
//! through the lab; or by way of a registry, where one is named. Either way the node gets exactly what the manager has.

use super::super::images::PATIENCE;
use super::super::{Engine, Stack, is_missing, no_image, refused};
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use bollard::models::ImageInspect;
use bollard::query_parameters::ImportImageOptions;
use futures_util::StreamExt;
use std::collections::BTreeMap;

/// What makes an image this one and no other. Its id would not do: engines that keep images in another way give it
/// another one.
#[derive(Debug, PartialEq, Eq)]
struct Contents {
    layers: Vec<String>,
    labels: BTreeMap<String, String>,
}

impl Contents {
    fn of(image: ImageInspect) -> Self {
        let layers = image.root_fs.and_then(|root| root.layers).unwrap_or_default();
        let labels = image.config.and_then(|config| config.labels).unwrap_or_default();
        Self { layers, labels: labels.into_iter().collect() }
    }
}

impl Stack {
    /// Brings an image of the project to every engine that needs it and lacks it, or has another one of that name: those
    /// of clients, and the database's. Says how many got it. On one machine there is nothing to do.
    pub async fn bring(&self, role: &str, to_clients: bool) -> Result<usize> {
        let Some(swarm) = &self.swarm else { return Ok(0) };
        let image = self.image(role);
        let Some(wanted) = swarm.manager.image_contents(&image).await? else { return Err(no_image(&image).into()) };
        let mut sent = 0;
        for engine in self.engines().filter(|engine| to_clients || engine.is(&self.engine)) {
            if engine.is(&swarm.manager) || engine.image_contents(&image).await?.as_ref() == Some(&wanted) {
                continue;
            }
            match &swarm.registry {
                None => engine.take_image(&swarm.manager, &image).await?,
                Some(registry) => {
                    if sent == 0 {
                        swarm.manager.push(registry, role, &self.tag).await?;
                    }
                    engine.pull(registry, role, &self.tag).await?;
                }
            }
            if engine.image_contents(&image).await?.as_ref() != Some(&wanted) {
                let message = format!(
                    "a node took the image {image} and has another one of that name all the same: remove it there \
                     (`docker image rm {image}`)"
                );
                return Err(Failure::new(Exit::Engine, message).into());
            }
            sent += 1;
        }
        Ok(sent)
    }
}

impl Engine {
    async fn image_contents(&self, image: &str) -> Result<Option<Contents>> {
        match self.docker.inspect_image(image).await {
            Ok(found) => Ok(Some(Contents::of(found))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(refused(format!("inspect the image {image}"))(error)),
        }
    }

    /// Loads an image that another engine saves.
    async fn take_image(&self, from: &Self, image: &str) -> Result<()> {
        let (giver, taker) = (from.docker.clone().with_timeout(PATIENCE), self.docker.clone().with_timeout(PATIENCE));
        let (sender, receiver) = tokio::sync::mpsc::channel(8);
        let name = image.to_owned();
        let giving = tokio::spawn(async move {
            let mut pieces = std::pin::pin!(giver.export_image(&name));
            while let Some(piece) = pieces.next().await {
                if sender.send(piece).await.is_err() {
                    break;
                }
            }
        });
        let pieces = futures_util::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        let mut said = std::pin::pin!(taker.import_image_stream(ImportImageOptions::default(), pieces, None));
        while let Some(said) = said.next().await {
            said.map_err(refused(format!("load the image {image}")))?;
        }
        giving.abort();
        Ok(())
    }
}
