//! The words on which phases begin, where several ingesters begin them together.

use super::coordinator::{LOOK, Run};
use crate::model::Phase;
use crate::wire::exit::{Exit, Failure};
use crate::wire::{Begin, Event};
use anyhow::{Context as _, Result, anyhow};
use std::io::{BufRead, Read};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The longest word, bytes: one has about 50.
const LONGEST: u64 = 4_096;

/// How far from now a phase may be told to begin, seconds: farther away the clocks of the two are not the same.
const FARTHEST: f64 = 60.0;

/// Who waits for the word to begin says so again this often: a client that says nothing for minutes is taken to hang.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// Words as they come.
pub(super) struct Words(mpsc::Receiver<Result<Begin>>);

impl Words {
    /// Listens from here on; a thread does, which ends with the program.
    pub(super) fn from(mut lines: Box<dyn BufRead + Send>) -> Self {
        let (sender, words) = mpsc::channel();
        std::thread::spawn(move || {
            loop {
                let word = read(&mut *lines);
                let last = !matches!(word, Ok(Some(_)));
                if word.transpose().is_none_or(|word| sender.send(word).is_err()) || last {
                    return;
                }
            }
        });
        Self(words)
    }

    /// The moment at which a phase is told to begin, if that comes within so long.
    pub(super) fn next(&mut self, patience: Duration, phase: Phase) -> Result<Option<Instant>> {
        match self.0.recv_timeout(patience) {
            Ok(word) => moment(word?, phase, Instant::now(), SystemTime::now()).map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                let text =
                    format!("standard input ended before the word came to begin phase {phase}: who gives it is gone");
                Err(Failure::new(Exit::Failure, text).into())
            }
        }
    }
}

impl Run<'_> {
    /// Says that all is ready, and waits for the moment that the lab gives; none where the run is to end instead.
    pub(super) fn told_to_begin(&mut self, phase: Phase) -> Result<Option<Instant>> {
        let mut said: Option<Instant> = None;
        let begin = loop {
            if self.interrupt.load(Ordering::Relaxed) {
                return Ok(None);
            }
            if said.is_none_or(|at| at.elapsed() >= SAY_AGAIN) {
                said = Some(Instant::now());
                (self.emit)(Event::Ready { phase });
            }
            let words = self.words.as_mut().context("nobody listens for the word to begin: this is a bug")?;
            if let Some(begin) = words.next(LOOK, phase)? {
                break begin;
            }
            self.next(Instant::now())?; // a worker may fail meanwhile
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
        };
        std::thread::sleep(begin.saturating_duration_since(Instant::now()));
        Ok(Some(begin))
    }
}

/// The next word; none at the end.
fn read(lines: &mut dyn BufRead) -> Result<Option<Begin>> {
    loop {
        let mut line = Vec::new();
        let wrong =
            |what: String| Failure::new(Exit::Usage, format!("the word to begin a phase cannot be read: {what}"));
        (&mut *lines).take(LONGEST).read_until(b'\n', &mut line).map_err(|error| wrong(error.to_string()))?;
        if line.is_empty() {
            return Ok(None);
        }
        if !line.trim_ascii().is_empty() {
            return Ok(Some(serde_json::from_slice(&line).map_err(|error| wrong(error.to_string()))?));
        }
    }
}

/// When a word says that a phase begins, on this program's steady clock.
fn moment(word: Begin, phase: Phase, now: Instant, wall: SystemTime) -> Result<Instant> {
    if word.begin != phase {
        let text = format!("the word to begin is for phase {}, and it is phase {phase} that is to begin", word.begin);
        return Err(Failure::new(Exit::Usage, text).into());
    }
    let ahead = word.at - wall.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    if ahead.is_nan() || ahead.abs() > FARTHEST {
        let text = format!(
            "phase {phase} is to begin {ahead:.1} s from now, more than {FARTHEST} s away: the clocks of this machine and of \
             the lab's are too far apart, set them"
        );
        return Err(Failure::new(Exit::Usage, text).into());
    }
    let by = Duration::from_secs_f64(ahead.abs());
    let moment = if ahead < 0.0 { now.checked_sub(by) } else { now.checked_add(by) };
    moment.ok_or_else(|| anyhow!("the machine has not been up for {} s", by.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Words {
        Words::from(Box::new(std::io::Cursor::new(text.to_owned().into_bytes())))
    }

    fn wall(seconds: f64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_phase_begins_at_the_moment_told_also_where_the_word_came_late() {
        let now = Instant::now();
        let at = |at| moment(Begin { begin: Phase::Geo, at }, Phase::Geo, now, wall(1_000.0));
        assert_eq!(at(1_000.25).unwrap(), now + Duration::from_millis(250));
        assert_eq!(at(999.5).unwrap(), now - Duration::from_millis(500));
        let far = at(4_600.0).unwrap_err().to_string();
        assert!(far.contains("3600.0 s from now") && far.contains("clocks"), "{far}");
        assert!(at(f64::NAN).is_err());
    }

    #[test]
    fn words_come_one_by_one_and_their_end_is_an_error() {
        let soon = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let mut words =
            words(&format!("\n{{\"begin\":\"geo\",\"at\":{soon}}}\n\n{{\"begin\":\"data\",\"at\":{soon}}}\n"));
        assert!(words.next(Duration::from_secs(9), Phase::Geo).unwrap().is_some());
        assert!(words.next(Duration::from_secs(9), Phase::Data).unwrap().is_some());
        let error = words.next(Duration::from_secs(9), Phase::Data).unwrap_err().to_string();
        assert!(error.contains("standard input ended before the word came to begin phase data"), "{error}");
    }

    #[test]
    fn a_word_for_another_phase_or_none_at_all_is_told() {
        let error = words("{\"begin\":\"data\",\"at\":1.0}\n").next(Duration::from_secs(9), Phase::Geo).unwrap_err();
        assert!(error.to_string().contains("is for phase data, and it is phase geo"), "{error}");
        for text in ["go\n", "{\"begin\":\"geo\"}\n", "{\"begin\":\"geo\",\"at\":1.0,\"then\":2}\n"] {
            let error = words(text).next(Duration::from_secs(9), Phase::Geo).unwrap_err();
            assert_eq!(Failure::exit_of(&error), Exit::Usage, "{error}");
        }
    }
}
