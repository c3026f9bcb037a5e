//! Containers of the stack, through the engine's command line: this is a tool for developers, not part of the lab.

use anyhow::{Context, Result, bail};
use std::io::Write;
use std::process::{Command, Stdio};

/// The compose project whose containers are used.
pub fn project() -> String {
    std::env::var("INGEST_LAB_PROJECT").unwrap_or_else(|_| "ingest-lab".into())
}

/// An image of the stack.
pub fn image(role: &str) -> String {
    let tag = std::env::var("INGEST_LAB_TAG").unwrap_or_else(|_| "local".into());
    format!("ingest-lab-{role}:{tag}")
}

/// Runs `docker` with `input` on its standard input; gives its standard output.
pub fn docker(arguments: &[&str], input: &str) -> Result<String> {
    let mut child = Command::new("docker")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("start docker")?;
    child.stdin.take().context("docker has no input")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("docker {} failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The running container of a service.
pub fn of_service(service: &str) -> Result<String> {
    let project = format!("label=com.docker.compose.project={}", project());
    let service_label = format!("label=com.docker.compose.service={service}");
    let ids = docker(&["ps", "-q", "--filter", &project, "--filter", &service_label], "")?;
    ids.lines()
        .next()
        .map(str::to_owned)
        .with_context(|| format!("{service} is not running: `make bench` starts the stack"))
}

/// Runs one client beside the database: on the client network, on CPU 1, with a share of it.
pub fn client(role: &str, volume: &str, cpus: f64, command: &[&str], input: &str) -> Result<String> {
    let stack = format!("ingest-lab.stack={}", project());
    let network = format!("{}_client", project());
    let quota = format!("{}", (cpus * 100_000.0) as i64);
    let (image, mount) = (image(role), format!("{volume}:/data"));
    let mut arguments = vec![
        "run",
        "--rm",
        "-i",
        "--label",
        &stack,
        "--network",
        &network,
        "--cpuset-cpus",
        "1",
        "--cpu-period",
        "100000",
        "--cpu-quota",
        &quota,
        "--ulimit",
        "nofile=4096",
        "--volume",
        &mount,
    ];
    if role == "db" {
        arguments.extend(["--entrypoint", "bash"]);
    }
    arguments.push(&image);
    arguments.extend(command);
    docker(&arguments, input)
}
