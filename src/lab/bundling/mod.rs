//! `lab bundle`: a series as one file that somebody else can verify, read and run again.

mod fit;
mod gather;

use super::{PROGRAM, StackConfig};
use crate::model::units;
use crate::series::bundle::{self, Manifest, SCHEMA, Written, is_bundle};
use crate::series::{Folder, RESULTS};
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Says which revision the lab was built from, in its image.
const REVISION_VARIABLE: &str = "INGEST_LAB_REVISION";

/// Where the lab's image keeps how the sources differed from their revision.
const DIFF: &str = "/usr/share/ingest-lab/tree.diff";

/// What `lab bundle` is told.
#[derive(Debug, Clone)]
pub struct BundleConfig {
    /// The stack whose images may be put in.
    pub stack: StackConfig,
    /// A series' name or folder.
    pub series: String,
    /// Where the bundle goes; unless said, `SERIES.zip` here.
    pub output: Option<PathBuf>,
    /// Whether the data files are put in.
    pub with_data: bool,
    /// Whether the images are put in.
    pub with_images: bool,
    /// Whether the changes that no revision holds are put in.
    pub include_diff: bool,
    /// Whether a series that is not finished is bundled as it is.
    pub partial: bool,
}

/// What of this machine goes into a bundle, or is compared with what does.
#[derive(Debug, Clone)]
pub(super) struct Here {
    /// The series' folders.
    pub results: PathBuf,
    /// Where people drop data.
    pub data: PathBuf,
    /// How the sources of this lab differed from their revision.
    pub diff: PathBuf,
    /// The revision this lab was built from, as its image says it; empty where it doesn't know.
    pub revision: String,
}

impl Here {
    /// Where this lab runs.
    pub fn now() -> Self {
        Self { results: RESULTS.into(), data: super::data::DATA.into(), diff: DIFF.into(), revision: own_revision() }
    }
}

/// The revision this lab was built from; empty where it doesn't know.
pub(super) fn own_revision() -> String {
    std::env::var(REVISION_VARIABLE).ok().filter(|revision| revision != "unknown").unwrap_or_default()
}

/// Bundles a series and prints the bundle's checksum, for citing. The engine is asked only for images.
pub async fn bundle(config: &BundleConfig) -> Result<()> {
    let here = Here::now();
    let scratch = tempfile::tempdir().context("make a folder for what goes into the bundle")?;
    let mut ready = prepare(&here, config, scratch.path())?;
    if config.with_images {
        let stack = config.stack.connect().await?;
        ready.take_images(&stack, scratch.path()).await?;
    }
    let (series, runs) = (ready.folder.name().to_owned(), ready.runs());
    let written = finish(ready, &here, config)?;
    println!("{series} · {} · {} files · {runs}", units::bytes(written.bytes), written.files);
    println!("sha256 {}", written.checksum);
    println!("`./lab verify FILE` checks it, `./lab report FILE` shows it, `./lab run FILE` runs it again");
    Ok(())
}

/// Everything but the images; refused where the series is not fit to be passed on.
fn prepare(here: &Here, config: &BundleConfig, scratch: &Path) -> Result<gather::Ready> {
    if is_bundle(&config.series) {
        let message = format!("{} is a bundle already: name a series, `lab list` shows them", config.series);
        return Err(Failure::new(Exit::Usage, message).into());
    }
    if config.output.as_ref().is_some_and(|output| !is_bundle(&output.to_string_lossy())) {
        let message = "a bundle is known by its name, which ends in .zip: give -o another";
        return Err(Failure::new(Exit::Usage, message).into());
    }
    let folder = Folder::open(&here.results, &config.series)?;
    let standing = fit::check(&folder, config.partial)?;
    let mut ready = gather::Ready::of(folder, standing)?;
    ready.take_diff(here, config.include_diff)?;
    if config.with_data {
        ready.take_data(&here.data, scratch)?;
    }
    Ok(ready)
}

/// Writes it.
fn finish(ready: gather::Ready, here: &Here, config: &BundleConfig) -> Result<Written> {
    let to = config.output.clone().unwrap_or_else(|| format!("{}.zip", ready.folder.name()).into());
    let manifest = Manifest {
        schema: SCHEMA,
        program: PROGRAM.into(),
        revision: here.revision.clone(),
        series: ready.folder.name().into(),
        experiment: ready.standing.experiment.name.clone(),
        planned: ready.standing.planned(),
        ended: ready.standing.ended(),
        images: ready.images,
        files: Vec::new(),
    };
    bundle::write(&to, manifest, ready.entries)
}

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
