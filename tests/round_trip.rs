//! A series on its way to a colleague: run, put into one file, verified, run again in a fresh clone, compared. Do the
//! ratios of the schemes agree, and the verdicts? `make test-round-trips`; half an hour and more on a machine that does
//! nothing else.
//!
//! Every series but the first is run from the file of the one before it: each of these steps is a try.
//! INGEST_LAB_TRIPS says how many (three), INGEST_LAB_EXPERIMENT of which experiment (`quick`).
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod stacks;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Output};

/// The widest interval of a ratio between two schemes, as a part of the ratio.
const WIDTH: f64 = 0.15;

/// What git has of this repository, somewhere else, with a stack of its own that goes with it.
struct Checkout {
    folder: tempfile::TempDir,
    project: String,
}

impl Checkout {
    fn fresh(number: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cloned =
            Process::new("git").args(["clone", "--quiet", env!("CARGO_MANIFEST_DIR")]).arg(folder.path()).status();
        assert!(cloned.unwrap().success());
        Self { folder, project: format!("ingest-lab-test-trip-{}-{number}", std::process::id()) }
    }

    /// Runs one of the clone's own scripts; what it said.
    fn script(&self, name: &str, arguments: &[&str]) -> Output {
        Process::new(self.folder.path().join(name))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("INGEST_LAB_PROJECT", &self.project)
            .output()
            .unwrap()
    }

    fn must(&self, name: &str, arguments: &[&str]) -> String {
        let done = self.script(name, arguments);
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{name} {arguments:?}: {said}{}", String::from_utf8_lossy(&done.stderr));
        said
    }

    /// Runs an experiment, by its name or from a file, and stops the stack; the series' name.
    fn run(&self, experiment: &str) -> String {
        self.must("docker/stack.sh", &["with", "./lab", "run", experiment]);
        let results = std::fs::read_dir(self.folder.path().join("results")).unwrap();
        let names: Vec<String> = results
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().unwrap().is_dir())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names.len(), 1, "a fresh clone has run one series: {names:?}");
        names.into_iter().next().unwrap()
    }

    fn bundle(&self, series: &str, to: &Path) -> PathBuf {
        let file = to.join(format!("{series}.zip"));
        self.must("lab", &["bundle", series, "-o", file.to_str().unwrap()]);
        file
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        stacks::remove(&self.project);
    }
}

/// What is wrong with a comparison: a ratio of schemes that does not agree or is not known well enough, a verdict that is
/// not kept.
fn wrong(compared: &Value) -> Vec<String> {
    let of = &compared["series"][0];
    let ratios = of["ratios"].as_array().unwrap().iter().filter(|one| one["ratio"]["factor"] == "scheme");
    let mut wrong = Vec::new();
    let mut count = 0;
    for one in ratios {
        count += 1;
        let (what, at, means) = (&one["what"], &one["at"], &one["means"]);
        let end = |name: &str| one["ratio"]["change"]["measured"]["ratio"][name].as_f64().unwrap_or(f64::NAN);
        let (ratio, low, high) = (end("ratio"), end("low"), end("high"));
        eprintln!("    {what} {at}: {means}, {ratio:.3} ({low:.3}-{high:.3})");
        let width = (high - low) / ratio;
        if means != "agree" || width.is_nan() || width > WIDTH {
            wrong.push(format!("{what} {at}: {means}, {ratio:.3} ({low:.3}-{high:.3})"));
        }
    }
    assert!(count > 0, "there are ratios of schemes: {of:#}");
    for cell in of["cells"].as_array().unwrap() {
        let (name, verdict, bounds) = (&cell["name"], &cell["verdict"], &cell["bounds"]);
        eprintln!("    {name}: {verdict} {bounds}");
        if verdict != "kept" {
            wrong.push(format!("{name}: {verdict} {bounds}"));
        }
    }
    wrong
}

#[test]
#[ignore = "half an hour: make test-round-trips"]
fn a_colleague_gets_the_same_ratios_and_verdicts() {
    let setting = |name: &str, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.into());
    let trips: usize = setting("INGEST_LAB_TRIPS", "3").parse().unwrap();
    let files = tempfile::tempdir().unwrap();
    let first = Checkout::fresh(0);
    let series = first.run(&setting("INGEST_LAB_EXPERIMENT", "quick"));
    let mut file = first.bundle(&series, files.path());
    drop(first);
    let mut all = Vec::new();
    for trip in 1..=trips {
        let clone = Checkout::fresh(trip);
        let given = file.to_str().unwrap();
        clone.must("lab", &["verify", given]);
        let series = clone.run(given);
        let compared = clone.must("lab", &["compare", given, &series, "--json"]);
        eprintln!("try {trip}:");
        all.extend(wrong(&serde_json::from_str(&compared).unwrap()).iter().map(|one| format!("try {trip}: {one}")));
        // Its name may be that of the one before: each file has a folder of its own.
        let folder = files.path().join(trip.to_string());
        std::fs::create_dir(&folder).unwrap();
        file = clone.bundle(&series, &folder);
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}
