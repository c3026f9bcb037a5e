//! Whether a run ended as it had to: by itself, after a signal, after its seconds, or refusing. Pure.

use super::answer::only_refuses;
use super::heard::{Heard, Told, error, result};
use crate::engine::{GRACE, Overdue};
use crate::model::Phase;
use crate::wire::{Event, Interrupt, RunResult};

/// How long finishing what was begun may take, seconds: a record of two hundred rows, and the program's own end. A queue
/// of a thousand records takes several times as long, row by row.
const FINISHING: f64 = 5.0;

/// How much earlier than asked a phase may take its last line, seconds: a line that it didn't begin any more.
const EARLY: f64 = 0.3;

/// The result of a run that was to end well, or why there is none.
pub(super) fn finished<'a>(heard: &Heard, told: &'a [Told]) -> Result<&'a RunResult, String> {
    match (heard.overdue, heard.asked) {
        (Some(Overdue::Silent), _) => return Err("it said nothing for minutes and was removed".into()),
        (Some(Overdue::Unstoppable), Some(asked)) => {
            return Err(format!(
                "it ignores a stop: {} s after SIGTERM (which came after {asked:.0} s) it was still there and was \
                 removed; a run takes no other record then, finishes those begun and ends with code 130",
                GRACE.as_secs()
            ));
        }
        _ => {}
    }
    result(told).ok_or_else(|| {
        let why = error(told).unwrap_or_else(|| heard.last_words());
        format!("there is no result; exit code {}: {why}", heard.code)
    })
}

/// A run of so many lines that was sent SIGTERM.
pub(super) fn stopped(heard: &Heard, told: &[Told], lines: u64) -> Vec<String> {
    let result = match finished(heard, told) {
        Ok(result) => result,
        Err(sentence) => return vec![sentence],
    };
    let Some(asked) = heard.asked else {
        return Vec::new(); // all was done before anybody could ask
    };
    if result.acknowledged.lines >= lines {
        return vec![format!(
            "it ignores a stop: after SIGTERM it went on to the last of {lines} lines; it takes no other record then"
        )];
    }
    let mut wrong = Vec::new();
    let took = heard.ended - asked;
    if took > FINISHING {
        wrong.push(format!(
            "it goes on after a stop: it ended {took:.1} s after SIGTERM; it finishes the records begun, and takes no \
             other, of its queue neither"
        ));
    }
    if heard.code != 130 {
        wrong.push(format!("after SIGTERM its exit code is {}: 130 after an orderly end", heard.code));
    }
    if result.interrupted != Some(Interrupt::Signal) {
        wrong.push("after SIGTERM the result's `interrupted` is not \"signal\"".into());
    }
    wrong
}

/// A run of so many lines that was to take no new line after so many seconds.
pub(super) fn timed(heard: &Heard, told: &[Told], lines: u64, seconds: f64) -> Vec<String> {
    let result = match finished(heard, told) {
        Ok(result) => result,
        Err(sentence) => return vec![sentence],
    };
    let mut wrong = Vec::new();
    if heard.code != 0 || result.interrupted.is_some() {
        let null = if result.interrupted.is_some() { "not null" } else { "null" };
        wrong.push(format!("its exit code is {} and `interrupted` {null}: that end is 0, and null", heard.code));
    }
    let began = told.iter().find(|told| told.line.event == Event::Phase { phase: Phase::Data });
    let took = began.map_or(0.0, |began| heard.ended - began.arrived);
    if took > seconds + FINISHING {
        wrong.push(format!("it went on for {took:.1} s: it finishes the records begun, and takes no other"));
    }
    let said = result.phase(Phase::Data).map_or(0.0, |data| data.seconds);
    if result.acknowledged.lines < lines && said < seconds - EARLY {
        wrong.push(format!("its data phase ended after {said:.2} s, with lines left"));
    }
    wrong
}

