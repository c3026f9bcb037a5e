//! Faults on the real engine: the database killed, the ingester killed, a link that lets nothing through; and what the next
//! lab puts back that a killed one left broken. Needs the project's images (`make images`) and an engine.
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod stacks;

use ingest_lab::wire::record::RunRecord;
use stacks::Stack;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const SERIES: &str = "question = \"?\"\nseed = 1\nblocks = 1\nstop = { seconds = \"6s\", lines = 2500, geo_records = 2500 }\n\
    [[cells]]\nscheme = [\"async\"]\nstatement = [\"row\"]\ncommit = [\"record\"]\npool = [4]\n";

fn write(stack: &Stack, name: &str, faults: &str) {
    let text = format!("{SERIES}fault = [{faults}]\n");
    std::fs::write(stack.folder.path().join(format!("{name}.toml")), text).unwrap();
}

#[test]
fn what_breaks_comes_back_with_every_row_there_once_and_nothing_is_left_of_it() {
    let stack = Stack::up();
    let (before, rules) = (stack.state(), stack.rules());
    write(&stack, "broken", "\"db-kill@2s\", \"ingester-kill@2s\", \"black-hole=2s@2s\"");
    let done = stack.lab(&["run", "broken.toml"]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    let runs = stack.runs(&stack.series_of("broken"));
    for run in runs.iter().filter(|run| run.run > 0) {
        one_of_them(run, &said);
    }
    assert_eq!(runs.iter().filter(|run| !run.cell.fault.is_none()).count(), 3);
    assert_eq!((stack.state(), stack.rules()), (before.clone(), rules.clone()));
    left_paused_by_a_killed_lab(&stack);
    assert_eq!((stack.state(), stack.rules()), (before, rules));
}

fn one_of_them(run: &RunRecord, said: &str) {
    assert!(run.is_valid(), "{}: {:?}\n{said}", run.cell.fault, run.invalid);
    let seen = run.conditions.fault.as_ref().unwrap();
    let (applied, lifted) = (seen.applied.unwrap(), seen.lifted.unwrap());
    assert!((2.0..3.0).contains(&applied) && lifted > applied, "{applied} to {lifted}");
    let outage = seen.outage.unwrap();
    assert!(outage.before > 100.0 && outage.without > 0.3, "{}: {outage:?}", run.cell.fault);
    let result = run.result().unwrap();
    assert!(result.verification.as_ref().unwrap().verified);
    let went_on = result.phases.iter().any(|phase| phase.skipped > 0);
    let kind = run.cell.fault.to_string();
    assert_eq!(went_on, kind.starts_with("ingester-kill"), "{kind}");
    assert!(!kind.starts_with("db-kill") || seen.reconnects >= 4, "{kind}: {} opened again", seen.reconnects);
}

/// A lab that is killed while the database stands still: the next verb lets it go on.
fn left_paused_by_a_killed_lab(stack: &Stack) {
    write(stack, "paused", "\"db-pause=3s@1s\"");
    let mut lab = stack.lab(&["run", "paused.toml"]);
    let mut lab = lab.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    wait_for_pause(stack, &mut lab);
    lab.kill().unwrap();
    lab.wait().unwrap();
    let listed = stack.lab(&["list"]).output().unwrap();
    let said = String::from_utf8_lossy(&listed.stderr).into_owned();
    assert!(said.contains("the database, which stood still"), "{said}");
}

fn wait_for_pause(stack: &Stack, lab: &mut Child) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !stack.is_paused() {
        assert!(Instant::now() < deadline && lab.try_wait().unwrap().is_none(), "the database was never paused");
        std::thread::sleep(Duration::from_millis(50));
    }
}
