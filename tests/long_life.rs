//! Series that outlive what breaks under them: the connection to the engine, and the engine itself. Needs the project's
//! images (`make images`) and an engine.
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod proxy;
mod stacks;

use ingest_lab::wire::reader::LineReader;
use ingest_lab::wire::record::RunRecord;
use proxy::Proxy;
use stacks::Stack;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command as Process, Stdio};

/// One cell, its twin and a warm-up, each long enough to be broken into.
const CELL: [&str; 19] = [
    "run",
    "quick",
    "--scheme",
    "async",
    "--statement",
    "row",
    "--pool",
    "2",
    "--seconds",
    "8",
    "--limit-geo",
    "1000",
    "--limit-lines",
    "1000",
    "--link",
    "rtt=5ms",
    "--yes",
    "--blocks",
    "1",
];

/// What a lab says while it runs.
struct Told {
    lab: Child,
    lines: std::io::Lines<BufReader<ChildStderr>>,
    all: Vec<String>,
}

impl Told {
    fn by(mut lab: Process) -> Self {
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

/// A second engine beside the one that everybody uses: it may be killed. Gone with this.
struct Second {
    program: String,
    home: tempfile::TempDir,
}

impl Second {
    /// Starts it, set up as the first one is. Where that one's files are is no setting of this one's.
    fn start(program: String) -> Self {
        let home = tempfile::tempdir().unwrap();
        let first = std::fs::read_to_string("/etc/docker/daemon.json").unwrap_or_else(|_| "{}".into());
        let mut settings: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&first).unwrap();
        settings.remove("data-root");
        let (file, starter) = (home.path().join("daemon.json"), home.path().join("dockerd"));
        std::fs::write(&file, serde_json::to_string(&settings).unwrap()).unwrap();
        let there = which("dockerd");
        std::fs::write(&starter, format!("#!/bin/sh\nexec {there} --config-file {} \"$@\"\n", file.display())).unwrap();
        std::fs::set_permissions(&starter, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let second = Self { program, home };
        assert!(start(&second.program, second.home.path()), "no second engine: what it says is above");
        second
    }

    fn address(&self) -> String {
        format!("unix://{}", self.home.path().join("docker.sock").display())
    }

    /// Kills it, as a crash does. Its number may not be free at once: without the file it starts again all the same.
    fn kill(home: &Path) {
        let pid = std::fs::read_to_string(home.join("pid")).unwrap();
        assert!(Process::new("kill").args(["-KILL", pid.trim()]).status().unwrap().success());
        std::fs::remove_file(home.join("pid")).unwrap();
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        let home = self.home.path();
        if !home.join("pid").exists() {
            let _ = start(&self.program, home); // what it ran outlives it otherwise
        }
        let _ = Process::new(&self.program).arg("down").env("SECOND_ENGINE_HOME", home).status();
        // One that was killed has left it mounted; its files go with the folder.
        let _ = Process::new("umount").arg(home.join("data")).stderr(Stdio::null()).status();
    }
}

fn which(program: &str) -> String {
    let found = Process::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
    String::from_utf8(found.stdout).unwrap().trim().to_owned()
}

/// Starts a second engine, for the first time or again. On a busy machine its parts may miss each other.
fn start(program: &str, home: &Path) -> bool {
    let path = format!("{}:{}", home.display(), std::env::var("PATH").unwrap());
    let mut up = Process::new(program);
    up.arg("up").env("SECOND_ENGINE_HOME", home).env("PATH", path);
    (0..3).any(|_| up.status().unwrap().success())
}

/// Set for the part of the test that runs on the engine that is killed: where that keeps its files.
const KILLED: &str = "INGEST_LAB_ENGINE_TO_KILL";

/// Says what starts that engine.
const PROGRAM: &str = "INGEST_LAB_ENGINE_PROGRAM";

#[test]
fn a_series_survives_a_crash_of_its_engine() {
    let Some(shared) = std::env::var_os("INGEST_LAB_SHARED") else {
        eprintln!("SKIPPED: no engine is killed, because INGEST_LAB_SHARED names no folder with a second one");
        return;
    };
    let program = Path::new(&shared).join("second-engine/second-engine").display().to_string();
    let second = Second::start(program);
    for role in ["db", "link", "lab", "ingester"] {
        let image = format!("ingest-lab-{role}:{}", stacks::tag());
        let copy = format!("docker save {image} | DOCKER_HOST={} docker load", second.address());
        assert!(Process::new("bash").args(["-c", &copy]).stdout(Stdio::null()).status().unwrap().success(), "{copy}");
    }
    // On another engine all that speaks to one does so by its environment.
    let inner = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "on_an_engine_that_is_killed", "--ignored", "--nocapture"])
        .env("DOCKER_HOST", second.address())
        .env(KILLED, second.home.path())
        .env(PROGRAM, &second.program)
        .status()
        .unwrap();
    assert!(inner.success(), "what it says is above");
}

/// The lab, in the network of the second engine: as if on its host.
fn beside_second(lab: &Process) -> Process {
    let mut within = Process::new("nsenter");
    within.arg("--net=/run/netns/engine2").arg(lab.get_program()).args(lab.get_args());
    within.current_dir(lab.get_current_dir().unwrap());
    within.envs(lab.get_envs().filter_map(|(name, value)| Some((name, value?))));
    within
}

#[test]
#[ignore = "part of a_series_survives_a_crash_of_its_engine, which makes the engine that it kills"]
fn on_an_engine_that_is_killed() {
    let home = std::env::var_os(KILLED).expect("the other test says which engine is killed");
    let stack = Stack::up();
    let before = stack.state();
    let arguments = [&CELL[..18], &["2", "--db-cpus", "0.5"]].concat();
    let mut told = Told::by(beside_second(&stack.lab(&arguments)));
    told.until("run 2 of");
    told.until("data:");
    Second::kill(Path::new(&home));
    told.until("is gone: waiting");
    assert!(start(&std::env::var(PROGRAM).unwrap(), Path::new(&home)), "it does not start again");
    told.until("the container engine restarted while it ran: the stack is taken again");
    let (said, well) = told.end();
    assert!(well, "{said:#?}");
    let runs = stack.runs(&stack.only_series());
    let attempts: Vec<(usize, u32)> = runs.iter().map(|run| (run.run, run.attempt)).collect();
    let lost = runs.iter().find(|run| (run.run, run.attempt) == (2, 1)).unwrap();
    assert!(lost.invalid[0].starts_with("the container engine restarted while it ran ("), "{:?}", lost.invalid);
    assert!(attempts.contains(&(2, 2)) && attempts.contains(&(4, 1)), "the series went on: {attempts:?}");
    let verified = |run: &&RunRecord| run.result().is_some_and(|result| result.verification.as_ref().unwrap().verified);
    assert_eq!(runs.iter().filter(verified).count(), runs.len() - 1, "all but the lost one");
    assert_eq!(stack.state(), before, "limits and containers are as they were");
}
