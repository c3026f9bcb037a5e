//! The kernel's account of processes and of the machine, read from /proc.

use crate::wire::watched::Machine;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

/// Client backends and the server's own processes, by what the kernel has on their account.
#[derive(Debug, Default)]
pub(super) struct Processes {
    /// Each client backend that the last look knew.
    backends: HashMap<i32, Backend>,
    /// The server's own processes: nanoseconds on a CPU.
    server: HashMap<i32, u64>,
    /// Of those above and of those that have ended, since the first look.
    totals: [u64; 3],
    begun: bool,
}

/// A client backend.
#[derive(Debug)]
struct Backend {
    /// What it had at the last look: nanoseconds on a CPU, and waiting for one.
    times: [u64; 2],
    /// Its `stat`, kept open; none where no more files may be open, and it is opened each time.
    stat: Option<File>,
}

/// Of `stat`, the beginning: a number, a name of 64 bytes at most, the state.
const BEGINNING: usize = 128;

/// As many as the kernel is built for at most, nearly everywhere.
const MOST_PROCESSORS: usize = 8_192;

impl Processes {
    /// Adds what has come on their accounts since the last look. What a process did between its last look and its
    /// end is lost: at most the time between two looks.
    pub(super) fn account(&mut self, backends: &[i32]) {
        let begun = std::mem::replace(&mut self.begun, true);
        let mut now = HashMap::new();
        for &pid in backends {
            let Some(times) = schedstat(pid) else { continue };
            // All of what a new backend has is new; at the first look nobody is.
            let known = self.backends.remove(&pid);
            let before = known.as_ref().map_or(if begun { [0; 2] } else { times }, |one| one.times);
            self.totals[0] += times[0].saturating_sub(before[0]);
            self.totals[1] += times[1].saturating_sub(before[1]);
            let stat = known.map_or_else(|| open_stat(pid).ok(), |one| one.stat);
            now.insert(pid, Backend { times, stat });
        }
        self.backends = now;
        // They live as long as the server: looked for once.
        if !begun {
            self.server = server_processes().into_iter().filter_map(|pid| Some((pid, schedstat(pid)?[0]))).collect();
        }
        for (pid, before) in &mut self.server {
            let Some([on_cpu, _]) = schedstat(*pid) else { continue };
            self.totals[2] += on_cpu.saturating_sub(*before);
            *before = on_cpu;
        }
    }

    /// The state of each client backend that the last look knew: R, S, D …
    ///
    /// Read as quickly as can be, and made sense of afterwards: where this program has the client's processor, no requests
    /// come meanwhile, and one backend after the other falls asleep.
    pub(super) fn states(&self) -> HashMap<i32, char> {
        let mut read = Vec::with_capacity(self.backends.len());
        for (pid, backend) in &self.backends {
            let mut text = [0; BEGINNING];
            let length = match &backend.stat {
                Some(file) => file.read_at(&mut text, 0),
                None => open_stat(*pid).and_then(|file| file.read_at(&mut text, 0)),
            };
            read.push((*pid, text, length));
        }
        read.into_iter().filter_map(|(pid, text, length)| Some((pid, state_in(text.get(..length.ok()?)?)?))).collect()
    }

    /// Seconds since the first look: backends on a CPU, backends waiting for one, the server's own on a CPU.
    pub(super) fn totals(&self) -> (f64, f64, f64) {
        let [on_cpu, run_queue, server] = self.totals.map(|nanos| nanos as f64 / 1e9);
        (on_cpu, run_queue, server)
    }
}

/// Nanoseconds on a CPU and waiting for one, of the main thread: a backend has no other (kernel documentation, scheduler/sched-stats).
fn schedstat(pid: i32) -> Option<[u64; 2]> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
    let mut numbers = text.split_whitespace().map(str::parse);
    Some([numbers.next()?.ok()?, numbers.next()?.ok()?])
}

fn open_stat(pid: i32) -> io::Result<File> {
    File::open(format!("/proc/{pid}/stat"))
}

/// R, S, D …: the third field of `stat`, after a name in parentheses that may hold any character.
fn state_in(text: &[u8]) -> Option<char> {
    let name = text.windows(2).rposition(|two| two == b") ")?;
    text.get(name + 2).map(|letter| char::from(*letter))
}

/// The server's processes that serve no client: PostgreSQL writes what each is into its command line.
fn server_processes() -> Vec<i32> {
    const KINDS: [&str; 4] = ["walwriter", "checkpointer", "background writer", "io worker"];
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_server = |pid: &i32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.strip_prefix("postgres: ").is_some_and(|what| KINDS.iter().any(|kind| what.starts_with(kind)))
    };
    pids.filter(is_server).collect()
}

