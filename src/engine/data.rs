//! Data volumes: the files of one checksum, streamed in once, mounted read-only into every ingester.

use super::confined::confined;
use super::files::Upload;
use super::{Engine, Stack, is_missing, label, refused};
use crate::model::{digest_of_files, hex};
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions, VolumeCreateRequest};
use bollard::query_parameters::{CreateContainerOptions, ListVolumesOptionsBuilder, RemoveVolumeOptions};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

/// Where an ingester finds the data.
pub(super) const MOUNT: &str = "/data";

/// Written last, with the checksum in it: a volume without it was never filled to the end.
const MARKER: &str = ".complete";

/// Digits of the checksum in a volume's name; the label has all of them.
const NAME_DIGITS: usize = 16;

/// Files that belong together, known by their contents.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// The files, in the order of their names.
    pub files: Vec<PathBuf>,
    /// SHA-256 over their names and contents, hexadecimal.
    pub checksum: String,
    /// Bytes of all of them.
    pub bytes: u64,
}

impl DataSet {
    /// Reads the files once, for their checksum.
    pub fn of(mut files: Vec<PathBuf>) -> Result<Self> {
        files.sort();
        let (mut each, mut bytes) = (Vec::new(), 0);
        for path in &files {
            let mut one = Sha256::new();
            bytes += io::copy(&mut fs_err::File::open(path)?, &mut HashWriter(&mut one))
                .with_context(|| format!("read {}", path.display()))?;
            each.push((path.file_name().unwrap_or_default().to_string_lossy(), hex(&one.finalize())));
        }
        let checksum = digest_of_files(each);
        Ok(Self { files, checksum, bytes })
    }
}

/// A hash as a place to copy to.
struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A volume that holds a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataVolume {
    /// Its name at the engine.
    pub name: String,
    /// The checksum of its files.
    pub checksum: String,
    /// Bytes of its files.
    pub bytes: u64,
}

impl Stack {
    /// Makes sure that a volume holds these files, whole. Returns it, and whether they had to be sent.
    pub async fn ensure_data(&self, data: &DataSet) -> Result<(DataVolume, bool)> {
        let name = format!("{}-data-{}", self.project, &data.checksum[..NAME_DIGITS]);
        let volume = DataVolume { name, checksum: data.checksum.clone(), bytes: data.bytes };
        let mut sent = false;
        for engine in &self.clients {
            sent |= self.ensure_data_on(engine, data, &volume.name).await?;
        }
        Ok((volume, sent))
    }

    /// The same on one engine. Says whether the files had to be sent.
    async fn ensure_data_on(&self, engine: &Engine, data: &DataSet, name: &str) -> Result<bool> {
        let labels = [
            (label::STACK, self.project.clone()),
            (label::DATA, data.checksum.clone()),
            (label::BYTES, data.bytes.to_string()),
        ];
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
            ..Default::default()
        };
        engine.docker.create_volume(request).await.map_err(refused("make a data volume"))?;
        // Of one that was there the answer has no labels where the engine was started since (20.10): it is asked again.
        let volume = engine.docker.inspect_volume(name).await.map_err(refused("inspect a data volume"))?;
        if volume.labels.get(label::DATA) != Some(&data.checksum) {
            let message = format!("the volume {name} isn't the lab's: remove or rename it, the lab needs that name");
            return Err(Failure::new(Exit::Engine, message).into());
        }
        let helper = engine.create(self.helper(name), "make a helper container").await?;
        let filled = engine.fill(&helper, data).await;
        engine.remove(&helper).await?;
        filled
    }

    /// A container that is never started: the engine's API reaches a volume only through one.
    fn helper(&self, volume: &str) -> ContainerCreateBody {
        let labels = [(label::STACK, self.project.clone()), (label::HELPER, "data".into())];
        let host = HostConfig {
            mounts: Some(vec![mount(volume, false)]),
            network_mode: Some("none".into()),
            ..Default::default()
        };
        confined(self.image("ingester"), &["list"], &labels, host)
    }

    /// The stack's data volumes, each once: every engine of a client has its own copy.
    pub async fn data_volumes(&self) -> Result<Vec<DataVolume>> {
        let labels = vec![format!("{}={}", label::STACK, self.project), label::DATA.to_owned()];
        let options = ListVolumesOptionsBuilder::default().filters(&HashMap::from([("label", labels)])).build();
        let mut volumes: Vec<DataVolume> = Vec::new();
        for engine in self.engines() {
            let found = engine.docker.list_volumes(Some(options.clone())).await.map_err(refused("list volumes"))?;
            volumes.extend(found.volumes.unwrap_or_default().into_iter().map(|volume| DataVolume {
                checksum: volume.labels.get(label::DATA).cloned().unwrap_or_default(),
                bytes: volume.labels.get(label::BYTES).and_then(|bytes| bytes.parse().ok()).unwrap_or_default(),
                name: volume.name,
            }));
        }
        volumes.sort_by(|a, b| a.name.cmp(&b.name));
        volumes.dedup();
        Ok(volumes)
    }

    /// Removes one of the stack's data volumes, wherever it is.
    pub async fn remove_data(&self, volume: &DataVolume) -> Result<()> {
        for engine in self.engines() {
            engine.remove_volume(&volume.name).await?;
        }
        Ok(())
    }
}

