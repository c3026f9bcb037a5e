//! Two hosts for a test: this machine's engine, and a second one that lives in a network namespace, as if on another host.

use crate::stacks::{recorded, series_in, tag};
use assert_cmd::Command;
use ingest_lab::wire::record::RunRecord;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Output, Stdio};

/// Where the second engine keeps its things.
const HOME: &str = "/var/lib/ingest-lab-second-engine";

/// A short experiment: two schemes, enough seconds for a steady rate.
pub const EXPERIMENT: &str = "question = \"?\"\nseed = 1\nblocks = 1\n\
    stop = { seconds = \"4s\", geo_records = 2000, lines = 2000 }\n\
    [[cells]]\nscheme = [\"threads\", \"async\"]\nstatement = [\"row\"]\ncommit = [\"auto\"]\npool = [4]\n\
    client_cpus = [\"0.5\"]\ndb_cpus = [\"0.5\"]\n";

/// Both engines, joined; apart again with this.
pub struct Swarm {
    script: PathBuf,
    /// Where the lab runs, with `short.toml`.
    pub folder: tempfile::TempDir,
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

pub fn docker(socket: Option<&str>, arguments: &[&str]) -> Output {
    let mut docker = Process::new("docker");
    if let Some(socket) = socket {
        docker.env("DOCKER_HOST", socket);
    }
    docker.args(arguments).output().expect("there is a docker command")
}

pub fn second() -> String {
    format!("unix://{HOME}/docker.sock")
}

/// Where the second engine also listens, for those whose certificate it knows.
pub const BY_TLS: &str = "tcp://10.88.0.2:2376";

/// Puts a script in a program's place that starts it with these settings instead of this machine's.
fn starter(at: &Path, program: &str, settings: &Path, keys: &Path) {
    let [settings, keys] = [settings, keys].map(Path::display);
    let tls = format!("--tlsverify --tlscacert {keys}/ca.pem --tlscert {keys}/cert.pem --tlskey {keys}/key.pem");
    let script = format!("#!/bin/sh\nexec {program} --config-file {settings} -H {BY_TLS} {tls} \"$@\"\n");
    std::fs::write(at, script).unwrap();
    std::fs::set_permissions(at, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

/// Fills a folder with an authority, and a key and certificate of it for these addresses that serve either end.
pub fn certificates(folder: &Path, addresses: &str) {
    std::fs::create_dir_all(folder).unwrap();
    let script = format!(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca-key.pem -out ca.pem &&
         openssl req -newkey rsa:2048 -nodes -subj /CN=host -keyout key.pem -out host.csr &&
         printf 'subjectAltName={addresses}\nextendedKeyUsage=serverAuth,clientAuth\n' > names &&
         openssl x509 -req -in host.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile names -out cert.pem"
    );
    let made = Process::new("sh").args(["-ec", &script]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", said(&made));
}

impl Swarm {
    /// None, and a loud word, where this machine cannot have one.
    pub fn up() -> Option<Self> {
        let shared = std::env::var_os("INGEST_LAB_SHARED").map(PathBuf::from);
        let script = shared.map(|shared| shared.join("second-engine/second-engine")).filter(|script| script.exists());
        let Some(script) = script else {
            eprintln!("SKIPPED: there is no second host, because INGEST_LAB_SHARED names no folder with second-engine");
            return None;
        };
        let swarm = Self { script, folder: tempfile::tempdir().unwrap() };
        std::fs::write(swarm.folder.path().join("short.toml"), EXPERIMENT).unwrap();
        swarm.start();
        swarm.does("join");
        swarm.label("database", true);
        swarm.label("client", false);
        Some(swarm)
    }

    /// Starts it, set up as the first one is. Where that one's files are is no setting of this one's.
    pub fn start(&self) {
        let own = Path::new(HOME).join("bin");
        std::fs::create_dir_all(&own).unwrap();
        let first = std::fs::read_to_string("/etc/docker/daemon.json").unwrap_or_else(|_| "{}".into());
        let mut settings: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&first).unwrap();
        settings.remove("data-root");
        let file = own.join("daemon.json");
        std::fs::write(&file, serde_json::to_string(&settings).unwrap()).unwrap();
        let there = said(&Process::new("sh").args(["-c", "command -v dockerd"]).output().unwrap());
        let keys = self.keys();
        if !keys.exists() {
            certificates(&keys, "IP:10.88.0.2");
        }
        starter(&own.join("dockerd"), there.trim(), &file, &keys);
        let path = format!("{}:{}", own.display(), std::env::var("PATH").unwrap());
        let newer = std::env::var("INGEST_LAB_SECOND").unwrap_or_default();
        let up = || {
            // A newer one is unpacked by the first try, and found before any other.
            let unpacked = Path::new(HOME).join("newer/usr/sbin");
            let (program, moved) = (unpacked.join("dockerd"), unpacked.join("dockerd-unpacked"));
            if program.exists() && !moved.exists() {
                std::fs::rename(&program, &moved).unwrap();
                starter(&program, &moved.to_string_lossy(), &file, &keys);
            }
            let mut script = self.script();
            script.arg("up").args(newer.split_whitespace()).env("PATH", &path).status().unwrap().success()
        };
        // On a busy machine its parts may miss each other.
        assert!((0..3).any(|_| up()), "the second engine starts: what it says is above");
    }

    /// Those of the second engine, and of who may speak to it by TLS.
    pub fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    fn script(&self) -> Process {
        let mut script = Process::new(&self.script);
        script.env("SECOND_ENGINE_HOME", HOME);
        script
    }

    pub fn does(&self, verb: &str) {
        let done = self.script().arg(verb).output().unwrap();
        assert!(done.status.success(), "second-engine {verb}: {}", said(&done));
    }

    /// The swarm's name for the node of this machine's engine, or of the other.
    pub fn node(&self, own: bool) -> String {
        let socket = second();
        let info = docker((!own).then_some(&socket), &["info", "--format", "{{.Swarm.NodeID}}"]);
        said(&info).trim().to_owned()
    }

    /// Gives the role to this machine's engine, or to the other.
    pub fn label(&self, role: &str, own: bool) {
        self.update(own, ["--label-add", &format!("lab.role={role}")]);
    }

    /// Changes what the swarm knows of a node.
    pub fn update(&self, own: bool, [flag, value]: [&str; 2]) {
        let updated = docker(None, &["node", "update", flag, value, &self.node(own)]);
        assert!(updated.status.success(), "{}", said(&updated));
    }

    /// The lab on this host, at a swarm of both.
    pub fn lab(&self, arguments: &[&str]) -> Process {
        self.lab_by(&second(), arguments)
    }

    /// The same, with the second engine at this address.
    pub fn lab_by(&self, node: &str, arguments: &[&str]) -> Process {
        let mut lab = Process::new(Command::cargo_bin("lab").unwrap().get_program());
        lab.args(arguments).args(["--engine", "swarm", "--node", node]).current_dir(self.folder.path());
        lab.env("INGEST_LAB_PROJECT", self.project()).env("INGEST_LAB_TAG", tag());
        lab
    }

    pub fn project(&self) -> String {
        format!("ingest-lab-hosts-{}", std::process::id())
    }

    /// What is left of the stack on either engine, a line each; data volumes may stay.
    pub fn left(&self) -> Vec<String> {
        let (socket, filter) = (second(), format!("label=ingest-lab.stack={}-swarm", self.project()));
        let mut left = Vec::new();
        for engine in [None, Some(socket.as_str())] {
            for what in [&["ps", "-aq"][..], &["network", "ls", "-q"]] {
                left.extend(said(&docker(engine, &[what, &["--filter", &filter]].concat())).lines().map(str::to_owned));
            }
            let volumes = said(&docker(engine, &["volume", "ls", "--filter", &filter, "--format", "{{.Name}}"]));
            left.extend(volumes.lines().filter(|name| !name.contains("-data-")).map(str::to_owned));
        }
        let services = docker(None, &["service", "ls", "-q", "--filter", &filter]);
        // An engine that has left its swarm has no services, and says so by refusing.
        if services.status.success() {
            left.extend(said(&services).lines().map(str::to_owned));
        }
        left
    }

    /// Those of the last series of an experiment.
    pub fn runs(&self, experiment: &str) -> Vec<RunRecord> {
        let results = self.folder.path().join("results");
        recorded(&results.join(series_in(&results, experiment).last().expect("a series has run")))
    }

    /// Ends the second engine's program without a word.
    pub fn kill(&self) {
        let pid = std::fs::read_to_string(format!("{HOME}/pid")).unwrap();
        assert!(Process::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
        // Its number may not be free at once: without the file it starts again all the same.
        std::fs::remove_file(format!("{HOME}/pid")).unwrap();
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        let _ = self.lab(&["clean"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        for verb in ["leave", "down"] {
            let _ = self.script().arg(verb).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
        // One that was killed has left it mounted.
        let _ = Process::new("umount").arg(format!("{HOME}/data")).stderr(Stdio::null()).status();
    }
}
