//! Three network namespaces in a row, client ── link ── db, and the agent in the middle one. Needs root; says so
//! where it can't run.

#![allow(dead_code)] // every file of tests uses a part

pub mod measure;

use ingest_lab::link::respond;
use ingest_lab::model::Backend;
use ingest_lab::wire::setup::{Forwarding, LinkStatus};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub const PATIENCE: Duration = Duration::from_secs(20);

fn ip(arguments: &str) -> Output {
    Command::new("ip").args(arguments.split(' ')).output().expect("iproute2 is installed")
}

fn must(arguments: &str) {
    let output = ip(arguments);
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Three namespaces in a row; they go when this does.
pub struct Network {
    pub names: [String; 3],
    folder: tempfile::TempDir,
}

impl Network {
    pub fn new(tag: &str) -> Option<Self> {
        let names = ["c", "l", "d"].map(|side| format!("il{tag}{}{side}", std::process::id()));
        let made = ip(&format!("netns add {}", names[0]));
        if !made.status.success() {
            eprintln!("SKIPPED: no network namespace can be made: {}", String::from_utf8_lossy(&made.stderr).trim());
            return None;
        }
        let network = Self { names, folder: tempfile::tempdir().unwrap() };
        let [client, link, db] = &network.names;
        must(&format!("netns add {link}"));
        must(&format!("netns add {db}"));
        must(&format!("link add west netns {client} type veth peer name west netns {link}"));
        must(&format!("link add east netns {link} type veth peer name east netns {db}"));
        for (name, device, addresses) in [
            (client, "west", &["10.77.1.2/24"][..]),
            (link, "west", &["10.77.1.1/24"]),
            (link, "east", &["10.77.2.1/24"]),
            (db, "east", &["10.77.2.2/24", "10.77.2.3/24"]),
        ] {
            for address in addresses {
                must(&format!("-n {name} addr add {address} dev {device}"));
            }
            must(&format!("-n {name} link set {device} up"));
            must(&format!("-n {name} link set lo up"));
        }
        assert!(network.shell(link, "echo 1 > /proc/sys/net/ipv4/ip_forward").status.success());
        network.name_db("10.77.2.2");
        Some(network)
    }

    /// Makes the name `db` mean this address inside the link.
    pub fn name_db(&self, address: &str) {
        // Written in place: the file is bind-mounted.
        std::fs::write(self.folder.path().join("hosts"), format!("{address} db\n")).unwrap();
    }

    pub fn shell(&self, namespace: &str, script: &str) -> Output {
        Command::new("ip").args(["netns", "exec", namespace, "sh", "-c", script]).output().unwrap()
    }

    /// Does something with the sockets of a namespace, on a thread of its own.
    pub fn inside<T: Send>(&self, namespace: &str, work: impl FnOnce() -> T + Send) -> T {
        let handle = File::open(format!("/run/netns/{namespace}")).unwrap();
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    setns(&handle, CloneFlags::CLONE_NEWNET).unwrap();
                    work()
                })
                .join()
                .unwrap()
        })
    }

    /// A server in the db namespace: answers with its mark, the client's address and the bytes it counted.
    pub fn serve(&self, address: &'static str, mark: &'static str) {
        let listener = self.inside(&self.names[2], || TcpListener::bind(address).unwrap());
        std::thread::spawn(move || {
            while let Ok((mut stream, from)) = listener.accept() {
                let mut got = Vec::new();
                // The agent's own health check connects and leaves.
                if stream.read_to_end(&mut got).is_ok() {
                    let _ = write!(stream, "{mark} {} {}", from.ip(), got.len());
                }
            }
        });
    }

    /// What the server says to a client that sends so many bytes through the link.
    pub fn ask(&self, bytes: usize) -> std::io::Result<String> {
        self.inside(&self.names[0], || {
            let link: SocketAddr = "10.77.1.1:5432".parse().unwrap();
            let mut stream = TcpStream::connect_timeout(&link, Duration::from_secs(2))?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            stream.write_all(&vec![7; bytes])?;
            stream.shutdown(std::net::Shutdown::Write)?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        })
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state.json")
    }

    /// Starts the agent; the reason where this kind of forwarding doesn't work here.
    pub fn agent(&self, kind: Forwarding) -> Result<Agent, String> {
        self.agent_with(&format!("--forwarding {kind}"))
    }

    /// Starts the agent with these arguments; the reason where it doesn't start.
    pub fn agent_with(&self, arguments: &str) -> Result<Agent, String> {
        let (hosts, state) = (self.folder.path().join("hosts"), self.state());
        let script = format!(
            "mount --bind {} /etc/hosts && exec {} serve --target db:6432 --listen 5432 {arguments} --state {}",
            hosts.display(),
            env!("CARGO_BIN_EXE_link"),
            state.display()
        );
        let mut child = Command::new("ip")
            .args(["netns", "exec", &self.names[1], "sh", "-c", &script])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        while self.status().is_err() {
            if child.try_wait().unwrap().is_some() || Instant::now() > deadline {
                let _ = child.kill();
                return Err(String::from_utf8_lossy(&child.wait_with_output().unwrap().stderr).into_owned());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Agent(child))
    }

    /// `link status`, as the health check runs it.
    pub fn status(&self) -> Result<LinkStatus, String> {
        let script = format!(
            "mount --bind {} /etc/hosts && exec {} status --state {}",
            self.folder.path().join("hosts").display(),
            env!("CARGO_BIN_EXE_link"),
            self.state().display()
        );
        let output = self.shell(&self.names[1], &script);
        if output.status.success() {
            Ok(serde_json::from_slice(&output.stdout).unwrap())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// `link set`: what is set then, or the refusal.
    pub fn set(&self, profile: &str) -> Result<LinkStatus, String> {
        self.setting(&["set", profile, "--state"])
    }

    /// The same by another backend, which stays.
    pub fn set_with(&self, profile: &str, backend: Backend) -> Result<LinkStatus, String> {
        self.setting(&["set", profile, "--backend", backend.word(), "--state"])
    }

    fn setting(&self, arguments: &[&str]) -> Result<LinkStatus, String> {
        let output = Command::new(env!("CARGO_BIN_EXE_link")).args(arguments).arg(self.state()).output().unwrap();
        if output.status.success() {
            Ok(serde_json::from_slice(&output.stdout).unwrap())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
        }
    }

    /// A responder in the database's place.
    pub fn respond(&self) {
        let listener = self.inside(&self.names[2], || TcpListener::bind("0.0.0.0:6432").unwrap());
        std::thread::spawn(move || respond::respond(&listener));
    }

    /// Measures from the client's side.
    pub fn measure<T: Send>(&self, work: impl FnOnce(SocketAddr) -> T + Send) -> T {
        self.inside(&self.names[0], || work("10.77.1.1:5432".parse().unwrap()))
    }

    /// Every rule, queue and discipline of the emulation in the link's namespace.
    pub fn traces(&self) -> String {
        let script = "nft --stateless list ruleset 2>/dev/null; iptables-legacy-save -t mangle 2>/dev/null; \
                      cat /proc/net/netfilter/nfnetlink_queue; tc qdisc show 2>/dev/null";
        let text = String::from_utf8_lossy(&self.shell(&self.names[1], script).stdout).into_owned();
        let ours = ["ingest_lab_queue", "INGEST_LAB_QUEUE", "INGEST_LAB_TRY", " 7101 ", " 7102 ", " 7103 ", "11ab:"];
        text.lines().filter(|line| ours.iter().any(|mark| line.contains(mark))).collect()
    }

    /// Every rule in the link's namespace.
    pub fn rules(&self) -> String {
        let script =
            "nft --stateless list ruleset 2>/dev/null; iptables-legacy-save 2>/dev/null | grep -e ^-A -e INGEST";
        let text = String::from_utf8_lossy(&self.shell(&self.names[1], script).stdout).into_owned();
        text.lines()
            .filter(|line| line.contains("5432") || line.contains("INGEST") || line.contains("ingest"))
            .collect()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in &self.names {
            ip(&format!("netns del {name}"));
        }
    }
}

/// A running agent; a test that fails does not leave it behind.
pub struct Agent(Child);

impl Agent {
    pub fn end(mut self, signal: Signal) -> bool {
        kill(Pid::from_raw(self.0.id() as i32), signal).unwrap();
        self.0.wait().unwrap().success()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
