//! A short spin where an ingester runs, to see what its limits leave of a processor before it begins.

use crate::wire::spin::{PAUSE, Pause, Spin};
use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Multiplications in a piece of work: some tens of microseconds.
const WORK: u64 = 20_000;

/// Spins on so many threads at once.
pub fn spin(length: Duration, threads: usize) -> Vec<Spin> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| one(length))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

fn one(length: Duration) -> Spin {
    let begun = Instant::now();
    let used_before = used();
    let mut spin = Spin::default();
    let mut pieces = 0_u32;
    let mut last = begun;
    while last - begun < length {
        let mut x = 1_u64;
        for _ in 0..WORK {
            x = std::hint::black_box(x.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1));
        }
        pieces += 1;
        let now = Instant::now();
        let took = (now - last).as_secs_f64();
        if took > PAUSE {
            let end = (now - begun).as_secs_f64();
            spin.pauses.push(Pause { length: took, end, cpu: used() - used_before });
        }
        last = now;
    }
    spin.seconds = (last - begun).as_secs_f64();
    spin.cpu = used() - used_before;
    spin.work = spin.cpu / f64::from(pieces.max(1));
    spin
}

/// Burns so much processor time of this thread: what a limit or another thread takes away meanwhile does not count.
pub fn burn(time: Duration) {
    /// Multiplications between two looks at the clock: a few microseconds.
    const PIECE: u64 = 1_000;
    let end = used() + time.as_secs_f64();
    let mut x = 1_u64;
    while used() < end {
        for _ in 0..PIECE {
            x = std::hint::black_box(x.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1));
        }
    }
}

/// Processor time of this thread, seconds.
fn used() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.map_or(0.0, |time| time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spin_takes_as_long_as_asked_on_as_many_threads() {
        let spins = spin(Duration::from_millis(20), 2);
        assert_eq!(spins.len(), 2);
        assert!(spins.iter().all(|spin| spin.seconds >= 0.02 && spin.work > 0.0));
    }

    #[test]
    fn what_is_burnt_is_processor_time() {
        let before = used();
        burn(Duration::from_millis(5));
        let burnt = used() - before;
        assert!((0.005..0.006).contains(&burnt), "{burnt}");
    }
}
