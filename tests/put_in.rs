//! What is put into a run (work, sleep, distance, a slow reader, a slow disk) shows where it was put, and as much of it.
//! `make test-verdict`; minutes on a machine that does nothing else.
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod known;
mod stacks;

use ingest_lab::analysis::evidence;
use ingest_lab::model::cell::Cell;
use ingest_lab::wire::metrics::Ledger;
use ingest_lab::wire::record::RunRecord;
use known::{bare, data, rate, run};
use stacks::Stack;

/// Milliseconds a row that its backend slept for WAL or files.
fn slept_a_row(stack: &Stack) -> f64 {
    let records = run(stack, &["threads row auto pool 1 placement pinned"], 1, 10.0, 600);
    let each = records.iter().map(|record| evidence(&bare(record)).unwrap().io.unwrap() / rate(record) * 1e3);
    each.sum::<f64>() / records.len() as f64
}

#[test]
#[ignore = "a minute: make test-verdict"]
fn a_slow_disk_shows_in_what_backends_sleep_for() {
    let plain = slept_a_row(&Stack::with("local"));
    let slow = slept_a_row(&Stack::with("slow-sync"));
    let found = slow - plain;
    eprintln!("fdatasync, WAL: 5.0 ms a row put in, {found:.2} found ({plain:.2} without)");
    assert!((found / 5.0 - 1.0).abs() <= 0.10, "5 ms a row put in, {found:.2} found");
}

/// Milliseconds a line that workers spent in a state.
fn a_line(record: &RunRecord, state: fn(&Ledger) -> f64) -> f64 {
    let data = data(record);
    let all: f64 = data.metrics.as_ref().unwrap().workers.iter().map(state).sum();
    all * 1e3 / data.records as f64
}

#[test]
#[ignore = "three minutes: make test-verdict"]
fn what_is_put_in_shows_where_it_was_put() {
    let stack = Stack::with("local");
    let mut wrong = Vec::new();
    for scheme in ["threads", "async"] {
        // Few connections, so that nothing else changes much: what is put in is all the difference.
        let plain = format!("{scheme} row auto pool 2 placement pinned");
        let far = format!("{scheme} row auto pool 2 link local-queued placement pinned");
        let away = format!("{scheme} row auto pool 2 link rtt=5ms placement pinned");
        let burnt = format!("{plain} inject spin=100us");
        let asleep = format!("{plain} inject sleep=10ms");
        let starved = format!("{plain} inject read=100ms");
        let records = run(&stack, &[&plain, &far, &away, &burnt, &asleep, &starved], 1, 8.0, 600);
        let of = |text: &str, state: fn(&Ledger) -> f64| {
            let cell: Cell = text.parse().unwrap();
            let all: Vec<f64> =
                records.iter().filter(|record| record.cell == cell).map(|record| a_line(record, state)).collect();
            all.iter().sum::<f64>() / all.len() as f64
        };
        // 222 items and two SELECTs a line; two workers share what the reader lets through.
        let busy = of(&starved, |ledger| ledger.wall - ledger.records);
        for (what, expected, found) in [
            ("spin, on CPU", 22.2, of(&burnt, |ledger| ledger.on_cpu) - of(&plain, |ledger| ledger.on_cpu)),
            ("sleep, unexplained", 10.0, of(&asleep, |one| one.unexplained) - of(&plain, |one| one.unexplained)),
            ("round trip, database", 224.0 * 5.0, of(&away, |one| one.database) - of(&far, |one| one.database)),
            ("reader, records", 200.0 - busy, of(&starved, |one| one.records)),
        ] {
            eprintln!("{scheme:<8} {what:<22} {expected:>8.1} ms a line put in, {found:>8.1} found");
            if (found / expected - 1.0).abs() > 0.10 {
                wrong.push(format!("{scheme}, {what}: {expected:.1} ms a line put in, {found:.1} found"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
