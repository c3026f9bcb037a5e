//! Series that are bundled, and series that are not.

use super::testing::{Place, SERIES, edit, setup};
use super::*;
use crate::lab::data;
use crate::model::hex;
use crate::series::bundle::{Bundle, Kind, traces};
use crate::wire::setup::Setup;
use sha2::{Digest, Sha256};

fn exit(refused: &anyhow::Error) -> Exit {
    Failure::exit_of(refused)
}

/// The sentence that says why a series is not bundled.
fn refusal(place: &Place) -> String {
    let refused = place.bundle_as(|_| {}).unwrap_err();
    assert_eq!(exit(&refused), Exit::Bundle, "{refused:#}");
    assert!(!place.folder.path().join("test.zip").exists(), "nothing is left of it");
    format!("{refused:#}")
}

#[test]
fn two_bundles_of_a_series_are_the_same_bytes_whenever_and_in_whatever_order_its_files_were_written() {
    let (one, other) = (Place::with_series(false), Place::with_series(true));
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    for name in ["setup.json", "run-003.json"] {
        let file = std::fs::File::options().append(true).open(other.series().join(name)).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    let (first, written) = one.bundle_as(|_| {}).unwrap();
    let (again, same) = other.bundle_as(|config| config.output = Some(other.folder.path().join("other.zip"))).unwrap();
    assert_eq!(std::fs::read(first).unwrap(), std::fs::read(again).unwrap());
    assert_eq!(written, same);
    assert_eq!(written.checksum.len(), 64);
}

#[test]
fn a_bundle_holds_the_series_and_its_report_and_nothing_else_of_the_folder() {
    let place = Place::with_series(false);
    for stray in ["notes.txt", "report.html", ".hidden", "run-001.json~"] {
        std::fs::write(place.series().join(stray), "mine alone").unwrap();
    }
    std::fs::create_dir(place.series().join("more")).unwrap();
    let bundle = Bundle::open(&place.bundle()).unwrap();
    let manifest = bundle.manifest();
    assert_eq!((manifest.series.as_str(), manifest.experiment.as_str()), (SERIES, "test"));
    assert_eq!((manifest.ended, manifest.planned), (6, 6));
    assert_eq!(manifest.of(Kind::Run).count(), 7, "the warm-up, too");
    assert_eq!(manifest.of(Kind::Events).count(), 7);
    assert_eq!(manifest.files.len(), 7 + 7 + 2 + 3);
    let report = bundle.text("report.html").unwrap().unwrap();
    assert!(report.contains("<h1>Which?</h1>"), "made now, not taken from the folder");
    let report = bundle.text("report.md").unwrap().unwrap();
    assert!(report.contains(&format!("`results/{SERIES}`")), "where it lies is told from the lab's folder on");
}

#[test]
fn nothing_in_a_bundle_tells_where_it_was_made() {
    let place = Place::with_series(false);
    let home = place.folder.path().display().to_string();
    let file = place.bundle();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let words = [("the folder", home.as_str()), ("the host's name", host.trim())];
    assert_eq!(traces(&file, &words).unwrap(), Vec::<String>::new());
    let found = traces(&file, &[("the question", "Which"), ("part of a word", "Whic"), ("a series", SERIES)]).unwrap();
    assert!(found.contains(&format!("the question is in {SERIES}/experiment.toml")), "{found:?}");
    assert!(found.contains(&format!("a series is in the name {SERIES}/setup.json")), "{found:?}");
    assert!(!found.iter().any(|one| one.starts_with("part of a word")), "{found:?}");
}

#[test]
fn a_series_that_is_not_finished_is_bundled_only_as_a_part() {
    let place = Place::with_series(false);
    std::fs::remove_file(place.series().join("run-006.json")).unwrap();
    let said = refusal(&place);
    assert!(said.starts_with("2026-11-20-test has 5 of 6 runs: wait"), "{said}");
    let (file, _) = place.bundle_as(|config| config.partial = true).unwrap();
    let bundle = Bundle::open(&file).unwrap();
    assert_eq!((bundle.manifest().ended, bundle.manifest().planned), (5, 6));
    assert_eq!(bundle.manifest().of(Kind::Events).count(), 6, "what is of no run stays out");
}

#[test]
fn a_series_that_is_half_written_is_refused() {
    let place = Place::with_series(false);
    std::fs::write(place.series().join(".tmpAbCdEf"), "{").unwrap();
    assert!(refusal(&place).contains(".tmpAbCdEf in 2026-11-20-test is being written"), "{}", refusal(&place));
    std::fs::remove_file(place.series().join(".tmpAbCdEf")).unwrap();
    std::fs::write(place.series().join("run-002.json"), "{ \"schema\": 1, ").unwrap();
    assert!(refusal(&place).contains("is not whole: read run-002.json"), "{}", refusal(&place));
    let place = Place::with_series(false);
    std::fs::copy(place.series().join("run-002.json"), place.series().join("run-007.json")).unwrap();
    assert!(refusal(&place).contains("run-007.json in 2026-11-20-test does not hold the run"), "{}", refusal(&place));
    let place = Place::with_series(false);
    edit(&place.series().join("run-002.json"), SERIES, "2026-11-19-test");
    assert!(refusal(&place).contains("belongs to the series 2026-11-19-test"), "{}", refusal(&place));
    let place = Place::with_series(false);
    std::fs::remove_file(place.series().join("setup.json")).unwrap();
    assert!(refusal(&place).contains("is not whole: read the series' setup"), "{}", refusal(&place));
}

#[test]
fn changes_that_no_revision_holds_are_passed_on_or_the_series_is_not() {
    let diff = "--- a\n+++ b\n";
    let on = |changes: &str| {
        let mut setup = Setup { dirty: true, ..setup() };
        setup.images[1].labels.insert("ingest-lab.changes".into(), changes.into());
        let place = Place::new();
        place.add(&setup, false);
        place
    };
    let place = on(&hex(&Sha256::digest(diff)));
    let said = refusal(&place);
    assert!(said.contains("ran on abcdef with changes") && said.contains("--include-diff"), "{said}");
    let with_diff = |place: &Place| place.bundle_as(|config| config.include_diff = true);
    let said = with_diff(&place).unwrap_err().to_string();
    assert!(said.contains("this lab's image does not hold"), "{said}");
    std::fs::write(&place.here.diff, diff).unwrap();
    let bundle = Bundle::open(&with_diff(&place).unwrap().0).unwrap();
    assert_eq!(bundle.text("tree.diff").unwrap().as_deref(), Some(diff));
    std::fs::write(&place.here.diff, "--- a\n+++ c\n").unwrap();
    let said = with_diff(&place).unwrap_err().to_string();
    assert!(said.contains("ran on other changes than those that this lab's image was built from"), "{said}");
    let unknown = on("");
    std::fs::write(&unknown.here.diff, diff).unwrap();
    let said = with_diff(&unknown).unwrap_err().to_string();
    assert!(said.contains("its images don't say which"), "{said}");
    let mut other = place;
    other.here.revision = "fedcba-dirty".into();
    let said = with_diff(&other).unwrap_err().to_string();
    assert!(said.contains("this lab was built from fedcba"), "{said}");
}

#[test]
fn data_goes_in_only_where_it_is_what_the_series_ran_on() {
    let place = Place::new();
    let scratch = tempfile::tempdir().unwrap();
    let (data, _) = data::find(&place.here.data, scratch.path()).unwrap();
    place.add(&Setup { data: data.checksum.clone(), ..setup() }, false);
    let (file, _) = place.bundle_as(|config| config.with_data = true).unwrap();
    let bundle = Bundle::open(&file).unwrap();
    let to = tempfile::tempdir().unwrap();
    let unpacked = bundle.unpack_large(Kind::Data, to.path()).unwrap();
    assert_eq!(crate::engine::DataSet::of(unpacked).unwrap().checksum, data.checksum);
    let other = Place::with_series(false);
    let refused = other.bundle_as(|config| config.with_data = true).unwrap_err();
    assert_eq!(exit(&refused), Exit::Data);
    assert!(refused.to_string().contains("leave out --with-data"), "{refused}");
}

#[test]
fn what_cannot_be_bundled_or_written_says_so() {
    let place = Place::with_series(false);
    let nowhere = place.bundle_as(|config| config.output = Some("/nowhere/test.zip".into())).unwrap_err();
    assert_eq!(exit(&nowhere), Exit::Usage);
    assert!(nowhere.to_string().contains("name a file in a folder that is there"), "{nowhere}");
    let unknown = place.folder.path().join("share.bundle");
    let refused = place.bundle_as(|config| config.output = Some(unknown.clone())).unwrap_err();
    assert_eq!((exit(&refused), unknown.exists()), (Exit::Usage, false));
    assert!(refused.to_string().contains("ends in .zip"), "{refused}");
    let bundle = place.bundle_as(|config| config.series = "test.zip".into()).unwrap_err();
    assert!(bundle.to_string().starts_with("test.zip is a bundle already"), "{bundle}");
}
