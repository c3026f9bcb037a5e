//! Whatever crashes, whenever: an ingest in transactions is continued with nothing lost and nothing doubled, by the run
//! itself (`--retry`) or by another one (`--resume`), whatever scheme, statement kind and pool that has.

use crate::support::{Answer, Child, Crashing, Database, Forwarder, data, run, run_patiently, run_with};
use ingest_lab::model::Scheme;
use ingest_lab::wire::{Event, RunResult};
use nix::sys::signal::Signal;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const GEO: u32 = 120;
const LINES: u32 = 60;
/// Rows of all lines.
const ROWS: i64 = LINES as i64 * data::ITEMS as i64;
const STATEMENTS: [&str; 5] = ["row", "executemany --in-flight 50", "multirow", "unnest", "copy"];
const COMMITS: [&str; 4] = ["record", "chunk --chunk 3", "chunk --chunk 7", "chunk --chunk 16"];

/// What crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Crash {
    /// The ingester, by SIGKILL.
    Ingester,
    /// Every process of the database, by SIGKILL.
    Database,
    /// The path between them.
    Link,
    /// A few of the server's connections.
    Backends,
    /// A worker process, where there are any.
    Child,
}

impl Crash {
    const ALL: [Self; 5] = [Self::Ingester, Self::Database, Self::Link, Self::Backends, Self::Child];
}

/// What becomes of all the crashes.
#[derive(Debug, Default)]
struct Tally {
    crashes: usize,
    /// In the middle: some records were committed, and some were not.
    in_the_middle: usize,
    resumed: usize,
    /// Runs that got over it by themselves.
    retried: usize,
    reconnects: u64,
    found: u64,
}

/// The stage of the crashes.
struct Crashes {
    server: Crashing,
    path: Forwarder,
    data: tempfile::TempDir,
    sum: i64,
    random: ChaCha8Rng,
    tally: Tally,
}

impl Crashes {
    fn new() -> Self {
        let told = std::env::var("INGEST_LAB_SEED").ok().map(|seed| seed.parse().unwrap());
        let seed = told.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
        eprintln!("INGEST_LAB_SEED={seed}");
        let (server, data) = (Crashing::start(), data::generated(GEO, LINES, &[1]));
        let path = Forwarder::to(server.port);
        let sum = data::sum_of(&data.path().join(data::SEGMENT.0), 1).sum;
        Self { server, path, data, sum, random: ChaCha8Rng::seed_from_u64(seed), tally: Tally::default() }
    }

    fn below(&mut self, most: usize) -> usize {
        (self.random.next_u64() % most as u64) as usize
    }

    /// A way to ingest: its flags.
    fn way(&mut self, scheme: Scheme) -> String {
        let (statement, commit) = (STATEMENTS[self.below(5)], COMMITS[self.below(4)]);
        format!("--scheme {scheme} --statement {statement} --commit {commit} --pool {}", 1 + self.below(5))
    }

    /// One ingest with a crash in it, up to its good end.
    fn crash(&mut self, scheme: Scheme, crash: Crash) {
        self.server.wait().batch_execute("TRUNCATE data_element, geo_record, progress RESTART IDENTITY").unwrap();
        let retries = crash != Crash::Ingester && (crash == Crash::Child || self.below(3) > 0);
        let retry = if retries { " --retry" } else { "" };
        // A line is slow, so that a run lasts about as long as the crash may be off.
        let way = format!("{}{retry} --inject sleep=30ms", self.way(scheme));
        let url = self.server.url(self.path.port);
        let mut child = Child::start_at(&url, self.data.path(), &way);
        let connected = |event: &Event| matches!(event, Event::Connected { .. });
        child.wait_for(|event| connected(event));
        std::thread::sleep(Duration::from_millis(self.below(700) as u64));
        self.happen(crash, &child);
        let answer = child.end();
        self.tally.crashes += 1;
        let listed = self.server.number("SELECT coalesce(sum(last - first + 1), 0) FROM progress");
        let whole = i64::from(GEO + LINES);
        self.tally.in_the_middle += usize::from(listed > 0 && listed < whole || answer.result().is_some_and(survived));
        match answer.result() {
            Some(result) => {
                assert!(verified(result), "{crash:?} {way}: {:?}", result.verification);
                self.tally.retried += 1;
                let retried = result.retried.unwrap_or_default();
                self.tally.reconnects += retried.reconnects;
                self.tally.found += retried.found;
            }
            None => {
                assert!(!retries, "{crash:?} {way}: a run that retries gave up: {:?}", answer.failure());
                self.resume(&format!("{crash:?} {way}"));
            }
        }
        self.look(&format!("{crash:?} {way}"));
    }

