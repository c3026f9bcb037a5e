//! Every seed of the fuzzer and every input that once broke something, through the functions that it feeds. And what a
//! fuzzer's few bytes cannot show: that much of something is refused, not held.

#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

use ingest_lab::hostile::{self, TARGETS};
use ingest_lab::model::clock;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What `make fuzz` lets one input take, seconds: here of processor time, for other tests run beside these.
const LONGEST: f64 = 10.0;

/// One input at a time: what is held and what it takes are then its own.
static ALONE: Mutex<()> = Mutex::new(());

/// The most that the process may have held at any time, MiB: the fuzzer's own limit.
const MEMORY: u64 = 256;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

/// The files in a folder; none where it is not there.
fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

/// The most resident memory that this process ever had, MiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() / 1024
}

fn fed(what: &str, target: hostile::Target, bytes: &[u8]) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = clock::own_cpu();
    target(bytes);
    let took = clock::own_cpu() - before;
    assert!(took < LONGEST, "{what} took {took:.1} s");
    assert!(peak() < MEMORY, "{what}: {} MiB were held", peak());
}

#[test]
fn every_target_has_a_program_and_seeds() {
    let mut programs: Vec<String> = files(&folder("fuzz_targets"))
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    programs.sort();
    let mut named = TARGETS.map(|(name, _)| name);
    named.sort_unstable();
    assert_eq!(programs, named);
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    for name in named {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not built");
        assert!(!files(&folder("corpus").join(name)).is_empty(), "{name} has no seed");
    }
}

#[test]
fn seeds_and_what_once_broke_something_are_read_in_time_and_little_memory() {
    for (name, target) in TARGETS {
        for path in files(&folder("corpus").join(name)).into_iter().chain(files(&folder("regressions").join(name))) {
            fed(&path.display().to_string(), target, &fs::read(&path).unwrap());
        }
    }
}

/// A text that goes on and on, between what it begins and ends with.
fn long(begin: &str, again: &str, bytes: usize, end: &str) -> Vec<u8> {
    [begin, &again.repeat(bytes / again.len()), end].concat().into_bytes()
}

#[test]
fn an_answer_that_goes_on_and_on_is_refused_before_it_fills_the_memory() {
    const MUCH: usize = 8 << 20;
    for (what, bytes) in [
        ("a line without an end", vec![b'x'; MUCH]),
        ("blank lines", vec![b'\n'; MUCH]),
        ("brackets", long(r#"{"schema":1,"seq":0,"at":0,"x":["#, "[0],", 2_900_000, "0]}\n")),
        ("objects", long(r#"{"schema":1,"seq":0,"at":0,"x":["#, r#"{"":0},"#, 2_900_000, "0]}\n")),
        ("depth", long(r#"{"schema":1,"seq":0,"at":0,"x":"#, "[", 2_900_000, "\n")),
    ] {
        fed(what, hostile::answer, &bytes);
    }
}

#[test]
fn documents_that_go_on_and_on_are_refused_before_they_fill_the_memory() {
    let cells = "question = \"q\"\nseed = 1\nblocks = 1\nstop = { seconds = \"1s\" }\n[[cells]]\nscheme = [\"async\"]\n\
                 statement = [\"row\"]\ncommit = [\"auto\"]\n";
    let lookups = long(&format!("{cells}pool = [1]\nworkload = ["), "\"census\",", 900_000, "]\n");
    let pools: String = (1..=500).map(|pool| format!("{pool},")).collect();
    let sizes: String = (1..=20).map(|batch| format!("{batch},")).collect();
    let many =
        format!("{cells}budget = \"1min\"\npool = [{pools}]\nbatch = [{sizes}]\n").replace("\"row\"", "\"multirow\"");
    let blank_lines = long("", "\n", 8 << 20, "{\"feed\":\"end\"}\n");
    let targets: [(&str, hostile::Target, &[u8]); 7] = [
        ("workloads by the hundred thousand", hostile::experiment, &lookups),
        ("ten thousand cells in a minute", hostile::experiment, many.as_bytes()),
        ("arrays in arrays", hostile::experiment, &long("question = ", "[", 500_000, "")),
        ("blank lines of a feed", hostile::feed, &blank_lines),
        ("all processors there could be", hostile::cell, b"0-18446744073709551615"),
        ("processors again and again", hostile::cell, &long("0", ",0-4095", 1 << 20, "")),
        ("a word of a link", hostile::link, &long("", "cross-region", 64 << 10, "")),
    ];
    for (what, target, bytes) in targets {
        fed(what, target, bytes);
    }
}
