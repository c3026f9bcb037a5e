//! What every container of a stack at work may do, compared with the table in SECURITY.md; and that nobody who looks at
//! containers, their logs or a series' files finds the database's password. Needs the project's images and an engine.
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod outside;
mod stacks;

use outside::{PASSWORD, Server};
use serde_json::Value;
use stacks::Stack;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

/// The columns of SECURITY.md's table that are compared, in its order.
const COLUMNS: [&str; 7] =
    ["user", "capabilities", "root files", "new privileges", "mounts", "networks", "published ports"];

/// What has to be seen; `data` and `socket` are there for a moment only, and are compared where they are caught.
const AT_WORK: [&str; 9] =
    ["db", "db-tmpfs", "ingester", "ingester (direct)", "lab", "link", "published", "responder", "watcher"];

/// Both levels, so that a run's file shows what was measured.
const EXPERIMENT: &str = "question = \"?\"\nseed = 1\nblocks = 1\nstop = { seconds = \"2s\", geo_records = 2000, lines = 2000 }\n\
    [[cells]]\nscheme = [\"async\"]\nstatement = [\"row\"]\ncommit = [\"auto\"]\npool = [2]\ntls = [\"on\", \"off\"]\n\
    link = [\"local\", \"direct\"]\n";

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(150);

/// The same while the database is not the lab's.
const OUTSIDE: [&str; 4] = ["ingester (outside)", "lab (outside)", "outer-link", "responder (outside)"];

type Row = [String; COLUMNS.len()];

#[test]
fn every_container_may_do_what_security_md_says_and_none_shows_the_password() {
    let stack = Stack::up();
    stack.script("publish");
    let password = stack.password();
    assert!(password.len() > 20, "a password to look for");
    let found = watch(&stack, start_lab(&stack, "privileges", EXPERIMENT, &[]), &password);
    require(&found, &AT_WORK);
    encryption_was_what_was_asked_for(&stack);
    a_container_that_may_do_more_is_noticed(&stack, &password);
    // And once more on a database that is not the lab's.
    let server = Server::start();
    let outside = EXPERIMENT.replace("tls = [\"on\", \"off\"]", "tls = [\"off\"]");
    let outside = outside.replace("[[cells]]", &format!("[database]\nurl = \"{}\"\n[[cells]]", server.url("loader")));
    let found = watch(&stack, start_lab(&stack, "privileges-outside", &outside, &["--write"]), PASSWORD);
    require(&found, &OUTSIDE);
    for word in [password.as_str(), PASSWORD] {
        no_file_holds(&stack.folder.path().join("results"), word);
    }
}

/// Looks at every container while a lab works: it may do what the tables promise, and nothing shows the password.
fn watch(stack: &Stack, mut lab: Child, password: &str) -> BTreeMap<String, Row> {
    let promised = tables();
    let mut found: BTreeMap<String, Row> = BTreeMap::new();
    let deadline = Instant::now() + PATIENCE;
    while lab.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the series does not end");
        for id in stack.containers() {
            // One that went away in between has been seen, or will be another time.
            if let Some((name, row)) = look(stack, &id, password) {
                assert_eq!(promised.get(&name), Some(&row), "SECURITY.md's row of {name} ({COLUMNS:?})");
                found.insert(name, row);
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let output = lab.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains(password), "./lab says the password");
    found
}

/// Takes a responder that may do more than SECURITY.md promises in every column, and wants all of them told apart.
fn a_container_that_may_do_more_is_noticed(stack: &Stack, password: &str) {
    let labels = [format!("ingest-lab.stack={}", stack.project()), "ingest-lab.role=responder".to_owned()];
    let image = format!("ingest-lab-link:{}", stacks::tag());
    let mut run = Process::new("docker");
    run.args(["create", "--label", &labels[0], "--label", &labels[1], "--user", "0", "--volume", "/tmp:/host"]);
    run.args(["--publish", "127.0.0.1::5432", "--network", &format!("{}_client", stack.project()), &image]);
    let created = run.output().unwrap();
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let id = String::from_utf8(created.stdout).unwrap().trim().to_owned();
    let seen = look(stack, &id, password);
    ask(&["rm", "-fv", &id]).expect("it is there to be removed");
    let (name, row) = seen.expect("it was there");
    let promised = tables().remove(&name).expect("SECURITY.md has responders");
    for ((column, promised), found) in COLUMNS.iter().zip(&promised).zip(&row) {
        assert_ne!(promised, found, "{name}: {column} is another one, and nobody notices");
    }
}

fn require(found: &BTreeMap<String, Row>, wanted: &[&str]) {
    let missed: Vec<&&str> = wanted.iter().filter(|name| !found.contains_key(**name)).collect();
    assert!(missed.is_empty(), "never seen: {missed:?}");
}

/// SECURITY.md's tables, at home and outside: of each container what is compared.
fn tables() -> BTreeMap<String, Row> {
    let mut all = table("| container |");
    all.extend(table("| container, outside |"));
    all
}

/// The table with these first words.
fn table(head: &str) -> BTreeMap<String, Row> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("SECURITY.md")).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim().trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()
    };
    let mut lines = text.lines().skip_while(|line| !line.starts_with(head));
    let heads = cells(lines.next().expect("SECURITY.md has a table of containers"));
    assert_eq!(heads[2..], COLUMNS, "the columns");
    let rows: BTreeMap<String, Row> = lines
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let row = cells(line);
            (row[0].clone(), row[2..].to_vec().try_into().expect("as many cells as columns"))
        })
        .collect();
    rows
}

