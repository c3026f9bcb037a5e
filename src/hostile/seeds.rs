//! Seeds that are made of what the lab writes itself: a fuzzer would not find its documents in a lifetime. The others
//! were written by hand.

use super::TARGETS;
use crate::lab::plan;
use crate::lab::testing::experiment;
use crate::model::{Part, Phase};
use crate::series::bundle::{self, Contents, Entry, Manifest};
use crate::series::stem;
use crate::wire::record::{Outcome, RunRecord};
use crate::wire::watched::{Doing, Look, Seen};
use crate::wire::{Event, Line, SCHEMA, testing};
use std::path::Path;

fn json(document: &impl serde::Serialize) -> String {
    serde_json::to_string(document).unwrap() + "\n"
}

/// What the ingester of a run said.
fn events(record: &RunRecord) -> String {
    let mut said = record.result().unwrap().clone();
    said.verification = None;
    let events = [
        Event::Started { program: "ingester test".into() },
        Event::Phase { phase: Phase::Data },
        Event::Finished { result: Box::new(said) },
    ];
    (0..)
        .zip(events)
        .map(|(seq, event)| json(&Line { schema: SCHEMA, seq, at: seq as f64, client: None, event }))
        .collect()
}

/// A series of so many blocks, one of whose runs failed if asked.
fn files(blocks: usize, fails: bool) -> Vec<(String, String)> {
    let experiment = experiment(blocks);
    let mut files = vec![
        ("experiment.toml".to_owned(), toml::to_string(&experiment).unwrap()),
        ("setup.json".to_owned(), json(&testing::setup())),
    ];
    for step in plan(&experiment) {
        let mut record = testing::run_of(&step.cell, step.part, step.run, step.block, 9_000.0 + step.run as f64);
        if step.run == 1 {
            files.push((format!("{}.events.jsonl", stem(&record)), events(&record)));
        }
        if fails && step.part == Part::Twin {
            record.outcome = Outcome::Failed { error: "the peer said \u{1b}[2J and went".into(), code: 1 };
            record.invalid = record.outcome.invalid();
        }
        files.push((format!("{}.json", stem(&record)), json(&record)));
    }
    files
}

fn put(target: &str, name: &str, bytes: impl AsRef<[u8]>) {
    assert!(TARGETS.iter().any(|(known, _)| *known == target));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    fs_err::create_dir_all(&folder).unwrap();
    fs_err::write(folder.join(name), bytes).unwrap();
}

#[test]
#[ignore = "writes into the sources: cargo test --lib -- --ignored the_seeds_of_documents"]
fn the_seeds_of_documents_are_written() {
    let together = |files: &[(String, String)]| -> String {
        files.iter().map(|(name, text)| format!("=== {name}\n{text}")).collect()
    };
    put("series", "one-block", together(&files(1, false)));
    put("series", "a-run-failed", together(&files(2, true)));
    let record = testing::record(1, crate::model::Scheme::Threads, 9_000.0);
    put("documents", "run", json(&record));
    put("documents", "setup", json(&testing::setup()));
    put("documents", "link", json(&testing::link()));
    let seen = Seen { doing: Doing::Io, wait: "IO:DataFileRead".into(), count: 3 };
    put("documents", "look", json(&Look { backends: vec![seen], ..Look::default() }));
    let observed = &crate::report::testing::quick_of(1)[1];
    put("documents", "an-observed-run", json(observed));
    put(
        "series",
        "an-observed-run",
        together(&[files(1, false)[0].clone(), (format!("{}.json", stem(observed)), json(observed))]),
    );
    put("answer", "finished", events(&record));
    let entries = files(1, false).into_iter();
    let entries = entries.map(|(name, text)| Entry { name, contents: Contents::Bytes(text.into_bytes()) }).collect();
    let manifest = Manifest {
        schema: bundle::SCHEMA,
        program: "ingest-lab test".into(),
        revision: String::new(),
        series: "2026-11-20-test".into(),
        experiment: "test".into(),
        planned: 3,
        ended: 3,
        images: Vec::new(),
        files: Vec::new(),
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.zip");
    bundle::write(&path, manifest, entries).unwrap();
    put("bundle", "one-block", fs_err::read(path).unwrap());
}
