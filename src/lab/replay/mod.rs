//! `lab run FILE`: a bundle's experiment again, on this machine. What it can be compared with is said before it begins.

mod level;

use super::data;
use super::experiment::Experiment;
use crate::engine::{DataSet, Stack};
use crate::model::profiles::Profiles;
use crate::series::Folder;
use crate::series::bundle::{Bundle, Kind, unsound};
use crate::wire::exit::{Exit, Failure};
use crate::wire::setup::Setup;
use anyhow::{Context, Result};
use level::Level;
use std::path::Path;

/// A bundle that is run again.
#[derive(Debug)]
pub(super) struct Replay {
    bundle: Bundle,
    /// What its runs had in common.
    then: Setup,
}

impl Replay {
    /// Opens a bundle, and the experiment in it.
    pub fn open(path: &Path) -> Result<(Self, Experiment)> {
        let bundle = Bundle::open(path)?;
        let (name, text) = (&bundle.manifest().experiment, bundle.folder().experiment()?);
        let experiment = Experiment::parse(name, &text)
            .map_err(|error| unsound(path, format!("its experiment cannot be run by this lab: {error}")))?;
        let then = bundle.folder().setup()?;
        // What could not be compared with at the end is refused before anything runs.
        bundle.folder().runs()?;
        Ok((Self { bundle, then }, experiment))
    }

    /// Opens the bundle that a series repeats, to go on with that series.
    pub fn of_rest(path: &Path, folder: &Folder) -> Result<Self> {
        let (replay, _) = Self::open(path)?;
        let (name, given) = (folder.name(), path.display());
        let message = match folder.repeats()? {
            Some(repeats) if repeats.checksum == replay.bundle.checksum() => return Ok(replay),
            Some(repeats) => {
                format!("{name} repeats {}, and {given} has another checksum: name that one, or none", repeats.file)
            }
            None => format!("{name} repeats no bundle: go on with `./lab run --resume {name}`"),
        };
        Err(Failure::new(Exit::Usage, message).into())
    }

    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The data that the bundle's runs read, if it is here or in the bundle; else what is here.
    pub fn data(&self, folder: &Path, scratch: &Path) -> Result<(DataSet, String)> {
        if let Some(same) = data::with_checksum(folder, scratch, &self.then.data)? {
            return Ok((same, "data: what the bundle's runs read".into()));
        }
        let Some(theirs) = self.bundle.manifest().data_checksum() else {
            let (other, said) = data::find(folder, scratch)?;
            return Ok((other, format!("{said}, not what the bundle's runs read, which the bundle does not hold")));
        };
        // By the manifest, before anything is written; that each file is what the manifest says is found while it is.
        if theirs != self.then.data {
            return Err(unsound(self.bundle.path(), "its data is not what its runs read: `lab verify` says more"));
        }
        let unpacked = DataSet::of(self.bundle.unpack_large(Kind::Data, scratch)?)?;
        Ok((unpacked, "data: the bundle's".into()))
    }

    /// What a replay on this setup can be compared with, a sentence each; and the bundle's images where they bring it
    /// nearer. `links` are what its links mean now.
    pub async fn state(&self, stack: &Stack, now: &Setup, links: &Profiles) -> Result<Vec<String>> {
        let found = level::level(&self.then, now, other_links(&self.bundle.folder().runs()?, links));
        let mut said = found.sentences(self.bundle.manifest(), self.bundle.checksum());
        if found.level != Level::Exact && !self.bundle.manifest().images.is_empty() {
            said.push(self.offer_images(stack).await?);
        }
        Ok(said)
    }

    /// Loads the bundle's images under names of their own, and says how to run on them.
    async fn offer_images(&self, stack: &Stack) -> Result<String> {
        let images = &self.bundle.manifest().images;
        let here = stack.engine().architecture().await?;
        if let Some(other) = images.iter().find(|image| image.architecture != here) {
            let theirs = &other.architecture;
            return Ok(format!(
                "the bundle's images are for {theirs}, this engine is {here}: they are refused, its own are used"
            ));
        }
        let mut all = true;
        for image in images {
            all &= stack.engine().has_image(image).await?;
        }
        if !all {
            let scratch = tempfile::tempdir().context("make a folder for the bundle's images")?;
            for file in self.bundle.unpack_large(Kind::Images, scratch.path())? {
                stack.engine().load_images(&file, images, &self.bundle.manifest().series).await?;
            }
        }
        let tag = images.first().and_then(|image| image.name.rsplit_once(':')).map_or("", |(_, tag)| tag);
        Ok(format!(
            "the bundle's images are here as ingest-lab-*:{tag}. To run on them: stop this (Ctrl-C), `make down`, \
             `export INGEST_LAB_TAG={tag}`, `docker/stack.sh up`, and the same again"
        ))
    }
}

/// The data of a series that goes on: what its runs read so far, whatever is in the folder now. Where it repeats a bundle
/// that is not named once more, nobody else may have it.
pub(super) fn data_of_rest(
    series: &Folder,
    replay: Option<&Replay>,
    folder: &Path,
    scratch: &Path,
) -> Result<(DataSet, String)> {
    if let Some(same) = data::with_checksum(folder, scratch, &series.setup()?.data)? {
        return Ok((same, "data: what the series' runs read so far".into()));
    }
    match (replay, series.repeats()?) {
        (Some(replay), _) => replay.data(folder, scratch),
        (None, None) => data::find(folder, scratch),
        (None, Some(repeats)) => {
            let (name, file, place) = (series.name(), &repeats.file, folder.display());
            let message = format!(
                "what the runs of {name} read is not in {place}/, and is not what is generated: put it back, or name the \
                 bundle that may hold it (./lab run {file} --resume {name})"
            );
            Err(Failure::new(Exit::Data, message).into())
        }
    }
}

/// Links that are called the same and are something else on this machine.
fn other_links(then: &[crate::wire::record::RunRecord], here: &Profiles) -> Vec<String> {
    let mut other = Vec::new();
    for run in then {
        let (Some(was), Ok(is)) = (&run.conditions.link_asked, here.find(&run.cell.link)) else { continue };
        if *was != is {
            other.push(format!("the link {} was {was}, is {is}", run.cell.link));
        }
    }
    other.sort();
    other.dedup();
    other
}

#[cfg(test)]
mod tests;
