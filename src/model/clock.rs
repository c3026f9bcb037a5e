//! The machine's monotonic clock: every process and container of one machine reads the same.

use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since some moment before the machine started.
pub fn nanos() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |time| time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}

/// The same in seconds.
pub fn seconds() -> f64 {
    nanos() as f64 / 1e9
}

/// One moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// [`nanos`].
    pub nanos: u64,
    /// The same, as the standard library has it.
    pub instant: Instant,
    /// The wall clock since its epoch.
    wall: Duration,
}

impl Now {
    /// Read again where something came in between: a thread that lost its processor there would be milliseconds off.
    pub fn read() -> Self {
        const TOGETHER: Duration = Duration::from_micros(10);
        let mut best: Option<(Duration, Self)> = None;
        for _ in 0..10 {
            let instant = Instant::now();
            let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let (nanos, apart) = (nanos(), instant.elapsed());
            if best.is_none_or(|(least, _)| apart < least) {
                best = Some((apart, Self { nanos, instant, wall }));
            }
            if apart <= TOGETHER {
                break;
            }
        }
        best.expect("the loop runs once").1
    }

    /// The wall clock since its epoch.
    pub fn wall(&self) -> Duration {
        self.wall
    }

    /// How long ago a time of the wall clock was, if that is to be believed: a clock that was set says anything.
    pub fn since(&self, wall: Duration, believed: Duration) -> Duration {
        self.wall.checked_sub(wall).filter(|age| *age <= believed).unwrap_or_default()
    }
}

/// Processor time this process has used so far, in all its threads, seconds.
pub fn own_cpu() -> f64 {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .map_or(0.0, |time| time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9)
}
