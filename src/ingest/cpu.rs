//! The processor time and memory of this process, from the kernel's own account.

use crate::wire::Cpu;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use std::sync::{Mutex, PoisonError};

/// Ticks a second in `/proc`, whatever the kernel's own are: fixed by its interface (USER_HZ).
const TICKS: f64 = 100.0;

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

/// Of a process with all its threads, from `/proc/PID/stat`, which counts in ticks; none where it is gone.
fn of_running(process: u32) -> Option<Cpu> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name, which may hold anything: state, then ten more, then user and system.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut seconds = || Some(fields.next()?.parse::<f64>().ok()? / TICKS);
    Some(Cpu { user: seconds()?, system: seconds()? })
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
