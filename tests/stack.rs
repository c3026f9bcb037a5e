//! The lab on the real engine: a stack of its own, one cell of each kind of limit, an end in order, an end by
//! SIGKILL and what the next verb puts back. Needs the project's images (`make images`) and an engine.
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod stacks;

use ingest_lab::model::Phase;
use stacks::Stack;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

/// A series that is sure to be at work when it is ended.
fn long_series(stack: &Stack) -> Child {
    let long = ["--seconds", "30", "--db-cpus", "0.5", "--link", "rtt=5ms"];
    let mut lab = stack.lab(&arguments(&["run", "cpu"], &long));
    lab.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

/// Waits until the database's container has a quota, so that there is something to put back.
fn wait_for_quota(stack: &Stack, lab: &mut Child) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (_, _, limits) = stack.state();
        if limits.iter().any(|limit| limit.starts_with("50000")) {
            return;
        }
        assert!(Instant::now() < deadline && lab.try_wait().unwrap().is_none(), "no quota was ever set: {limits:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

const ONE_CELL: [&str; 10] =
    ["--scheme", "async", "--statement", "row", "--pool", "2", "--blocks", "1", "--limit-lines", "2000"];

fn arguments<'a>(first: &[&'a str], last: &[&'a str]) -> Vec<&'a str> {
    first.iter().chain(&ONE_CELL).chain(last).copied().collect()
}

#[test]
fn limits_are_set_felt_and_put_back_however_a_lab_ends() {
    let stack = Stack::up();
    let before = stack.state();
    one_cell_with_limits_and_a_link(&stack);
    assert_eq!(stack.state(), before);
    a_bundle_is_verified_tells_nothing_private_and_is_run_again(&stack);
    assert_eq!(stack.state(), before);
    a_database_in_memory_and_another_backend(&stack);
    assert_eq!(stack.state(), before);
    several_clients_share_each_run_and_one_that_dies_fails_its_own(&stack);
    assert_eq!(stack.state(), before);
    ended_in_order_while_a_second_lab_is_refused(&stack);
    assert_eq!(stack.state(), before);
    ended_at_once(&stack);
    assert_eq!(stack.state(), before);
    killed_and_put_back_by_the_next(&stack, &before);
    assert_eq!(stack.state(), before);
}

fn one_cell_with_limits_and_a_link(stack: &Stack) {
    let limits =
        ["--seconds", "2", "--db-cpus", "0.5", "--client-cpus", "0.25", "--placement", "shared", "--link", "rtt=5ms"];
    let done = stack.lab(&arguments(&["run", "quick"], &limits)).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let records = stack.records(&stack.only_series());
    // A run whose processors another machine took is tried once more: both are kept.
    let mut runs: Vec<_> = records.iter().filter_map(|record| record["run"].as_u64()).collect();
    runs.dedup();
    assert_eq!(runs, [0, 1, 2], "a warm-up, the cell and its twin");
    for record in &records {
        let (client, database) = (&record["conditions"]["client"], &record["conditions"]["database"]);
        for (side, asked) in [(client, "0.25"), (database, "0.5")] {
            assert_eq!(
                (&side["asked"], &side["engine"], &side["cgroup"]),
                (&asked.into(), &asked.into(), &asked.into())
            );
            // A loaded machine leaves less than the limit; the limit itself lets no more through.
            let most = asked.parse::<f64>().unwrap() * 1.15;
            assert!(side["measured"].as_f64().unwrap() <= most, "{side}");
        }
        let exchange = &record["conditions"]["link_measured"]["exchange"];
        assert!(exchange["p50"].as_u64().unwrap() >= 5_000_000, "a round trip of 5 ms: {exchange}");
        // Measured before the run, and not counted with it: the counters began anew.
        let up = &record["conditions"]["link"]["emulation"]["up"];
        assert!(up["packets"].as_u64().unwrap() > 0, "{up}");
        let observed = &record["conditions"]["observed"];
        assert_eq!(observed["problem"], serde_json::Value::Null);
        let looks = observed["looks"].as_array().unwrap();
        let backends = |look: &serde_json::Value| -> u64 {
            look["backends"].as_array().unwrap().iter().map(|seen| seen["count"].as_u64().unwrap()).sum()
        };
        assert!(looks.len() > 5 && looks.iter().any(|look| backends(look) == 2), "{} looks", looks.len());
        assert!(looks.iter().all(|look| backends(look) <= 3), "two, and for a moment the one that asks for room");
        assert!(looks.last().unwrap()["on_cpu"].as_f64().unwrap() > 0.1);
        let (statements, pages) = (&observed["counted"]["statements"], &observed["counted"]["pages"]);
        assert!(statements["calls"].as_f64().unwrap() > 100.0, "{statements}");
        assert!(pages["hit"].as_f64().unwrap() > 100.0, "{pages}");
        let used = observed["database"].as_array().unwrap().last().unwrap();
        assert!(used["throttled_periods"].as_u64().unwrap() > 0, "half a processor: {used}");
        let own = &record["conditions"]["own_time"];
        let beyond: f64 = ["prepare", "start", "verify"].iter().map(|part| own[part].as_f64().unwrap()).sum();
        assert!(beyond <= 5.0, "the lab's own time: {own}");
    }
}

/// What a colleague does with it, on the same machine: only there is a replay exact.
fn a_bundle_is_verified_tells_nothing_private_and_is_run_again(stack: &Stack) {
    let series = stack.only_series();
    // Images built from changes that no commit holds are what the lab warns of: that, too, it must do here.
    let said = |output: &std::process::Output| {
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    let bundled = stack.lab(&["bundle", &series, "-o", "shared.zip"]).output().unwrap();
    if stack.built_from_changes() {
        assert_eq!(bundled.status.code(), Some(9), "{}", said(&bundled));
        eprintln!("SKIPPED: the images were built from changes that no commit holds, so this series is not shared");
        return;
    }
    assert!(bundled.status.success(), "{}", said(&bundled));
    let file = stack.folder.path().join("shared.zip");
    let (host, home) = (std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), std::env::var("HOME"));
    let password = stack.password();
    let place = stack.folder.path().display().to_string();
    let user = std::env::var("USER").ok().filter(|name| name != "root").unwrap_or_default();
    let addresses = stack.addresses();
    assert!(!addresses.is_empty(), "the database has an address to look for");
    let mut words = vec![
        ("the host's name", host.trim()),
        ("the home folder", home.as_deref().unwrap_or("")),
        ("the user's name", user.as_str()),
        ("the password", password.as_str()),
        ("the folder it was made in", place.as_str()),
    ];
    words.extend(addresses.iter().map(|address| ("the database's address", address.as_str())));
    assert!(password.len() > 8, "a password to look for: {password}");
    assert_eq!(ingest_lab::series::bundle::traces(&file, &words).unwrap(), Vec::<String>::new());
    let verified = stack.lab(&["verify", "shared.zip"]).output().unwrap();
    assert!(verified.status.success(), "{}", said(&verified));
    let again = stack.lab(&["run", "shared.zip"]).output().unwrap();
    let text = said(&again);
    assert!(again.status.success() && text.contains("exact"), "{text}");
    assert!(text.contains(&format!("against {series} (bundle)")), "{text}");
}

/// Both are another container or another program for the time of a series.
fn a_database_in_memory_and_another_backend(stack: &Stack) {
    let text = "question = \"?\"\nseed = 1\nblocks = 1\nbackend = \"relay\"\nstop = { seconds = \"2s\", lines = 2000 }\n\
                [[cells]]\nscheme = [\"async\"]\nstatement = [\"row\"]\ncommit = [\"auto\"]\npool = [2]\nstorage = [\"tmpfs\"]\n";
    std::fs::write(stack.folder.path().join("memory.toml"), text).unwrap();
    let done = stack.lab(&["run", "memory.toml"]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let series = stack.series_of("memory");
    for record in stack.records(&series) {
        let (link, outcome) = (&record["conditions"]["link"], &record["outcome"]);
        assert_eq!((&link["target"], &link["emulation"]["backend"]), (&"db-tmpfs:5432".into(), &"relay".into()));
        assert_eq!(outcome["result"]["verification"]["verified"], true, "{outcome}");
    }
    let listed = stack.lab(&["list"]).output().unwrap();
    let said = String::from_utf8_lossy(&listed.stderr).into_owned();
    assert!(!said.contains("put back"), "the series itself put everything back: {said}");
}

/// However many clients share a run, each line is there once: what they had acknowledged is the same to the last item, and
/// the tables hold it. In the warm-up one of four is killed.
fn several_clients_share_each_run_and_one_that_dies_fails_its_own(stack: &Stack) {
    let text = "question = \"?\"\nseed = 1\nblocks = 1\nstop = { lines = 80, geo_records = 80 }\n\
                [[cells]]\nscheme = [\"async\"]\nstatement = [\"row\"]\ncommit = [\"record\"]\npool = [2]\n\
                clients = [4, 2, 1]\n";
    std::fs::write(stack.folder.path().join("shared.toml"), text).unwrap();
    let mut lab = stack.lab(&["run", "shared.toml"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(lab.stderr.take().unwrap()).lines().map_while(Result::ok) {
        if line.contains("geo: ") && !said.iter().any(|said: &String| said.contains("geo: ")) {
            stack.kill_client(3);
        }
        said.push(line);
    }
    assert!(lab.wait().unwrap().success(), "{said:#?}");
    let runs = stack.runs(&stack.series_of("shared"));
    let lost = &runs.iter().find(|run| run.run == 0).unwrap().invalid[0];
    assert!(lost.starts_with("client 3 of 4 is lost, and the run with it: the ingester ended with code 137"), "{lost}");
    let mut all = Vec::new();
    for run in runs.iter().filter(|run| run.run > 0) {
        let result = run.result().unwrap_or_else(|| panic!("{:?}", run.outcome));
        assert!(result.verification.as_ref().unwrap().verified, "{:?}", result.verification);
        let acknowledged = &result.acknowledged;
        assert_eq!((acknowledged.geo_rows, acknowledged.lines), (80, 80), "{}", run.cell);
        if run.cell.clients > 1 {
            let records: Vec<u64> = result.clients_in(Phase::Data).map(|(_, seen)| seen.records).collect();
            assert_eq!(records, vec![80 / run.cell.clients as u64; run.cell.clients], "{}", run.cell);
            assert_eq!(run.conditions.clients().count(), run.cell.clients);
        }
        all.push(acknowledged.clone());
    }
    assert!(all.len() >= 4, "three cells and a twin, and any of them once more");
    assert!(all.iter().all(|one| *one == all[0]), "the same rows, whoever inserted them");
}

/// The run is saved, everything put back, and the series goes on later, unless the setup has changed.
fn ended_in_order_while_a_second_lab_is_refused(stack: &Stack) {
    let mut lab = long_series(stack);
    wait_for_quota(stack, &mut lab);
    let second = stack.lab(&arguments(&["run", "quick"], &["--seconds", "2"])).output().unwrap();
    assert_eq!(second.status.code(), Some(8), "{}", String::from_utf8_lossy(&second.stderr));
    send(&lab, "INT");
    assert_eq!(lab.wait().unwrap().code(), Some(130));
    let series = stack.series_of("cpu");
    let setup = stack.folder.path().join("results").join(&series).join("setup.json");
    let mut changed: serde_json::Value = serde_json::from_slice(&std::fs::read(&setup).unwrap()).unwrap();
    changed["engine"]["kernel"] = "another".into();
    std::fs::write(&setup, changed.to_string()).unwrap();
    let refused = stack.lab(&["run", "--resume", &series]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("the kernel was another, is "), "{said}");
}

fn ended_at_once(stack: &Stack) {
    let mut lab = long_series(stack);
    wait_for_quota(stack, &mut lab);
    send(&lab, "INT");
    std::thread::sleep(Duration::from_millis(200)); // two signals at the same time are one
    send(&lab, "INT");
    let asked = Instant::now();
    assert_eq!(lab.wait().unwrap().code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(20), "it took {:?}", asked.elapsed());
}

/// What is left is put back by the next verb, whichever.
fn killed_and_put_back_by_the_next(stack: &Stack, before: &(usize, usize, Vec<String>)) {
    let mut lab = long_series(stack);
    wait_for_quota(stack, &mut lab);
    send(&lab, "KILL");
    lab.wait().unwrap();
    assert_ne!(stack.state(), *before);
    let listed = stack.lab(&["list"]).output().unwrap();
    let said = String::from_utf8_lossy(&listed.stderr).into_owned();
    assert!(said.contains("put back what an earlier lab left") && said.contains("the CPU limit of db"), "{said}");
    assert!(said.contains("the link"), "{said}");
}

#[test]
#[ignore = "two minutes: ten labs, one after the other"]
fn ten_labs_in_a_row_leave_everything_as_it_was() {
    let stack = Stack::up();
    let (before, rules) = (stack.state(), stack.rules());
    for _ in 0..10 {
        let limits = ["--seconds", "2", "--db-cpus", "0.5", "--link", "rtt=5ms"];
        let done = stack.lab(&arguments(&["run", "quick"], &limits)).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        assert_eq!((stack.state(), stack.rules()), (before.clone(), rules.clone()));
        eprintln!("{before:?}, {} rules and qdiscs", rules.lines().count());
    }
}

fn send(lab: &Child, signal: &str) {
    assert!(Process::new("kill").args([&format!("-{signal}"), &lab.id().to_string()]).status().unwrap().success());
}
