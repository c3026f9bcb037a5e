//! The folder of a series: one file a run, each whole or not there. The only place that writes results.
//! And a series as one file, to be passed on: `bundle`.

pub mod bundle;
mod opened;
mod repeats;

pub use opened::{Opened, open, place};
pub use repeats::Repeats;

use crate::wire::Line;
use crate::wire::bounded;
use crate::wire::exit::{Exit, Failure};
use crate::wire::forecast::Forecast;
use crate::wire::record::RunRecord;
use crate::wire::setup::Setup;
use anyhow::{Context, Result};
use bundle::limits;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where results go: beside `experiments/` and `data/`.
pub const RESULTS: &str = "results";

/// The experiment's file inside a series, as it was run.
const EXPERIMENT: &str = "experiment.toml";

/// What all runs of a series have in common.
const SETUP: &str = "setup.json";

/// How a file is called until it is whole.
const TEMPORARY: &str = ".tmp";

/// How the files of a run are called before their endings: `run-007`, of a second attempt `run-007-2`.
pub fn stem(record: &RunRecord) -> String {
    stem_of(record.run, record.attempt)
}

fn stem_of(run: usize, attempt: u32) -> String {
    match attempt {
        0 | 1 => format!("run-{run:03}"),
        attempt => format!("run-{run:03}-{attempt}"),
    }
}

/// A series' folder.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    name: String,
}

impl Folder {
    /// Makes the folder of a new series: `<date>-<experiment>`, with a number where that is taken.
    pub fn create(results: &Path, experiment: &str, date: &str) -> Result<Self> {
        fs_err::create_dir_all(results).map_err(|error| cannot_write(&error))?;
        for number in 1.. {
            let name =
                if number == 1 { format!("{date}-{experiment}") } else { format!("{date}-{experiment}-{number}") };
            let path = results.join(&name);
            match fs_err::create_dir(&path) {
                Ok(()) => return Ok(Self { path, name }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(cannot_write(&error).into()),
            }
        }
        unreachable!("some number is free")
    }

    /// The series' name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the experiment as it was run.
    pub fn save_experiment(&self, toml: &str) -> Result<()> {
        self.write(EXPERIMENT, toml.as_bytes())
    }

    /// Keeps a run. When this returns it is on disk, whole.
    pub fn save(&self, record: &RunRecord) -> Result<()> {
        let mut json = serde_json::to_vec_pretty(record).context("write the run's record")?;
        json.push(b'\n');
        self.write(&format!("{}.json", stem(record)), &json)
    }

    /// Keeps what an ingester said in a run, a line an event: everything else that is told of it follows from here.
    pub fn save_events(&self, run: usize, attempt: u32, lines: &[Line]) -> Result<()> {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line).context("write the run's events")?;
            text.push(b'\n');
        }
        self.write(&format!("{}.events.jsonl", stem_of(run, attempt)), &text)
    }

    /// Keeps what a run is expected to do: written before it begins, and never again.
    pub fn save_forecast(&self, run: usize, forecast: &Forecast) -> Result<()> {
        let mut json = serde_json::to_vec_pretty(forecast).context("write the forecast")?;
        json.push(b'\n');
        self.write(&format!("forecast-{run:03}.json"), &json)
    }

    /// Keeps what all runs of the series have in common.
    pub fn save_setup(&self, setup: &Setup) -> Result<()> {
        self.write(SETUP, &serde_json::to_vec_pretty(setup).context("write the setup")?)
    }

    /// Opens the folder of a series that exists: by its name, or by its path.
    pub fn open(results: &Path, wanted: &str) -> Result<Self> {
        let name = Path::new(wanted).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let path = results.join(&name);
        if path.join(EXPERIMENT).is_file() {
            return Ok(Self { path, name });
        }
        let message = format!("there is no series {wanted} in {}: `lab list` shows them", results.display());
        Err(Failure::new(Exit::Usage, message).into())
    }

    /// Every series there is, the oldest first.
    pub fn all(results: &Path) -> Vec<Self> {
        let mut folders: Vec<Self> = std::fs::read_dir(results)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.path().join(EXPERIMENT).is_file())
            .map(|entry| Self { path: entry.path(), name: entry.file_name().to_string_lossy().into_owned() })
            .collect();
        folders.sort_by(|a, b| a.name.cmp(&b.name));
        folders
    }

    /// The experiment as it was run.
    pub fn experiment(&self) -> Result<String> {
        let read = bounded::text(&self.path.join(EXPERIMENT), limits::EXPERIMENT);
        read.map_err(unread).context("read the series' experiment")
    }

    /// What all its runs have in common.
    pub fn setup(&self) -> Result<Setup> {
        let read = bounded::bytes(&self.path.join(SETUP), limits::RECORD);
        let text = read.map_err(unread).context("read the series' setup")?;
        serde_json::from_slice(&text).map_err(damaged).with_context(|| format!("read {SETUP} of {}", self.name))
    }

    /// Its runs so far, in order.
    pub fn runs(&self) -> Result<Vec<RunRecord>> {
        let mut runs = Vec::new();
        for entry in fs_err::read_dir(&self.path).context("read the series")? {
            let path = entry.context("read the series")?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with("run-") && name.ends_with(".json") {
                let text = bounded::bytes(&path, limits::RECORD).map_err(unread).context("read a run")?;
                let run: Result<RunRecord, Failure> = serde_json::from_slice(&text).map_err(damaged);
                runs.push(run.with_context(|| format!("read {name} of {}", self.name))?);
            }
        }
        runs.sort_by_key(|run| (run.run, run.attempt));
        Ok(runs)
    }

    /// The names of its files and folders, sorted.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs_err::read_dir(&self.path).context("read the series")? {
            names.push(entry.context("read the series")?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// What of it is being written: files that get their name when they are whole.
    pub fn half_written(&self) -> Result<Vec<String>> {
        Ok(self.names()?.into_iter().filter(|name| name.starts_with(TEMPORARY)).collect())
    }

    /// Keeps a report beside the runs it tells of. Returns where.
    pub fn save_report(&self, name: &str, contents: &str) -> Result<PathBuf> {
        self.write(name, contents.as_bytes())?;
        Ok(self.path.join(name))
    }

    fn write(&self, name: &str, contents: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        let written = || -> std::io::Result<()> {
            let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&self.path)?;
            file.write_all(contents)?;
            readable_by_all(file.as_file())?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        written().map_err(|error| {
            cannot_write(&std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))).into()
        })
    }
}

