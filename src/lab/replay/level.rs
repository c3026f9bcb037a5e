//! How near a replay can come to what it replays, from both setups. Pure.

use crate::model::digest_of;
use crate::series::bundle::Manifest;
use crate::wire::setup::{ImageFacts, Setup};

/// The base of images that no registry's are under.
const STAND_IN: &str = "stand-in";

/// How near a replay comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// The same images, bit by bit.
    Exact,
    /// Images built anew from the same sources.
    Rebuilt,
    /// Anything else.
    Approximate,
}

/// A level, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub level: Level,
    /// What makes it no more than that.
    reasons: Vec<String>,
    /// What is different besides.
    besides: Vec<String>,
}

/// The level of a replay. `others` are differences that no setup holds.
pub(super) fn level(then: &Setup, now: &Setup, others: Vec<String>) -> Found {
    let mut reasons = others;
    let (was, is) = (&then.engine.architecture, &now.engine.architecture);
    if was != is {
        reasons.push(format!("other architecture: was {was}, is {is}"));
    }
    if then.data != now.data {
        reasons.push("other data".into());
    }
    let pairs: Vec<(&ImageFacts, Option<&ImageFacts>)> =
        then.images.iter().map(|image| (image, now.images.iter().find(|other| other.role == image.role))).collect();
    let same_images = pairs.iter().all(|(was, is)| is.is_some_and(|is| is_same(was, is)));
    if !same_images {
        reasons.extend(pairs.iter().filter_map(|(was, is)| other_base(was, (*is)?)));
        reasons.extend(other_sources(then, now));
    }
    let level = match (reasons.is_empty(), same_images) {
        (true, true) => Level::Exact,
        (true, false) => Level::Rebuilt,
        _ => Level::Approximate,
    };
    let told =
        |phrase: &String| ["the architecture ", "the data ", "the image "].iter().any(|what| phrase.starts_with(what));
    let besides = then.differences(now).into_iter().filter(|phrase| !told(phrase)).collect();
    Found { level, reasons, besides }
}

/// By id, or by the digest that a registry knows it by; older setups tell which registry, too.
fn is_same(was: &ImageFacts, is: &ImageFacts) -> bool {
    was.id == is.id || was.digests.iter().any(|one| is.digests.iter().any(|other| digest_of(one) == digest_of(other)))
}

/// What an image is not built on anew: another kind of base, or a stand-in, which is made of the packages of its day.
fn other_base(was: &ImageFacts, is: &ImageFacts) -> Option<String> {
    let role = &was.role;
    if was.base != is.base {
        return Some(format!("the image {role} has another base: was {}, is {}", was.base, is.base));
    }
    (was.base == STAND_IN && !is_same(was, is))
        .then(|| format!("the image {role} was built anew on a {STAND_IN}, which has the packages of its day"))
}

/// Why images that are not the same are not the same sources built anew, either.
fn other_sources(then: &Setup, now: &Setup) -> Option<String> {
    let ((was, was_dirty), (is, is_dirty)) = (then.sources(), now.sources());
    let short = |revision: &str| revision.chars().take(12).collect::<String>();
    match () {
        () if was.is_empty() || is.is_empty() => Some("the revision is not known".into()),
        () if was != is => Some(format!("other revision: was {}, is {}", short(&was), short(&is))),
        () if was_dirty || is_dirty => Some("changes that the revision does not hold".into()),
        () => None,
    }
}

impl Found {
    /// As a person is told before the first run.
    pub fn sentences(&self, manifest: &Manifest, checksum: &str) -> Vec<String> {
        let short: String = checksum.chars().take(12).collect();
        let level = match self.level {
            Level::Exact => "exact: the same images".to_owned(),
            Level::Rebuilt => "rebuilt: images made anew from the same revision".to_owned(),
            Level::Approximate => format!("approximate: {}", self.reasons.join("; ")),
        };
        let mut said = vec![format!("replay of {} (bundle {short}) · {level}", manifest.series)];
        if !self.besides.is_empty() {
            said.push(format!("  besides: {}", self.besides.join("; ")));
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::bundling::testing::setup;

    fn levels(change: impl FnOnce(&mut Setup)) -> (Level, String) {
        let mut now = setup();
        change(&mut now);
        let found = level(&setup(), &now, Vec::new());
        (found.level, found.reasons.join("; "))
    }

    #[test]
    fn the_same_images_are_exact_whatever_machine_they_run_on() {
        assert_eq!(levels(|_| {}).0, Level::Exact);
        let found = level(
            &setup(),
            &{
                let mut now = setup();
                now.engine.kernel = "7.1".into();
                now
            },
            Vec::new(),
        );
        assert_eq!((found.level, found.besides.len()), (Level::Exact, 1), "{found:?}");
        let from_a_registry = levels(|now| {
            now.images[0].id = "sha256:other".into();
            now.images[0].digests = vec!["mirror/ingest-lab-db@sha256:d1".into()];
        });
        assert_eq!(from_a_registry.0, Level::Exact, "another name of the same digest");
    }

    #[test]
    fn the_same_revision_built_anew_is_rebuilt_and_with_changes_it_is_not() {
        let other = |now: &mut Setup| {
            now.images[1].id = "sha256:other".into();
            now.images[1].digests.clear();
        };
        assert_eq!(levels(other).0, Level::Rebuilt);
        let dirty = levels(|now| {
            other(now);
            now.dirty = true;
        });
        assert_eq!(dirty, (Level::Approximate, "changes that the revision does not hold".into()));
        let newer = levels(|now| {
            other(now);
            now.revision = "fedcba".into();
        });
        assert_eq!(newer, (Level::Approximate, "other revision: was abcdef, is fedcba".into()));
    }

    #[test]
    fn another_architecture_stand_ins_and_other_data_are_approximate_and_say_so() {
        let (level, why) = levels(|now| now.engine.architecture = "aarch64".into());
        assert_eq!((level, why.as_str()), (Level::Approximate, "other architecture: was x86_64, is aarch64"));
        let (level, why) = levels(|now| now.data = "other".into());
        assert_eq!((level, why.as_str()), (Level::Approximate, "other data"));
        let (level, why) = levels(|now| {
            now.images[0].base = "stand-in".into();
            now.images[0].id = "sha256:other".into();
            now.images[0].digests.clear();
        });
        assert_eq!(level, Level::Approximate);
        assert_eq!(why, "the image db has another base: was official, is stand-in");
    }

    #[test]
    fn images_built_anew_on_stand_ins_are_approximate_whatever_the_revision() {
        let on_stand_ins = || {
            let mut setup = setup();
            setup.images.iter_mut().for_each(|image| image.base = "stand-in".into());
            setup
        };
        let mut anew = on_stand_ins();
        anew.images[1].id = "sha256:other".into();
        anew.images[1].digests.clear();
        let found = level(&on_stand_ins(), &anew, Vec::new());
        let why = "the image ingester was built anew on a stand-in, which has the packages of its day";
        assert_eq!((found.level, found.reasons), (Level::Approximate, vec![why.to_owned()]));
        assert_eq!(level(&on_stand_ins(), &on_stand_ins(), Vec::new()).level, Level::Exact, "the same images");
    }
}
