//! Everything an image said and did in one run, and when, by the lab's clock.

use crate::engine::{Hearer, Left, Overdue, Said};
use crate::model::Phase;
use crate::wire::reader::LONGEST_LINE;
use crate::wire::{Event, Line, RunResult};
use anyhow::Result;
use std::time::Instant;
use tokio::sync::watch;

/// What is kept of a run's output, bytes. A result with everything measured is under two megabytes.
const MOST: usize = 64 << 20;

/// Sentences about lines that are no events: more would say nothing new.
const MOST_WRONG: usize = 100;

/// How much of a line that is no event is shown.
const SHOWN: usize = 120;

/// A line of standard output.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::lab) struct Spoken {
    /// When the lab had it, seconds since the job was given.
    pub arrived: f64,
    /// As it came.
    pub text: String,
}

/// One run, heard to its end.
#[derive(Debug, Clone, Default)]
pub(in crate::lab) struct Heard {
    /// Standard output.
    pub lines: Vec<Spoken>,
    /// What came after its last line end.
    pub rest: String,
    /// Standard error.
    pub complaints: String,
    /// Whether it said more than is kept.
    pub cut: bool,
    /// When it was asked to stop, seconds since the job was given.
    pub asked: Option<f64>,
    /// When it had ended.
    pub ended: f64,
    /// Its exit code.
    pub code: i64,
    /// Set where it had to be removed.
    pub overdue: Option<Overdue>,
}

/// A line that could be read.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// When the lab had it, seconds since the job was given.
    pub arrived: f64,
    /// What it says.
    pub line: Line,
}

impl Heard {
    /// The lines that are events, and a sentence for each that is none. Blank ones are let pass.
    pub(super) fn read(&self) -> (Vec<Told>, Vec<String>) {
        let (mut told, mut wrong) = (Vec::new(), Vec::new());
        for (number, Spoken { arrived, text }) in (1..).zip(&self.lines) {
            match serde_json::from_str(text) {
                Ok(line) => told.push(Told { arrived: *arrived, line }),
                Err(_) if text.trim().is_empty() || wrong.len() >= MOST_WRONG => {}
                Err(error) => wrong.push(format!(
                    "line {number} is no event of the contract ({error}): {}",
                    text.chars().take(SHOWN).collect::<String>()
                )),
            }
        }
        if !self.rest.trim().is_empty() {
            wrong.push("its output ends in the middle of a line: every event is a line of its own".into());
        }
        if self.cut {
            let (all, line) = (MOST >> 20, LONGEST_LINE >> 20);
            wrong.push(format!("it says more than {all} MB, or a line of more than {line} MB: that is no answer"));
        }
        (told, wrong)
    }

    /// Whether any of these words stands in what it said. The lab never repeats them.
    pub(super) fn gives_away(&self, secrets: &[String]) -> bool {
        let said = self.lines.iter().map(|line| line.text.as_str()).chain([self.rest.as_str(), &self.complaints]);
        said.into_iter().any(|text| secrets.iter().any(|secret| text.contains(secret.as_str())))
    }

    /// The last line of standard error that says something.
    pub(super) fn last_words(&self) -> &str {
        self.complaints.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("(it said nothing)").trim()
    }
}

/// The result that ends an answer, if one does.
pub(super) fn result(told: &[Told]) -> Option<&RunResult> {
    told.iter().rev().find_map(|told| match &told.line.event {
        Event::Finished { result } => Some(result.as_ref()),
        _ => None,
    })
}

/// The error that ends an answer, if one does.
pub(super) fn error(told: &[Told]) -> Option<&str> {
    told.iter().rev().find_map(|told| match &told.line.event {
        Event::Failed { error, .. } => Some(error.as_str()),
        _ => None,
    })
}

/// Notes what is said while it is said.
pub(in crate::lab) struct Recorder {
    began: Instant,
    heard: Heard,
    pending: Vec<u8>,
    complaints: Vec<u8>,
    /// Bytes that are kept.
    kept: usize,
    /// Bytes taken of standard output and of standard error.
    taken: [usize; 2],
    /// Bytes of both that come once more: they are let pass.
    known: [usize; 2],
    /// Becomes true with the line that begins the data phase.
    data: watch::Sender<bool>,
}

impl Recorder {
    /// From now on. Also gives what tells that the data phase has begun.
    pub(in crate::lab) fn begin() -> (Self, watch::Receiver<bool>) {
        let (data, began) = watch::channel(false);
        let heard = Heard::default();
        let (pending, complaints) = (Vec::new(), Vec::new());
        let (taken, known) = ([0; 2], [0; 2]);
        (Self { began: Instant::now(), heard, pending, complaints, kept: 0, taken, known, data }, began)
    }