impl Engine {
    /// Streams the files through the helper unless the marker says that they are there.
    async fn fill(&self, helper: &str, data: &DataSet) -> Result<bool> {
        let marker = self.download(helper, &format!("{MOUNT}/{MARKER}")).await?;
        if marker.as_deref() == Some(data.checksum.as_bytes()) {
            return Ok(false);
        }
        self.upload(helper, MOUNT, data.files.iter().cloned().map(Upload::File).collect()).await?;
        let marker = Upload::Text { name: MARKER.into(), contents: data.checksum.clone() };
        self.upload(helper, MOUNT, vec![marker]).await?;
        Ok(true)
    }

    /// Creates a container; a missing image gets its own sentence.
    pub(super) async fn create(&self, body: ContainerCreateBody, what: &str) -> Result<String> {
        let image = body.image.clone().unwrap_or_default();
        let created = self.docker.create_container(None::<CreateContainerOptions>, body).await;
        let created = created.map_err(|error| {
            if is_missing(&error) && super::sentence(&error).contains("image") {
                return super::no_image(&image).into();
            }
            refused(what)(error)
        })?;
        Ok(created.id)
    }

    /// Removes a volume of the lab's own. One that isn't there is fine.
    pub(super) async fn remove_volume(&self, name: &str) -> Result<()> {
        match self.docker.remove_volume(name, None::<RemoveVolumeOptions>).await {
            Err(error) if !is_missing(&error) => Err(refused(format!("remove the volume {name}"))(error)),
            _ => Ok(()),
        }
    }
}

/// A data volume as a mount. Nothing of the image is copied into it.
pub(super) fn mount(volume: &str, read_only: bool) -> Mount {
    Mount {
        target: Some(MOUNT.into()),
        source: Some(volume.into()),
        typ: Some(MountType::VOLUME),
        read_only: Some(read_only),
        volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..Default::default() }),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_set_is_known_by_names_and_contents_not_by_where_it_lies() {
        let make = |name: &str, contents: &str| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            std::fs::write(&path, contents).unwrap();
            (DataSet::of(vec![path]).unwrap(), folder)
        };
        let (one, _a) = make("nygeo_uf1.zip", "geo");
        let (same, _b) = make("nygeo_uf1.zip", "geo");
        let (renamed, _c) = make("ny00001_uf1.zip", "geo");
        let (changed, _d) = make("nygeo_uf1.zip", "gep");
        assert_eq!(one.checksum, same.checksum);
        assert_eq!((one.checksum.len(), one.bytes), (64, 3));
        assert_ne!(one.checksum, renamed.checksum);
        assert_ne!(one.checksum, changed.checksum);
    }
}