    /// Continues it in another way.
    fn resume(&mut self, before: &str) {
        let scheme = Scheme::OWN[self.below(Scheme::OWN.len())];
        let way = format!("{} --resume", self.way(scheme));
        let answer = run_patiently(&self.server.url(self.server.port), self.data.path(), &way);
        let what = answer.failure().map(|(error, _)| error.to_owned()).unwrap_or(answer.stderr.clone());
        let result = answer.result().unwrap_or_else(|| panic!("{before}, then {way}: {what}"));
        assert!(verified(result), "{before}, then {way}: {:?}", result.verification);
        let done: u64 = result.phases.iter().map(|phase| phase.records + phase.skipped).sum();
        assert_eq!(done, u64::from(GEO + LINES), "{before}, then {way}: skipped and done are all");
        self.tally.resumed += 1;
    }

    fn happen(&mut self, crash: Crash, child: &Child) {
        let workers = || crate::support::processes::marked(&child.mark);
        match crash {
            Crash::Ingester => child.signal(Signal::SIGKILL),
            Crash::Database => self.server.kill(),
            Crash::Link => {
                let [silence, cut] = [300, 1_000].map(|most| Duration::from_millis(self.below(most) as u64));
                self.path.cut(silence, cut);
            }
            Crash::Backends => {
                let some = 1 + self.below(5);
                let sql = format!(
                    "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE application_name = 'ingester' ORDER BY random() LIMIT {some}) AS few"
                );
                self.server.number(&sql);
            }
            Crash::Child => {
                let children: Vec<i32> = workers().into_iter().filter(|pid| *pid != child.pid().as_raw()).collect();
                if !children.is_empty() {
                    let pid = children[self.below(children.len())];
                    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL); // it may be through
                }
            }
        }
    }

    /// Looks at the tables without the ingester's help.
    fn look(&self, what: &str) {
        let number = |sql: &str| self.server.number(sql);
        assert_eq!(number("SELECT count(*) FROM geo_record"), i64::from(GEO), "{what}: places");
        assert_eq!(number("SELECT count(*) FROM data_element"), ROWS, "{what}: rows");
        let apart = "SELECT count(*) FROM (SELECT DISTINCT geo_record, dictionary_item FROM data_element) AS apart";
        assert_eq!(number(apart), ROWS, "{what}: no row is there twice");
        assert_eq!(number("SELECT sum(value) * 100 FROM data_element"), self.sum, "{what}: their sum");
    }
}

fn verified(result: &RunResult) -> bool {
    result.verification.as_ref().is_some_and(|found| found.verified)
}

fn survived(result: &RunResult) -> bool {
    result.retried.is_some() || !result.lost.is_empty()
}

#[test]
fn whatever_crashes_once_nothing_is_lost_and_nothing_doubled() {
    let mut crashes = Crashes::new();
    for (index, crash) in Crash::ALL.into_iter().enumerate() {
        let scheme = if crash == Crash::Child { Scheme::Processes } else { Scheme::OWN[index % Scheme::OWN.len()] };
        crashes.crash(scheme, crash);
    }
    eprintln!("{:?}", crashes.tally);
}

