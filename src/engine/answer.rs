//! What an ingester answers, put together: its lines as they come, its last words, how it ended.

use super::ingester::{GRACE, Left, Overdue, SILENCE};
use super::listen::{Hearer, Said};
use super::stack::indent;
use crate::wire::exit::{Exit, Failure};
use crate::wire::reader::{BadLine, LineReader};
use crate::wire::{Event, Line, RunResult};
use anyhow::Result;
use std::collections::VecDeque;

/// Lines of an ingester's standard error that an error quotes.
const COMPLAINTS: usize = 20;

/// Bytes of such a line that are kept: more than fits a screen, and little where a program never ends its line.
const LONGEST_COMPLAINT: usize = 2_000;

/// How an ingester ended.
#[derive(Debug, Clone, Default)]
pub struct Ended {
    /// Its exit code.
    pub code: i64,
    /// Its result, if it gave one.
    pub result: Option<Box<RunResult>>,
    /// The error it reported, if it did.
    pub failed: Option<String>,
    /// The last lines of its standard error.
    pub complaints: String,
    /// Whether the kernel ended it for want of memory.
    pub out_of_memory: bool,
}

impl Ended {
    /// The result, or why there is none: a sentence and the exit code it leads to.
    pub fn result(self) -> Result<Box<RunResult>, Failure> {
        let exit = u8::try_from(self.code).map_or(Exit::Failure, Exit::of);
        let said = if self.complaints.is_empty() {
            String::new()
        } else {
            format!("; its last words:\n{}", indent(&self.complaints))
        };
        match (self.result, self.failed) {
            (_, Some(error)) => Err(Failure::new(exit, error)),
            (Some(result), None) if self.code == 0 || exit == Exit::Interrupted => Ok(result),
            (Some(_), None) => {
                Err(Failure::new(exit, format!("the ingester gave a result, yet ended with code {}{said}", self.code)))
            }
            (None, None) if self.out_of_memory => Err(Failure::new(
                Exit::Failure,
                "the ingester ran out of memory: give the engine more, or use a smaller pool",
            )),
            (None, None) => Err(Failure::new(
                exit,
                format!("the ingester ended with code {} and without a result{said}", self.code),
            )),
        }
    }
}

/// An answer that is still coming.
pub(super) struct Answer<'a> {
    lines: LineReader,
    complaints: Complaints,
    ended: Ended,
    /// Gets every line as it comes.
    heard: &'a mut (dyn FnMut(&Line) + 'a),
}

impl<'a> Answer<'a> {
    pub(super) fn new(heard: &'a mut (dyn FnMut(&Line) + 'a)) -> Self {
        let (lines, complaints) = (LineReader::default(), Complaints::default());
        Self { lines, complaints, ended: Ended::default(), heard }
    }

    /// All of it, once its container has left.
    pub(super) fn end(mut self, left: &Left) -> Result<Ended> {
        if let Some(overdue) = left.overdue {
            return Err(self.overdue(overdue));
        }
        if !self.is_whole() {
            self.lines.end().map_err(|bad| self.unreadable(&bad))?;
        }
        self.ended.complaints = self.complaints.text();
        self.ended.code = left.code;
        self.ended.out_of_memory = left.out_of_memory;
        Ok(self.ended)
    }

    fn unreadable(&self, bad: &BadLine) -> anyhow::Error {
        let text = self.complaints.text();
        let said = if text.is_empty() { String::new() } else { format!("\n{}", indent(&text)) };
        Failure::new(Exit::Failure, format!("the ingester's answer cannot be read: {bad}{said}")).into()
    }

    fn overdue(&self, overdue: Overdue) -> anyhow::Error {
        let text = self.complaints.text();
        let said = if text.is_empty() { String::new() } else { format!("; its last words:\n{}", indent(&text)) };
        let (what, limit) = match overdue {
            Overdue::Unstoppable => ("did not end", GRACE),
            Overdue::Silent => ("said nothing", SILENCE),
        };
        let message = format!("the ingester {what} within {} s and was removed{said}", limit.as_secs());
        Failure::new(Exit::Failure, message).into()
    }
}

/// An answer that has come already, piece by piece.
pub(crate) fn answered<'p>(pieces: impl Iterator<Item = Said<'p>>, left: &Left) -> Result<Ended> {
    let mut heard = |_: &Line| {};
    let mut answer = Answer::new(&mut heard);
    for piece in pieces {
        answer.take(piece)?;
    }
    answer.end(left)
}

