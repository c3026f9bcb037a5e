//! A series that goes on and on: does the lab's memory stay as it is, and the link's? `make soak`; an hour, or as long as
//! SOAK_MINUTES says. Linux.
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod stacks;

use ingest_lab::wire::RunResult;
use stacks::Stack;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Minutes unless SOAK_MINUTES says otherwise.
const MINUTES: f64 = 60.0;

/// Time between two samples: hundreds of them an hour.
const PAUSE: Duration = Duration::from_secs(5);

/// The part of the time that is left out: every cell has to have run, and the allocator to have seen it.
const WARM_UP: f64 = 0.1;

/// What either may grow by from the warm-up's end to the end.
const MOST: f64 = 0.10;

/// Short runs, one after the other, the link and the limits another each time.
const EXPERIMENT: &str = r#"
question = "Does anything grow?"
seed = 1
blocks = 1000
stop = { seconds = "1.5s", geo_records = 500, lines = 500 }
[[cells]]
scheme = ["threads", "async"]
statement = ["row"]
commit = ["auto"]
pool = [4]
link = ["local", "rtt=2ms,jitter=0.2ms"]
[[cells]]
scheme = ["async"]
statement = ["executemany"]
commit = ["record"]
pool = [4]
link = ["local", "rtt=5ms,up=50mbit,down=50mbit"]
db_cpus = ["0.5"]
"#;

/// Memory over time: when, seconds; how much, MiB.
#[derive(Default)]
struct Memory(Vec<(f64, f64)>);

impl Memory {
    fn note(&mut self, at: f64, status: &str) {
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a process has resident memory");
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        self.0.push((at, kib / 1024.0));
    }

    /// The straight line through what came after the warm-up: where it starts and ends, MiB, and its slope a minute.
    fn line(&self, whole: f64) -> (f64, f64, f64) {
        let late: Vec<(f64, f64)> = self.0.iter().copied().filter(|(at, _)| *at >= WARM_UP * whole).collect();
        let count = late.len() as f64;
        let (x, y) = late.iter().fold((0.0, 0.0), |(x, y), (at, much)| (x + at / count, y + much / count));
        let (up, down) = late
            .iter()
            .fold((0.0, 0.0), |(up, down), (at, much)| (up + (at - x) * (much - y), down + (at - x).powi(2)));
        let slope = up / down;
        let on_line = |at: f64| y + slope * (at - x);
        (on_line(late[0].0), on_line(late.last().unwrap().0), slope * 60.0)
    }

    /// Says how it grew; as a part of what it was.
    fn growth(&self, name: &str, whole: f64) -> f64 {
        let (start, end, slope) = self.line(whole);
        let most = self.0.iter().map(|(_, much)| *much).fold(0.0, f64::max);
        let growth = end / start - 1.0;
        let (samples, percent) = (self.0.len(), growth * 100.0);
        eprintln!(
            "{name}: {start:.1} MiB after the warm-up, {end:.1} at the end, {percent:+.1} %, {slope:+.4} MiB a minute, \
             {most:.1} at most; {samples} samples"
        );
        growth
    }
}

/// Ends it in order, as Ctrl-C does.
fn interrupt(lab: &Child) {
    let kill = std::process::Command::new("kill").args(["-INT", &lab.id().to_string()]).status().unwrap();
    assert!(kill.success());
}

#[test]
#[ignore = "an hour: make soak"]
fn neither_the_lab_nor_the_link_grows() {
    let minutes = std::env::var("SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(MINUTES);
    let (whole, stack) = (minutes * 60.0, Stack::up());
    std::fs::write(stack.folder.path().join("soak.toml"), EXPERIMENT).unwrap();
    let mut lab = stack.lab(&["run", "soak.toml", "--yes"]);
    let said = stack.folder.path().join("said.txt");
    let mut lab = lab.stdout(Stdio::null()).stderr(std::fs::File::create(&said).unwrap()).spawn().unwrap();
    let (begun, mut of_lab, mut of_link) = (Instant::now(), Memory::default(), Memory::default());
    while begun.elapsed().as_secs_f64() < whole {
        std::thread::sleep(PAUSE);
        if let Some(status) = lab.try_wait().unwrap() {
            panic!("the series ended by itself ({status}): {}", std::fs::read_to_string(&said).unwrap());
        }
        let at = begun.elapsed().as_secs_f64();
        of_lab.note(at, &std::fs::read_to_string(format!("/proc/{}/status", lab.id())).unwrap());
        of_link.note(at, &stack.link_process());
    }
    interrupt(&lab);
    assert_eq!(lab.wait().unwrap().code(), Some(130), "interrupted, after an orderly end");
    let runs = stack.runs(&stack.only_series());
    let valid = runs.iter().filter(|run| run.is_valid()).count();
    let done = runs.iter().filter(|run| run.result().is_some_and(RunResult::is_verified)).count();
    eprintln!("{minutes} min: {} runs, all rows verified in {done}, {valid} of them valid", runs.len());
    let grown = [of_lab.growth("lab", whole), of_link.growth("link", whole)];
    // Whether a run counts hangs on how loud the machine is; what it makes the lab and the link do does not.
    assert!(done * 10 >= runs.len() * 9, "a series whose runs come to nothing shows nothing");
    assert!(grown.iter().all(|growth| *growth <= MOST), "more than {} %: {grown:?}", MOST * 100.0);
}
