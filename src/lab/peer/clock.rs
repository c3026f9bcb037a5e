//! Whether a program's clock and rates are what the lab saw by its own clock, and made of what was acknowledged. Pure.
//!
//! ```text
//! lab:   phase line ────────────── last progress line ── next phase's or last line
//! peer:  │◄───────── seconds ─────────►│◄─ ending, verifying, telling ─►│
//! ```

use super::heard::{Told, result};
use crate::model::{Commit, Phase};
use crate::wire::{Event, Job, PhaseResult, Rates, RunResult, Steady};

/// How much later than said a line may arrive, seconds: writer, engine and lab wait for a processor that all the
/// others want, too.
const LATE: f64 = 0.3;

/// How long a phase may take from its last acknowledgement to the `progress` line that ends it, seconds: workers tell
/// the one who writes, some of them from other processes …
const ENDING: f64 = 1.0;

/// … and a part of the phase, for clocks that run apart.
const APART: f64 = 0.02;

/// How far a rate may be from rows over seconds: rounding, and half a row at either end.
const ROUNDING: f64 = 0.01;

/// Shorter than this a part of a phase gives no rate, seconds.
const SHORTEST: f64 = 0.25;

/// A phase that goes on for so long, seconds, with so many records a worker, has a time when all are busy.
const LONG: (f64, u64) = (2.5, 8);

/// The part of a phase's rows that what is not measured of it may hold: a disk that stalls leaves most rows of a phase
/// to its first tenth of a second.
const UNMEASURED: f64 = 0.5;

/// What the kernel may count too much for a program's processors: a tick a thread.
const TICKS: f64 = 0.2;

/// Everything wrong with the clock and the rates of a finished run, a sentence each.
pub(super) fn clock(told: &[Told], job: &Job, processors: usize) -> Vec<String> {
    let Some(result) = result(told) else { return Vec::new() };
    let mut wrong = Vec::new();
    wrong.extend(late(told));
    for phase in &result.phases {
        let Some(seen) = Seen::of(told, phase.phase) else { continue };
        let mut found = progress(told, phase);
        found.extend(seen.duration(phase));
        // Of a time that cannot be nothing follows.
        if phase.seconds.is_finite() && phase.seconds >= 0.0 {
            found.extend(rates(phase, &seen, job));
        }
        wrong.extend(found.into_iter().map(|sentence| format!("phase {}: {sentence}", phase.phase)));
    }
    let invented = result.miscounted(job.workload).into_iter();
    wrong.extend(invented.map(|sentence| format!("it invents rows: {sentence}")));
    wrong.extend(cpu(told, result, processors));
    wrong
}

/// What is wrong with `at` beside the arrival: their difference is the same for each line, but for what a line was late.
pub(super) fn late(told: &[Told]) -> Option<String> {
    let apart = |told: &Told| told.arrived - told.line.at;
    let (first, last) = (told.first()?, told.last()?);
    let least = told.iter().map(apart).fold(f64::INFINITY, f64::min);
    let most = told.iter().map(apart).fold(f64::NEG_INFINITY, f64::max);
    let allowed = LATE + APART * (last.arrived - first.arrived);
    (most - least > allowed).then(|| {
        format!(
            "`at` and the lab's clock go apart by {:.2} s: it is the time when the line is written, which is at once",
            most - least
        )
    })
}

/// When the lines of a phase arrived.
#[derive(Debug)]
struct Seen {
    /// The `phase` line.
    began: f64,
    /// The next phase's line, or the last.
    over: f64,
    /// The last `progress` line.
    progress: Option<f64>,
    /// `queue-filled`.
    filled: Option<f64>,
}

impl Seen {
    fn of(told: &[Told], phase: Phase) -> Option<Self> {
        let begins = |told: &Told| told.line.event == Event::Phase { phase };
        let start = told.iter().position(begins)?;
        let after = &told[start + 1..];
        let next = |told: &&Told| matches!(told.line.event, Event::Phase { .. });
        let of_phase = |told: &&Told| matches!(told.line.event, Event::Progress { phase: of, .. } if of == phase);
        let filled = |told: &&Told| told.line.event == Event::QueueFilled { phase };
        let arrived = |told: &Told| told.arrived;
        Some(Self {
            began: told[start].arrived,
            over: after.iter().find(next).or(after.last()).map(arrived)?,
            progress: after.iter().rfind(of_phase).map(arrived),
            filled: after.iter().find(filled).map(arrived),
        })
    }

