//! Bundles that are sound, and bundles whose makers changed their mind.

use super::*;
use crate::lab::bundling::testing::{Place, edit, setup};
use crate::series::bundle::{Contents, Entry, SCHEMA, write};
use crate::wire::setup::Setup;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The revision of the lab that makes the bundles here, and checks them.
const OWN: &str = "abcdef";

fn place() -> Place {
    let mut place = Place::with_series(false);
    place.here.revision = OWN.into();
    place
}

/// A bundle unpacked, its files changed, and packed and sealed again: what somebody can do on purpose.
fn forged(place: &Place, change: impl FnOnce(&Path, &mut Manifest)) -> PathBuf {
    let bundle = Bundle::open(&place.bundle()).unwrap();
    let mut manifest = bundle.manifest().clone();
    change(bundle.folder().path(), &mut manifest);
    let entry = |name: String| Entry { contents: Contents::File(bundle.folder().path().join(&name)), name };
    let entries = bundle.folder().names().unwrap().into_iter().map(entry).collect();
    let file = place.folder.path().join("forged.zip");
    write(&file, manifest, entries).unwrap();
    file
}

/// What the checks find wrong: each sentence behind what it is about.
fn wrong(file: &Path) -> Vec<String> {
    let checks = checks(&Bundle::open(file).unwrap(), OWN).unwrap();
    checks
        .into_iter()
        .flat_map(|check| check.wrong.into_iter().map(move |one| format!("{}: {one}", check.about)))
        .collect()
}

#[test]
fn a_bundle_as_it_was_made_passes_every_check() {
    let place = place();
    let file = place.bundle();
    let checks = checks(&Bundle::open(&file).unwrap(), OWN).unwrap();
    assert!(checks.iter().all(|check| check.wrong.is_empty() && check.unchecked.is_empty()), "{checks:#?}");
    let about: Vec<&str> = checks.iter().map(|check| check.about).collect();
    assert_eq!(about, ["file", "checksums", "schema", "runs", "raw events", "judged", "figures", "report"]);
    let report = checks.last().unwrap().said.clone();
    assert!(report.starts_with("analysed anew: all "), "{report}");
    verify(&file).unwrap();
}

