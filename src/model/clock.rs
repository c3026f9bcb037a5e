//! The machine's monotonic clock: every process and container of one machine reads the same.

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds since some moment before the machine started.
pub fn nanos() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |time| time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}

/// The same in seconds.
pub fn seconds() -> f64 {
    nanos() as f64 / 1e9
}

/// Processor time this process has used so far, in all its threads, seconds.
pub fn own_cpu() -> f64 {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .map_or(0.0, |time| time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9)
}
