//! Where records come from: the archives in a folder, a feed on a pipe, or of a lookup counting. In any case they go into a bounded queue,
//! so that nothing is ever held whole in memory (`preload`, which says so, apart).

use super::census::items;
use super::lookup::{self, Keys};
use super::workload::{Origin, Record};
use crate::census::files::DataDir;
use crate::census::{ArchiveError, GeoReader, GeoRecord, Line, SegmentReader, SourceName};
use crate::model::Phase;
use crate::model::share::Share;
use crate::wire::Job;
use crate::wire::exit::{Exit, Failure};
use crate::wire::feed::Feed;
use anyhow::{Context as _, Result};
use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

/// Longest line of a feed: a record is at most 16 KiB of text, JSON at most sextuples it.
const MAX_FEED_LINE: u64 = 128 * 1024;

/// Where a run's records come from.
pub enum Source {
    /// The archives of the job's data folder.
    Files(DataDir),
    /// The keys of a lookup, in chunks.
    Keys,
    /// A feed, read phase after phase.
    Feed(FeedReader),
}

impl Source {
    /// Hands a phase's records to `put`, in order, until it has no more or `put` returns false.
    /// True if it came to the end. `raw` leaves them unparsed.
    pub fn read(&mut self, job: &Job, phase: Phase, raw: bool, put: &mut dyn FnMut(Record) -> bool) -> Result<bool> {
        match self {
            Self::Files(data) => files(data, job, phase, raw, put),
            Self::Keys => Ok(lookup::chunks(job).all(|keys| put(Record::Keys(keys)))),
            Self::Feed(feed) => feed.read(phase, raw, put),
        }
    }
}

/// Finds the archives a job names.
pub fn open(job: &Job) -> Result<DataDir> {
    let data = DataDir::scan(&job.data).map_err(|error| Failure::new(Exit::Data, error.to_string()))?;
    if job.phases.contains(&Phase::Data) && data.segments().next().is_none() {
        let dir = job.data.display();
        let message = format!(
            "{dir}: a geographic header but no segment: `ingester generate --data {dir}` makes one, `ingester fetch STATE --segment NN --data {dir}` gets a real one, --phases geo leaves the data phase out"
        );
        return Err(Failure::new(Exit::Data, message).into());
    }
    Ok(data)
}

fn files(data: &DataDir, job: &Job, phase: Phase, raw: bool, put: &mut dyn FnMut(Record) -> bool) -> Result<bool> {
    let limit = match phase {
        Phase::Geo => job.limit_geo,
        Phase::Data => job.limit_lines,
    };
    let mut turn = Turn { next: 0, limit: limit.unwrap_or(u64::MAX), share: job.share, together: job.together() };
    for state in &data.states {
        match phase {
            Phase::Geo => {
                if !archive(&state.geo, 0, raw, &mut turn, put)? {
                    return Ok(false);
                }
            }
            Phase::Data => {
                for file in &state.segments {
                    if !archive(&file.path, file.segment, raw, &mut turn, put)? {
                        return Ok(false);
                    }
                }
            }
        }
    }
    Ok(true)
}

/// Where a phase stands over all its archives: records are counted whoever's they are.
struct Turn {
    /// The number of the next record, from 0.
    next: u64,
    /// How many there are at most.
    limit: u64,
    share: Share,
    together: u64,
}

/// Reads one archive; `segment` 0 is the geographic header. Records of other clients are passed over unread.
fn archive(path: &Path, segment: u8, raw: bool, turn: &mut Turn, put: &mut dyn FnMut(Record) -> bool) -> Result<bool> {
    let damaged = |error: ArchiveError| Failure::new(Exit::Data, error.to_string());
    let mut next = if segment == 0 { geo_records(path, raw) } else { lines(path, segment, raw) }.map_err(damaged)?;
    while turn.next < turn.limit {
        let own = turn.share.holds(turn.next, turn.together);
        let Some(record) = next(own).map_err(damaged)? else { return Ok(true) };
        turn.next += 1;
        if let Some(record) = record
            && !put(record)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives an archive's records one by one; of one that is not wanted only that it is there.
type NextRecord = Box<dyn FnMut(bool) -> Result<Option<Option<Record>>, ArchiveError>>;

fn geo_records(path: &Path, raw: bool) -> Result<NextRecord, ArchiveError> {
    let mut reader = GeoReader::open(path)?;
    let file = file_name(path);
    let origin = move |line| Origin { file: Arc::clone(&file), line };
    let mut text = Vec::new();
    Ok(Box::new(move |wanted| {
        if raw || !wanted {
            let read = reader.next_line(&mut text)?;
            return Ok(read.map(|line| wanted.then(|| Record::Raw(0, latin1(&text), origin(line)))));
        }
        Ok(reader.next_record()?.map(|(line, record)| Some(Record::Geo(Box::new(record), origin(line)))))
    }))
}

fn lines(path: &Path, segment: u8, raw: bool) -> Result<NextRecord, ArchiveError> {
    let mut reader = SegmentReader::open(path, segment)?;
    let file = file_name(path);
    let origin = move |line| Origin { file: Arc::clone(&file), line };
    let mut text = Vec::new();
    Ok(Box::new(move |wanted| {
        if raw || !wanted {
            let read = reader.next_line(&mut text)?;
            return Ok(read.map(|line| wanted.then(|| Record::Raw(segment, latin1(&text), origin(line)))));
        }
        let mut parsed = Line::default();
        Ok(reader.next_record(&mut parsed)?.map(|line| Some(Record::Line(segment, parsed, origin(line)))))
    }))
}

fn file_name(path: &Path) -> Arc<str> {
    path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy()).into()
}

/// Parses a record that came over a pipe, with the same checks as one out of its archive.
fn parse(segment: u8, text: &[u8], origin: Origin) -> Result<Record> {
    let Origin { file, line } = &origin;
    let wrong = |error: &dyn std::fmt::Display| Failure::new(Exit::Data, format!("{file}: line {line}: {error}"));
    if segment == 0 {
        let record = GeoRecord::parse(text).map_err(|error| wrong(&error))?;
        return Ok(Record::Geo(Box::new(record), origin));
    }
    let mut parsed = Line::default();
    Line::parse(text, items(segment), &mut parsed).map_err(|error| wrong(&error))?;
    if let Some(source) = SourceName::of_archive(Path::new(&**file)) {
        parsed.check_source(source.state.as_str(), segment).map_err(|error| wrong(&error))?;
    }
    Ok(Record::Line(segment, parsed, origin))
}

/// A record's bytes as text that JSON can carry: a byte a character.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The inverse of [`latin1`].
fn from_latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|character| u8::try_from(character).ok()).collect()
}

