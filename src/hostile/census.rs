//! The Bureau's files, or what somebody dropped into `data/` in their place.

use super::sentence;
use crate::census::{ArchiveError, Dictionary, GeoReader, GeoRecord, Line, SEGMENTS, SegmentReader};
use std::path::Path;

/// A zip file that should be a segment's, and one that should be a geographic header: read to the end or to the first
/// thing wrong.
pub fn archive(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("there is room for a small file");
    // A name that is no state's: any may be in it.
    let path = folder.path().join("some.zip");
    std::fs::write(&path, bytes).expect("there is room for a small file");
    for read in [read_segment, read_geo] {
        if let Err(error) = read(&path) {
            sentence(&error);
        }
    }
}

fn read_segment(path: &Path) -> Result<(), ArchiveError> {
    let mut reader = SegmentReader::open(path, 1)?;
    let mut line = Line::default();
    while reader.next_record(&mut line)?.is_some() {
        assert_eq!(line.values.len(), reader.items(), "a line has the items of its segment");
    }
    Ok(())
}

fn read_geo(path: &Path) -> Result<(), ArchiveError> {
    let mut reader = GeoReader::open(path)?;
    while reader.next_record()?.is_some() {}
    Ok(())
}

/// Lines of a geographic header. A record that is read can be written, and is then read as the same.
pub fn geo(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n') {
        match GeoRecord::parse(line) {
            Ok(record) => {
                let mut text = Vec::new();
                record.render(&mut text).expect("what was read can be written");
                assert_eq!(GeoRecord::parse(&text).as_ref(), Ok(&record), "and is the same again");
            }
            Err(error) => sentence(&error),
        }
    }
}

/// Lines of a segment: the first byte says of which.
pub fn segment(bytes: &[u8]) {
    let Some((first, lines)) = bytes.split_first() else { return };
    let segment = first % SEGMENTS + 1;
    let items = Dictionary::embedded().items_of_segment(segment);
    let mut parsed = Line::default();
    for line in lines.split(|byte| *byte == b'\n') {
        match Line::parse(line, items, &mut parsed).and_then(|()| parsed.check_source("ny", segment)) {
            Ok(()) => assert_eq!(parsed.values.len(), items, "a line has the items of its segment"),
            Err(error) => sentence(&error),
        }
    }
}
