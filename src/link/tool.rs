//! Runs the packet filter's own programs, and quotes them when they refuse.

use anyhow::{Context, Result, bail, ensure};
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Whether this network namespace passes packets on.
const IP_FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";

/// The kernel's forwarding needs the sysctl; setting it is compose's business, not ours.
pub(super) fn require_forwarding() -> Result<()> {
    let value = fs_err::read_to_string(IP_FORWARD)?;
    ensure!(value.trim() == "1", "net.ipv4.ip_forward is {}: it must be 1 in this container", value.trim());
    Ok(())
}

/// Runs a program with `input` and gives what it wrote; an error quotes what it said.
pub(super) async fn run(program: &str, arguments: &[&str], input: &str) -> Result<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("start {program}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends without reading says why on standard error.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = child.wait_with_output().await.with_context(|| format!("wait for {program}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    bail!("{program} {}: {}", arguments.join(" "), first.trim())
}
