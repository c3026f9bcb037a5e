//! Series that outlive what breaks under them: the connection to the engine, and the engine itself. Needs the project's
//! images (`make images`) and an engine.
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod proxy;
mod stacks;

use ingest_lab::wire::reader::LineReader;
use proxy::Proxy;
use stacks::Stack;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Stdio};

/// One cell, its twin and a warm-up, each long enough to be broken into.
const CELL: [&str; 13] = [
    "run",
    "quick",
    "--scheme",
    "async",
    "--statement",
    "row",
    "--pool",
    "2",
    "--blocks",
    "1",
    "--seconds",
    "8",
    "--yes",
];

/// What a lab says while it runs.
struct Told {
    lab: Child,
    lines: std::io::Lines<BufReader<ChildStderr>>,
    all: Vec<String>,
}

impl Told {
    fn by(mut lab: std::process::Command) -> Self {
        let mut lab = lab.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(lab.stderr.take().unwrap()).lines();
        Self { lab, lines, all: Vec::new() }
    }

    /// Reads on until it says so.
    fn until(&mut self, words: &str) {
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            eprintln!("lab: {line}");
            self.all.push(line);
            if self.all.last().unwrap().contains(words) {
                return;
            }
        }
        panic!("the lab never said {words:?}: {:#?}", self.all);
    }

    /// Reads to its end. Everything it said, and whether it ended well.
    fn end(mut self) -> (Vec<String>, bool) {
        for line in self.lines {
            let line = line.unwrap();
            eprintln!("lab: {line}");
            self.all.push(line);
        }
        (self.all, self.lab.wait().unwrap().success())
    }
}

/// The lines that are kept of what an ingester said: none is missing, none is there twice.
fn lines_of(stack: &Stack, series: &str, run: usize) -> usize {
    let path = stack.folder.path().join("results").join(series).join(format!("run-{run:03}.events.jsonl"));
    let mut reader = LineReader::default();
    let lines = reader.push(&std::fs::read(path).unwrap()).unwrap();
    reader.end().unwrap();
    lines.len()
}

#[test]
fn a_run_whose_connection_to_the_engine_is_cut_is_complete_and_verified() {
    let stack = Stack::up();
    let proxy = Proxy::start();
    let mut lab = stack.lab(&CELL);
    lab.env("DOCKER_HOST", proxy.address());
    let mut told = Told::by(lab);
    told.until("run 1 of");
    for _ in 0..2 {
        told.until("data:"); // a line of progress: the ingester is at it
        assert!(proxy.cut() > 0, "there was something to cut");
    }
    let (said, well) = told.end();
    assert!(well, "{said:#?}");
    assert!(said.iter().any(|line| line.contains("what it said is read again")), "{said:#?}");
    let series = stack.only_series();
    let runs = stack.runs(&series);
    let one = runs.iter().find(|run| run.run == 1).unwrap();
    let result = one.result().expect("it ended with a result");
    assert!(result.verification.as_ref().unwrap().verified);
    assert!(lines_of(&stack, &series, 1) > 10);
    // What was looked at beside it went with the connection, and the record says so.
    let problem = one.conditions.observed.as_ref().unwrap().problem.as_deref();
    assert!(problem.is_some_and(|problem| problem.contains("the watcher")), "{problem:?}");
    assert!(stack.state().2.iter().all(|limit| limit.trim() == "0"), "{:?}", stack.state());
}
