//! The processor time and memory of this process, from the kernel's own account.

use crate::wire::Cpu;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};

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
