//! Several ingesters that share a run: the same rows as one, whatever the scheme and the commit; how they begin.

use crate::support::{Database, data, processes, run};
use ingest_lab::db;
use ingest_lab::model::share::Share;
use ingest_lab::model::{Phase, Scheme};
use ingest_lab::wire::{self, Begin, DbUrl, Event, Job, Line, RunResult};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An ingester that was told its share. What it says goes to a channel, with its number.
struct Client {
    process: std::process::Child,
    stdin: Option<ChildStdin>,
}

fn start(job: &Job, mark: &str, heard: &mpsc::Sender<(usize, Event)>) -> Client {
    let mut process = Command::new(env!("CARGO_BIN_EXE_ingester"))
        .env_remove("RUST_LOG")
        .env(processes::MARK, mark)
        .args(["run", "--job", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = process.stdin.take().unwrap();
    stdin.write_all(&serde_json::to_vec(job).unwrap()).unwrap();
    stdin.write_all(b"\n").unwrap();
    let (stdout, heard, client) = (BufReader::new(process.stdout.take().unwrap()), heard.clone(), job.share.client);
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            let line: Line = serde_json::from_str(&line).unwrap();
            heard.send((client, line.event)).unwrap();
        }
    });
    Client { process, stdin: Some(stdin) }
}

fn seconds_from_now(ahead: f64) -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() + ahead
}

/// Runs a job on so many ingesters; the result of each. No phase begins before all are ready for it.
fn together(job: &Job, clients: usize) -> Vec<RunResult> {
    let mark = processes::mark();
    let (sender, heard) = mpsc::channel();
    let told = |share| Job { share, barrier: true, ..job.clone() };
    let mut all: Vec<Client> = Share::all(clients).map(|share| start(&told(share), &mark, &sender)).collect();
    let (mut ready, mut begun, mut results) = (0, 0, Vec::new());
    while results.len() < clients {
        let (client, event) = heard.recv_timeout(Duration::from_secs(60)).expect("a client says something");
        match event {
            Event::Ready { phase } => {
                ready += 1;
                if ready == clients {
                    let begin = serde_json::to_string(&Begin { begin: phase, at: seconds_from_now(0.05) }).unwrap();
                    all.iter_mut().for_each(|one| writeln!(one.stdin.as_ref().unwrap(), "{begin}").unwrap());
                    (ready, begun) = (0, begun + 1);
                }
            }
            Event::Phase { phase } => {
                assert_eq!(job.phases.get(begun - 1), Some(&phase), "client {client} began without a word");
            }
            Event::Finished { result } => results.push(*result),
            Event::Failed { error, .. } => panic!("client {client}: {error}"),
            _ => {}
        }
    }
    for one in &mut all {
        drop(one.stdin.take());
        assert!(one.process.wait().unwrap().success());
    }
    processes::assert_none_left(&mark);
    results
}

/// The job that these flags are, as the lab would write it.
fn job_of(database: &Database, one: &RunResult) -> Job {
    Job { dburl: DbUrl(database.url()), progress: false, ..one.job.clone() }
}

fn verified(database: &Database, merged: &RunResult) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = runtime.block_on(async {
        let client = db::connect(&DbUrl(database.url())).await.unwrap();
        db::verify_run(&client, &merged.job, merged).await.unwrap()
    });
    assert!(found.verified, "{:?}", found.differences);
}

