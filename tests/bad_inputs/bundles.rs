//! Bundles, and series whose files were spoilt.

use super::support::{Case, case};
use ingest_lab::series::bundle::{self, Contents, Entry, Manifest};

/// An experiment of the series.
const EXPERIMENT: &str = "question = \"Which?\"\nseed = 7\nblocks = 1\nstop = { seconds = \"1s\" }\n[[cells]]\n\
                          scheme = [\"threads\"]\nstatement = [\"row\"]\ncommit = [\"auto\"]\npool = [15]\n";

/// A bundle of these documents, whose seal and checksums are right.
fn sealed(experiment: &str, setup: &str, run: &str) -> Vec<u8> {
    let entry = |(name, text): (&str, &str)| Entry { name: name.into(), contents: Contents::Bytes(text.into()) };
    let entries = [("experiment.toml", experiment), ("setup.json", setup), ("run-001.json", run)].map(entry);
    let manifest = Manifest {
        schema: bundle::SCHEMA,
        program: "a stranger's lab".into(),
        revision: String::new(),
        series: "2026-11-20-test".into(),
        experiment: "test".into(),
        planned: 1,
        ended: 1,
        images: Vec::new(),
        files: Vec::new(),
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.zip");
    bundle::write(&path, manifest, entries.into()).unwrap();
    std::fs::read(path).unwrap()
}

/// A change somewhere in the middle.
fn changed(mut bytes: Vec<u8>) -> Vec<u8> {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
}

pub fn cases() -> Vec<Case> {
    const ONE: &str = "{\"schema\":1}";
    let verify = |what: &str, bytes: Vec<u8>, says| case(what, "lab verify x.zip", 9, says).file("x.zip", bytes);
    let good = || sealed(EXPERIMENT, ONE, ONE);
    let opened = |what: &str, verb: &str, says| case(what, verb, 9, says).file("x.zip", good());
    let cut = good()[..good().len() - 1].to_vec();
    let series = |what: &str, verb: &str, code, says| {
        case(what, verb, code, says).file("results/2026-11-20-test/experiment.toml", EXPERIMENT)
    };
    const RUN: &str = "results/2026-11-20-test/run-001.json";
    vec![
        verify("an empty bundle", Vec::new(), "x.zip: is no bundle, or not all of one: copy it once more"),
        verify("a bundle that was cut", cut, "x.zip: is no bundle, or not all of one: copy it once more"),
        verify("a bundle in which a bit changed", changed(good()), "x.zip: was changed after it was made"),
        verify("two bundles in one", [good(), good()].concat(), "x.zip: "),
        verify(
            "a newer run",
            sealed(EXPERIMENT, ONE, "{\"schema\":9}"),
            "run-001.json has schema 9, this lab knows up to 1: update the lab",
        ),
        verify(
            "a setup of no lab",
            sealed(EXPERIMENT, "{\"schema\":0}", ONE),
            "setup.json has schema 0, which no lab has ever written",
        ),
        verify("a setup that is no JSON", sealed(EXPERIMENT, "\u{1b}[2J", ONE), "setup.json says no schema"),
        verify("a run that is no record", good(), "read run-001.json of 2026-11-20-test: missing field `series`"),
        opened(
            "a report of a run that is no record",
            "lab report x.zip",
            "read run-001.json of 2026-11-20-test: missing",
        ),
        opened(
            "a comparison with a setup that is none",
            "lab compare x.zip y",
            "read setup.json of 2026-11-20-test: missing",
        ),
        opened("a setup that is none, run again", "lab run x.zip", "read setup.json of 2026-11-20-test: missing"),
        case("a folder as a bundle", "lab verify x.zip", 9, "x.zip: is no file").file("x.zip/y", ""),
        case("a bundle that is not there", "lab verify x.zip", 2, "name a file that `lab bundle` made"),
        case(
            "a bundle whose experiment is none",
            "lab run x.zip",
            9,
            "its experiment cannot be run by this lab: line 1: ",
        )
        .file("x.zip", sealed("question = [", ONE, ONE)),
        series(
            "half a run",
            "lab report 2026-11-20-test",
            9,
            "read run-001.json of 2026-11-20-test: EOF while parsing",
        )
        .file(RUN, "{"),
        series(
            "a run that goes on",
            "lab report 2026-11-20-test",
            9,
            "has more than 33554432 bytes, the most that are read",
        )
        .file(RUN, vec![b' '; (32 << 20) + 1]),
        series("a run deep in brackets", "lab report 2026-11-20-test", 9, "read run-001.json of 2026-11-20-test: ")
            .file(RUN, "[".repeat(10_000)),
        series("a setup that is none", "lab compare 2026-11-20-test x", 9, "read setup.json of 2026-11-20-test")
            .file("results/2026-11-20-test/setup.json", "[]"),
        series("a series without a setup", "lab compare 2026-11-20-test x", 9, "read the series' setup: "),
        case("a series elsewhere", "lab report ../../etc", 2, "there is no series ../../etc in results"),
        case("a name that a terminal obeys", "lab report", 2, "there is no series a\u{fffd}[2Jb in results")
            .argument("a\u{1b}[2Jb"),
    ]
}