    /// The seconds said, beside those that went by.
    fn duration(&self, phase: &PhaseResult) -> Option<String> {
        let (said, passed) = (phase.seconds, self.over - self.began);
        if !said.is_finite() || said < 0.0 || said > passed * (1.0 + APART) + LATE {
            return Some(format!("it says {said:.2} s, {passed:.2} s went by until the next phase's or the last line"));
        }
        let until = self.progress? - self.began;
        (said < until * (1.0 - APART) - ENDING).then(|| {
            format!("it says {said:.2} s, {until:.2} s went by until the `progress` line that ends it: a phase lasts to its last acknowledgement")
        })
    }
}

/// `progress` counts up to what the result says.
fn progress(told: &[Told], phase: &PhaseResult) -> Vec<String> {
    let counts: Vec<(u64, u64)> = told
        .iter()
        .filter_map(|told| match told.line.event {
            Event::Progress { phase: of, records, rows, .. } if of == phase.phase => Some((records, rows)),
            _ => None,
        })
        .collect();
    let mut wrong = Vec::new();
    if counts.windows(2).any(|pair| pair[1].0 < pair[0].0 || pair[1].1 < pair[0].1) {
        wrong.push("`progress` falls: it counts what was acknowledged so far".into());
    }
    let all = (phase.records, phase.rows);
    match counts.last() {
        None => wrong.push("no `progress` line: one comes at a phase's end".into()),
        Some(last) if *last != all => wrong.push(format!(
            "its last `progress` says {} records and {} rows, the result {} and {}",
            last.0, last.1, all.0, all.1
        )),
        Some(_) => {}
    }
    wrong
}

/// Rates that follow from rows and seconds.
fn rates(phase: &PhaseResult, seen: &Seen, job: &Job) -> Vec<String> {
    let PhaseResult { rows, seconds, rates, .. } = phase;
    let (rows, seconds) = (*rows as f64, *seconds);
    let long_enough = seconds >= SHORTEST && rows > 0.0;
    let mut wrong = Vec::new();
    match rates.whole {
        None if long_enough => wrong.push("`whole` is null: there was time to measure it".to_owned()),
        Some(whole) if !near(whole * seconds, rows) => wrong.push(format!(
            "it invents a rate: `whole` is {whole:.0}, and {rows:.0} rows in {seconds:.2} s are {:.0}",
            rows / seconds
        )),
        _ => {}
    }
    wrong.extend(parts(rates, rows, seconds, seen.filled.map(|filled| filled - seen.began)));
    let busy = phase.records >= LONG.1 * job.pool as u64 && seconds >= LONG.0 && job.commit != Commit::Chunk;
    match rates.steady {
        Some(steady) => wrong.extend(self::steady(steady, rows, seconds, job.commit == Commit::Auto)),
        None if busy && phase.phase == Phase::Data => {
            wrong.push(format!("`steady` is null, though every worker was busy in these {seconds:.1} s"));
        }
        None => {}
    }
    wrong
}

/// While the reader filled the queue, and afterwards: each rate times its time is rows, together all of them. When the
/// queue was full is known as exactly as its line arrived.
fn parts(rates: &Rates, rows: f64, seconds: f64, filled: Option<f64>) -> Option<String> {
    let at = |late: f64| filled.map_or(seconds, |filled| (filled + late).clamp(0.0, seconds));
    let (early, late) = (at(-LATE), at(LATE));
    let (filling, after) = (rates.while_filling, rates.after);
    let least = filling.unwrap_or(0.0) * early + after.unwrap_or(0.0) * (seconds - late);
    // A part that was too short for a rate has rows all the same.
    let most = match (filling, after) {
        (Some(filling), Some(after)) => filling * late + after * (seconds - early),
        (Some(rate), None) | (None, Some(rate)) if seconds >= LONG.0 => rate * seconds + UNMEASURED * rows,
        _ => f64::INFINITY,
    };
    let fits = least <= rows * (1.0 + ROUNDING) + 1.0 && rows <= most * (1.0 + ROUNDING) + 1.0;
    let real = [filling, after].into_iter().flatten().all(|rate| rate.is_finite() && rate >= 0.0);
    (!fits || !real).then(|| {
        let shown = |rate: Option<f64>| rate.map_or("null".into(), |rate| format!("{rate:.0}"));
        format!(
            "it invents a rate: `while_filling` {} and `after` {} don't make {rows:.0} rows in {seconds:.2} s",
            shown(filling),
            shown(after)
        )
    })
}

