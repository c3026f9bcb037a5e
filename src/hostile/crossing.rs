//! What crosses a process: a peer's answer out of its container, jobs, feeds, rows of lookups, documents.

use super::sentence;
use crate::engine::{Left, Said, answered};
use crate::ingest::lookup::{from_frame, to_frame};
use crate::ingest::reader::FeedReader;
use crate::lab::heard;
use crate::model::Phase;
use crate::wire::emulation::{Answer, Request};
use crate::wire::forecast::Forecast;
use crate::wire::record::RunRecord;
use crate::wire::setup::{LinkStatus, Setup};
use crate::wire::watched::{Look, WatchJob};
use crate::wire::{Job, SCHEMA};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Cursor;

/// Bytes of an answer that come at once: few, so that lines are put together.
const PIECE: usize = 61;

/// What a container says, on standard output and, every seventh piece, on standard error: as a run of a series hears it
/// and as the check of a peer does.
pub fn answer(bytes: &[u8]) {
    let said = || {
        let pieces = bytes.chunks(PIECE).enumerate();
        pieces.map(|(at, piece)| if at % 7 == 6 { Said::Err(piece) } else { Said::Out(piece) })
    };
    let left = Left { code: i64::from(bytes.first().copied().unwrap_or(0) & 1), ..Left::default() };
    match answered(said(), &left) {
        Ok(ended) => {
            if let Err(failure) = ended.result() {
                sentence(&failure);
            }
        }
        Err(error) => sentence(&error),
    }
    heard(said(), &left).iter().for_each(sentence);
}

/// A job. One that is in order is written as it was read, and shows no password.
pub fn job(bytes: &[u8]) {
    let Ok(job) = serde_json::from_slice::<Job>(bytes) else { return };
    match job.check() {
        Ok(()) => {
            assert!(job.schema <= SCHEMA && (1..=Job::MAX_POOL).contains(&job.pool));
            reads_back(&job);
        }
        Err(error) => sentence(&error),
    }
    let _ = format!("{:?}", job.dburl);
}

/// A feed of records and of keys, read to its end, raw and parsed.
pub fn feed(bytes: &[u8]) {
    for raw in [false, true] {
        let mut feed = FeedReader::new(Box::new(Cursor::new(bytes.to_vec())));
        for phase in [Phase::Geo, Phase::Data, Phase::Data] {
            match feed.read(phase, raw, &mut |_| true) {
                Ok(_) => {}
                Err(error) => {
                    sentence(&error);
                    break;
                }
            }
        }
    }
}

/// Rows of a lookup on a pipe: the first byte says how many. What is read is written as it was.
pub fn frame(bytes: &[u8]) {
    let Some((rows, bytes)) = bytes.split_first() else { return };
    let Some(nodes) = from_frame(bytes, u64::from(*rows)) else { return };
    let again = to_frame(&nodes);
    let read = from_frame(&again, u64::from(*rows)).expect("what was written can be read");
    // Bytes, because a load may be no number, which is not like itself.
    assert_eq!(to_frame(&read), again);
    nodes.iter().for_each(|node| drop(node.contents()));
}

/// Documents that the lab writes and reads again, and those that its own containers send it.
pub fn documents(bytes: &[u8]) {
    fn of<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
        match serde_json::from_slice::<T>(bytes) {
            Ok(document) => reads_back(&document),
            Err(error) => sentence(&error),
        }
    }
    of::<RunRecord>(bytes);
    of::<Setup>(bytes);
    of::<Forecast>(bytes);
    of::<LinkStatus>(bytes);
    of::<Request>(bytes);
    of::<Answer>(bytes);
    of::<Look>(bytes);
    of::<WatchJob>(bytes);
}

fn reads_back<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(document: &T) {
    let text = serde_json::to_vec(document).expect("what was read can be written");
    let again: T = serde_json::from_slice(&text).expect("what was written can be read");
    assert_eq!(&again, document);
}
