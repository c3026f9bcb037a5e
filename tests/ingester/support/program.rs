//! The ingester as a user runs it: a program with flags, two streams and an exit code.

use super::{Database, processes};
use ingest_lab::wire::{Event, Line, RunResult};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{ChildStdout, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take that ought to end by itself.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long a run that has much to do may take: a busy machine needs a minute or two for 111,000 rows one at a time.
pub const LONG_PATIENCE: Duration = Duration::from_secs(300);

/// The program, with an environment that tells it nothing.
pub fn ingester() -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_ingester"));
    command.env_remove("INGEST_LAB_DBURL").env_remove("RUST_LOG").timeout(PATIENCE);
    command
}

/// What a run in JSON answered.
pub struct Answer {
    /// Its lines, checked to be numbered from 0 without gaps.
    pub lines: Vec<Line>,
    /// What it said on standard error.
    pub stderr: String,
    /// Its exit code; absent where a signal ended it.
    pub code: Option<i32>,
}

impl Answer {
    fn new(stdout: &[u8], stderr: &[u8], status: ExitStatus) -> Self {
        let lines: Vec<Line> = stdout
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        assert!(lines.iter().zip(0..).all(|(line, seq)| line.seq == seq), "lines are numbered without gaps");
        Self { lines, stderr: String::from_utf8_lossy(stderr).into(), code: status.code() }
    }

    /// The result, if the run finished.
    pub fn result(&self) -> Option<&RunResult> {
        match &self.lines.last()?.event {
            Event::Finished { result } => Some(result),
            _ => None,
        }
    }

    /// The sentence and code of a run that failed.
    pub fn failure(&self) -> Option<(&str, u8)> {
        match &self.lines.last()?.event {
            Event::Failed { error, code } => Some((error, *code)),
            _ => None,
        }
    }
}

/// Runs to the end what must succeed and verify.
pub fn run(database: &Database, data: &Path, flags: &str) -> RunResult {
    let answer = run_within(&database.url(), data, flags, LONG_PATIENCE);
    let what = answer.failure().map(|(error, _)| error.to_owned()).unwrap_or(answer.stderr.clone());
    assert_eq!(answer.code, Some(0), "{flags}: {what}");
    let result = answer.result().expect("a run that succeeds says finished").clone();
    let found = result.verification.as_ref().expect("a run by flags verifies");
    assert!(found.verified, "{flags}: {:?}", found.differences);
    result
}

/// Runs to the end, whatever the end is; none of its processes may outlive it.
pub fn run_with(url: &str, data: &Path, flags: &str) -> Answer {
    run_within(url, data, flags, PATIENCE)
}

/// The same, for as long as a busy machine needs.
pub fn run_patiently(url: &str, data: &Path, flags: &str) -> Answer {
    run_within(url, data, flags, LONG_PATIENCE)
}

fn run_within(url: &str, data: &Path, flags: &str, patience: Duration) -> Answer {
    let mark = processes::mark();
    let mut command = ingester();
    command.timeout(patience).env(processes::MARK, &mark).args(["run", "--json", "--dburl", url, "--data"]).arg(data);
    let begun = Instant::now();
    let output = command.args(flags.split_whitespace()).output().unwrap();
    assert!(begun.elapsed() < patience, "{flags}: still running after {patience:?}");
    processes::assert_none_left(&mark);
    Answer::new(&output.stdout, &output.stderr, output.status)
}

/// A run that is under way.
pub struct Child {
    process: std::process::Child,
    stdout: BufReader<ChildStdout>,
    said: Vec<u8>,
    patience: Duration,
    /// What its processes carry in their environment.
    pub mark: String,
}

impl Child {
    /// Starts a run in a process group of its own, as a shell does.
    pub fn start(database: &Database, data: &Path, flags: &str) -> Self {
        Self { patience: PATIENCE, ..Self::start_at(&database.url(), data, flags) }
    }

    /// The same, wherever the database is, and for as long as a busy machine needs.
    pub fn start_at(url: &str, data: &Path, flags: &str) -> Self {
        use std::os::unix::process::CommandExt;
        let mark = processes::mark();
        let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_ingester"))
            .env_remove("RUST_LOG")
            .env(processes::MARK, &mark)
            .env("INGEST_LAB_DBURL", url)
            .args(["run", "--json", "--data"])
            .arg(data)
            .args(flags.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Self { process, stdout, said: Vec::new(), patience: LONG_PATIENCE, mark }
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.process.id()).unwrap())
    }

    /// Reads its answer up to the first event that `wanted` accepts.
    pub fn wait_for(&mut self, mut wanted: impl FnMut(&Event) -> bool) {
        loop {
            let from = self.said.len();
            let read = self.stdout.read_until(b'\n', &mut self.said).unwrap();
            assert!(read > 0, "it ended early: {}", String::from_utf8_lossy(&self.said));
            let line: Line = serde_json::from_slice(&self.said[from..]).unwrap();
            if wanted(&line.event) {
                return;
            }
        }
    }

    /// Waits until the database holds rows of the data phase.
    pub fn wait_for_rows(&mut self, database: &Database) {
        let begun = Instant::now();
        while database.number("SELECT count(*) FROM (SELECT FROM data_element LIMIT 500) AS rows") < 500 {
            assert!(begun.elapsed() < PATIENCE, "no rows after {PATIENCE:?}");
            assert!(self.process.try_wait().unwrap().is_none(), "it ended early");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Looks at it every so often until its last line, for as long as it takes.
    pub fn look(&mut self, patience: Duration, mut look: impl FnMut()) {
        self.patience = patience;
        self.wait_for(|event| {
            look();
            matches!(event, Event::Finished { .. } | Event::Failed { .. })
        });
    }

    /// Sends a signal to the program alone.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Sends a signal to the program and its children, as a terminal does on Ctrl-C.
    pub fn signal_group(&self, signal: Signal) {
        nix::sys::signal::killpg(self.pid(), signal).unwrap();
    }

    /// Waits for its end, and for that of every process it started.
    pub fn end(mut self) -> Answer {
        let (pid, begun, patience) = (self.pid(), Instant::now(), self.patience);
        let watchdog = std::thread::spawn({
            let mark = self.mark.clone();
            move || {
                while processes::marked(&mark).contains(&pid.as_raw()) {
                    if begun.elapsed() > patience {
                        let _ = kill(pid, Signal::SIGKILL);
                        return false;
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
                true
            }
        });
        self.stdout.read_to_end(&mut self.said).unwrap();
        let mut stderr = Vec::new();
        self.process.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        let status = self.process.wait().unwrap();
        assert!(watchdog.join().unwrap(), "still running after {patience:?}: {}", String::from_utf8_lossy(&self.said));
        processes::assert_none_left(&self.mark);
        if status.code().is_none() && self.said.last().is_some_and(|last| *last != b'\n') {
            let whole = self.said.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            self.said.truncate(whole); // cut off in the middle of a line
        }
        Answer::new(&self.said, &stderr, status)
    }
}