/// The window with every worker busy lies in the phase, and its rows are no more than there are. Where it is most of
/// the phase, and each row is acknowledged by itself, its rate is not far below the whole.
fn steady(steady: Steady, rows: f64, seconds: f64, by_row: bool) -> Option<String> {
    let Steady { rate, from, to } = steady;
    let window = to - from;
    if !(from >= 0.0 && window > 0.0 && to <= seconds + ROUNDING) {
        return Some(format!("`steady` is from {from:.2} to {to:.2} s of a phase of {seconds:.2} s"));
    }
    let inside = rate * window;
    let too_many = !(rate > 0.0 && inside <= rows * (1.0 + ROUNDING));
    let too_few = by_row && window > UNMEASURED * seconds && rate < UNMEASURED * rows / seconds;
    (too_many || too_few).then(|| {
        format!("it invents a rate: `steady` of {rate:.0} makes {inside:.0} rows in {window:.2} s, of {rows:.0} in {seconds:.2} s")
    })
}

/// Processor time: some, and no more than so many processors have.
fn cpu(told: &[Told], result: &RunResult, processors: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    let most = |seconds: f64| processors as f64 * seconds * (1.0 + APART) + TICKS;
    let ran = told.last().map_or(0.0, |last| last.arrived);
    let used = result.cpu.total();
    if !(used > 0.0 && used <= most(ran)) {
        wrong.push(format!("`cpu` of the run is {used:.2} s in {ran:.2} s on {processors} processors"));
    }
    for phase in &result.phases {
        let used = phase.cpu.total();
        let least = if phase.seconds >= 1.0 { f64::MIN_POSITIVE } else { 0.0 };
        let passed = Seen::of(told, phase.phase).map_or(ran, |seen| seen.over - seen.began);
        if !(used >= least && used <= most(passed + LATE)) {
            wrong.push(format!("`cpu` of phase {} is {used:.2} s in {:.2} s", phase.phase, phase.seconds));
        }
    }
    wrong
}

fn near(found: f64, wanted: f64) -> bool {
    (found - wanted).abs() <= ROUNDING * wanted
}

#[cfg(test)]
mod tests {
    use super::super::testing::{conversation, heard, job};
    use super::*;
    use crate::wire::Line;

    fn wrong(lines: &[Line], change: impl FnOnce(&mut Vec<Told>)) -> Vec<String> {
        let (mut told, unread) = heard(lines).read();
        assert!(unread.is_empty(), "{unread:?}");
        change(&mut told);
        clock(&told, &job(), 2)
    }

    /// What is wrong with the good conversation after its data phase's result was changed.
    fn with(change: impl FnOnce(&mut PhaseResult)) -> Vec<String> {
        let mut lines = conversation();
        match &mut lines.last_mut().unwrap().event {
            Event::Finished { result } => change(&mut result.phases[1]),
            _ => unreachable!("it finishes"),
        }
        wrong(&lines, |_| {})
    }

    fn only(wrong: &[String], words: &str) {
        assert!(wrong.len() == 1 && wrong[0].contains(words), "{wrong:?}");
    }

