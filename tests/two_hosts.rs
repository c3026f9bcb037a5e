//! Client and database on hosts of their own: a swarm of this machine's engine and of a second one that lives in a network
//! namespace, as if on another host. `make test-hosts` runs it: it takes minutes, needs root, the project's images, and
//! INGEST_LAB_SHARED with second-engine/second-engine; openssl, and for images by way of a registry Debian's
//! docker-registry. INGEST_LAB_SECOND=--newer asks for a newer engine.
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod hosts;
mod stacks;

use assert_cmd::Command;
use hosts::{BY_TLS, EXPERIMENT, Swarm, certificates, docker, said, second};
use ingest_lab::analysis::Window;
use ingest_lab::wire::record::RunRecord;
use stacks::tag;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command as Process, Stdio};

#[test]
#[ignore = "minutes long, and wants the machine to itself: make test-hosts"]
fn an_experiment_on_two_hosts_verifies_its_rows_and_outlives_a_node_s_engine() {
    let Some(swarm) = Swarm::up() else { return };
    a_short_experiment(&swarm);
    several_clients(&swarm);
    images_by_registry(&swarm);
    a_node_that_dies(&swarm);
    what_is_refused(&swarm);
}

/// By TLS to the second engine, whose certificates lie in a folder.
fn a_short_experiment(swarm: &Swarm) {
    let mut lab = swarm.lab_by(BY_TLS, &["run", "short.toml"]);
    let output = lab.env("INGEST_LAB_NODE_CERTIFICATES", swarm.keys()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    eprintln!("{}", said(&output));
    assert_eq!(swarm.left(), Vec::<String>::new(), "something was left on a node");
    let runs = swarm.runs("short");
    assert!(runs.len() > 2, "both cells, a twin, a warm-up");
    for run in &runs {
        let result = run.result().unwrap();
        assert!(result.verification.as_ref().unwrap().verified, "run {}", run.run);
        let found = &run.conditions;
        assert!(found.client_engine.is_some(), "the client's host is on record");
        let clocks = found.clocks.as_ref().expect("the clocks were asked");
        // Both hosts are this machine: their clocks are one.
        for ahead in [clocks.database, clocks.client] {
            assert!(ahead.steady.abs() <= ahead.error + 1e-3 && ahead.error < 0.1, "{ahead:?}");
        }
        let trip = found.round_trip().unwrap().p50 as f64 / 1e6;
        assert!((0.005..5.0).contains(&trip), "the round trip of an overlay: {trip} ms");
        let observed = found.observed.as_ref().unwrap();
        let window = Window::of(run).unwrap();
        // Each side's own account, by its own engine: no more than its limit, and no less than it can have done with.
        for (side, used) in [("client", &observed.client), ("database", &observed.database)] {
            let [first, .., last] = used.as_slice() else {
                panic!("the {side}'s engine said nothing of run {}", run.run)
            };
            let cpus = (last.cpu - first.cpu) / (last.at - first.at);
            eprintln!("run {}: {side} used {cpus:.3} CPUs, round trip {trip:.3} ms", run.run);
            assert!((0.01..0.55).contains(&cpus), "{side}: {cpus}");
        }
        assert!(!observed.looks.is_empty(), "{:?}", observed.problem);
        let seen = ingest_lab::analysis::looks(run, window).len();
        // Were they on another clock, the window would hold none of them, or not its share.
        let all = &observed.looks;
        let span = all.last().unwrap().at - all[0].at;
        let share = all.len() as f64 * ((window.to - window.from) / span).min(1.0);
        assert!(seen > 0 && seen as f64 > share / 2.0, "of {} looks {seen} are in the window: {share:.1}", all.len());
    }
}

/// However many clients share a run, and whichever way they go, each line is there once. By a context, as the engine's own
/// command line writes it.
fn several_clients(swarm: &Swarm) {
    let text = "question = \"?\"\nseed = 1\nblocks = 1\nstop = { lines = 80, geo_records = 80 }\n\
                [[cells]]\nscheme = [\"async\"]\nstatement = [\"row\"]\ncommit = [\"record\"]\npool = [2]\n\
                clients = [4, 2, 1]\nlink = [\"local\", \"direct\"]\n";
    std::fs::write(swarm.folder.path().join("shared.toml"), text).unwrap();
    let (keys, config) = (swarm.keys().display().to_string(), swarm.folder.path().join("config"));
    let target = format!("host={BY_TLS},ca={keys}/ca.pem,cert={keys}/cert.pem,key={keys}/key.pem");
    let mut context = Process::new("docker");
    context.args(["context", "create", "bob", "--docker", &target]).env("DOCKER_CONFIG", &config);
    let made = context.output().unwrap();
    assert!(made.status.success(), "{}", said(&made));
    let output = swarm.lab_by("context:bob", &["run", "shared.toml"]).env("DOCKER_CONFIG", &config).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let runs = swarm.runs("shared");
    assert!(runs.len() >= 8, "six cells, a twin, a warm-up: {}", runs.len());
    for run in &runs {
        let result = run.result().unwrap_or_else(|| panic!("{}: {:?}", run.cell, run.outcome));
        assert!(result.verification.as_ref().unwrap().verified, "{}: {:?}", run.cell, result.verification);
        assert_eq!((result.acknowledged.geo_rows, result.acknowledged.lines), (80, 80), "{}", run.cell);
        assert_eq!(run.conditions.clients().count(), run.cell.clients, "{}", run.cell);
        assert_eq!(run.conditions.clocks.as_ref().unwrap().more_clients.len(), run.cell.clients - 1, "{}", run.cell);
        let trip = run.conditions.round_trip().unwrap().p50 as f64 / 1e6;
        eprintln!("{}: 80 lines, round trip {trip:.3} ms", run.cell);
    }
    assert!(runs.iter().all(|run| run.result().unwrap().acknowledged == runs[0].result().unwrap().acknowledged));
    assert_eq!(swarm.left(), Vec::<String>::new(), "something was left on a node");
}

/// A registry in this machine's network, gone with this.
struct Served(std::process::Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = std::fs::remove_dir_all(TRUST);
    }
}

