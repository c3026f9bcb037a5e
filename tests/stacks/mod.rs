//! A stack of containers for a test: up when it is made, gone with it.
#![allow(dead_code)] // no test needs all of it

use assert_cmd::Command;
use ingest_lab::lab::CellSpan;
use ingest_lab::model::cell::Cell;
use ingest_lab::series::Folder;
use ingest_lab::wire::record::RunRecord;
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A compose project of this test's own, gone with it.
pub struct Stack {
    project: String,
    /// The images' tag.
    tag: String,
    /// Where its lab runs: results go here.
    pub folder: tempfile::TempDir,
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

/// An experiment of these cells.
pub struct Played {
    pub blocks: usize,
    pub seed: usize,
    /// How long a run lasts, at most.
    pub seconds: f64,
    /// How many records of each phase a run has, at most.
    pub records: u32,
}

/// The images' tag, unless a test asks for another.
pub fn tag() -> String {
    std::env::var("INGEST_LAB_TAG").unwrap_or_else(|_| "local".into())
}

/// The runs of a series, by its folder.
pub fn recorded(series: &Path) -> Vec<RunRecord> {
    Folder::open(series.parent().unwrap(), &series.to_string_lossy()).unwrap().runs().unwrap()
}

/// The series of an experiment in a folder of results, by name, the oldest first.
pub fn series_in(results: &Path, experiment: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(results)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains(&format!("-{experiment}")))
        .collect();
    // By their dates, a test may outlast its day; then the tenth is called -10, and comes after -9.
    names.sort_by_key(|name| (name.get(.."2000-01-01".len()).map(str::to_owned), name.len(), name.clone()));
    names
}

impl Stack {
    /// Of the images that are built here, or of those that INGEST_LAB_TAG names.
    pub fn up() -> Self {
        Self::with(&tag())
    }

