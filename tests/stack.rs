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
            .args(["-c", "COMPOSE_PROFILES=lab,by-hand; export COMPOSE_PROFILES; docker ps -aq --filter label=ingest-lab.stack=$0 \
                   --filter label=ingest-lab.run | xargs -r docker rm -fv; \
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

    // One cell with both limits and a link.
    let limits =
        ["--seconds", "2", "--db-cpus", "0.5", "--client-cpus", "0.25", "--placement", "shared", "--link", "rtt=5ms"];
    let done = stack.lab(&arguments(&["run", "quick"], &limits)).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let series = stack.only_series();
    let records = stack.records(&series);
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
        let connect = &record["conditions"]["connect"];
        assert!(connect["p50"].as_u64().unwrap() >= 5_000_000, "a round trip of 5 ms: {connect}");
        let own = &record["conditions"]["own_time"];
        let beyond: f64 = ["prepare", "start", "verify"].iter().map(|part| own[part].as_f64().unwrap()).sum();
        assert!(beyond <= 5.0, "the lab's own time: {own}");
    }
    assert_eq!(stack.state(), before);

    // An end in order: the run is saved, everything put back, and the series goes on later.
    let long = ["--seconds", "30", "--db-cpus", "0.5", "--link", "rtt=5ms"];
    let mut lab =
        stack.lab(&arguments(&["run", "cpu"], &long)).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    wait_for_quota(&stack, &mut lab);
    send(&lab, "INT");
    assert_eq!(lab.wait().unwrap().code(), Some(130));
    assert_eq!(stack.state(), before);

    // Killed: what is left is put back by the next verb, whichever.
    let mut lab =
        stack.lab(&arguments(&["run", "cpu"], &long)).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    wait_for_quota(&stack, &mut lab);
    send(&lab, "KILL");
    lab.wait().unwrap();
    assert_ne!(stack.state(), before);
    let listed = stack.lab(&["list"]).output().unwrap();
    let said = String::from_utf8_lossy(&listed.stderr).into_owned();
    assert!(said.contains("put back what an earlier lab left") && said.contains("the CPU limit of db"), "{said}");
    assert!(said.contains("the link"), "{said}");
    assert_eq!(stack.state(), before);
}

fn send(lab: &Child, signal: &str) {
    assert!(Process::new("kill").args([&format!("-{signal}"), &lab.id().to_string()]).status().unwrap().success());
}
