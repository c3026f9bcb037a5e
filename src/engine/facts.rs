//! What the engine says of itself and of images, for the record of every run.

use super::{Container, Engine, Stack, label, refused};
use crate::model::{Program, digest_of};
use crate::wire::setup::{EngineFacts, ImageFacts};
use anyhow::Result;

impl Engine {
    /// The engine and the machine under it. What the engine doesn't say stays empty.
    pub async fn facts(&self) -> Result<EngineFacts> {
        let version = self.docker.version().await.map_err(refused("tell its version"))?;
        let info = self.docker.info().await.map_err(refused("describe itself"))?;
        Ok(EngineFacts {
            version: version.version.unwrap_or_default(),
            api: self.docker.client_version().to_string(),
            cgroup: info.cgroup_version.map(|version| version.to_string()).unwrap_or_default(),
            kernel: info.kernel_version.unwrap_or_default(),
            system: info.operating_system.unwrap_or_default(),
            architecture: info.architecture.unwrap_or_default(),
            processors: info.ncpu.unwrap_or_default(),
            memory: info.mem_total.unwrap_or_default(),
            storage: info.driver.unwrap_or_default(),
        })
    }
}

impl Stack {
    /// An image by name or id, on an engine where its role is played; a sentence with the remedy where it isn't there.
    pub async fn image_facts(&self, role: &str, image: &str) -> Result<ImageFacts> {
        let program = Program::ALL.iter().any(|program| program.word() == role);
        let engine = if program { self.client(1) } else { &self.engine };
        let found = engine.docker.inspect_image(image).await.map_err(|error| {
            if super::is_missing(&error) {
                return super::no_image(image).into();
            }
            refused(format!("inspect the image {image}"))(error)
        })?;
        let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
        Ok(ImageFacts {
            role: role.into(),
            id: found.id.unwrap_or_default(),
            digests: found.repo_digests.unwrap_or_default().iter().map(|name| digest_of(name).to_owned()).collect(),
            base: labels.get(label::BASE).cloned().unwrap_or_else(|| "unknown".into()),
            labels: labels.into_iter().collect(),
        })
    }

    /// The version of compose that made a container; none where something else did.
    pub async fn compose_version(&self, container: &Container) -> Result<Option<String>> {
        let found = self.inspect(container).await?;
        Ok(found.config.and_then(|config| config.labels).and_then(|mut labels| labels.remove(label::COMPOSE)))
    }

    /// The engine that holds the database and the link.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What the engines of clients' hosts say of themselves; empty where ingesters run beside the database.
    pub async fn client_facts(&self) -> Result<Vec<EngineFacts>> {
        let mut facts = Vec::new();
        for engine in self.engines().filter(|engine| !engine.is(&self.engine)) {
            facts.push(engine.facts().await?);
        }
        Ok(facts)
    }

    /// The first of its engines that does not answer; none where all do.
    pub async fn missing_engine(&self) -> Option<&Engine> {
        for engine in self.engines() {
            if !engine.is_there().await {
                return Some(engine);
            }
        }
        None
    }
}
