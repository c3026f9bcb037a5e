//! `docs/peer-contract.md` says what the program does: its examples load, its tables are complete, its arithmetic
//! is the program's.

#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

use ingest_lab::ingest::lookup::SELECT_NODE;
use ingest_lab::model::checksum::{ITEM_FACTOR, PRIME, RECORD_FACTOR, ROOT, Tally, element};
use ingest_lab::model::lookup::{self, Delivered, KEYS, ROWS, TOKEN_FACTOR, WHOLE_EVERY};
use ingest_lab::model::{Commit, Phase, Protocol, Reader, Scheme, Stage, Statement, Workload};
use ingest_lab::wire::exit::Exit;
use ingest_lab::wire::metrics::PhaseMetrics;
use ingest_lab::wire::{Begin, Job, Line, RunResult, SCHEMA};
use serde_json::Value;

const CONTRACT: &str = include_str!("../docs/peer-contract.md");
const METRICS: &str = include_str!("../docs/metrics.md");

/// The contract's fenced example of this kind.
fn example(kind: &str) -> &'static str {
    example_in(CONTRACT, kind)
}

fn example_in(text: &'static str, kind: &str) -> &'static str {
    let begin = text.split_once(&format!("```json {kind}\n")).expect("the example is there").1;
    begin.split_once("```").unwrap().0
}

/// The names of an object's fields, and of those inside.
fn fields(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                into.push(name.clone());
                fields(inner, into);
            }
        }
        Value::Array(array) => array.iter().for_each(|inner| fields(inner, into)),
        _ => {}
    }
}

#[test]
fn the_job_of_the_contract_loads_and_every_field_is_explained() {
    let job: Job = serde_json::from_str(example("job")).unwrap();
    job.check().unwrap();
    assert_eq!(job.schema, SCHEMA);
    let written = serde_json::to_value(&job).unwrap();
    assert_eq!(written, serde_json::from_str::<Value>(example("job")).unwrap(), "the example leaves no field out");
    for field in written.as_object().unwrap().keys() {
        assert!(CONTRACT.contains(&format!("\n| `{field}` | ")), "{field}");
    }
}

#[test]
fn only_the_fields_said_to_have_a_default_may_be_left_out() {
    let job: Value = serde_json::from_str(example("job")).unwrap();
    for field in job.as_object().unwrap().keys() {
        let mut without = job.clone();
        without.as_object_mut().unwrap().remove(field);
        let row = CONTRACT.lines().find(|line| line.starts_with(&format!("| `{field}` |"))).unwrap();
        let optional = row.split('|').nth(2).unwrap().contains('[');
        assert_eq!(serde_json::from_value::<Job>(without).is_ok(), optional, "{field}");
    }
}

#[test]
fn the_lines_of_the_contract_load_and_are_numbered() {
    for (number, text) in example("line").lines().enumerate() {
        let line: Line = serde_json::from_str(text).unwrap();
        assert_eq!(line.seq, number as u64);
        assert_eq!(serde_json::to_value(&line).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }
    for event in [
        "started",
        "connected",
        "ready",
        "phase",
        "progress",
        "second",
        "measured",
        "queue-filled",
        "done",
        "rows",
        "connection-lost",
        "connection-back",
        "worker-lost",
        "finished",
        "failed",
    ] {
        assert!(CONTRACT.contains(&format!("\n| `{event}` | ")), "{event}");
    }
}

#[test]
fn the_word_to_begin_of_the_contract_loads() {
    let text = example("begin").trim();
    let begin: Begin = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_value(begin).unwrap(), serde_json::from_str::<Value>(text).unwrap());
}

#[test]
fn the_result_of_the_contract_loads_and_every_field_is_explained() {
    let result: RunResult = serde_json::from_str(example("result")).unwrap();
    let written = serde_json::to_value(&result).unwrap();
    assert_eq!(written, serde_json::from_str::<Value>(example("result")).unwrap(), "the example leaves no field out");
    let mut names = Vec::new();
    fields(&written, &mut names);
    let prose = CONTRACT.replace(example("result"), "");
    for name in names {
        let words = name.replace('_', " ");
        assert!(prose.contains(&format!("`{name}`")) || prose.contains(&words.replace("while ", "")), "{name}");
    }
}

#[test]
fn the_metrics_of_their_page_load_and_every_field_and_stage_is_explained() {
    let text = example_in(METRICS, "metrics");
    let metrics: PhaseMetrics = serde_json::from_str(text).unwrap();
    let written = serde_json::to_value(&metrics).unwrap();
    assert_eq!(written, serde_json::from_str::<Value>(text).unwrap(), "the example leaves no field out");
    for ledger in &metrics.workers {
        assert!((ledger.balance().unexplained - ledger.unexplained).abs() < 1e-9, "the example's ledger adds up");
    }
    let mut names = Vec::new();
    fields(&written, &mut names);
    let prose = METRICS.replace(text, "");
    for name in names.iter().filter(|name| !["stage", "worker"].contains(&name.as_str())) {
        let explained = [format!("`{name}`"), format!("`{name}[]`"), format!("`process.{name}`")];
        assert!(name == "process" || explained.iter().any(|one| prose.contains(one)), "{name}");
    }
    for stage in Stage::ALL {
        assert!(METRICS.contains(&format!("\n| `{stage}` | ")), "{stage}");
    }
}