/// Where both engines hear from here.
const REGISTRY: &str = "10.88.0.1:5551";

/// Where they look for who signs for it.
const TRUST: &str = "/etc/docker/certs.d/10.88.0.1:5551";

/// A node that lacks images gets them from a registry that both engines reach, and none keeps its name for them.
fn images_by_registry(swarm: &Swarm) {
    let there = Process::new("sh").args(["-c", "command -v docker-registry"]).output().unwrap();
    if !there.status.success() {
        eprintln!("SKIPPED: no image goes by a registry, because Debian's docker-registry is not installed");
        return;
    }
    let folder = swarm.folder.path().join("registry");
    certificates(&folder, "IP:10.88.0.1");
    std::fs::create_dir_all(TRUST).unwrap();
    std::fs::copy(folder.join("ca.pem"), Path::new(TRUST).join("ca.crt")).unwrap();
    let text = format!(
        "version: 0.1\nstorage: {{ filesystem: {{ rootdirectory: {0}/store }} }}\n\
         http: {{ addr: {REGISTRY}, tls: {{ certificate: {0}/cert.pem, key: {0}/key.pem }} }}\n",
        folder.display()
    );
    std::fs::write(folder.join("registry.yml"), text).unwrap();
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let mut registry = Process::new("docker-registry");
    registry.args(["serve", "registry.yml"]).current_dir(&folder).stdout(log.try_clone().unwrap()).stderr(log);
    let _served = Served(registry.spawn().unwrap());
    let socket = second();
    let names = |engine| said(&docker(engine, &["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]));
    let image = format!("ingest-lab-ingester:{}", tag());
    let removed = docker(Some(&socket), &["image", "rm", "--force", &image]);
    assert!(removed.status.success(), "{}", said(&removed));
    let registry = format!("{REGISTRY}/team");
    let run = ["run", "short.toml", "--scheme", "async", "--node-registry", &registry];
    let output = swarm.lab(&run).output().unwrap();
    assert!(output.status.success() && said(&output).contains("images sent to nodes"), "{}", said(&output));
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    assert!(log.contains("team/ingest-lab-ingester"), "it went another way: {log}");
    for engine in [None, Some(socket.as_str())] {
        assert!(names(engine).contains(&image) && !names(engine).contains(REGISTRY), "{}", names(engine));
    }
    let _ = docker(Some(&socket), &["image", "rm", "--force", &image]);
    let run = ["run", "short.toml", "--scheme", "async", "--node-registry", "10.88.0.1:5552/team"];
    let refused = swarm.lab(&run).output().unwrap();
    let text = said(&refused);
    assert!(!refused.status.success() && text.contains("did not push the image ingester"), "{text}");
    assert!(text.contains("Log in with `docker login 10.88.0.1:5552`"), "{text}");
    assert_eq!(swarm.left(), Vec::<String>::new(), "something was left on a node");
}

/// Kills the client's engine in the middle of a run, and starts it again.
fn a_node_that_dies(swarm: &Swarm) {
    let mut lab = swarm.lab(&["run", "short.toml", "--seconds", "8", "--scheme", "async"]);
    let mut lab = lab.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut all, mut stage) = (Vec::new(), 0);
    for line in BufReader::new(lab.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        eprintln!("lab: {line}");
        match stage {
            0 if line.contains("run 1 of") => stage = 1,
            1 if line.contains("data:") => {
                swarm.kill();
                stage = 2;
            }
            2 if line.contains("is gone: waiting") => {
                swarm.start();
                stage = 3;
            }
            _ => {}
        }
        all.push(line);
    }
    assert!(lab.wait().unwrap().success(), "{all:#?}");
    assert_eq!(stage, 3, "{all:#?}");
    let runs = swarm.runs("short");
    let lost: Vec<&RunRecord> = runs.iter().filter(|run| run.result().is_none()).collect();
    assert_eq!(lost.len(), 1, "the run under way is lost, and kept");
    assert!(lost[0].invalid.iter().any(|reason| reason.contains("engine of a node was away")), "{:?}", lost[0].invalid);
    assert!(runs.iter().any(|run| run.run == lost[0].run && run.is_valid()), "it was done again");
    assert_eq!(swarm.left(), Vec::<String>::new(), "something was left on a node");
}

/// A node whose engine is not there is refused before anything is made, and may take part again once it is.
fn a_node_that_is_down(swarm: &Swarm) {
    let node = swarm.node(false);
    swarm.kill();
    let state = |wanted: &str| {
        let is = || said(&docker(None, &["node", "inspect", "--format", "{{.Status.State}}", &node]));
        let begun = std::time::Instant::now();
        while is().trim() != wanted {
            assert!(begun.elapsed().as_secs() < 120, "the manager never said {wanted}: {}", is());
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
    };
    state("down");
    let output = swarm.lab(&["run", "quick"]).output().unwrap();
    let text = said(&output);
    assert!(
        !output.status.success() && text.contains("the node with lab.role=client is down: start its engine"),
        "{text}"
    );
    swarm.start();
    state("ready");
    assert_eq!(swarm.left(), Vec::<String>::new(), "something was left on a node");
}

/// What is wrong is said with the remedy, and leaves nothing.
fn what_is_refused(swarm: &Swarm) {
    let refuse = |lab: &mut Process, part: &str| {
        let output = lab.output().unwrap();
        let text = said(&output);
        assert!(!output.status.success() && text.contains(part), "wanted {part:?}: {text}");
        assert_eq!(swarm.left(), Vec::<String>::new(), "after {part:?}");
    };
    let mut alone = Process::new(Command::cargo_bin("lab").unwrap().get_program());
    alone.args(["run", "quick", "--engine", "swarm"]).current_dir(swarm.folder.path());
    refuse(&mut alone, "no engine's address was given for the node with lab.role=client");
    let mut worker = swarm.lab(&["run", "quick"]);
    worker.env("DOCKER_HOST", second());
    refuse(&mut worker, "is a worker of its swarm: set DOCKER_HOST to a manager's");
    let memory = EXPERIMENT.to_owned() + "storage = [\"tmpfs\"]\n";
    std::fs::write(swarm.folder.path().join("memory.toml"), memory).unwrap();
    refuse(&mut swarm.lab(&["run", "memory.toml"]), "is not for --engine swarm");
    let own_keys = swarm.folder.path().join("other-keys");
    certificates(&own_keys, "IP:10.88.0.2");
    let mut stranger = swarm.lab_by(BY_TLS, &["run", "quick"]);
    stranger.env("INGEST_LAB_NODE_CERTIFICATES", &own_keys);
    refuse(&mut stranger, "the container engine is not reachable at tcp://10.88.0.2:2376");
    refuse(&mut swarm.lab_by(BY_TLS, &["run", "quick"]), "not reachable at tcp://10.88.0.2:2376");
    refuse(&mut swarm.lab_by("context:eve", &["run", "quick"]), "there is no context eve ");
    swarm.update(false, ["--availability", "drain"]);
    refuse(&mut swarm.lab(&["run", "quick"]), "takes no tasks (its availability is drain)");
    swarm.update(false, ["--availability", "active"]);
    a_node_that_is_down(swarm);
    swarm.label("database", false);
    refuse(&mut swarm.lab(&["run", "quick"]), "no node of the swarm carries the label lab.role=client");
    swarm.label("client", false);
    // Another image under the name.
    let (image, other) = (format!("ingest-lab-ingester:{}", tag()), format!("{}-other", swarm.project()));
    for arguments in [
        &["create", "--name", &other, &image, "list"][..],
        &["commit", "--change", "LABEL other=yes", &other, &image],
        &["rm", &other],
    ] {
        let done = docker(Some(&second()), arguments);
        assert!(done.status.success(), "{}", said(&done));
    }
    let again = swarm.lab(&["run", "short.toml", "--scheme", "async"]).output().unwrap();
    assert!(
        again.status.success() && said(&again).contains("images sent to nodes"),
        "another image is replaced: {}",
        said(&again)
    );
    swarm.does("leave");
    refuse(&mut swarm.lab(&["run", "quick"]), "is in no swarm: `docker swarm init`");
}