/// A job that had to be refused with an exit code.
pub(super) fn refused(heard: &Heard, told: &[Told], code: i64) -> Vec<String> {
    if heard.overdue.is_some() || heard.asked.is_some() {
        return vec![format!("it goes on, where exit code {code} refuses the job")];
    }
    let mut wrong = Vec::new();
    if heard.code != code {
        let said = error(told).unwrap_or_else(|| heard.last_words());
        wrong.push(format!("its exit code is {}, where {code} refuses the job: {said}", heard.code));
    }
    if !only_refuses(told) || error(told).is_none() {
        wrong.push("it says something else than `started` and one `failed`".into());
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::super::testing::{conversation, heard};
    use super::*;
    use crate::wire::Line;

    /// The good conversation, interrupted in order.
    fn interrupted(change: impl FnOnce(&mut RunResult)) -> (Heard, Vec<Told>) {
        let mut lines = conversation();
        if let Event::Finished { result } = &mut lines.last_mut().unwrap().event {
            result.interrupted = Some(Interrupt::Signal);
            change(result);
        }
        let heard = Heard { code: 130, asked: Some(1.6), ..heard(&lines) };
        let told = heard.read().0;
        (heard, told)
    }

    fn only(wrong: &[String], words: &str) {
        assert!(wrong.len() == 1 && wrong[0].contains(words), "{wrong:?}");
    }

    #[test]
    fn a_stop_is_followed_in_order() {
        let (heard, told) = interrupted(|_| {});
        assert!(stopped(&heard, &told, 2_000).is_empty());
        only(&stopped(&heard, &told, 60), "it ignores a stop: after SIGTERM it went on to the last of 60 lines");
        only(&stopped(&Heard { code: 0, ..heard.clone() }, &told, 2_000), "its exit code is 0");
        only(&stopped(&Heard { code: 143, ..heard.clone() }, &told[..4], 2_000), "no result; exit code 143");
        let drained = Heard { ended: 9.7, ..heard.clone() };
        only(&stopped(&drained, &told, 2_000), "it goes on after a stop: it ended 8.1 s after SIGTERM");
        let removed = Heard { overdue: Some(Overdue::Unstoppable), code: -1, ..heard };
        only(&stopped(&removed, &told[..4], 2_000), "it ignores a stop: 30 s after SIGTERM (which came after 2 s)");
        let (heard, told) = interrupted(|result| result.interrupted = None);
        only(&stopped(&heard, &told, 2_000), "`interrupted` is not \"signal\"");
        assert!(stopped(&Heard { asked: None, ..heard }, &told, 2_000).is_empty(), "done before it was asked");
    }

    #[test]
    fn seconds_end_a_run_in_good_time() {
        let ended = |change: fn(&mut RunResult), code: i64, seconds: f64| {
            let (heard, told) = interrupted(change);
            timed(&Heard { code, asked: None, ..heard }, &told, 2_000, seconds)
        };
        let well: fn(&mut RunResult) = |result| result.interrupted = None;
        assert!(ended(well, 0, 4.0).is_empty());
        only(&ended(|_| {}, 130, 4.0), "that end is 0, and null");
        only(&ended(well, 0, 9.0), "ended after 4.00 s, with lines left");
        let (heard, told) = interrupted(well);
        only(&timed(&Heard { code: 0, ended: 9.0, ..heard }, &told, 2_000, 1.5), "it went on for 8.");
    }

    #[test]
    fn a_refusal_is_one_sentence_and_its_code() {
        let refusal = |lines: &[Line], code| {
            let heard = Heard { code, complaints: "Traceback\n  oh\n".into(), ..heard(lines) };
            let told = heard.read().0;
            refused(&heard, &told, 2)
        };
        let mut lines = conversation();
        lines.truncate(2);
        lines[1].event = Event::Failed { error: "turbo is no field of a job".into(), code: 2 };
        assert!(refusal(&lines, 2).is_empty());
        only(&refusal(&lines, 1), "its exit code is 1, where 2 refuses the job: turbo is no field");
        assert!(refusal(&lines[1..], 2).is_empty());
        only(&refusal(&lines[..1], 2), "one `failed`");
        let ran = refusal(&conversation(), 0);
        assert!(ran.len() == 2 && ran[0].contains("exit code is 0") && ran[0].ends_with(": oh"), "{ran:?}");
        only(&refused(&Heard { asked: Some(120.0), ..Default::default() }, &[], 2), "it goes on");
    }
}
