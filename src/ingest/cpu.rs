//! The processor time and memory of this process, from the kernel's own account.

use crate::wire::Cpu;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use std::sync::{Mutex, PoisonError};

fn of(who: UsageWho) -> Cpu {
    let Ok(usage) = getrusage(who) else { return Cpu::default() };
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Cpu { user: seconds(usage.user_time()), system: seconds(usage.system_time()) }
}

/// Processor time of this process and of its children that have ended.
pub fn used() -> Cpu {
    let (own, children) = (of(UsageWho::RUSAGE_SELF), of(UsageWho::RUSAGE_CHILDREN));
    Cpu { user: own.user + children.user, system: own.system + children.system }
}

/// The same, with that of programs which still run. Once such a one has been waited for, the kernel counts it.
pub fn used_with(running: &Mutex<Vec<u32>>) -> Cpu {
    let running = running.lock().unwrap_or_else(PoisonError::into_inner);
    running.iter().filter_map(|process| of_running(*process)).fold(used(), Cpu::plus)
}

/// Of a process with all the threads it has, to the nanosecond from their `schedstat`; which of it is the kernel's, by
/// the ticks in `/proc/PID/stat`. None where it is gone.
fn of_running(process: u32) -> Option<Cpu> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).ok()?.flatten();
    let nanos = tasks.filter_map(|task| {
        let account = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        account.split_whitespace().next()?.parse::<u64>().ok()
    });
    let seconds = nanos.sum::<u64>() as f64 / 1e9;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name, which may hold anything: state, then ten more, then user and system.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    let (user, system) = (ticks()?, ticks()?);
    let part = if user + system > 0.0 { user / (user + system) } else { 0.5 };
    Some(Cpu { user: seconds * part, system: seconds * (1.0 - part) })
}

/// Largest resident memory of this process so far, bytes (the kernel counts in KiB).
pub fn peak_memory() -> u64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss() as u64 * 1024)
}

/// Raises the limit of open files to what the system allows: a pool of 500 needs more than many systems' default.
pub fn raise_open_files() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard); // what is lacking shows when connecting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::Duration;

    #[test]
    fn what_a_program_uses_counts_while_it_runs() {
        let mut busy = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let used = of_running(busy.id());
        busy.kill().unwrap();
        busy.wait().unwrap();
        let used = used.expect("it ran").total();
        assert!((0.01..0.6).contains(&used), "{used} s of some 0.3 s");
        assert_eq!(of_running(busy.id()), None, "once it was waited for the kernel counts it");
    }
}
