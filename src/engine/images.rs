//! Images on their way to another engine: saved into a file with names of their own, and loaded from one.

use super::saved::{in_order, names};
use super::{Engine, Stack, is_missing, refused};
use crate::wire::exit::{Exit, Failure};
use crate::wire::setup::{ImageFacts, SavedImage};
use anyhow::{Context, Result};
use bollard::query_parameters::{ImportImageOptions, RemoveImageOptions, TagImageOptionsBuilder};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

/// The engine gathers all layers before it sends the first byte, and answers only when all are taken.
pub(super) const PATIENCE: Duration = Duration::from_secs(3_600);

/// Bytes of a piece on its way to the engine.
const PIECE: usize = 256 * 1024;

/// The longest tag.
const LONGEST_TAG: usize = 128;

impl Engine {
    /// The processor architecture it runs containers for, in its own word: `amd64`.
    pub async fn architecture(&self) -> Result<String> {
        let version = self.docker.version().await.map_err(refused("tell its version"))?;
        Ok(version.arch.unwrap_or_default())
    }

    /// Whether an image that was saved is there, under the name it was given then.
    pub async fn has_image(&self, image: &SavedImage) -> Result<bool> {
        match self.docker.inspect_image(&image.name).await {
            Ok(found) => Ok(found.id.as_ref() == Some(&image.id)),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(refused(format!("inspect the image {}", image.name))(error)),
        }
    }

    /// Loads images that were saved into a file: these and no others, each under the name it was given then, which is of
    /// this project and of a tag that says `name`. Whoever made the file could have put in anything.
    pub async fn load_images(&self, file: &Path, images: &[SavedImage], name: &str) -> Result<()> {
        let tag = tag(name);
        let ours = images.iter().all(|image| image.name == format!("ingest-lab-{}:{tag}", image.role));
        let said: Vec<&str> = images.iter().map(|image| image.name.as_str()).collect();
        let found =
            names(file).map_err(|error| Failure::new(Exit::Bundle, format!("the images are not loaded: {error}")))?;
        if !ours || !found.iter().all(|name| said.contains(&name.as_str())) {
            let message = "the images would take the place of others: they are not loaded, and were not saved by a lab";
            return Err(Failure::new(Exit::Bundle, message).into());
        }
        self.load(file).await?;
        for image in images {
            if !self.has_image(image).await? {
                let message = format!("{} is not the image that it is said to be: remove it", image.name);
                return Err(Failure::new(Exit::Bundle, message).into());
            }
        }
        Ok(())
    }

    async fn load(&self, file: &Path) -> Result<()> {
        let file = fs_err::File::open(file).context("read the images")?;
        let pieces = stream::unfold(file, |mut file| async move {
            let mut piece = vec![0; PIECE];
            match file.read(&mut piece) {
                Ok(0) => None,
                Ok(count) => {
                    piece.truncate(count);
                    Some((Ok::<Bytes, io::Error>(piece.into()), file))
                }
                Err(error) => Some((Err(error), file)),
            }
        });
        let docker = self.docker.clone().with_timeout(PATIENCE);
        let mut said = std::pin::pin!(docker.import_image_stream(ImportImageOptions::default(), pieces, None));
        while let Some(said) = said.next().await {
            said.map_err(refused("load the images"))?;
        }
        Ok(())
    }
}

impl Stack {
    /// Saves images into a file, each under its role and a tag of this name, so that loading them takes the place of
    /// no other. An image that is not there any more is refused. The engine keeps the names that it had.
    pub async fn save_images(&self, images: &[ImageFacts], name: &str, to: &Path) -> Result<Vec<SavedImage>> {
        let tag = tag(name);
        let mut saved = Vec::new();
        let mut ours = Vec::new();
        for image in images {
            let found = self.engine.docker.inspect_image(&image.id).await.map_err(|error| {
                if is_missing(&error) {
                    let message = format!(
                        "the image {} that the series ran on is not there any more ({}): it was built anew or removed; leave \
                         out --with-images",
                        image.role, image.id
                    );
                    return Failure::new(Exit::Engine, message).into();
                }
                refused(format!("inspect the image {}", image.role))(error)
            })?;
            let repository = format!("ingest-lab-{}", image.role);
            let name = format!("{repository}:{tag}");
            let known = found.repo_tags.unwrap_or_default();
            if !known.contains(&name) {
                let options = TagImageOptionsBuilder::default().repo(&repository).tag(&tag).build();
                let named = self.engine.docker.tag_image(&image.id, Some(options)).await;
                named.map_err(refused(format!("name the image {}", image.role)))?;
                // An image without another name would go with this one.
                ours.extend((!known.is_empty()).then(|| name.clone()));
            }
            let architecture = found.architecture.unwrap_or_default();
            saved.push(SavedImage { role: image.role.clone(), id: image.id.clone(), name, architecture });
        }
        let written = self.export(&saved, to).await;
        for name in ours {
            let removed = self.engine.docker.remove_image(&name, None::<RemoveImageOptions>, None).await;
            removed.map_err(refused(format!("forget the name {name}")))?;
        }
        written?;
        Ok(saved)
    }

    async fn export(&self, images: &[SavedImage], to: &Path) -> Result<()> {
        let names: Vec<&str> = images.iter().map(|image| image.name.as_str()).collect();
        let docker = self.engine.docker.clone().with_timeout(PATIENCE);
        let mut file = fs_err::File::create(to).context("write the images")?;
        let mut pieces = std::pin::pin!(docker.export_images(&names));
        while let Some(piece) = pieces.next().await {
            file.write_all(&piece.map_err(refused("save the images"))?).context("write the images")?;
        }
        drop(file);
        in_order(to).context("order the images")
    }
}

/// A tag that says this: other characters than a tag may have become dashes.
fn tag(name: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    name.chars().map(|letter| if allowed(letter) { letter } else { '-' }).take(LONGEST_TAG).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_name_is_a_tag() {
        assert_eq!(tag("2026-11-20-quick"), "2026-11-20-quick");
        assert_eq!(tag("2026-11-20-my läb (2)"), "2026-11-20-my-l-b--2-");
    }
}
