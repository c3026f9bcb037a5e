//! Jobs as JSON on standard input, and the ingester's other words.

use super::support::{Case, case};

/// A job that is in order.
const GOOD: &str = r#"{"schema":1,"dburl":"postgresql://me:secret@127.0.0.1:1/x","scheme":"threads","statement":"row","in_flight":100,
"pool":4,"commit":"auto","reader":"thread","data":"/nowhere","queue":1000,"phases":["geo","data"],"limit_geo":null,
"limit_lines":null,"seconds":null}"#;

/// The job with something replaced, and the sentence about it.
const EDITED: &[(&str, &str, &str)] = &[
    ("\"schema\":1", "\"schema\":9", "the job has schema 9, this program knows up to 1: update it"),
    ("\"pool\":4", "\"pool\":0", "pool is 0: it must be 1 to 500"),
    ("\"pool\":4", "\"pool\":18446744073709551616", "the job on standard input cannot be read"),
    ("\"pool\":4", "\"pool\":4,\"pol\":4", "unknown field `pol`"),
    ("\"pool\":4", "\"pool\":4,\"pool\":5", "duplicate field `pool`"),
    ("\"pool\":4", "\"pool\":4,\"batch\":0", "batch is 0: it must be 1 to 21845"),
    ("\"pool\":4", "\"pool\":4,\"chunk\":0", "chunk is 0: it must be 1 to 1000"),
    ("\"queue\":1000", "\"queue\":0", "queue is 0: it must be 1 to 1000000"),
    ("\"in_flight\":100", "\"in_flight\":0", "in-flight is 0: it must be 1 to 100000"),
    ("\"seconds\":null", "\"seconds\":-1", "seconds is -1: it must be above 0 and at most 86400 (a day)"),
    ("\"seconds\":null", "\"seconds\":1e999", "number out of range"),
    ("\"seconds\":null", "\"seconds\":null,\"inject\":\"spin=11s\"", "11s is more than 10s, the most there is"),
    ("[\"geo\",\"data\"]", "[]", "no phase is asked for: name geo, data or both"),
    ("[\"geo\",\"data\"]", "[\"data\",\"geo\"]", "phases are out of order: geo goes before data, each once"),
    ("\"scheme\"", "\"workload\":\"lookup\",\"scheme\"", "a lookup has no geographic records"),
    ("\"threads\"", "\"fibres\"", "unknown variant `fibres`"),
];

pub fn cases() -> Vec<Case> {
    let job = |what: String, text: &[u8], says| case(what, "ingester run --job -", 2, says).stdin(text);
    let mut cases: Vec<Case> = EDITED
        .iter()
        .map(|(from, to, says)| {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from} is not there");
            job(format!("a job with {to}"), text.as_bytes(), *says)
        })
        .collect();
    let endless = GOOD.replace("/nowhere", &"x".repeat(2 << 20));
    let deep = GOOD.replace("\"/nowhere\"", &"[".repeat(1_000));
    cases.extend([
        job("no job".into(), b"", "the job on standard input cannot be read: there is none"),
        job("a list".into(), b"[]", "the job on standard input cannot be read"),
        job("half a job".into(), &GOOD.as_bytes()[..100], "EOF while parsing"),
        job("bytes that are no text".into(), b"{\"\xff\xfe\":1}", "the job on standard input cannot be read"),
        job("a job that goes on".into(), endless.as_bytes(), "EOF while parsing a string"),
        job("lists in lists".into(), deep.as_bytes(), "the job on standard input cannot be read"),
        case("a watcher that is told nothing", "ingester watch", 2, "what to watch, on standard input, cannot be read")
            .stdin("x\n"),
        case("no archive", "ingester geo-from ny00001_uf1.zip", 4, "not a complete zip file")
            .file("ny00001_uf1.zip", "PK"),
        case(
            "a file that is no segment's",
            "ingester geo-from nothing.zip",
            4,
            "nothing.zip: not named like a segment: rename it",
        ),
    ]);
    cases
}