/// The machine's processors so far, all together, and how long each of them was idle.
pub(super) fn machine() -> (Machine, Vec<f64>) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let all = text.lines().next().map(seconds).unwrap_or_default();
    let at = |index: usize| all.get(index).copied().unwrap_or(0.0);
    let pressures: Vec<f64> = ["cpu", "io", "memory"].into_iter().filter_map(pressure).collect();
    let machine = Machine {
        // user, nice, system, idle, iowait, irq, softirq, steal
        busy: at(0) + at(1) + at(2) + at(5) + at(6),
        softirq: at(6),
        iowait: at(4),
        stolen: at(7),
        idle: at(3),
        pressure: pressures.try_into().ok(),
    };
    (machine, idle(&text))
}

/// A line of `/proc/stat`, which counts in hundredths of a second.
fn seconds(line: &str) -> Vec<f64> {
    line.split_whitespace().skip(1).filter_map(|number| Some(number.parse::<f64>().ok()? / 100.0)).collect()
}

/// How long each processor was idle, by its number: one that is switched off has no line.
fn idle(stat: &str) -> Vec<f64> {
    let mut all = Vec::new();
    for line in stat.lines() {
        let number = line.strip_prefix("cpu").and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok());
        let Some(number) = number.filter(|number| *number < MOST_PROCESSORS) else { continue };
        if all.len() <= number {
            all.resize(number + 1, 0.0);
        }
        // idle, iowait
        all[number] = seconds(line).get(3..5).map_or(0.0, |idle| idle.iter().sum());
    }
    all
}

/// Seconds in which somebody waited, so far.
fn pressure(of: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/pressure/{of}")).ok()?;
    let total = text.lines().find(|line| line.starts_with("some "))?.rsplit_once("total=")?.1;
    Some(total.trim().parse::<f64>().ok()? / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_account_of_this_process_is_read() {
        let pid = std::process::id() as i32;
        let mut processes = Processes::default();
        processes.account(&[pid, -1]);
        assert!(matches!(processes.states().get(&pid), Some('R' | 'S')));
        assert_eq!(processes.states().len(), 1);
        assert!(schedstat(pid).is_some_and(|[on_cpu, _]| on_cpu > 0));
        let (machine, idle) = machine();
        assert!(machine.busy > 0.0 && machine.idle > 0.0, "{machine:?}");
        let each: f64 = idle.iter().sum();
        assert!((each - machine.idle - machine.iowait).abs() < 1.0, "{idle:?} {machine:?}");
    }

    #[test]
    fn each_processor_s_idle_time_is_found_by_its_number() {
        let stat =
            "cpu  9 0 9 500 70 0 0 0 0 0\ncpu0 5 0 5 200 30 0 0 0 0 0\ncpu2 4 0 4 300 40 0 0 0 0 0\nintr 7 cpu3\n";
        assert_eq!(idle(stat), [2.3, 0.0, 3.4]);
        assert!(idle("").is_empty() && idle("cpu  1 2 3\ncpux 1\ncpu99999999999 1 2 3 4 5\n").is_empty());
        assert_eq!(idle("cpu0 1 2"), [0.0]);
    }

    #[test]
    fn a_state_follows_a_name_that_may_look_like_one() {
        assert_eq!(state_in(b"17 (postgres) S 1 17"), Some('S'));
        assert_eq!(state_in(b"17 (a) R (b) D 1 17"), Some('D'));
        assert_eq!(state_in(b"17 (postgres)"), None);
        assert_eq!(state_in(b""), None);
    }

    #[test]
    fn the_state_of_one_that_has_ended_is_not_known() {
        let mut sleeping = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let (mut processes, pid) = (Processes::default(), sleeping.id() as i32);
        processes.account(&[pid]);
        assert!(processes.states().contains_key(&pid));
        sleeping.kill().unwrap();
        sleeping.wait().unwrap();
        assert!(processes.states().is_empty());
    }

    #[test]
    fn what_was_before_the_first_look_does_not_count() {
        // A process of one thread, like a backend: this one's account is its main thread's.
        let mut spinning = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let (mut processes, pid) = (Processes::default(), spinning.id() as i32);
        let pause = std::time::Duration::from_millis(200);
        std::thread::sleep(pause);
        processes.account(&[pid]);
        let at_first = processes.totals();
        std::thread::sleep(pause);
        processes.account(&[pid]);
        spinning.kill().unwrap();
        spinning.wait().unwrap();
        assert_eq!(at_first, (0.0, 0.0, 0.0));
        let (on_cpu, ..) = processes.totals();
        assert!(on_cpu > 0.0 && on_cpu < 10.0, "{on_cpu}");
    }
}
