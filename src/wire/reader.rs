//! Reads the JSON lines of an ingester: bytes in, whole lines out, and nothing missing without a word.

use super::{Line, SCHEMA};
use serde::Deserialize;

/// The longest line accepted, bytes. A result with all 8,113 items of SF1 and the ledgers of 500 workers is about 1.5 MB;
/// a line of nothing but brackets takes eighty times its length while it is parsed.
pub const LONGEST_LINE: usize = 3 << 20;

/// The most lines of an answer: a run of a day, the longest there is, says 86,400 seconds and half as much progress.
pub const MOST_LINES: u64 = 300_000;

/// The most bytes of an answer, all lines together: those of a day with everything measured have about 200 MB.
pub const MOST_BYTES: u64 = 512 << 20;

/// How much of a line that cannot be read is shown.
const SHOWN: usize = 120;

/// What is wrong with the lines of a program.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BadLine {
    /// Not JSON, or not an event.
    #[error("line {number} is not an event ({cause}): {text}")]
    NotAnEvent {
        /// Which line, from 1.
        number: u64,
        /// What the parser said.
        cause: String,
        /// The line's beginning.
        text: String,
    },
    /// A line is missing or came twice.
    #[error("line {expected} of the sequence is missing: {found} came in its place")]
    Gap {
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// Written by a newer program.
    #[error("the program speaks schema {found}, this lab knows up to {SCHEMA}: use images and lab of one build")]
    TooNew {
        /// The line's schema.
        found: u32,
    },
    /// Longer than any event is.
    #[error("line {number} is longer than {LONGEST_LINE} bytes: that is no event")]
    TooLong {
        /// Which line, from 1.
        number: u64,
    },
    /// More than any run says.
    #[error("it says more than {MOST_LINES} lines or {MOST_BYTES} bytes: that is no answer")]
    TooMuch,
    /// The output ended in the middle of a line.
    #[error("the output ends in the middle of line {number}: {text}")]
    CutOff {
        /// Which line, from 1.
        number: u64,
        /// What there is of it.
        text: String,
    },
}

/// The part of a line that is read first: a newer schema may have events this program cannot parse.
#[derive(Deserialize)]
struct Head {
    schema: u32,
}

/// Cuts a byte stream into [`Line`]s and checks that their sequence has no gaps.
#[derive(Debug, Default)]
pub struct LineReader {
    pending: Vec<u8>,
    lines: u64,
    /// Bytes so far; of what comes again those that came again.
    bytes: u64,
    /// Set while lines come that came before.
    again: bool,
}

impl LineReader {
    /// Takes the next bytes and returns the lines they complete. Blank lines are let pass.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Line>, BadLine> {
        let mut lines = Vec::new();
        let mut rest = bytes;
        self.bytes += bytes.len() as u64;
        if self.bytes > MOST_BYTES {
            return Err(BadLine::TooMuch);
        }
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.pending.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            let text = std::mem::take(&mut self.pending);
            self.require_short(text.len())?;
            if !text.trim_ascii().is_empty() {
                lines.extend(self.parse(&text)?);
            }
        }
        self.pending.extend_from_slice(rest);
        self.require_short(self.pending.len())?;
        Ok(lines)
    }

    /// The stream broke, wherever it was: from here on its bytes come once more, from the first or a later one. Lines
    /// that came before are let pass.
    pub fn again(&mut self) {
        self.pending.clear();
        (self.again, self.bytes) = (true, 0);
    }

    /// Says whether the output ended where a line ends.
    pub fn end(&self) -> Result<(), BadLine> {
        if self.pending.trim_ascii().is_empty() {
            return Ok(());
        }
        Err(BadLine::CutOff { number: self.lines + 1, text: beginning(&self.pending) })
    }

    fn require_short(&self, length: usize) -> Result<(), BadLine> {
        if length > LONGEST_LINE { Err(BadLine::TooLong { number: self.lines + 1 }) } else { Ok(()) }
    }

    /// The line that a text is; none where it came before.
    fn parse(&mut self, text: &[u8]) -> Result<Option<Line>, BadLine> {
        let number = self.lines + 1;
        let bad =
            |error: serde_json::Error| BadLine::NotAnEvent { number, cause: error.to_string(), text: beginning(text) };
        let head: Head = serde_json::from_slice(text).map_err(bad)?;
        if head.schema > SCHEMA {
            return Err(BadLine::TooNew { found: head.schema });
        }
        let line: Line = serde_json::from_slice(text).map_err(bad)?;
        if self.again && line.seq < self.lines {
            return Ok(None);
        }
        if line.seq != self.lines {
            return Err(BadLine::Gap { expected: self.lines, found: line.seq });
        }
        self.again = false;
        self.lines += 1;
        if self.lines > MOST_LINES {
            return Err(BadLine::TooMuch);
        }
        Ok(Some(line))
    }
}

