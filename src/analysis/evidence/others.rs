//! What others take of the processors that a side has to itself: the link, the kernel's work for the network, the engine,
//! the machine underneath. Pure.

use crate::wire::watched::Look;
use std::collections::BTreeSet;

/// As much of a side's processors is taken by what belongs to its own ingest. More is somebody else's load: a side that uses
/// up what that leaves is not what bounds the run.
const MOST: f64 = 0.15;

/// Processors' worth of time that others took of these while a side used so much of them, and the machine underneath took
/// this part of all; none where nobody looked at each processor.
pub(super) fn taken(looks: &[&Look], processors: &BTreeSet<usize>, used: f64, stolen: f64) -> Option<f64> {
    let (first, last) = (looks.first()?, looks.last()?);
    let seconds = last.accounted - first.accounted;
    if seconds <= 0.0 {
        return None;
    }
    let busy_of = |processor: &usize| {
        let idle = last.idle.get(*processor)? - first.idle.get(*processor)?;
        Some((1.0 - idle / seconds).clamp(0.0, 1.0))
    };
    let busy: f64 = processors.iter().map(busy_of).sum::<Option<f64>>()?;
    Some((busy - used).clamp(0.0, (MOST + stolen) * processors.len() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(idle: [f64; 2], processors: &[usize], used: f64) -> Option<f64> {
        let look = |seconds: f64| Look {
            accounted: 7.0 + seconds,
            idle: idle.map(|part| 100.0 + part * seconds).to_vec(),
            ..Look::default()
        };
        let (first, last) = (look(0.0), look(8.0));
        taken(&[&first, &last], &processors.iter().copied().collect(), used, 0.02)
    }

    #[test]
    fn what_is_busy_beside_a_side_s_own_use_was_taken_by_others_up_to_what_belongs_to_an_ingest() {
        let near = |taken: Option<f64>, expected: f64| taken.is_some_and(|taken| (taken - expected).abs() < 1e-9);
        assert!(near(of([0.0, 0.5], &[0], 0.92), 0.08));
        assert!(near(of([0.0, 0.5], &[0, 1], 1.4), 0.1));
        assert!(near(of([0.5, 0.0], &[0], 0.6), 0.0), "readings of two clocks may differ a little");
        assert!(near(of([0.0, 0.0], &[0], 0.4), 0.17), "somebody else's load");
        assert_eq!(of([0.0, 0.5], &[0, 2], 0.9), None, "nobody looked at the third");
        assert_eq!(taken(&[], &BTreeSet::from([0]), 0.9, 0.0), None);
        let look = Look::default();
        assert_eq!(taken(&[&look, &look], &BTreeSet::from([0]), 0.9, 0.0), None, "no time passed");
    }
}
