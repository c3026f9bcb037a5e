//! What an answer has to be: its lines, their order and numbers, its end, and what it never says. Pure.

use super::heard::{Heard, Told, result};
use crate::model::Phase;
use crate::wire::{DbUrl, Event, Interrupt, Job, Line, RunResult, SCHEMA};

/// Everything that is wrong with the answer to a job, a sentence each.
pub(super) fn answer(heard: &Heard, job: &Job, secrets: &[String]) -> Vec<String> {
    let (told, mut wrong) = heard.read();
    if heard.gives_away(secrets) {
        wrong.push("the database's password is in what it says: it must never be".into());
    }
    // One that had to be removed had no chance to end in order.
    if heard.overdue.is_some() || !wrong.is_empty() {
        return wrong;
    }
    let lines: Vec<&Line> = told.iter().map(|told| &told.line).collect();
    wrong.extend(numbers(&lines));
    wrong.extend(ends(&lines, heard));
    wrong.extend(order(&lines, job));
    if let Some(result) = result(&told) {
        wrong.extend(repeats(&lines, job, result));
    }
    wrong
}

/// A refusal with exit code 3 says nothing but that: the words that may precede it.
pub(super) fn only_refuses(told: &[Told]) -> bool {
    told.iter().all(|told| matches!(told.line.event, Event::Started { .. } | Event::Failed { .. }))
}

/// Schema, sequence and clock of the lines.
fn numbers(lines: &[&Line]) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(line) = lines.iter().find(|line| line.schema != SCHEMA) {
        wrong.push(format!("a line has schema {}: the contract's is {SCHEMA}", line.schema));
    }
    if let Some((expected, line)) = (0..).zip(lines).find(|(expected, line)| line.seq != *expected) {
        wrong.push(format!("`seq` is {} where {expected} comes: it counts 0, 1, 2 … without gaps", line.seq));
    }
    let falls = lines.windows(2).find(|pair| pair[1].at < pair[0].at);
    if let Some([one, next]) = falls {
        wrong.push(format!("`at` falls from {} to {}: its clock is monotonic", one.at, next.at));
    }
    if lines.iter().any(|line| !line.at.is_finite() || line.at < 0.0) {
        wrong.push("`at` is below 0: it counts seconds since the program began".into());
    }
    wrong
}

/// Exactly one last line, and the exit code that it says.
fn ends(lines: &[&Line], heard: &Heard) -> Vec<String> {
    let is_last = |line: &&&Line| matches!(line.event, Event::Finished { .. } | Event::Failed { .. });
    let lasts = lines.iter().filter(is_last).count();
    let Some(last) = lines.last().filter(|last| lasts == 1 && is_last(last)) else {
        let words = heard.last_words();
        let message = format!(
            "it ends with code {} after {lasts} `finished` or `failed` among {} lines: exactly one, the last; on \
             standard error: {words}",
            heard.code,
            lines.len()
        );
        return vec![message];
    };
    let wanted = match &last.event {
        Event::Finished { result } if result.interrupted == Some(Interrupt::Signal) => 130,
        Event::Failed { code, .. } => i64::from(*code),
        _ => 0,
    };
    let mut wrong = Vec::new();
    if heard.code != wanted {
        wrong.push(format!("its exit code is {}, what it says means {wanted}", heard.code));
    }
    if let Event::Failed { error, code } = &last.event {
        if error.trim().is_empty() || error.trim().contains('\n') {
            wrong.push("the error of `failed` is not one sentence".into());
        }
        if *code == 0 {
            wrong.push("`failed` says exit code 0, which is that of success".into());
        }
    }
    wrong
}

/// started, connected, the phases with what belongs into each.
fn order(lines: &[&Line], job: &Job) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut at = Position::default();
    let first = lines.first().map(|line| &line.event);
    if !matches!(first, Some(Event::Started { .. } | Event::Failed { .. }) | None) {
        wrong.push("the first line is not `started`".to_owned());
    }
    for (index, line) in lines.iter().enumerate() {
        let complaint = match &line.event {
            Event::Started { .. } => {
                let again = index > 0 && matches!(first, Some(Event::Started { .. }));
                again.then(|| "`started` comes twice".to_owned())
            }
            Event::Connected { connections, .. } => at.connected(*connections, job),
            Event::Ready { .. } => Some("`ready` is for jobs with `barrier` only".to_owned()),
            Event::Phase { phase } => at.begins(*phase, job),
            Event::Progress { phase, .. } => at.within("progress", *phase),
            Event::Second { phase, .. } => at.within("second", *phase),
            Event::QueueFilled { phase } => at.filled(*phase),
            Event::Measured { phase, .. } => at.measured(*phase),
            Event::Done { .. } => Some("`done` is for children of the ingester only".to_owned()),
            Event::Rows { .. } => Some("`rows` is for children of the ingester only".to_owned()),
            Event::ConnectionLost { .. } | Event::ConnectionBack { .. } => {
                (!job.retry).then(|| "it opened a connection again, which the job didn't ask for".to_owned())
            }
            Event::WorkerLost { error, .. } => Some(format!("it lost a worker: {error}")),
            Event::Finished { .. } | Event::Failed { .. } => None,
        };
        wrong.extend(complaint);
    }
    wrong
}

