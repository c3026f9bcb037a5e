//! The lab on the real engine: a stack of its own, one cell of each kind of limit, an end in order, an end by
//! SIGKILL and what the next verb puts back. Needs the project's images (`make images`) and an engine.
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

use assert_cmd::Command;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

/// A compose project of this test's own, gone with it.
struct Stack {
    project: String,
    folder: tempfile::TempDir,
}

fn docker(arguments: &[&str]) -> String {
    let output = Process::new("docker").args(arguments).output().expect("there is a docker command");
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Quota and CPU set of a container. None when it went away after it was listed, as an ingester does when its run ends.
fn limit_of(id: &str) -> Option<String> {
    let format = "{{.HostConfig.CpuQuota}} {{.HostConfig.CpusetCpus}}";
    let output =
        Process::new("docker").args(["inspect", "-f", format, id]).output().expect("there is a docker command");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || said.contains("No such object"), "docker inspect {id}: {said}");
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

impl Stack {
    fn up() -> Self {
        let stack =
            Self { project: format!("ingest-lab-test-{}", std::process::id()), folder: tempfile::tempdir().unwrap() };
        stack.script("up");
        stack
    }

    fn script(&self, verb: &str) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut script = Process::new(root.join("docker/stack.sh"));
        let done = script.arg(verb).env("INGEST_LAB_PROJECT", &self.project).stderr(Stdio::inherit()).status().unwrap();
        assert!(done.success(), "stack.sh {verb}: build the images with `make images`");
    }

    /// The lab, on the host, in a folder of its own.
    fn lab(&self, arguments: &[&str]) -> Process {
        let mut lab = Process::new(Command::cargo_bin("lab").unwrap().get_program());
        lab.args(arguments).current_dir(self.folder.path()).env("INGEST_LAB_PROJECT", &self.project);
        lab
    }

    fn containers(&self) -> Vec<String> {
        let filter = format!("label=ingest-lab.stack={}", self.project);
        docker(&["ps", "-aq", "--filter", &filter]).lines().map(str::to_owned).collect()
    }

    fn networks(&self) -> usize {
        let filter = format!("label=ingest-lab.stack={}", self.project);
        docker(&["network", "ls", "-q", "--filter", &filter]).lines().count()
    }

    /// Containers, networks, and the limits of those containers.
    fn state(&self) -> (usize, usize, Vec<String>) {
        let all = docker(&["info", "--format", "{{.NCPU}}"]).trim().parse::<usize>().unwrap() - 1;
        let mut limits: Vec<String> = self
            .containers()
            .iter()
            .filter_map(|id| limit_of(id))
            .map(|limit| match limit.trim().split_once(' ') {
                // Never set, or set to all of them: the same.
                Some((quota, cpus)) if cpus == format!("0-{all}") => format!("{} ", quota.replace("-1", "0")),
                _ => limit.trim().replace("-1", "0") + " ",
            })
            .collect();
        limits.sort();
        (limits.len(), self.networks(), limits)
    }

    fn records(&self, series: &str) -> Vec<serde_json::Value> {
        let mut paths: Vec<_> = std::fs::read_dir(self.folder.path().join("results").join(series))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("run-"))
            .collect();
        paths.sort();
        paths.iter().map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
    }

    fn series_of(&self, experiment: &str) -> String {
        let mut names: Vec<String> = std::fs::read_dir(self.folder.path().join("results"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.contains(&format!("-{experiment}")))
            .collect();
        names.sort();
        names.pop().expect("it has run")
    }

    /// A series that is sure to be at work when it is ended.
    fn long_series(&self) -> Child {
        let long = ["--seconds", "30", "--db-cpus", "0.5", "--link", "rtt=5ms"];
        let mut lab = self.lab(&arguments(&["run", "cpu"], &long));
        lab.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
    }

    /// The link's packet rules and qdiscs, as text without their counters.
    fn rules(&self) -> String {
        let filter = format!("label=ingest-lab.stack={}", self.project);
        let link = docker(&["ps", "-q", "--filter", &filter, "--filter", "label=com.docker.compose.service=link"]);
        let show = "iptables-legacy-save 2>/dev/null; nft -s list ruleset 2>/dev/null; tc qdisc show";
        let all = docker(&["exec", link.trim(), "sh", "-c", show]);
        let lines = all.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split(" [").next().unwrap()).collect::<Vec<_>>().join("\n")
    }

    fn only_series(&self) -> String {
        let mut entries = std::fs::read_dir(self.folder.path().join("results")).unwrap();
        entries.next().unwrap().unwrap().file_name().to_string_lossy().into_owned()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // Not script(): a second panic would hide the first.
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let _ = Process::new("bash")
            .args(["-c", "COMPOSE_PROFILES=lab,by-hand,storage; export COMPOSE_PROFILES; \
                   for kind in run helper; do docker ps -aq --filter label=ingest-lab.stack=$0 \
                   --filter label=ingest-lab.$kind | xargs -r docker rm -fv; done; \
                   if docker compose version >/dev/null 2>&1; then c='docker compose'; else c=docker-compose; fi; \
                   $c -p $0 down --volumes; docker volume ls -q --filter label=ingest-lab.stack=$0 | xargs -r docker volume rm"])
            .arg(&self.project)
            .current_dir(root)
            .env("INGEST_LAB_PROJECT", &self.project)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
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
    a_database_in_memory_and_another_backend(&stack);
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
    assert_eq!(records.len(), 3, "a warm-up, the cell and its twin");
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
        let used = observed["database"].as_array().unwrap().last().unwrap();
        assert!(used["throttled_periods"].as_u64().unwrap() > 0, "half a processor: {used}");
        let own = &record["conditions"]["own_time"];
        let beyond: f64 = ["prepare", "start", "verify"].iter().map(|part| own[part].as_f64().unwrap()).sum();
        assert!(beyond <= 5.0, "the lab's own time: {own}");
    }
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

/// The run is saved, everything put back, and the series goes on later, unless the setup has changed.
fn ended_in_order_while_a_second_lab_is_refused(stack: &Stack) {
    let mut lab = stack.long_series();
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
    let mut lab = stack.long_series();
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
    let mut lab = stack.long_series();
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