#[test]
fn clients_that_share_a_run_insert_what_one_would_each_record_once() {
    let database = Database::fresh();
    let data = data::generated(50, 12, &[1, 39]);
    for (flags, clients) in [
        ("--scheme threads --statement row --commit record", 2),
        ("--scheme async --statement executemany --commit auto --reader preload", 3),
        ("--scheme async-single --statement multirow --commit chunk --chunk 4 --reader process", 4),
        ("--scheme processes --statement row --commit chunk --chunk 3", 2),
        ("--scheme serial --statement unnest --commit record --limit-lines 17 --limit-geo 45", 3),
    ] {
        database.empty();
        let one = run(&database, data.path(), &format!("{flags} --pool 2"));
        database.empty();
        let parts = together(&job_of(&database, &one), clients);
        for part in &parts {
            let timeline = part.phases[1].timeline.as_ref().unwrap();
            let rows: f64 = timeline.rows.iter().sum();
            assert!((rows - part.phases[1].rows as f64).abs() < 0.01 * rows.max(1.0), "{flags}: {rows}");
        }
        let merged = wire::merge(parts).unwrap();
        assert_eq!(merged.acknowledged, one.acknowledged, "{flags}");
        let rows =
            |result: &RunResult| result.phases.iter().map(|one| (one.phase, one.records, one.rows)).collect::<Vec<_>>();
        assert_eq!(rows(&merged), rows(&one), "{flags}");
        let metrics = merged.phase(Phase::Data).unwrap().metrics.as_ref().unwrap();
        let workers = if one.job.scheme == Scheme::Serial { 1 } else { 2 };
        assert_eq!(metrics.workers.len(), workers * clients, "{flags}");
        let counts = |result: &RunResult| {
            let stages = &result.phase(Phase::Data).unwrap().metrics.as_ref().unwrap().stages;
            stages.iter().filter(|one| one.stage.word() == "select").map(|one| one.count).sum::<u64>()
        };
        assert!(counts(&merged) > 0 && merged.metrics.as_ref().unwrap().connect.unwrap().count > 0, "{flags}");
        verified(&database, &merged);
    }
}

#[test]
fn clients_that_share_a_lookup_ask_for_every_key_once() {
    let database = Database::fresh();
    for (flags, clients) in [
        ("--scheme threads --statement row --chunk 7", 3),
        ("--scheme processes --statement executemany --chunk 10", 2),
        ("--scheme async --statement executemany --chunk 100 --in-flight 30", 4),
    ] {
        let flags = format!("--workload lookup {flags} --pool 2 --limit-lines 1000");
        let one = run(&database, Path::new("/nowhere"), &flags);
        let merged = wire::merge(together(&job_of(&database, &one), clients)).unwrap();
        assert_eq!(merged.acknowledged.lines, 1_000, "{flags}");
        verified(&database, &merged);
    }
}

#[test]
fn a_client_whose_lab_is_gone_says_so_and_one_that_is_stopped_while_it_waits_ends_in_order() {
    let database = Database::fresh();
    let data = data::generated(5, 5, &[1]);
    let one = run(&database, data.path(), "--scheme threads --statement row --commit auto --pool 2");
    database.empty();
    let job = Job { share: Share { client: 1, of: 2 }, barrier: true, ..job_of(&database, &one) };
    let (sender, heard) = mpsc::channel();
    let last = |wanted: &dyn Fn(&Event) -> bool| loop {
        let (_, event) = heard.recv_timeout(Duration::from_secs(60)).unwrap();
        if wanted(&event) {
            return event;
        }
    };
    let mut left = start(&job, &processes::mark(), &sender);
    last(&|event| matches!(event, Event::Ready { phase: Phase::Geo }));
    drop(left.stdin.take());
    let Event::Failed { error, code } = last(&|event| matches!(event, Event::Failed { .. })) else { unreachable!() };
    assert!(error.contains("before the word came to begin phase geo") && code == 1, "{error}");
    assert_eq!(left.process.wait().unwrap().code(), Some(1));

    let mut stopped = start(&job, &processes::mark(), &sender);
    last(&|event| matches!(event, Event::Ready { phase: Phase::Geo }));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(stopped.process.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let Event::Finished { result } = last(&|event| matches!(event, Event::Finished { .. })) else { unreachable!() };
    assert!(result.phases.is_empty() && result.interrupted.is_some());
    assert_eq!(stopped.process.wait().unwrap().code(), Some(130));
}