    #[test]
    fn a_good_run_has_nothing_wrong() {
        assert_eq!(with(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn a_clock_that_runs_otherwise_is_told() {
        let slow = wrong(&conversation(), |told| told.iter_mut().for_each(|told| told.line.at *= 0.5));
        only(&slow, "`at` and the lab's clock go apart by");
        let held_back = wrong(&conversation(), |told| told[4].arrived += 1.0);
        assert!(held_back[0].contains("go apart by 1.00 s"), "{held_back:?}");
    }

    #[test]
    fn seconds_are_no_more_and_hardly_less_than_went_by() {
        let longer = with(|data| {
            data.seconds *= 1.5;
            data.rates = Rates { whole: Some(data.rows as f64 / data.seconds), ..Rates::default() };
        });
        assert!(longer[0].contains("it says 6.00 s, 4.20 s went by until the next"), "{longer:?}");
        let shorter = with(|data| {
            data.seconds = 2.0;
            data.rates = Rates { whole: Some(data.rows as f64 / 2.0), ..Rates::default() };
        });
        only(&shorter, "it says 2.00 s, 4.00 s went by until the `progress`");
        assert!(with(|data| data.seconds = -1.0)[0].contains("it says -1.00 s"));
    }

    #[test]
    fn a_rate_that_does_not_follow_is_invented() {
        only(
            &with(|data| data.rates.whole = Some(3_400.0)),
            "it invents a rate: `whole` is 3400, and 13320 rows in 4.00 s are 3330",
        );
        only(&with(|data| data.rates.whole = None), "`whole` is null");
        only(&with(|data| data.rates.while_filling = Some(9_000.0)), "it invents a rate: `while_filling` 9000");
        only(&with(|data| data.rates.after = Some(100.0)), "`after` 100");
        only(&with(|data| data.rates.after = Some(-1.0)), "invents a rate");
        let steady = |rate, from, to| with(|data| data.rates.steady = Some(Steady { rate, from, to }));
        only(&steady(6_000.0, 0.5, 3.5), "it invents a rate: `steady` of 6000");
        only(&steady(500.0, 0.5, 3.5), "`steady` of 500");
        only(&steady(-1.0, 0.5, 3.5), "`steady` of -1");
        only(&steady(3_000.0, 3.5, 0.5), "`steady` is from 3.50 to 0.50");
        only(&steady(3_000.0, 0.5, 4.5), "of a phase of 4.00 s");
        assert!(steady(3_400.0, 0.2, 3.8).is_empty());
        only(&with(|data| data.rates.steady = None), "`steady` is null");
    }

    #[test]
    fn rows_that_nobody_confirmed_are_invented_however_well_they_fit_the_rates() {
        let mut lines = conversation();
        for line in &mut lines {
            match &mut line.event {
                Event::Progress { records, rows, .. } => (*records, *rows) = (*records * 2, *rows * 2),
                Event::Finished { result } => result.phases.iter_mut().for_each(|phase| {
                    (phase.records, phase.rows) = (phase.records * 2, phase.rows * 2);
                    let Rates { whole, while_filling, after, steady } = &mut phase.rates;
                    [whole, while_filling, after].into_iter().flatten().for_each(|rate| *rate *= 2.0);
                    steady.iter_mut().for_each(|steady| steady.rate *= 2.0);
                }),
                _ => {}
            }
        }
        let told = wrong(&lines, |_| {});
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("it invents rows: phase geo counts 120 records and 120 rows, acknowledged are 60"));
        assert!(told[1].ends_with("phase data counts 120 records and 26640 rows, acknowledged are 60 and 13320"));
    }

    #[test]
    fn progress_counts_up_to_the_end() {
        let more = with(|data| data.records += 1);
        assert!(more.len() == 2 && more[0].contains("its last `progress` says 60 records"), "{more:?}");
        let mut lines = conversation();
        let is_progress = |line: &Line| matches!(line.event, Event::Progress { phase: Phase::Data, .. });
        let first = lines.iter().position(is_progress).unwrap();
        let last = lines.iter().rposition(is_progress).unwrap();
        if let Event::Progress { rows, .. } = &mut lines[first].event {
            *rows = 20_000;
        }
        only(&wrong(&lines, |_| {}), "`progress` falls");
        lines.remove(last);
        lines.remove(first);
        (0..).zip(&mut lines).for_each(|(seq, line)| line.seq = seq);
        only(&wrong(&lines, |_| {}), "no `progress` line");
    }

    #[test]
    fn processor_time_is_some_and_no_more_than_there_is() {
        only(&with(|data| data.cpu.user = 20.0), "`cpu` of phase data is 20");
        only(&with(|data| data.cpu = Default::default()), "`cpu` of phase data is 0.00");
        let mut lines = conversation();
        if let Event::Finished { result } = &mut lines.last_mut().unwrap().event {
            result.cpu.user = 0.0;
            result.cpu.system = 0.0;
        }
        only(&wrong(&lines, |_| {}), "`cpu` of the run is 0.00 s");
    }
}
