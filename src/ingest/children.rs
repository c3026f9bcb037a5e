//! What children of `processes` told in their results, added to what their parent measured.

use super::worker::Child;
use crate::telemetry;
use crate::wire::PhaseResult;
use std::time::Instant;

/// Adds processor time and metrics of each phase. `windows`: when each phase began and when its last worker was through.
/// Durations stay `in_full` where somebody else adds them up.
pub fn account(phases: &mut [PhaseResult], windows: &[(Instant, Instant)], children: &[Child], in_full: bool) {
    if children.is_empty() {
        return;
    }
    for (index, (phase, (begun, ended))) in phases.iter_mut().zip(windows).enumerate() {
        for child in children {
            if let Some(told) = child.result.phases.get(index) {
                phase.cpu = phase.cpu.plus(told.cpu);
            }
        }
        if let Some(metrics) = &mut phase.metrics {
            let measured = children.iter().filter_map(|child| of(child, index, *begun)).collect::<Vec<_>>();
            telemetry::with_children(metrics, &measured, ended.duration_since(*begun).as_secs_f64(), in_full);
        }
    }
}

/// There are no children: the figures stand, the durations in full are not needed.
pub fn none(phase: &mut PhaseResult) {
    if let Some(metrics) = &mut phase.metrics {
        metrics.histograms.clear();
    }
}

fn of(child: &Child, phase: usize, begun: Instant) -> Option<telemetry::Child> {
    let seconds = |at: Instant| at.saturating_duration_since(begun).as_secs_f64();
    let metrics = child.result.phases.get(phase)?.metrics.as_deref()?.clone();
    let busy = child.busy.get(phase).copied().flatten().map(|(from, to)| (seconds(from), seconds(to)));
    Some(telemetry::Child { worker: child.worker, busy, metrics })
}