#[test]
fn a_byte_that_changed_anywhere_is_found() {
    let place = place();
    let sound = std::fs::read(place.bundle()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(2_015);
    let mut places: Vec<usize> = (0..200).map(|_| (rng.next_u64() % sound.len() as u64) as usize).collect();
    // And in each of the last bytes, which are the archive's end and the seal itself.
    places.extend(sound.len() - 93..sound.len());
    let file = place.folder.path().join("changed.zip");
    for at in places {
        let mut changed = sound.clone();
        changed[at] ^= 1 + (rng.next_u64() % 255) as u8;
        std::fs::write(&file, &changed).unwrap();
        let error = verify(&file).expect_err(&format!("byte {at} of {} is another", sound.len()));
        assert_eq!(Failure::exit_of(&error), Exit::Bundle, "byte {at}: {error:#}");
    }
}

#[test]
fn a_rate_that_was_improved_is_found_in_the_report_and_beside_what_was_said() {
    let place = place();
    let file = forged(&place, |folder, _| edit(&folder.join("run-003.json"), "\"whole\": 9030.0", "\"whole\": 9930.0"));
    let wrong = wrong(&file);
    assert!(wrong.iter().any(|one| one.starts_with("raw events: run-003.events.jsonl: ")), "{wrong:#?}");
    assert!(wrong.iter().any(|one| one.starts_with("report: report.json: ")), "{wrong:#?}");
    assert!(wrong.iter().any(|one| one.starts_with("report: report.html ")), "{wrong:#?}");
    let error = verify(&file).unwrap_err();
    assert_eq!(Failure::exit_of(&error), Exit::Bundle);
    assert!(error.to_string().ends_with("of 8 checks failed"), "{error}");
}

#[test]
fn a_report_that_says_something_else_is_found() {
    let place = place();
    let file = forged(&place, |folder, _| edit(&folder.join("report.md"), "# Which?", "# Ours!"));
    assert_eq!(wrong(&file), ["report: report.md is not what the runs give"]);
}

#[test]
fn a_report_of_another_lab_may_differ_and_that_is_told() {
    let place = place();
    let file = forged(&place, |folder, manifest| {
        edit(&folder.join("report.md"), "# Which?", "# Which one?");
        manifest.program = "ingest-lab 0.0.9".into();
    });
    let checks = checks(&Bundle::open(&file).unwrap(), OWN).unwrap();
    let report = checks.last().unwrap();
    assert!(report.wrong.is_empty());
    assert!(report.unchecked[0].contains("that ingest-lab 0.0.9"), "{report:?}");
    assert!(report.lines()[0].starts_with("! report     not checked: 1 things that "), "{report:?}");
}

#[test]
fn plain_figures_of_a_report_are_checked_whoever_made_it() {
    let place = place();
    let better = |change: fn(&mut Value)| {
        let file = forged(&place, |folder, manifest| {
            let report = folder.join("report.json");
            let mut value: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
            change(&mut value);
            std::fs::write(&report, value.to_string()).unwrap();
            manifest.program = "ingest-lab 0.0.9".into();
        });
        wrong(&file)
    };
    assert_eq!(better(|_| {}), Vec::<String>::new());
    let rate = better(|report| report["cells"][0]["rows_per_s"]["steady"]["median"] = json!(99_999.0));
    assert!(rate.len() == 1 && rate[0].contains("rows_per_s is 99999.0, anew "), "{rate:?}");
    let count = better(|report| report["cells"][0]["valid"] = json!(9));
    assert!(count.len() == 1 && count[0].contains("valid is 9, anew "), "{count:?}");
    let run = better(|report| report["runs"][1]["outcome"]["result"]["phases"][1]["rates"]["whole"] = json!(1.0));
    assert!(run.len() == 1 && run[0].contains("attempt 1.whole is 1.0, anew "), "{run:?}");
}

#[test]
fn builds_without_a_revision_or_with_changes_are_not_known_to_be_one() {
    let place = place();
    let file = place.bundle();
    let manifest = |revision: &str| {
        let mut manifest = Bundle::open(&file).unwrap().manifest().clone();
        manifest.revision = revision.into();
        manifest
    };
    assert!(is_own(&manifest(OWN), OWN));
    for revision in ["", "abcdef-dirty"] {
        assert!(!is_own(&manifest(revision), revision), "{revision:?}");
    }
    assert!(!is_own(&manifest("fedcba"), OWN));
}

#[test]
fn events_that_were_left_out_are_told_to_be_missing() {
    let place = place();
    let file = forged(&place, |folder, _| {
        for run in 0..=6 {
            std::fs::remove_file(folder.join(format!("run-{run:03}.events.jsonl"))).unwrap();
        }
    });
    let checks = checks(&Bundle::open(&file).unwrap(), OWN).unwrap();
    let events = checks.iter().find(|check| check.about == "raw events").unwrap();
    let line =
        "! raw events not checked: the results of 7 of 7 runs, as what their ingesters said is not in the bundle";
    assert_eq!(events.lines(), [line]);
    verify(&file).unwrap();
}

#[test]
fn runs_that_were_left_out_or_let_count_are_found() {
    let place = place();
    let left_out = forged(&place, |folder, _| {
        for end in ["json", "events.jsonl"] {
            std::fs::remove_file(folder.join(format!("run-004.{end}"))).unwrap();
        }
    });
    assert!(wrong(&left_out).contains(&"runs: 5 of 6 runs are there, the manifest says 6 of 6".to_owned()));
    let let_count = forged(&place, |folder, _| edit(&folder.join("run-000.json"), "\"it was the warm-up\"", ""));
    let found = wrong(&let_count);
    assert!(
        found.contains(&"judged: run 0 is judged otherwise than by what it says of itself".to_owned()),
        "{found:#?}"
    );
    let other_data =
        forged(&place, |folder, _| edit(&folder.join("run-002.json"), "\"data\": \"data\"", "\"data\": \"other\""));
    let found = wrong(&other_data);
    assert!(found.contains(&"runs: run 2 read other data than the setup names".to_owned()), "{found:#?}");
}

#[test]
fn data_that_the_runs_did_not_read_is_found() {
    let place = Place::new();
    let scratch = tempfile::tempdir().unwrap();
    let (data, _) = crate::lab::data::find(&place.here.data, scratch.path()).unwrap();
    place.add(&Setup { data: data.checksum, ..setup() }, false);
    let (file, _) = place.bundle_as(|config| config.with_data = true).unwrap();
    assert_eq!(wrong(&file), Vec::<String>::new());
    let bundle = Bundle::open(&file).unwrap();
    let names = bundle.folder().names().unwrap().into_iter();
    let mut entries: Vec<Entry> =
        names.map(|name| Entry { contents: Contents::File(bundle.folder().path().join(&name)), name }).collect();
    entries.push(Entry { name: "data/ny00001_uf1.zip".into(), contents: Contents::Bytes(b"other".to_vec()) });
    let other = place.folder.path().join("other.zip");
    write(&other, bundle.manifest().clone(), entries).unwrap();
    assert_eq!(wrong(&other), ["data: the data files are not those that the runs read"]);
}

#[test]
fn documents_of_the_right_schema_that_are_none_are_damage() {
    let place = place();
    for (name, field) in [("setup.json", "program"), ("run-002.json", "series")] {
        let file = forged(&place, |folder, _| edit(&folder.join(name), &format!("\"{field}\":"), "\"other\":"));
        let found = wrong(&file);
        let said = format!("runs: read {name} of 2026-11-20-test: missing field `{field}`");
        assert!(found.len() == 1 && found[0].starts_with(&said), "{found:?}");
        assert_eq!(Failure::exit_of(&verify(&file).unwrap_err()), Exit::Bundle);
        let error = crate::lab::side_by_side(&place.here.results, &[file.display().to_string()]).unwrap_err();
        assert_eq!(Failure::exit_of(&error), Exit::Bundle, "{error:#}");
    }
}

#[test]
fn what_a_newer_lab_wrote_is_refused_with_the_remedy() {
    let place = place();
    let newer = forged(&place, |folder, _| edit(&folder.join("setup.json"), "\"schema\": 1", "\"schema\": 2"));
    let error = verify(&newer).unwrap_err();
    assert_eq!(Failure::exit_of(&error), Exit::Bundle);
    assert!(error.to_string().ends_with("setup.json has schema 2, this lab knows up to 1: update the lab"), "{error}");
    assert_eq!(SCHEMA, 1);
}

#[test]
fn a_check_is_a_line_marked_where_something_is_wrong() {
    let check = |wrong: usize| {
        Check::new("report", "all the same", (0..wrong).map(|number| format!("wrong {number}")).collect())
    };
    assert_eq!(check(0).lines(), ["  report     all the same"]);
    assert_eq!(check(2).lines(), ["! report     wrong 0", "             wrong 1"]);
    assert_eq!(check(9).lines().last().unwrap(), "             … and 3 more");
}
