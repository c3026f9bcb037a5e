//! A series that can be bundled, and its bundle, for tests.

use super::{BundleConfig, Here, finish, prepare};
use crate::lab::StackConfig;
use crate::lab::judge::judge;
use crate::lab::plan::plan;
use crate::lab::testing::experiment;
use crate::model::nodes::Nodes;
use crate::model::{Part, Phase, PlacedBy};
use crate::series::bundle::Written;
use crate::series::{Folder, stem};
use crate::wire::metrics::Second;
use crate::wire::record::RunRecord;
use crate::wire::setup::{EngineFacts, ImageFacts, MachineFacts, Setup};
use crate::wire::testing::run_of;
use crate::wire::{Event, Line, RunResult, SCHEMA};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// The series' name.
pub(in crate::lab) const SERIES: &str = "2026-11-20-test";

/// A setup with two images of one revision.
pub(in crate::lab) fn setup() -> Setup {
    let image = |role: &str, digest: &str| ImageFacts {
        role: role.into(),
        id: format!("sha256:{role}"),
        digests: vec![format!("sha256:{digest}")],
        base: "official".into(),
        labels: Default::default(),
    };
    let architecture = "x86_64".into();
    Setup {
        locks: std::collections::BTreeMap::default(),
        compose: "2.40.0".into(),
        machine: MachineFacts::default(),
        server: None,
        client_engine: None,
        noise_floor: None,
        schema: SCHEMA,
        program: "ingest-lab test".into(),
        engine: EngineFacts { architecture, kernel: "6.12.0".into(), processors: 2, ..Default::default() },
        images: vec![image("db", "d1"), image("ingester", "i1")],
        forwarding: None,
        backend: None,
        data: "data".into(),
        revision: "abcdef".into(),
        dirty: false,
    }
}

/// Folders of a lab that runs nowhere else.
pub(in crate::lab) struct Place {
    pub folder: tempfile::TempDir,
    pub here: Here,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let here = Here { results: at("results"), data: at("data"), diff: at("tree.diff"), revision: String::new() };
        Self { folder, here }
    }

    /// A place with a series whose every planned run has ended, its files written in this order.
    pub fn with_series(backwards: bool) -> Self {
        let place = Self::new();
        place.add(&setup(), backwards);
        place
    }

    /// Adds the series on such a setup.
    pub fn add(&self, setup: &Setup, backwards: bool) -> Folder {
        let folder = Folder::create(&self.here.results, "test", "2026-11-20").unwrap();
        let experiment = experiment(2);
        let mut records: Vec<RunRecord> = Vec::new();
        for step in plan(&experiment) {
            let rate = 9_000.0 + 10.0 * step.run as f64;
            let mut record = run_of(&step.cell, step.part, step.run, step.block, rate);
            record.series = SERIES.into();
            record.conditions.data.clone_from(&setup.data);
            record.conditions.images.clone_from(&setup.images);
            record.conditions.engine = setup.engine.clone();
            record.invalid = judge(&record, &records);
            assert!(record.is_valid() || record.part == Part::WarmUp, "{:?}", record.invalid);
            records.push(record);
        }
        if backwards {
            records.reverse();
        }
        for record in &records {
            folder.save(record).unwrap();
            std::fs::write(folder.path().join(format!("{}.events.jsonl", stem(record))), events(record)).unwrap();
        }
        folder.save_setup(setup).unwrap();
        folder.save_experiment(&toml::to_string(&experiment).unwrap()).unwrap();
        folder
    }

    /// The folder of its series.
    pub fn series(&self) -> PathBuf {
        self.here.results.join(SERIES)
    }

    /// Bundles the series, as asked.
    pub fn bundle_as(&self, ask: impl FnOnce(&mut BundleConfig)) -> Result<(PathBuf, Written)> {
        let mut config = BundleConfig {
            stack: StackConfig {
                project: "test".into(),
                tag: "test".into(),
                placed_by: PlacedBy::Docker,
                nodes: Nodes::default(),
            },
            series: SERIES.into(),
            output: Some(self.folder.path().join("test.zip")),
            with_data: false,
            with_images: false,
            include_diff: false,
            partial: false,
        };
        ask(&mut config);
        let scratch = tempfile::tempdir().unwrap();
        let written = finish(prepare(&self.here, &config, scratch.path())?, &self.here, &config)?;
        Ok((config.output.expect("it was set"), written))
    }

    /// Bundles the series.
    pub fn bundle(&self) -> PathBuf {
        self.bundle_as(|_| {}).unwrap().0
    }
}

/// What the ingester of a run said.
pub(in crate::lab) fn events(record: &RunRecord) -> String {
    let result = record.result().unwrap();
    let said = RunResult { verification: None, ..result.clone() };
    let second = Second { seconds: 1.0, records: 4, rows: 1_000, rate: 1_000.0, stages: vec![], histograms: vec![] };
    let events = [
        Event::Started { program: "ingester test".into() },
        Event::Connected { connections: 15, seconds: 0.1 },
        Event::Phase { phase: Phase::Data },
        Event::Second { phase: Phase::Data, second },
        Event::Finished { result: Box::new(said) },
    ];
    let line = |(seq, event)| {
        let line = Line { schema: SCHEMA, seq: seq as u64, at: seq as f64, client: None, event };
        serde_json::to_string(&line).unwrap() + "\n"
    };
    events.into_iter().enumerate().map(line).collect()
}

/// Replaces a text in a file by another of any length.
pub(in crate::lab) fn edit(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{} has no {from}", file.display());
    std::fs::write(file, text.replace(from, to)).unwrap();
}
