//! What the kernel says of this process's threads: `/proc/self/task/TID/schedstat` (nanoseconds on a processor,
//! nanoseconds waiting for one), their names, and the process's context switches.

use crate::wire::metrics::{Busiest, ProcessUse};
use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// What a thread had used up to a moment, ns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// On a processor.
    pub cpu: u64,
    /// Waiting for a processor; absent where the kernel keeps no such account.
    pub run_queue: Option<u64>,
}

impl Reading {
    /// From `earlier` to this.
    pub fn since(self, earlier: Self) -> Self {
        let run_queue = self.run_queue.zip(earlier.run_queue).map(|(now, then)| now.saturating_sub(then));
        Self { cpu: self.cpu.saturating_sub(earlier.cpu), run_queue }
    }

    /// A thread that has just begun.
    fn none_yet() -> Self {
        Self { cpu: 0, run_queue: Some(0) }
    }

    /// On a processor or waiting for one, ns.
    pub fn busy(self) -> u64 {
        self.cpu + self.run_queue.unwrap_or(0)
    }
}

/// Reads the calling thread's own account: 0.2 µs for its processor time, 1 µs for its waiting.
#[derive(Debug)]
pub struct Meter(Option<File>);

impl Meter {
    /// The calling thread's.
    pub fn here() -> Self {
        Self(File::open("/proc/thread-self/schedstat").ok())
    }

    /// On a processor so far, ns. From the thread's own clock: `schedstat` lags behind by up to a tick.
    pub fn cpu(&self) -> u64 {
        let clock = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
        clock.map_or(0, |at| at.tv_sec() as u64 * 1_000_000_000 + at.tv_nsec() as u64)
    }

    /// Waited for a processor so far, ns.
    pub fn run_queue(&self) -> Option<u64> {
        let mut text = [0; 64];
        let length = self.0.as_ref()?.read_at(&mut text, 0).ok()?;
        Some(schedstat(std::str::from_utf8(&text[..length]).ok()?)?.1)
    }

    /// Both.
    pub fn read(&self) -> Reading {
        Reading { cpu: self.cpu(), run_queue: self.run_queue() }
    }
}

/// (on a processor, waiting for one) out of a `schedstat`.
fn schedstat(text: &str) -> Option<(u64, u64)> {
    let mut fields = text.split_ascii_whitespace().map(str::parse);
    Some((fields.next()?.ok()?, fields.next()?.ok()?))
}

/// A thread of this process at a moment.
#[derive(Debug, Clone)]
pub struct Thread {
    name: String,
    used: Reading,
}

/// All threads of this process at a moment, and its context switches.
#[derive(Debug, Default)]
pub struct Snapshot {
    threads: BTreeMap<u64, Thread>,
    voluntary: u64,
    involuntary: u64,
}

impl Snapshot {
    /// Reads `/proc/self/task`: about 20 µs a thread.
    pub fn take() -> Self {
        let mut threads = BTreeMap::new();
        for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
            if let Some(thread) = thread_at(&task.path())
                && let Ok(number) = task.file_name().to_string_lossy().parse()
            {
                threads.insert(number, thread);
            }
        }
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok();
        let count = |number: nix::libc::c_long| u64::try_from(number).unwrap_or(0);
        Self {
            threads,
            voluntary: usage.map_or(0, |usage| count(usage.voluntary_context_switches())),
            involuntary: usage.map_or(0, |usage| count(usage.involuntary_context_switches())),
        }
    }

    /// What was used from `earlier` to this, in so many seconds. `departed` are threads that have ended since.
    pub fn since(&self, earlier: &Self, departed: &[Thread], seconds: f64) -> ProcessUse {
        let lived = self.threads.iter().map(|(number, thread)| {
            let before = earlier.threads.get(number).map_or(Reading::none_yet(), |before| before.used);
            (thread, thread.used.since(before))
        });
        let mut run_queue = None;
        let mut busiest: Option<(&Thread, u64)> = None;
        for (thread, used) in lived.chain(departed.iter().map(|thread| (thread, thread.used))) {
            run_queue = used.run_queue.map(|more| run_queue.unwrap_or(0) + more).or(run_queue);
            if busiest.is_none_or(|(_, most)| used.cpu > most) {
                busiest = Some((thread, used.cpu));
            }
        }
        ProcessUse {
            run_queue: run_queue.map(|ns| ns as f64 / 1e9),
            busiest: busiest
                .filter(|_| seconds > 0.0)
                .map(|(thread, cpu)| Busiest { name: thread.name.clone(), share: cpu as f64 / 1e9 / seconds }),
            voluntary_switches: self.voluntary.saturating_sub(earlier.voluntary),
            involuntary_switches: self.involuntary.saturating_sub(earlier.involuntary),
        }
    }
}

fn thread_at(task: &std::path::Path) -> Option<Thread> {
    let (cpu, run_queue) = schedstat(&std::fs::read_to_string(task.join("schedstat")).ok()?)?;
    let name = std::fs::read_to_string(task.join("comm")).ok()?.trim_end().to_owned();
    Some(Thread { name, used: Reading { cpu, run_queue: Some(run_queue) } })
}

/// The calling thread, about to end: in no later [`Snapshot`] it will be found.
pub fn departing() -> Thread {
    let name = std::thread::current().name().unwrap_or("unnamed").to_owned();
    Thread { name, used: Meter::here().read() }
}

/// What a program and its children used, together.
pub fn together(own: &mut ProcessUse, child: &ProcessUse, worker: usize) {
    own.run_queue = own.run_queue.zip(child.run_queue).map(|(one, other)| one + other);
    own.voluntary_switches += child.voluntary_switches;
    own.involuntary_switches += child.involuntary_switches;
    if let Some(busiest) = &child.busiest
        && own.busiest.as_ref().is_none_or(|most| busiest.share > most.share)
    {
        own.busiest = Some(Busiest { name: format!("{worker}: {}", busiest.name), share: busiest.share });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_schedstat_is_read_and_nonsense_is_not() {
        assert_eq!(schedstat("123 456 7\n"), Some((123, 456)));
        assert_eq!(schedstat("123"), None);
        assert_eq!(schedstat("x y z"), None);
    }

    #[test]
    fn a_thread_that_spins_is_found_and_named() {
        let before = Snapshot::take();
        let begun = Instant::now();
        let spin = || {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(100) {
                std::hint::spin_loop();
            }
            departing()
        };
        let spinner = std::thread::Builder::new().name("spinner".into()).spawn(spin).unwrap().join().unwrap();
        let used = Snapshot::take().since(&before, &[spinner], begun.elapsed().as_secs_f64());
        let busiest = used.busiest.expect("a thread was busy");
        assert_eq!(busiest.name, "spinner");
        assert!(busiest.share > 0.1 && busiest.share <= 1.05, "{}", busiest.share);
    }

    #[test]
    fn asleep_a_thread_uses_nothing() {
        let meter = Meter::here();
        let before = meter.read();
        std::thread::sleep(Duration::from_millis(20));
        assert!(meter.read().since(before).cpu < 5_000_000);
    }
}