#[test]
#[ignore = "`make test-crashes`: half an hour"]
fn crashes_at_random_moments_lose_nothing_and_double_nothing() {
    let wanted = std::env::var("INGEST_LAB_CRASHES").map_or(200, |text| text.parse().unwrap());
    let (mut crashes, begun) = (Crashes::new(), Instant::now());
    for number in 0..wanted {
        let crash = Crash::ALL[number % Crash::ALL.len()];
        let scheme = match crash {
            Crash::Child => Scheme::Processes,
            _ => Scheme::OWN[number / Crash::ALL.len() % Scheme::OWN.len()],
        };
        crashes.crash(scheme, crash);
        if (number + 1) % 10 == 0 {
            eprintln!("{:4.0} s: {:?}", begun.elapsed().as_secs_f64(), crashes.tally);
        }
    }
    eprintln!("{wanted} crashes, 0 rows lost, 0 doubled, every run that was resumed verifies");
}

#[test]
fn what_cannot_be_resumed_or_retried_is_refused_with_the_reason() {
    let (database, data) = (Database::fresh(), data::generated(8, 8, &[1]));
    let refused = |flags: &str, code: u8, words: &str| {
        let answer: Answer = run_with(&database.url(), data.path(), flags);
        let (error, told) = answer.failure().unwrap_or_else(|| panic!("{flags}: {:?}", answer.stderr));
        assert!(told == code && error.contains(words), "{flags}: {told} {error}");
    };
    refused("--commit auto --resume", 2, "--commit record or chunk");
    refused("--commit auto --retry", 2, "whether it is there");
    refused("--workload lookup --resume", 2, "nothing to resume");
    run(&database, data.path(), "--commit auto --pool 2");
    refused("--commit record --resume", 5, "rows of --commit auto cannot be resumed");
    database.empty();
    run(&database, data.path(), "--commit record --pool 2");
    refused("--commit record", 5, "--resume");
    let other: &Path = &data.path().join("nothing");
    std::fs::create_dir(other).unwrap();
    let answer = run_with(&database.url(), other, "--commit chunk --resume");
    assert_eq!(answer.failure().map(|(_, code)| code), Some(4), "another data folder is refused");
}

#[test]
fn a_resumed_ingest_that_was_whole_does_nothing_and_verifies_all() {
    let (database, data) = (Database::fresh(), data::generated(8, 8, &[1, 2]));
    run(&database, data.path(), "--commit chunk --chunk 3 --scheme async --pool 3");
    for scheme in Scheme::OWN {
        for reader in ["thread", "process", "preload"] {
            let flags = format!("--commit record --scheme {scheme} --reader {reader} --pool 2 --resume");
            let result = run(&database, data.path(), &flags);
            let counts: Vec<_> = result.phases.iter().map(|phase| (phase.records, phase.skipped)).collect();
            assert_eq!(counts, [(0, 8), (0, 16)], "{flags}");
            assert_eq!((result.acknowledged.geo_rows, result.acknowledged.lines), (8, 16), "{flags}");
        }
    }
    // A row that went astray is found, though no run of today wrote it.
    database.change("DELETE FROM data_element WHERE ctid = (SELECT min(ctid) FROM data_element)");
    let answer = run_with(&database.url(), data.path(), "--commit record --resume");
    assert_eq!(answer.code, Some(6), "{}", answer.stderr);
}

#[test]
fn a_lookup_that_retries_delivers_every_row_in_order_whatever_breaks() {
    let database = Database::fresh();
    let none = tempfile::TempDir::new().unwrap();
    let flags = "--workload lookup --retry --pool 3 --limit-lines 2000 --inject sleep=2ms --scheme";
    for scheme in [Scheme::Threads, Scheme::Async] {
        let mut child = Child::start(&database, none.path(), &format!("{flags} {scheme}"));
        child.wait_for(|event| matches!(event, Event::Phase { .. }));
        std::thread::sleep(Duration::from_millis(200));
        database.change("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ingester' AND datname = current_database()");
        let answer = child.end();
        let result = answer.result().unwrap_or_else(|| panic!("{scheme}: {:?}", answer.failure()));
        assert!(verified(result) && result.acknowledged.lines == 2_000, "{scheme}: {:?}", result.verification);
        assert_eq!(result.retried.map(|retried| retried.reconnects), Some(3), "{scheme}");
    }
}