fn beginning(text: &[u8]) -> String {
    let shown = String::from_utf8_lossy(&text[..text.len().min(SHOWN)]);
    if text.len() > SHOWN { format!("{shown}…") } else { shown.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Event;
    use proptest::prelude::*;

    fn json(seq: u64) -> String {
        let line = Line {
            schema: SCHEMA,
            seq,
            at: 0.0,
            client: None,
            event: Event::Connected { connections: 1, seconds: 0.1 },
        };
        serde_json::to_string(&line).unwrap() + "\n"
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_the_bytes_are_cut(cuts in proptest::collection::vec(1usize..50, 1..60)) {
            let text: String = (0..5).map(json).collect();
            let mut reader = LineReader::default();
            let mut rest = text.as_bytes();
            let mut lines = Vec::new();
            for cut in cuts {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                lines.extend(reader.push(now).unwrap());
                rest = later;
            }
            lines.extend(reader.push(rest).unwrap());
            prop_assert_eq!(lines.len(), 5);
            prop_assert!(reader.end().is_ok());
        }
    }

    fn text_of(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| serde_json::to_string(line).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn a_stream_that_breaks_anywhere_and_comes_again_gives_the_same_lines_once_each(
            cuts in proptest::collection::vec((0usize..2_000, 1usize..40), 0..6)
        ) {
            let event = |seq| Event::WorkerLost { worker: 1, error: format!("µ{seq}: ‘weg’ \u{1f4a5}") };
            let wanted: Vec<Line> = (0..12).map(|seq| Line { schema: SCHEMA, seq, at: 0.5, client: None, event: event(seq) }).collect();
            let text = text_of(&wanted).join("\n") + "\n";
            let mut reader = LineReader::default();
            let mut lines = Vec::new();
            for (cut, piece) in cuts {
                // Cut in the middle of a line, of a character, before the first byte or after the last.
                for bytes in text.as_bytes()[..cut.min(text.len())].chunks(piece) {
                    lines.extend(reader.push(bytes).unwrap());
                }
                reader.again();
            }
            lines.extend(reader.push(text.as_bytes()).unwrap());
            prop_assert!(reader.end().is_ok());
            prop_assert_eq!(text_of(&lines), text_of(&wanted));
        }
    }

    #[test]
    fn a_log_that_kept_too_little_leaves_a_gap_and_says_so() {
        let mut reader = LineReader::default();
        reader.push((json(0) + &json(1)).as_bytes()).unwrap();
        reader.again();
        assert_eq!(reader.push((json(1) + &json(2)).as_bytes()).unwrap().len(), 1, "the first was turned over");
        reader.again();
        assert_eq!(reader.push(json(4).as_bytes()), Err(BadLine::Gap { expected: 3, found: 4 }));
    }

    #[test]
    fn a_line_that_comes_twice_without_reason_is_noticed() {
        let mut reader = LineReader::default();
        reader.push((json(0) + &json(1)).as_bytes()).unwrap();
        assert_eq!(reader.push(json(1).as_bytes()), Err(BadLine::Gap { expected: 2, found: 1 }));
        let mut reader = LineReader::default();
        reader.push(json(0).as_bytes()).unwrap();
        reader.again();
        reader.push((json(0) + &json(1)).as_bytes()).unwrap();
        assert_eq!(reader.push(json(0).as_bytes()), Err(BadLine::Gap { expected: 2, found: 0 }));
    }

    #[test]
    fn a_lost_line_is_noticed() {
        let mut reader = LineReader::default();
        reader.push(json(0).as_bytes()).unwrap();
        assert_eq!(reader.push(json(2).as_bytes()), Err(BadLine::Gap { expected: 1, found: 2 }));
    }

    #[test]
    fn garbage_is_quoted_with_its_line_number() {
        let mut reader = LineReader::default();
        reader.push(json(0).as_bytes()).unwrap();
        let error = reader.push(b"thread 'main' panicked\n").unwrap_err().to_string();
        assert!(error.starts_with("line 2 is not an event"), "{error}");
        assert!(error.ends_with("thread 'main' panicked"), "{error}");
    }

    #[test]
    fn a_newer_schema_is_refused_before_its_event_is_read() {
        let mut reader = LineReader::default();
        let error = reader.push(
            br#"{"schema":9,"seq":0,"at":0,"event":"from-the-future"}
"#,
        );
        assert_eq!(error, Err(BadLine::TooNew { found: 9 }));
    }

    #[test]
    fn a_line_that_is_cut_off_is_not_taken_for_one() {
        let mut reader = LineReader::default();
        assert!(reader.push(br#"{"schema":1,"se"#).unwrap().is_empty());
        assert!(matches!(reader.end(), Err(BadLine::CutOff { number: 1, .. })));
    }

    #[test]
    fn a_long_line_is_read_and_an_endless_one_refused() {
        let mut reader = LineReader::default();
        let event = Event::Failed { error: "x".repeat(1 << 20), code: 1 };
        let long =
            serde_json::to_string(&Line { schema: SCHEMA, seq: 0, at: 0.0, client: None, event }).unwrap() + "\n";
        assert_eq!(reader.push(long.as_bytes()).unwrap().len(), 1);
        let endless = vec![b'x'; LONGEST_LINE + 1];
        assert_eq!(reader.push(&endless), Err(BadLine::TooLong { number: 2 }));
    }
}
