//! Whether a series is fit to be passed on: all of it there, whole, and its own.

use crate::lab::standing::Standing;
use crate::series::bundle::{Kind, is_plain};
use crate::series::{Folder, stem};
use crate::wire::exit::{Exit, Failure};
use crate::wire::record::RunRecord;
use anyhow::Result;

/// The series beside its plan, or a sentence that says why it is not bundled.
pub(super) fn check(folder: &Folder, partial: bool) -> Result<Standing> {
    let name = folder.name();
    if !is_plain(name) {
        return refuse(format!(
            "{name} has a name that a bundle cannot have: letters, digits, spaces and ._-+=,@() can be in it"
        ));
    }
    if let Some(file) = folder.half_written()?.first() {
        return refuse(format!(
            "{file} in {name} is being written: wait for the lab that does, or delete the file where none runs"
        ));
    }
    let standing =
        Standing::of(folder).map_err(|error| Failure::new(Exit::Bundle, format!("{name} is not whole: {error:#}")))?;
    folder.setup().map_err(|error| Failure::new(Exit::Bundle, format!("{name} is not whole: {error:#}")))?;
    if standing.records.is_empty() {
        return refuse(format!("{name} has no run yet: there is nothing to pass on"));
    }
    if !is_plain(&standing.experiment.name) {
        let experiment = &standing.experiment.name;
        return refuse(format!(
            "the experiment's name, {experiment:?}, cannot be in a bundle: rename its file and run it anew"
        ));
    }
    if !standing.is_whole() && !partial {
        let (ended, planned) = (standing.ended(), standing.planned());
        return refuse(format!(
            "{name} has {ended} of {planned} runs: wait where it still runs, else finish it with \
             `lab run --resume {name}`, or pass on what there is with --partial"
        ));
    }
    own_runs(folder, &standing.records)?;
    Ok(standing)
}

/// Every file of a run holds the run that it is called after, of this series.
fn own_runs(folder: &Folder, records: &[RunRecord]) -> Result<()> {
    let name = folder.name();
    if let Some(other) = records.iter().find(|run| run.series != name) {
        return refuse(format!(
            "run {} in {name} belongs to the series {}: give the folder its name back",
            other.run, other.series
        ));
    }
    let mut stems: Vec<String> = records.iter().map(|run| format!("{}.json", stem(run))).collect();
    stems.sort();
    let files: Vec<String> = folder.names()?.into_iter().filter(|file| Kind::of(file) == Some(Kind::Run)).collect();
    if stems == files {
        return Ok(());
    }
    let stray = files.iter().find(|file| !stems.contains(file)).map_or("a file", String::as_str);
    refuse(format!("{stray} in {name} does not hold the run it is called after: remove what does not belong there"))
}

fn refuse<T>(message: String) -> Result<T> {
    Err(Failure::new(Exit::Bundle, message).into())
}