impl Hearer for Answer<'_> {
    fn take(&mut self, said: Said<'_>) -> Result<()> {
        match said {
            Said::Err(bytes) => self.complaints.push(bytes),
            Said::Again => {
                self.lines.again();
                self.complaints = Complaints::default();
            }
            Said::Out(bytes) => {
                for line in self.lines.push(bytes).map_err(|bad| self.unreadable(&bad))? {
                    (self.heard)(&line);
                    match line.event {
                        Event::Finished { result } => self.ended.result = Some(result),
                        Event::Failed { error, .. } => self.ended.failed = Some(error),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.ended.result.is_some() || self.ended.failed.is_some()
    }
}

/// The last lines of standard error.
#[derive(Debug, Default)]
struct Complaints {
    lines: VecDeque<String>,
    /// The line that is being said, as far as it is kept.
    pending: Vec<u8>,
}

impl Complaints {
    fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let room = LONGEST_COMPLAINT.saturating_sub(self.pending.len());
            self.pending.extend_from_slice(&text[..text.len().min(room)]);
            if text.len() < piece.len() {
                let line = std::mem::take(&mut self.pending);
                self.lines.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
                if self.lines.len() > COMPLAINTS {
                    self.lines.pop_front();
                }
            }
        }
    }

    fn text(&self) -> String {
        let last = String::from_utf8_lossy(&self.pending);
        let lines = self.lines.iter().map(String::as_str).chain((!last.is_empty()).then_some(last.as_ref()));
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ingester_that_dies_without_a_word_is_quoted_from_its_standard_error() {
        let mut complaints = Complaints::default();
        (0..50).for_each(|line| complaints.push(format!("line {line}\n").as_bytes()));
        let ended = Ended { code: 101, complaints: complaints.text(), ..Default::default() };
        let error = ended.result().unwrap_err();
        assert_eq!(error.exit, Exit::Failure);
        assert!(error.message.contains("code 101") && error.message.ends_with("  line 49"), "{}", error.message);
        assert!(!error.message.contains("line 29\n"), "{}", error.message);
    }

    #[test]
    fn what_never_ends_or_is_no_text_is_quoted_in_part() {
        let mut complaints = Complaints::default();
        (0..1_000).for_each(|_| complaints.push(&[b'x'; 1_000]));
        complaints.push("\nCa".as_bytes());
        // A letter of two bytes that come apart, and one that none begins with.
        complaints.push(b"\xc3");
        complaints.push(b"\xb1a \xff\n");
        assert_eq!(complaints.text(), format!("{}\nCaña \u{fffd}", "x".repeat(LONGEST_COMPLAINT)));
    }

    #[test]
    fn an_ingester_s_own_error_and_code_are_passed_on() {
        let ended = Ended { code: 3, failed: Some("copy is not for processes".into()), ..Default::default() };
        let error = ended.result().unwrap_err();
        assert_eq!((error.exit, error.message.as_str()), (Exit::NotSupported, "copy is not for processes"));
    }

    #[test]
    fn an_answer_whose_stream_breaks_is_heard_once() {
        let event = |seq, event: &str| format!("{{\"schema\":1,\"seq\":{seq},\"at\":0.5,{event}}}\n");
        let said = event(0, r#""event":"started","program":"p""#)
            + &event(1, r#""event":"failed","error":"none left","code":5"#);
        for cut in 0..=said.len() {
            let mut seqs = Vec::new();
            let mut heard = |line: &Line| seqs.push(line.seq);
            let mut answer = Answer::new(&mut heard);
            for said in [Said::Err(b"a\nb"), Said::Out(&said.as_bytes()[..cut]), Said::Again] {
                answer.take(said).unwrap();
            }
            for said in [Said::Out(said.as_bytes()), Said::Err(b"a\nb\nc")] {
                answer.take(said).unwrap();
            }
            assert!(answer.is_whole());
            let ended = answer.end(&Left { code: 5, ..Default::default() }).unwrap();
            assert_eq!((ended.failed.as_deref(), ended.complaints.as_str()), (Some("none left"), "a\nb\nc"));
            assert_eq!(seqs, [0, 1], "cut at {cut}");
        }
    }

    #[test]
    fn one_that_had_to_be_removed_says_what_it_did_not_do() {
        let mut heard = |_: &Line| {};
        let mut answer = Answer::new(&mut heard);
        answer.take(Said::Err(b"still at it\n")).unwrap();
        let error = answer.end(&Left { overdue: Some(Overdue::Unstoppable), ..Default::default() }).unwrap_err();
        let said = "the ingester did not end within 30 s and was removed; its last words:\n  still at it";
        assert_eq!(error.to_string(), said);
    }
}