#[test]
fn a_lookup_s_statement_and_digest_are_the_programs() {
    assert!(CONTRACT.contains(&format!("```sql\n{SELECT_NODE}\n```")), "{SELECT_NODE}");
    for part in [
        format!("(p + 1) × (n + {TOKEN_FACTOR} × t), and, where p mod {WHOLE_EVERY} = 0, (p + 1) × crc32(contents)"),
        format!("its {ROWS} rows"),
        format!("`node-` with *p* mod {ROWS} in three digits"),
    ] {
        assert!(CONTRACT.contains(&part), "{part}");
    }
    assert_eq!((lookup::key(ROWS + 3).as_str(), KEYS), ("node-003", 10_000));
    let mut delivered = Delivered::default();
    [3, 4].iter().for_each(|number| delivered.add(*number, 256, || 1_000));
    assert_eq!(delivered, Delivered { rows: 2, digest: (3 + 257 * 256) + 1_000 + 2 * (4 + 257 * 256) });
}

#[test]
fn what_a_lookup_adds_to_a_result_loads_and_is_left_out_elsewhere() {
    let mut result: Value = serde_json::from_str(example("result")).unwrap();
    result["acknowledged"]["lookup"] = serde_json::json!({"rows": 4, "digest": 7});
    result["lost"] = serde_json::json!(["a worker process died"]);
    let loaded: RunResult = serde_json::from_value(result.clone()).unwrap();
    assert_eq!(loaded.acknowledged.lookup, Some(Delivered { rows: 4, digest: 7 }));
    assert_eq!(serde_json::to_value(&loaded).unwrap(), result);
    for field in ["`acknowledged.lookup`", "`lost`", "whose `rows`", "whose `digest`"] {
        assert!(CONTRACT.contains(field), "{field}");
    }
}

#[test]
fn the_table_of_exit_codes_is_the_programs() {
    for exit in Exit::ALL {
        assert!(CONTRACT.contains(&format!("\n| {} | {} |\n", exit.code(), exit.meaning())), "{exit:?}");
    }
}

#[test]
fn every_word_a_job_can_hold_is_named() {
    let all = |words: &[&'static str], field: &str| {
        let row = CONTRACT.lines().find(|line| line.starts_with(&format!("| `{field}` |"))).unwrap();
        for word in words {
            assert!(row.contains(&format!("`{word}`")), "{field}: {word}");
        }
    };
    all(&Workload::ALL.iter().map(|word| word.word()).collect::<Vec<_>>(), "workload");
    all(&Scheme::ALL.iter().map(|word| word.word()).collect::<Vec<_>>(), "scheme");
    all(&Statement::ALL.iter().map(|word| word.word()).collect::<Vec<_>>(), "statement");
    all(&Commit::ALL.iter().map(|word| word.word()).collect::<Vec<_>>(), "commit");
    all(&Protocol::ALL.iter().map(|word| word.word()).collect::<Vec<_>>(), "protocol");
    all(&Reader::ALL.iter().map(|word| word.word()).collect::<Vec<_>>(), "reader");
    all(&Phase::ALL.iter().map(|word| word.word()).collect::<Vec<_>>(), "phases");
}

#[test]
fn the_worked_example_adds_up_to_what_the_program_computes() {
    let constants = [
        format!("P = {PRIME}"),
        format!("(r × {RECORD_FACTOR} + i × {ITEM_FACTOR}) mod P"),
        format!("(key × {ROOT} + h mod P) mod P"),
    ];
    for constant in constants {
        assert!(CONTRACT.contains(&constant), "{constant}");
    }
    let table = CONTRACT.split_once("| r | i | h | key | mixed | row |\n").unwrap().1;
    let mut tally = Tally::default();
    for row in table.lines().skip(1).take_while(|line| line.starts_with('|')) {
        let numbers: Vec<i64> = row.split('|').filter_map(|cell| cell.trim().parse().ok()).collect();
        let (record, item) = (u32::try_from(numbers[0]).unwrap(), i32::try_from(numbers[1]).unwrap());
        assert_eq!(element(record, item, numbers[2]), numbers[5], "{row}");
        tally.add(record, item, numbers[2]);
    }
    let said = format!("Together: rows {}, sum {}, mix {}.", tally.rows, tally.sum, tally.mix);
    assert!(tally.rows >= 4 && CONTRACT.contains(&said), "{said}");
}

#[test]
fn the_citation_names_this_version() {
    let version = format!("\nversion: \"{}\"\n", env!("CARGO_PKG_VERSION"));
    assert!(include_str!("../CITATION.cff").contains(&version), "{version}");
}

#[test]
fn what_a_crash_adds_to_a_job_and_a_result_is_explained_and_left_out_elsewhere() {
    let mut job: Value = serde_json::from_str(example("job")).unwrap();
    let mut result: Value = serde_json::from_str(example("result")).unwrap();
    for field in ["progress", "resume", "retry"] {
        job[field] = true.into();
    }
    result["phases"][0]["skipped"] = 7.into();
    result["retried"] = serde_json::json!({
        "reconnects": 1, "attempts": 3, "redone": 16, "found": 0, "longest_outage": 2.5
    });
    let loaded: Job = serde_json::from_value(job.clone()).unwrap();
    assert!(loaded.check().is_ok() && serde_json::to_value(&loaded).unwrap() == job);
    let loaded: RunResult = serde_json::from_value(result.clone()).unwrap();
    assert_eq!(serde_json::to_value(&loaded).unwrap(), result);
    let retried = result["retried"].as_object().unwrap();
    for field in ["progress", "resume", "retry", "mark", "skipped", "retried"]
        .into_iter()
        .chain(retried.keys().map(String::as_str))
    {
        assert!(CONTRACT.contains(&format!("`{field}`")), "{field}");
    }
}