/// How far an answer has come.
#[derive(Debug, Default)]
struct Position {
    connected: bool,
    begun: Vec<Phase>,
    filled: Vec<Phase>,
    measured: Vec<Phase>,
}

impl Position {
    fn connected(&mut self, connections: usize, job: &Job) -> Option<String> {
        if std::mem::replace(&mut self.connected, true) || !self.begun.is_empty() {
            return Some("`connected` comes twice, or after a phase: it comes once, before".into());
        }
        (connections != job.pool)
            .then(|| format!("`connected` says {connections} connections, the job asks for {}", job.pool))
    }

    fn begins(&mut self, phase: Phase, job: &Job) -> Option<String> {
        let next = job.phases.get(self.begun.len()) == Some(&phase);
        self.begun.push(phase);
        match (next, self.connected) {
            (false, _) => Some(format!("phase {phase} begins out of turn: the job names each once, in order")),
            (true, false) if self.begun.len() == 1 => {
                Some(format!("phase {phase} begins before `connected`: all connections open first"))
            }
            (true, _) => None,
        }
    }

    fn within(&self, event: &str, phase: Phase) -> Option<String> {
        let is_current = self.begun.last() == Some(&phase) && !self.measured.contains(&phase);
        (!is_current).then(|| format!("`{event}` of phase {phase} comes outside that phase"))
    }

    fn filled(&mut self, phase: Phase) -> Option<String> {
        if self.filled.contains(&phase) {
            return Some(format!("`queue-filled` comes twice in phase {phase}"));
        }
        let outside = self.within("queue-filled", phase);
        if outside.is_none() {
            self.filled.push(phase);
        }
        outside
    }

    fn measured(&mut self, phase: Phase) -> Option<String> {
        if !self.begun.contains(&phase) || self.measured.contains(&phase) {
            return Some(format!(
                "`measured` of phase {phase} comes twice, or before it: once, when the phase is over"
            ));
        }
        self.measured.push(phase);
        None
    }
}

