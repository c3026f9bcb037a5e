//! Data volumes: the files of one checksum, streamed in once, mounted read-only into every ingester.

use super::confined::confined;
use super::files::Upload;
use super::{Stack, is_missing, label, refused};
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
        let mut all = Sha256::new();
        let mut bytes = 0;
        for path in &files {
            let mut one = Sha256::new();
            bytes += io::copy(&mut fs_err::File::open(path)?, &mut HashWriter(&mut one))
                .with_context(|| format!("read {}", path.display()))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            all.update(format!("{name}\n{}\n", hex(&one.finalize())));
        }
        Ok(Self { files, checksum: hex(&all.finalize()), bytes })
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
        let labels = [
            (label::STACK, self.project.clone()),
            (label::DATA, data.checksum.clone()),
            (label::BYTES, data.bytes.to_string()),
        ];
        let request = VolumeCreateRequest {
            name: Some(name.clone()),
            labels: Some(labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
            ..Default::default()
        };
        let volume = self.engine.docker.create_volume(request).await.map_err(refused("make a data volume"))?;
        if volume.labels.get(label::DATA) != Some(&data.checksum) {
            let message = format!("the volume {name} isn't the lab's: remove or rename it, the lab needs that name");
            return Err(Failure::new(Exit::Engine, message).into());
        }
        let helper = self.helper(&name).await?;
        let filled = self.fill(&helper, data).await;
        self.remove(&helper).await?;
        Ok((DataVolume { name, checksum: data.checksum.clone(), bytes: data.bytes }, filled?))
    }

    /// Streams the files through the helper unless the marker says that they are there.
    async fn fill(&self, helper: &str, data: &DataSet) -> Result<bool> {
        let marker = self.engine.download(helper, &format!("{MOUNT}/{MARKER}")).await?;
        if marker.as_deref() == Some(data.checksum.as_bytes()) {
            return Ok(false);
        }
        self.engine.upload(helper, MOUNT, data.files.iter().cloned().map(Upload::File).collect()).await?;
        let marker = Upload::Text { name: MARKER.into(), contents: data.checksum.clone() };
        self.engine.upload(helper, MOUNT, vec![marker]).await?;
        Ok(true)
    }

    /// A container that is never started: the engine's API reaches a volume only through one.
    async fn helper(&self, volume: &str) -> Result<String> {
        let labels = [(label::STACK, self.project.clone()), (label::HELPER, "data".into())];
        let host = HostConfig {
            mounts: Some(vec![mount(volume, false)]),
            network_mode: Some("none".into()),
            ..Default::default()
        };
        let body = confined(self.image("ingester"), &["list"], &labels, host);
        self.create(body, "make a helper container").await
    }

    /// Creates a container; a missing image gets its own sentence.
    pub(super) async fn create(&self, body: ContainerCreateBody, what: &str) -> Result<String> {
        let image = body.image.clone().unwrap_or_default();
        let created = self.engine.docker.create_container(None::<CreateContainerOptions>, body).await;
        let created = created.map_err(|error| {
            if is_missing(&error) && super::sentence(&error).contains("image") {
                return super::no_image(&image).into();
            }
            refused(what)(error)
        })?;
        Ok(created.id)
    }

    /// The stack's data volumes.
    pub async fn data_volumes(&self) -> Result<Vec<DataVolume>> {
        let labels = vec![format!("{}={}", label::STACK, self.project), label::DATA.to_owned()];
        let options = ListVolumesOptionsBuilder::default().filters(&HashMap::from([("label", labels)])).build();
        let found = self.engine.docker.list_volumes(Some(options)).await.map_err(refused("list volumes"))?;
        let volumes = found.volumes.unwrap_or_default().into_iter().map(|volume| DataVolume {
            checksum: volume.labels.get(label::DATA).cloned().unwrap_or_default(),
            bytes: volume.labels.get(label::BYTES).and_then(|bytes| bytes.parse().ok()).unwrap_or_default(),
            name: volume.name,
        });
        Ok(volumes.collect())
    }

    /// Removes one of the stack's data volumes.
    pub async fn remove_data(&self, volume: &DataVolume) -> Result<()> {
        let removed = self.engine.docker.remove_volume(&volume.name, None::<RemoveVolumeOptions>).await;
        removed.map_err(refused(format!("remove the volume {}", volume.name)))
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