    /// Of images with another tag.
    pub fn with(tag: &str) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        // Tests of one program may run beside each other, and one of them may want two.
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let project = format!("ingest-lab-test-{tag}-{}-{number}", std::process::id());
        let stack = Self { project, tag: tag.into(), folder: tempfile::tempdir().unwrap() };
        stack.script("up");
        stack
    }

    /// Runs a verb of `docker/stack.sh` on it.
    pub fn script(&self, verb: &str) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut script = Process::new(root.join("docker/stack.sh"));
        self.environment(script.arg(verb));
        let done = script.stderr(Stdio::inherit()).status().unwrap();
        assert!(done.success(), "stack.sh {verb}: build the images with `make images`");
    }

    /// The lab, on the host, in a folder of its own.
    pub fn lab(&self, arguments: &[&str]) -> Process {
        let mut lab = Process::new(Command::cargo_bin("lab").unwrap().get_program());
        self.environment(lab.args(arguments).current_dir(self.folder.path()));
        lab
    }

    /// The compose project's name, which that of everything of it begins with.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Names the stack to a program.
    pub fn environment<'a>(&self, program: &'a mut Process) -> &'a mut Process {
        program.env("INGEST_LAB_PROJECT", &self.project).env("INGEST_LAB_TAG", &self.tag)
    }

    /// The ids of its containers, running or not.
    pub fn containers(&self) -> Vec<String> {
        let filter = format!("label=ingest-lab.stack={}", self.project);
        docker(&["ps", "-aq", "--filter", &filter]).lines().map(str::to_owned).collect()
    }

    /// Kills the container of one of several clients.
    pub fn kill_client(&self, client: usize) {
        let (stack, label) =
            (format!("label=ingest-lab.stack={}", self.project), format!("label=ingest-lab.client={client}"));
        let found = docker(&["ps", "-q", "--filter", &stack, "--filter", &label]);
        docker(&["kill", found.trim()]);
    }

    fn networks(&self) -> usize {
        let filter = format!("label=ingest-lab.stack={}", self.project);
        docker(&["network", "ls", "-q", "--filter", &filter]).lines().count()
    }

    pub fn data_volumes(&self) -> usize {
        let filter = format!("label=ingest-lab.stack={}", self.project);
        docker(&["volume", "ls", "-q", "--filter", &filter, "--filter", "label=ingest-lab.data"]).lines().count()
    }

    /// Containers, networks, and the limits of those containers.
    pub fn state(&self) -> (usize, usize, Vec<String>) {
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

    pub fn records(&self, series: &str) -> Vec<serde_json::Value> {
        let mut paths: Vec<_> = std::fs::read_dir(self.folder.path().join("results").join(series))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
            .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("run-"))
            .collect();
        paths.sort();
        paths.iter().map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
    }

    pub fn runs(&self, series: &str) -> Vec<RunRecord> {
        recorded(&self.folder.path().join("results").join(series))
    }

    /// Runs cells, by their text, as a series of that name; its folder's name.
    pub fn play(&self, name: &str, cells: &[&str], Played { blocks, seed, seconds, records }: Played) -> String {
        let span = |text: &&str| {
            let cell: Cell = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            format!("[[cells]]\n{}", toml::to_string(&CellSpan::of(&cell)).unwrap())
        };
        let cells: Vec<String> = cells.iter().map(span).collect();
        let experiment = format!(
            "question = \"?\"\nseed = {seed}\nblocks = {blocks}\n\
             stop = {{ seconds = \"{seconds}s\", geo_records = {records}, lines = {records} }}\n{}",
            cells.join("\n")
        );
        let file = format!("{name}.toml");
        std::fs::write(self.folder.path().join(&file), experiment).unwrap();
        let done = self.lab(&["run", &file, "--yes"]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        self.series_of(name)
    }

    pub fn series_of(&self, experiment: &str) -> String {
        series_in(&self.folder.path().join("results"), experiment).pop().expect("it has run")
    }

    /// Copies a series to the results in the folder that INGEST_LAB_KEEP names, if it names one.
    pub fn keep(&self, series: &str) {
        let Some(folder) = std::env::var_os("INGEST_LAB_KEEP") else { return };
        let to = Path::new(&folder).join("results");
        std::fs::create_dir_all(&to).unwrap();
        let copied = Process::new("cp").arg("-r").arg(self.folder.path().join("results").join(series)).arg(to).status();
        assert!(copied.unwrap().success());
    }

    /// The id of the database's container.
    pub fn database(&self) -> String {
        let filter = format!("label=ingest-lab.stack={}", self.project);
        let db = docker(&["ps", "-q", "--filter", &filter, "--filter", "label=com.docker.compose.service=db"]);
        db.trim().to_owned()
    }

    /// The database's password, as the first start made it.
    pub fn password(&self) -> String {
        docker(&["exec", &self.database(), "cat", "/run/ingest-lab/password"]).trim().to_owned()
    }

    /// Where its database is for whoever sees it by that name.
    pub fn dburl(&self, host: &str) -> String {
        format!("postgresql://ingest:{}@{host}:5432/ingest", self.password())
    }

    /// The database's addresses on the stack's networks.
    pub fn addresses(&self) -> Vec<String> {
        let filter = format!("label=ingest-lab.stack={}", self.project);
        let db = docker(&["ps", "-q", "--filter", &filter, "--filter", "label=com.docker.compose.service=db"]);
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
        docker(&["inspect", "-f", format, db.trim()]).split_whitespace().map(str::to_owned).collect()
    }

    /// Whether the database stands still.
    pub fn is_paused(&self) -> bool {
        let filter = format!("label=ingest-lab.stack={}", self.project);
        !docker(&["ps", "-q", "--filter", &filter, "--filter", "status=paused"]).trim().is_empty()
    }

    /// Whether the images hold what no commit does.
    pub fn built_from_changes(&self) -> bool {
        let format = "{{index .Config.Labels \"org.opencontainers.image.revision\"}}";
        docker(&["image", "inspect", "-f", format, &format!("ingest-lab-ingester:{}", self.tag)])
            .trim()
            .ends_with("-dirty")
    }

    /// The link's packet rules and qdiscs, as text without their counters.
    pub fn rules(&self) -> String {
        let filter = format!("label=ingest-lab.stack={}", self.project);
        let link = docker(&["ps", "-q", "--filter", &filter, "--filter", "label=com.docker.compose.service=link"]);
        let show = "iptables-legacy-save 2>/dev/null; nft -s list ruleset 2>/dev/null; tc qdisc show";
        let all = docker(&["exec", link.trim(), "sh", "-c", show]);
        let lines = all.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split(" [").next().unwrap()).collect::<Vec<_>>().join("\n")
    }

    /// What the kernel says of the link's agent, as `/proc/PID/status`. It is the first of its name: each question to it
    /// is a process of that name, too.
    pub fn link_process(&self) -> String {
        let filter = format!("label=ingest-lab.stack={}", self.project);
        let link = docker(&["ps", "-q", "--filter", &filter, "--filter", "label=com.docker.compose.service=link"]);
        docker(&[
            "exec",
            link.trim(),
            "sh",
            "-c",
            "cat /proc/$(pidof link | tr ' ' '\\n' | sort -n | head -n 1)/status",
        ])
    }

    pub fn only_series(&self) -> String {
        let mut entries = std::fs::read_dir(self.folder.path().join("results")).unwrap();
        entries.next().unwrap().unwrap().file_name().to_string_lossy().into_owned()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        remove(&self.project);
    }
}

/// Removes a project's containers, networks and volumes. Never panics: a second panic would hide the first.
pub fn remove(project: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let _ = Process::new("bash")
        .args(["-c", "COMPOSE_PROFILES=lab,by-hand,storage,publish; export COMPOSE_PROFILES; \
               for kind in run helper; do docker ps -aq --filter label=ingest-lab.stack=$0 \
               --filter label=ingest-lab.$kind | xargs -r docker rm -fv; done; \
               if docker compose version >/dev/null 2>&1; then c='docker compose'; else c=docker-compose; fi; \
               $c -p $0 down --volumes; docker volume ls -q --filter label=ingest-lab.stack=$0 | xargs -r docker volume rm"])
        .arg(project)
        .current_dir(root)
        .env("INGEST_LAB_PROJECT", project)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}
