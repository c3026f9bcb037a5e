//! Whether the runs are those of the series, and count for what they show.

use super::{Check, maker};
use crate::lab::judge::judge;
use crate::lab::standing::Standing;
use crate::series::bundle::{Kind, Manifest};
use crate::series::stem;
use crate::wire::record::RunRecord;
use crate::wire::setup::{ImageFacts, Setup};

/// The runs beside manifest, plan and setup.
pub(super) fn check(manifest: &Manifest, standing: &Standing, setup: &Setup) -> Check {
    let mut wrong = Vec::new();
    let records = &standing.records;
    let mut stems: Vec<String> = records.iter().map(|run| format!("{}.json", stem(run))).collect();
    stems.sort();
    if !manifest.of(Kind::Run).map(|filed| &filed.name).eq(stems.iter()) {
        wrong.push("a file does not hold the run that it is called after".into());
    }
    for run in records {
        let number = run.run;
        if run.series != manifest.series || run.experiment != manifest.experiment {
            wrong.push(format!("run {number} belongs to another series"));
        }
        if run.conditions.data != setup.data {
            wrong.push(format!("run {number} read other data than the setup names"));
        }
        if ids(&run.conditions.images) != ids(&setup.images) {
            wrong.push(format!("run {number} ran on other images than the setup names"));
        }
    }
    let (ended, planned) = (standing.ended(), standing.planned());
    if (ended, planned) != (manifest.ended, manifest.planned) {
        let (said, of) = (manifest.ended, manifest.planned);
        wrong.push(format!("{ended} of {planned} runs are there, the manifest says {said} of {of}"));
    }
    let part = if standing.is_whole() { "" } else { ": a part of the series" };
    Check::new("runs", format!("{ended} of {planned} planned, on one setup{part}"), wrong)
}

fn ids(images: &[ImageFacts]) -> Vec<(&str, &str)> {
    images.iter().map(|image| (image.role.as_str(), image.id.as_str())).collect()
}

/// Whether each run's reasons not to count are what its conditions say. Another build than the `own` may judge otherwise.
pub(super) fn judged(manifest: &Manifest, records: &[RunRecord], own: bool) -> Check {
    let differs = |(at, run): (usize, &RunRecord)| (judge(run, &records[..at]) != run.invalid).then_some(run.run);
    let others: Vec<usize> = records.iter().enumerate().filter_map(differs).collect();
    let valid = records.iter().filter(|run| run.is_valid()).count();
    if !own && !others.is_empty() {
        let (count, maker) = (others.len(), maker(manifest));
        let unchecked = format!("{count} runs, which {maker}, it may be another build, judged otherwise than this lab");
        return Check::new("judged", "", Vec::new()).leaving([unchecked]);
    }
    let wrong = others.iter().map(|run| format!("run {run} is judged otherwise than by what it says of itself"));
    Check::new("judged", format!("anew: the same {valid} runs count"), wrong.collect())
}