/// Reads [`Feed`] lines from a pipe.
pub struct FeedReader {
    lines: Box<dyn BufRead + Send>,
    /// A phase marker that was read while looking for the previous phase's end.
    ahead: Option<Phase>,
    /// The end mark was read: whoever writes may keep the pipe open.
    ended: bool,
}

impl FeedReader {
    /// Reads from `lines`.
    pub fn new(lines: Box<dyn BufRead + Send>) -> Self {
        Self { lines, ahead: None, ended: false }
    }

    fn next(&mut self) -> Result<Feed> {
        use std::io::Read as _;
        let mut line = Vec::new();
        // Blank: what ended the job's line, or an idle writer.
        while line.is_empty() || line == b"\n" {
            line.clear();
            (&mut self.lines).take(MAX_FEED_LINE).read_until(b'\n', &mut line).context("read the feed")?;
            if !line.ends_with(b"\n") && (line.len() as u64) < MAX_FEED_LINE {
                return Err(Failure::new(
                    Exit::Failure,
                    "the feed of records ended without its end mark: the process at its other end died",
                )
                .into());
            }
        }
        serde_json::from_slice(&line).context("read a line of the feed")
    }

    /// Hands what the feed holds of a phase to `put`; as [`Source::read`].
    pub(crate) fn read(&mut self, phase: Phase, raw: bool, put: &mut dyn FnMut(Record) -> bool) -> Result<bool> {
        let begun = match self.ahead.take() {
            Some(phase) => phase,
            None if self.ended => return Ok(true),
            None => match self.next()? {
                Feed::Phase { phase } => phase,
                Feed::Failed { error, code } => return Err(failed(error, code)),
                Feed::End => {
                    self.ended = true;
                    return Ok(true);
                }
                Feed::Record { .. } | Feed::Keys { .. } => {
                    anyhow::bail!("the feed starts with a record instead of a phase")
                }
            },
        };
        if begun != phase {
            self.ahead = Some(begun);
            return Ok(true);
        }
        loop {
            match self.next()? {
                Feed::Record { segment, file, line, text } => {
                    let origin = Origin { file: file.into(), line };
                    let record = if raw {
                        Record::Raw(segment, text, origin)
                    } else {
                        let bytes = from_latin1(&text).context("a record of the feed is not Latin-1")?;
                        parse(segment, &bytes, origin)?
                    };
                    if !put(record) {
                        return Ok(false);
                    }
                }
                Feed::Keys { first, keys } => {
                    if !put(Record::Keys(Keys { first, count: keys })) {
                        return Ok(false);
                    }
                }
                Feed::Phase { phase } => {
                    self.ahead = Some(phase);
                    return Ok(true);
                }
                Feed::End => {
                    self.ended = true;
                    return Ok(true);
                }
                Feed::Failed { error, code } => return Err(failed(error, code)),
            }
        }
    }
}

fn failed(error: String, code: u8) -> anyhow::Error {
    Failure::new(Exit::of(code), error).into()
}

/// Writes a job's records as a feed: the body of the reader process.
pub fn write_feed(job: &Job, out: &mut dyn std::io::Write) -> Result<()> {
    let mut write = |feed: &Feed| -> Result<()> {
        serde_json::to_writer(&mut *out, feed)?;
        Ok(out.write_all(b"\n")?)
    };
    let mut source = match open(job) {
        Ok(data) => Source::Files(data),
        Err(error) => return write(&failure(&error)),
    };
    for phase in &job.phases {
        write(&Feed::Phase { phase: *phase })?;
        let mut broken = None;
        let read = source.read(job, *phase, true, &mut |record| {
            let written = write(&feed_of(record));
            broken = written.err();
            broken.is_none()
        });
        if let Some(error) = broken {
            return Err(error.context("write to the parent process"));
        }
        if let Err(error) = read {
            return write(&failure(&error));
        }
    }
    write(&Feed::End)
}

fn failure(error: &anyhow::Error) -> Feed {
    Feed::Failed { error: format!("{error:#}"), code: Failure::exit_of(error).code() }
}

/// A raw record as a feed line.
pub fn feed_of(record: Record) -> Feed {
    match record {
        Record::Raw(segment, text, origin) => {
            Feed::Record { segment, file: origin.file.to_string(), line: origin.line, text }
        }
        Record::Keys(keys) => Feed::Keys { first: keys.first, keys: keys.count },
        Record::Geo(..) | Record::Line(..) => {
            Feed::Failed { error: "a parsed record was to be sent".into(), code: Exit::Failure.code() }
        }
    }
}

#[cfg(test)]
mod tests;
