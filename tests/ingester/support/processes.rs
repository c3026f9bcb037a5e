//! Processes of a test's own ingester, found by a mark in their environment: it is inherited, and stays when the
//! parent is gone.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The variable that carries the mark.
pub const MARK: &str = "INGEST_LAB_TEST_MARK";

/// A mark nobody else has.
pub fn mark() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// The living processes that carry a mark (a zombie's environment is empty).
pub fn marked(mark: &str) -> Vec<i32> {
    let wanted = format!("{MARK}={mark}");
    let numbers = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers
        .filter(|pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
        })
        .collect()
}

/// Fails unless every process that carries the mark is gone within a few seconds.
pub fn assert_none_left(mark: &str) {
    let begun = Instant::now();
    loop {
        let left = marked(mark);
        if left.is_empty() {
            return;
        }
        if begun.elapsed() > Duration::from_secs(10) {
            for pid in &left {
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            panic!("{} processes of the ingester outlived it", left.len());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