    /// Takes what came just now.
    fn note(&mut self, said: Said<'_>) {
        let arrived = self.began.elapsed().as_secs_f64();
        let (bytes, of) = match said {
            Said::Out(bytes) => (bytes, 0),
            Said::Err(bytes) => (bytes, 1),
            // Of an image that is only tried nothing is believed, not even that its lines are numbered.
            Said::Again => return self.known = self.taken,
        };
        let known = self.known[of].min(bytes.len());
        self.known[of] -= known;
        let bytes = &bytes[known..];
        self.taken[of] += bytes.len();
        self.kept += bytes.len();
        self.heard.cut |= self.kept > MOST;
        if self.heard.cut {
            return;
        }
        if matches!(said, Said::Err(_)) {
            self.complaints.extend_from_slice(bytes);
            return;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.pending.extend_from_slice(piece);
            if self.pending.len() > LONGEST_LINE {
                self.heard.cut = true;
                return;
            }
            if piece.ends_with(b"\n") {
                let text = std::mem::take(&mut self.pending);
                self.kept += size_of::<Spoken>(); // of many short lines that is most
                self.line(arrived, String::from_utf8_lossy(&text).trim_end().to_owned());
            }
        }
    }

    fn line(&mut self, arrived: f64, text: String) {
        let begins_data = |line: Line| matches!(line.event, Event::Phase { phase: Phase::Data });
        if serde_json::from_str::<Line>(&text).is_ok_and(begins_data) {
            self.data.send_replace(true);
        }
        self.heard.lines.push(Spoken { arrived, text });
    }

    /// All of it, once its container has left.
    pub(in crate::lab) fn end(self, left: &Left, asked: Option<Instant>) -> Heard {
        Heard {
            rest: String::from_utf8_lossy(&self.pending).into_owned(),
            complaints: String::from_utf8_lossy(&self.complaints).into_owned(),
            asked: asked.map(|asked| asked.duration_since(self.began).as_secs_f64()),
            ended: self.began.elapsed().as_secs_f64(),
            code: left.code,
            overdue: left.overdue,
            ..self.heard
        }
    }
}

/// What is wrong with the lines of an answer that has come already, piece by piece.
pub(crate) fn heard<'p>(pieces: impl Iterator<Item = Said<'p>>, left: &Left) -> Vec<String> {
    let (mut recorder, _) = Recorder::begin();
    pieces.for_each(|piece| recorder.note(piece));
    recorder.end(left, None).read().1
}

impl Hearer for Recorder {
    fn take(&mut self, said: Said<'_>) -> Result<()> {
        self.note(said);
        Ok(())
    }

    fn is_whole(&self) -> bool {
        let last = self.heard.lines.last().and_then(|line| serde_json::from_str::<Line>(&line.text).ok());
        last.is_some_and(|line| matches!(line.event, Event::Finished { .. } | Event::Failed { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_breaks_gives_each_byte_once() {
        let (mut recorder, _) = Recorder::begin();
        for said in [Said::Out("one\ntw\u{b5}".as_bytes()), Said::Err(b"h"), Said::Again, Said::Out(b"one\n")] {
            recorder.note(said);
        }
        recorder.note(Said::Again);
        for said in [Said::Err(b"hm"), Said::Out("one\ntw\u{b5}".as_bytes()), Said::Out(b"o\n")] {
            recorder.note(said);
        }
        let heard = recorder.end(&Left::default(), None);
        let texts: Vec<&str> = heard.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!((texts, heard.complaints.as_str()), (vec!["one", "tw\u{b5}o"], "hm"));
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_are_cut_and_the_data_phase_is_noticed() {
        let (mut recorder, data) = Recorder::begin();
        recorder.note(Said::Out(br#"{"schema":1,"seq":0,"at":0.1,"event":"started","#));
        recorder.note(Said::Err(b"hm"));
        recorder.note(Said::Out(b"\"program\":\"p\"}\n\n{\"schema\":1,\"seq\":1,\"at\":0.1,"));
        assert!(!*data.borrow());
        recorder.note(Said::Out(b"\"event\":\"phase\",\"phase\":\"data\"}\nTraceback\nmore"));
        assert!(*data.borrow());
        let heard = recorder.end(&Left::default(), None);
        let (told, wrong) = heard.read();
        assert_eq!(told.iter().map(|told| told.line.seq).collect::<Vec<_>>(), [0, 1]);
        assert_eq!((heard.complaints.as_str(), heard.last_words()), ("hm", "hm"));
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].starts_with("line 4 is no event") && wrong[0].ends_with(": Traceback"), "{wrong:?}");
        assert!(wrong[1].contains("the middle of a line"), "{wrong:?}");
    }

    #[test]
    fn a_password_is_found_wherever_it_is_said() {
        let secrets = ["s3cret".to_owned(), "s%33cret".to_owned()];
        let line = |text: &str| Heard { lines: vec![Spoken { arrived: 0.0, text: text.into() }], ..Default::default() };
        assert!(line("{\"dburl\":\"postgresql://me:s%33cret@link\"}").gives_away(&secrets));
        assert!(Heard { complaints: "refused: s3cret".into(), ..Default::default() }.gives_away(&secrets));
        assert!(Heard { rest: "s3cret".into(), ..Default::default() }.gives_away(&secrets));
        assert!(!line("postgresql://link:5432/ingest").gives_away(&secrets));
    }
}