/// What a result says of the job, and whether it fits the lines before it.
fn repeats(lines: &[&Line], job: &Job, result: &RunResult) -> Vec<String> {
    let mut wrong = Vec::new();
    let asked = Job { dburl: DbUrl(job.dburl.to_string()), ..job.clone() };
    if result.job.dburl != asked.dburl {
        wrong.push("the result's `dburl` is not the job's without user, password and query".into());
    } else if result.job != asked {
        wrong.push("the result's `job` is not what was asked for: it has to be run again from it".into());
    }
    if result.schema != SCHEMA {
        wrong.push(format!("the result has schema {}: the contract's is {SCHEMA}", result.schema));
    }
    let begun = lines.iter().filter_map(|line| match line.event {
        Event::Phase { phase } => Some(phase),
        _ => None,
    });
    if !begun.eq(result.phases.iter().map(|phase| phase.phase)) {
        wrong.push("the result's `phases` are not those that began".into());
    } else if result.interrupted.is_none() && result.phases.len() != job.phases.len() {
        wrong.push("the result leaves out a phase that the job asks for".into());
    }
    if result.verification.is_some() {
        wrong.push("`verification` is not null: the lab verifies".into());
    }
    let programs = lines.iter().filter_map(|line| match &line.event {
        Event::Started { program } => Some(program),
        _ => None,
    });
    if programs.into_iter().any(|program| *program != result.program) {
        wrong.push("the result's `program` is not that of `started`".into());
    }
    if result.peak_memory == 0 {
        wrong.push("`peak_memory` is 0: it is the largest resident memory in bytes".into());
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::super::testing::{conversation, heard, job};
    use super::*;
    use crate::engine::Overdue;

    /// What is wrong with the good conversation after a change.
    fn changed(change: impl FnOnce(&mut Vec<Line>)) -> Vec<String> {
        let mut lines = conversation();
        change(&mut lines);
        answer(&heard(&lines), &job(), &["s3cret".into()])
    }

    /// The same, its lines numbered anew.
    fn rearranged(change: impl FnOnce(&mut Vec<Line>)) -> Vec<String> {
        changed(|lines| {
            change(lines);
            (0..).zip(lines.iter_mut()).for_each(|(seq, line)| line.seq = seq);
            let last = lines.iter().fold(0.0, |last, line| f64::max(last, line.at));
            lines.iter_mut().for_each(|line| line.at = last);
        })
    }

    fn in_result(change: impl FnOnce(&mut RunResult)) -> Vec<String> {
        changed(|lines| match &mut lines.last_mut().unwrap().event {
            Event::Finished { result } => change(result),
            _ => unreachable!("it finishes"),
        })
    }

    fn only(wrong: &[String], words: &str) {
        assert!(wrong.len() == 1 && wrong[0].contains(words), "{wrong:?}");
    }

    #[test]
    fn a_good_answer_has_nothing_wrong() {
        assert_eq!(changed(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn numbers_count_and_clocks_do_not_go_back() {
        only(&changed(|lines| lines[3].seq = 7), "`seq` is 7 where 3 comes");
        only(&changed(|lines| lines[2].at = 0.01), "`at` falls from 0.05 to 0.01");
        only(&changed(|lines| lines[0].at = -1.0), "below 0");
        only(&changed(|lines| lines[1].schema = 2), "schema 2");
    }

    #[test]
    fn an_answer_begins_with_started_and_ends_once() {
        only(&rearranged(|lines| drop(lines.remove(0))), "the first line is not `started`");
        only(&rearranged(|lines| lines.swap(0, 1)), "the first line is not `started`");
        only(&rearranged(|lines| lines.insert(1, lines[0].clone())), "`started` comes twice");
        let twice = rearranged(|lines| lines.push(lines[lines.len() - 1].clone()));
        only(&twice, "2 `finished` or `failed`");
        only(&changed(|lines| drop(lines.pop())), "after 0 `finished`");
        assert!(!answer(&Heard::default(), &job(), &[]).is_empty(), "silence is no answer");
    }

    #[test]
    fn every_event_has_its_place() {
        only(&rearranged(|lines| drop(lines.remove(1))), "begins before `connected`");
        only(&rearranged(|lines| lines.insert(2, lines[1].clone())), "`connected` comes twice");
        only(&changed(|lines| lines[1].event = Event::Connected { connections: 3, seconds: 0.1 }), "3 connections");
        let out_of_turn = rearranged(|lines| {
            let data = lines.iter().position(|line| line.event == Event::Phase { phase: Phase::Data }).unwrap();
            lines[data].event = Event::Phase { phase: Phase::Geo };
        });
        assert!(out_of_turn[0].contains("phase geo begins out of turn"), "{out_of_turn:?}");
        let early = Event::QueueFilled { phase: Phase::Data };
        only(&rearranged(|lines| lines[3].event = early.clone()), "`queue-filled` of phase data comes outside");
        let filled = |line: &Line| matches!(line.event, Event::QueueFilled { phase: Phase::Data });
        let twice = rearranged(|lines| {
            let at = lines.iter().position(filled).unwrap();
            lines.insert(at, lines[at].clone());
        });
        only(&twice, "`queue-filled` comes twice");
        let done = Event::Done { phase: Phase::Data, records: 1, rows: 1 };
        only(&rearranged(|lines| lines[3].event = done), "`done` is for children");
    }

    #[test]
    fn the_exit_code_is_what_was_said() {
        let with = |code, change: fn(&mut Vec<Line>)| {
            let mut lines = conversation();
            change(&mut lines);
            answer(&Heard { code, ..heard(&lines) }, &job(), &[])
        };
        only(&with(1, |_| {}), "its exit code is 1, what it says means 0");
        let fails: fn(&mut Vec<Line>) = |lines| {
            lines.truncate(2);
            lines[1].event = Event::Failed { error: "no data in /data".into(), code: 4 };
        };
        assert!(with(4, fails).is_empty());
        only(&with(0, fails), "its exit code is 0, what it says means 4");
    }

    #[test]
    fn a_result_repeats_the_job_and_fits_the_lines() {
        only(&in_result(|result| result.job.pool = 9), "not what was asked for");
        only(&in_result(|result| drop(result.phases.remove(0))), "`phases` are not those that began");
        only(&in_result(|result| result.program = "other".into()), "`program`");
        only(&in_result(|result| result.peak_memory = 0), "`peak_memory` is 0");
        only(&in_result(|result| result.interrupted = Some(Interrupt::Signal)), "what it says means 130");
        only(&in_result(|result| result.schema = 2), "the result has schema 2");
    }

    #[test]
    fn the_password_is_nowhere_and_never_repeated() {
        let wrong = in_result(|result| result.job.dburl = DbUrl("postgresql://ingest:s3cret@link:5432/ingest".into()));
        assert!(wrong[0].contains("password is in what it says") && !wrong.concat().contains("s3cret"), "{wrong:?}");
        let user = in_result(|result| result.job.dburl = DbUrl("postgresql://ingest@link:5432/ingest".into()));
        only(&user, "without user, password");
    }

    #[test]
    fn one_that_was_removed_is_not_blamed_for_its_missing_end() {
        let mut lines = conversation();
        lines.truncate(4);
        let heard = Heard { overdue: Some(Overdue::Unstoppable), code: -1, ..heard(&lines) };
        assert!(answer(&heard, &job(), &[]).is_empty());
    }
}
