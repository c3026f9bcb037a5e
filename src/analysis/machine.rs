//! What the database's machine did besides what a verdict is told from, while every worker was busy: for who doubts
//! one. Pure.

use super::evidence::{LEAST_LOOKS, Window, looks, passed};
use crate::wire::record::RunRecord;
use crate::wire::watched::{Look, Machine};

/// Of one run. None is what the kernel or the server doesn't tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MachineUse {
    /// Soft interrupts, the network's work above all: a part of all processors' time.
    pub softirq: Option<f64>,
    /// Somebody waited for a CPU, a disk, memory: parts of the time.
    pub waited: Option<[f64; 3]>,
    /// What the server's own processes (WAL writer, checkpointer …) used, processors' worth of time.
    pub server: Option<f64>,
    /// WAL written, everybody's, bytes a second.
    pub wal: Option<f64>,
}

impl MachineUse {
    /// Of a run; none where it was looked at too seldom.
    pub fn of(run: &RunRecord) -> Option<Self> {
        let looks = looks(run, Window::of(run)?);
        if looks.len() < LEAST_LOOKS { None } else { between(&looks) }
    }
}

/// Between the first look and the last; none where no time passed.
fn between(looks: &[&Look]) -> Option<MachineUse> {
    let (first, last, machine) = (looks.first()?, looks.last()?, passed(looks)?);
    let seconds = last.accounted - first.accounted;
    let Machine { busy, softirq, iowait, stolen, idle, pressure } = machine;
    let all = busy + iowait + stolen + idle;
    (seconds > 0.0).then(|| MachineUse {
        softirq: (all > 0.0).then(|| softirq / all),
        waited: pressure.map(|waited| waited.map(|part| part / seconds)),
        // Where no backend has an account, the kernel keeps none, or nobody could read it.
        server: (last.on_cpu > 0.0).then(|| (last.server_on_cpu - first.server_on_cpu) / seconds),
        wal: (first.wal.bytes > 0.0).then(|| (last.wal.bytes - first.wal.bytes) / seconds),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scheme;
    use crate::wire::testing::record;
    use crate::wire::watched::{Observed, Wal};

    /// Ten looks a second, on a machine of two processors.
    fn look(number: u32) -> Look {
        let at = f64::from(number) / 10.0;
        Look {
            at,
            accounted: at,
            on_cpu: at,
            server_on_cpu: 0.25 * at,
            machine: Machine {
                busy: at,
                softirq: 0.125 * at,
                iowait: 0.25 * at,
                stolen: 0.25 * at,
                idle: 0.5 * at,
                pressure: Some([0.5 * at, 0.25 * at, 0.0]),
            },
            wal: Wal { bytes: 7.0 + 1_024.0 * at, ..Wal::default() },
            ..Look::default()
        }
    }

    fn of(looks: &[Look]) -> Option<MachineUse> {
        between(&looks.iter().collect::<Vec<_>>())
    }

    #[test]
    fn what_passed_between_looks_is_told_as_parts_of_processors_and_of_time() {
        let all = MachineUse {
            softirq: Some(0.0625),
            waited: Some([0.5, 0.25, 0.0]),
            server: Some(0.25),
            wal: Some(1_024.0),
        };
        assert_eq!(of(&[look(0), look(20), look(40)]), Some(all));
    }

    #[test]
    fn looks_between_which_no_time_passed_say_nothing() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[look(10)]), None);
        assert_eq!(of(&[look(10), look(10)]), None);
    }

    #[test]
    fn what_the_kernel_or_the_server_does_not_tell_is_none() {
        let outside = |number| Look { at: look(number).at, accounted: look(number).accounted, ..Look::default() };
        assert_eq!(of(&[outside(0), outside(40)]), Some(MachineUse::default()));
        let old = |number| {
            let mut look = look(number);
            look.machine.pressure = None;
            look
        };
        let seen = of(&[old(0), old(40)]).unwrap();
        assert!(seen.waited.is_none() && seen.softirq.is_some() && seen.server.is_some());
        assert_eq!(of(&[old(0), look(40)]).unwrap().waited, None, "nobody knows from when on");
    }

    #[test]
    fn only_the_window_in_which_every_worker_was_busy_counts_and_few_looks_say_nothing() {
        // It goes from 0.1 s to 8.9 s after the data phase began.
        let mut run = record(1, Scheme::Threads, 9_000.0);
        assert_eq!(MachineUse::of(&run), None, "nobody looked");
        let mut looks: Vec<Look> = (0..=120).map(look).collect();
        // Whatever happened before and after.
        looks[0].machine.softirq = -1_000.0;
        looks[120].machine.softirq = 1_000.0;
        run.conditions.observed = Some(Observed { data_began: Some(0.0), looks, ..Observed::default() });
        let seen = MachineUse::of(&run).unwrap();
        assert!(seen.softirq.is_some_and(|part| (part - 0.0625).abs() < 1e-9), "{seen:?}");
        run.conditions.observed.as_mut().unwrap().looks.truncate(LEAST_LOOKS);
        assert_eq!(MachineUse::of(&run), None, "the first of them is too early");
    }
}