/// A document of a series that is none: whoever reads it, from a folder or from a bundle, cannot go on.
fn damaged(error: impl std::fmt::Display) -> Failure {
    let message = format!("{error}: it was cut short or changed, or a newer lab wrote it; take it from a whole copy");
    Failure::new(Exit::Bundle, message)
}

/// A document that could not be read: where it is missing or too long, that is the series' own.
fn unread(error: std::io::Error) -> anyhow::Error {
    use std::io::ErrorKind::{FileTooLarge, InvalidData, NotFound};
    match error.kind() {
        FileTooLarge | InvalidData | NotFound => damaged(error).into(),
        _ => error.into(),
    }
}

/// Temporary files are their owner's alone; results are meant to be passed on.
fn readable_by_all(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

fn cannot_write(error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Failure,
        format!("the results cannot be written ({error}): make room, or make the folder writable"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_series_of_a_day_get_folders_of_their_own() {
        let results = tempfile::tempdir().unwrap();
        let first = Folder::create(results.path(), "quick", "2026-11-20").unwrap();
        let second = Folder::create(results.path(), "quick", "2026-11-20").unwrap();
        assert_eq!((first.name(), second.name()), ("2026-11-20-quick", "2026-11-20-quick-2"));
    }

    #[test]
    fn results_that_cannot_be_written_say_so_with_the_remedy() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Folder::create(&file.path().join("results"), "quick", "2026-11-20").unwrap_err();
        assert!(error.to_string().contains("make the folder writable"), "{error}");
    }
}
