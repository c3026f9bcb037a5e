//! What a person writes: experiments, link profiles, cells. What is shown of them reads back as the same.

use super::sentence;
use crate::lab::{Experiment, estimate, fit, plan};
use crate::model::cell::Cell;
use crate::model::inject::Inject;
use crate::model::limits::{Cpus, processors};
use crate::model::link::LinkProfile;
use crate::model::profiles::Profiles;
use crate::model::{Backend, seconds};
use crate::wire::emulation::refusal;

/// An experiment's TOML, to its plan.
pub fn experiment(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut experiment = match Experiment::parse("fuzz", text) {
        Ok(experiment) => experiment,
        Err(error) => return sentence(&error),
    };
    // As a series keeps it: what is written is read as the same.
    let kept = toml::to_string(&experiment).expect("an experiment can be written");
    assert_eq!(Experiment::parse("fuzz", &kept).as_ref(), Ok(&experiment), "{kept}");
    let expected = estimate(&experiment);
    assert!(expected.seconds.is_finite() && expected.seconds > 0.0, "{expected:?}");
    assert_eq!(plan(&experiment).len(), experiment.blocks * (experiment.cells().len() + 1) + 1);
    fit(&mut experiment);
    experiment.check().expect("what was made to fit its budget is still an experiment");
}

/// A file of link profiles.
pub fn links(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Profiles::shipped().with(text) {
        Ok(profiles) => profiles.all().iter().for_each(reads_back),
        Err(error) => sentence(&error),
    }
}

/// A link in a word, in settings on the spot, or as JSON: what `link set` takes.
pub fn link(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Profiles::shipped().told(text) {
        Ok(profile) => {
            // JSON has words for more than settings on the spot: directions whose jitter differs in kind.
            if !text.trim_start().starts_with('{') {
                reads_back(&profile);
            }
            for backend in Backend::ALL {
                refusal(*backend, &profile).iter().for_each(sentence);
            }
        }
        Err(error) => sentence(&error),
    }
}

fn reads_back(profile: &LinkProfile) {
    let shown = profile.to_string();
    let again: LinkProfile = shown.parse().expect("what is shown of a link reads back");
    assert_eq!((again.up, again.down, again.queued), (profile.up, profile.down, profile.queued), "{shown}");
}

/// A cell as it is shown, and the small words beside it: CPUs, injections, times, processors.
pub fn cell(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<Cell>() {
        Ok(cell) => assert_eq!(cell.to_string().parse().as_ref(), Ok(&cell), "{cell}"),
        Err(error) => sentence(&error),
    }
    if let Ok(cpus) = text.parse::<Cpus>() {
        assert_eq!(cpus.to_string().parse(), Ok(cpus));
    }
    if let Ok(inject) = text.parse::<Inject>() {
        assert_eq!(inject.to_string().parse(), Ok(inject));
    }
    if let Ok(seconds) = seconds::seconds(text) {
        assert!(seconds.is_finite() && seconds >= 0.0, "{seconds}");
    }
    let _ = processors(text);
}