/// `./lab` as a user runs it, in a copy of what it needs.
fn start_lab(stack: &Stack, name: &str, experiment: &str, more: &[&str]) -> Child {
    let (root, folder) = (Path::new(env!("CARGO_MANIFEST_DIR")), stack.folder.path());
    let copied = Process::new("cp")
        .args(["-R", "lab", "docker", "experiments", "docker-compose.yml"])
        .arg(folder)
        .current_dir(root)
        .status();
    assert!(copied.unwrap().success());
    let file = format!("{name}.toml");
    std::fs::write(folder.join(&file), experiment).unwrap();
    let mut lab = Process::new(folder.join("lab"));
    stack.environment(&mut lab).args(["run", &file]).args(more).current_dir(folder);
    lab.env("INGEST_LAB_DATABASE_PASSWORD", PASSWORD); // nobody needs it at home, and nobody may see it there
    lab.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What docker says; none where it is not there any more.
fn ask(arguments: &[&str]) -> Option<String> {
    let output = Process::new("docker").args(arguments).output().expect("there is a docker command");
    let all = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    output.status.success().then_some(all)
}

/// A container by its name in the table and what the engine says it may do. It must not show the password.
fn look(stack: &Stack, id: &str, password: &str) -> Option<(String, Row)> {
    let inspected = ask(&["inspect", id])?;
    let mut all: Vec<Value> = serde_json::from_str(&inspected).ok()?;
    let seen = all.pop()?;
    let name = name(&seen["Config"]["Labels"]);
    if name == "outer-link" && seen["State"]["Status"] == "created" {
        return None; // it is just being put on its second network
    }
    let (logs, processes) = (ask(&["logs", id]), ask(&["top", id, "-eo", "uid,args"]));
    for (what, text) in [("docker inspect", Some(inspected)), ("its log", logs), ("an argument", processes)] {
        assert!(!text.is_some_and(|text| text.contains(password)), "{name}: {what} shows the password");
    }
    let host = &seen["HostConfig"];
    for key in ["NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode"] {
        assert_ne!(host[key], "host", "{name}: {key}");
    }
    assert!(host["Devices"].as_array().is_none_or(Vec::is_empty), "{name} has devices");
    assert_eq!(host["Privileged"], false, "{name}");
    let row = [
        user(&seen),
        capabilities(host),
        if host["ReadonlyRootfs"] == true { "read-only" } else { "writable" }.to_owned(),
        if words(&host["SecurityOpt"]).iter().any(|option| option.starts_with("no-new-privileges")) {
            "no"
        } else {
            "yes"
        }
        .to_owned(),
        mounts(stack, &seen),
        networks(stack, &seen),
        ports(host),
    ];
    // What is at home beside another network is another row where that one leads out.
    let moved = row[5].contains("outside") && ["lab", "responder"].contains(&name.as_str());
    Some((if moved { format!("{name} (outside)") } else { name }, row))
}

fn name(labels: &Value) -> String {
    let word = |key: &str| labels[key].as_str().map(str::to_owned);
    let path = word("ingest-lab.path").map_or_else(String::new, |path| format!(" ({path})"));
    let made = labels["ingest-lab.run"].as_str().map(|_| format!("ingester{path}"));
    let role = word("ingest-lab.role").map(|role| if role == "cli" { "lab".into() } else { role });
    made.or_else(|| word("ingest-lab.helper"))
        .or(role)
        .or_else(|| word("com.docker.compose.service"))
        .unwrap_or_default()
}

fn words(list: &Value) -> Vec<String> {
    let words = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    words.map(str::to_owned).collect()
}

fn listed(mut parts: Vec<String>) -> String {
    parts.sort();
    if parts.is_empty() { "none".into() } else { parts.join(", ") }
}

fn user(seen: &Value) -> String {
    let user = seen["Config"]["User"].as_str().unwrap_or_default();
    let user = user.split(':').next().filter(|user| !user.is_empty()).unwrap_or("root");
    let socket = !words(&seen["HostConfig"]["GroupAdd"]).is_empty();
    if socket { format!("{user}, the socket's group") } else { user.to_owned() }
}

fn capabilities(host: &Value) -> String {
    if words(&host["CapDrop"]) != ["ALL"] {
        return format!("all but {}", listed(words(&host["CapDrop"])));
    }
    listed(words(&host["CapAdd"]).iter().map(|one| one.trim_start_matches("CAP_").to_owned()).collect())
}

fn mounts(stack: &Stack, seen: &Value) -> String {
    let one = |mount: &Value| {
        let word = |key: &str| mount[key].as_str().unwrap_or_default();
        let (name, at) = (word("Name"), word("Destination"));
        let named = name.strip_prefix(stack.project()).and_then(|name| name.strip_prefix(['_', '-']));
        let what = match (word("Type"), named) {
            ("volume", Some(name)) => name.split('-').next().unwrap_or(name).to_owned(),
            ("volume", None) => "a volume of its own".into(),
            ("bind", _) if word("Source").ends_with("docker.sock") => "engine's socket".into(),
            (kind, _) => format!("{kind} {}", word("Source")),
        };
        // A socket that is mounted read-only is no less of one.
        let read_only = if mount["RW"] == false { " read-only" } else { "" };
        format!("{what} at {at}{read_only}")
    };
    let mut parts: Vec<String> = seen["Mounts"].as_array().into_iter().flatten().map(one).collect();
    parts
        .extend(seen["HostConfig"]["Tmpfs"].as_object().into_iter().flatten().map(|(at, _)| format!("memory at {at}")));
    // As the table has them: what lasts, what is the host's, what is gone with the container.
    let rank = |part: &String| (part.starts_with("memory"), part.starts_with("engine"), part.starts_with("a volume"));
    parts.sort_by_key(|part| (rank(part), part.clone()));
    if parts.is_empty() { "none".into() } else { parts.join(", ") }
}

fn networks(stack: &Stack, seen: &Value) -> String {
    let mode = |key: &str| seen["HostConfig"][key].as_str().unwrap_or_default();
    if let Some(other) = mode("NetworkMode").strip_prefix("container:") {
        let whose = ask(&["inspect", "-f", "{{index .Config.Labels \"com.docker.compose.service\"}}", other]);
        let processes = if mode("PidMode") == mode("NetworkMode") { ", and its processes" } else { "" };
        return format!("those of {}{processes}", whose.unwrap_or_default().trim());
    }
    let joined = seen["NetworkSettings"]["Networks"].as_object().into_iter().flatten().map(|(name, _)| name);
    // The engine calls a network by whatever the container was made with, its name or its id.
    let name = |key: &String| ask(&["network", "inspect", "-f", "{{.Name}}", key]).unwrap_or_else(|| key.clone());
    let names = joined.map(name).filter(|name| name.trim() != "none");
    listed(
        names.map(|name| name.trim().trim_start_matches(stack.project()).trim_start_matches('_').to_owned()).collect(),
    )
}

fn ports(host: &Value) -> String {
    let bindings = host["PortBindings"].as_object().into_iter().flatten();
    let one = |(port, places): (&String, &Value)| -> Vec<String> {
        let port = port.trim_end_matches("/tcp");
        let hosts = places.as_array().into_iter().flatten().map(|place| place["HostIp"].as_str().unwrap_or_default());
        hosts.map(|host| format!("{port} on {host}")).collect()
    };
    listed(bindings.flat_map(one).collect())
}

fn no_file_holds(folder: &Path, password: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            no_file_holds(&path, password);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let holds = bytes.windows(password.len()).any(|window| window == password.as_bytes());
        assert!(!holds, "{} holds the password", path.display());
    }
}

/// By the database's word, beside what the cell asked for.
fn encryption_was_what_was_asked_for(stack: &Stack) {
    let records = stack.runs(&stack.series_of("privileges"));
    assert!(records.len() >= 4, "a warm-up, two cells and a twin");
    for record in &records {
        let setting = record.conditions.settings.iter().find(|setting| setting.name == "tls").unwrap();
        assert_eq!((&setting.asked, &setting.found), (&record.cell.tls.to_string(), &record.cell.tls.to_string()));
        let seen = record.conditions.observed.as_ref().unwrap().encryption.clone().unwrap();
        let protocol = if setting.asked == "on" { "TLSv1.3" } else { "" };
        assert_eq!((seen.version.as_str(), seen.plain + seen.encrypted), (protocol, 2), "{seen:?}");
    }
}
