//! A geographic header derived from a segment, for data that came without one.

use super::archive::SegmentReader;
use super::error::ArchiveError;
use super::field::Field;
use super::generate::WrittenFile;
use super::geo::{GeoError, GeoRecord};
use super::line::Line;
use super::names::{Part, SourceName};
use super::states::State;
use super::writer::ArchiveWriter;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The segment whose first item is the population.
const POPULATION_SEGMENT: u8 = 1;

/// Why no header was derived.
#[derive(Debug, Error)]
pub enum GeoFromError {
    /// The name does not say which state and segment it is.
    #[error("{}: not named like a segment: rename it as the Bureau does, such as ny00001_uf1.zip", path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// The segment cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A line's figures do not fit a geographic record.
    #[error("{}: line {line}: {source}", path.display())]
    Record {
        /// The segment.
        path: PathBuf,
        /// 1-based line number.
        line: u64,
        /// What does not fit.
        source: GeoError,
    },
    /// The header cannot be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Io {
        /// The header.
        path: PathBuf,
        /// The system's word for it.
        source: io::Error,
    },
}

/// Writes a header with one record for each line of the segment at `segment_path`, in its order.
///
/// It knows FILEID, STUSAB, CHARITER, CIFSN, LOGRECNO, STATE and, from segment 1, POP100; the rest is
/// blank or zero. It goes to `out`, or beside the segment under the Bureau's name; a file of that
/// name is replaced.
///
/// # Errors
/// A [`GeoFromError`]; then there is no new file.
pub fn geo_from(segment_path: &Path, out: Option<&Path>) -> Result<WrittenFile, GeoFromError> {
    let Some(SourceName { state, part: Part::Segment(segment) }) = SourceName::of_archive(segment_path) else {
        return Err(GeoFromError::Name { path: segment_path.to_owned() });
    };
    let name = SourceName { state, part: Part::Geo };
    let target = out.map_or_else(|| segment_path.with_file_name(name.archive()), Path::to_owned);
    let io_error = |source| GeoFromError::Io { path: target.clone(), source };
    let mut reader = SegmentReader::open(segment_path, segment)?;
    let mut file = ArchiveWriter::create(target.clone(), name).map_err(io_error)?;
    let fips = State::find(state.as_str()).and_then(|s| Field::new(s.fips.as_bytes()));
    let mut line = Line::default();
    let mut text = Vec::new();
    let mut records = 0;
    while let Some(number) = reader.next_record(&mut line)? {
        text.clear();
        derive(&line, segment, fips.unwrap_or_default()).render(&mut text).map_err(|source| GeoFromError::Record {
            path: segment_path.to_owned(),
            line: number,
            source,
        })?;
        text.push(b'\n');
        file.write(&text).map_err(io_error)?;
        records += 1;
    }
    let (path, text_bytes) = file.finish().map_err(io_error)?;
    Ok(WrittenFile { path, records, text_bytes })
}

fn derive(line: &Line, segment: u8, state: Field<2>) -> GeoRecord {
    let population = line.values.first().filter(|_| segment == POPULATION_SEGMENT);
    GeoRecord {
        file_id: line.file_id,
        stusab: line.stusab,
        chariter: line.chariter,
        cifsn: line.cifsn,
        logrecno: line.logrecno,
        state,
        pop100: population.map_or(0, |hundredths| hundredths / 100),
        ..GeoRecord::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{directory, line, zip};
    use super::super::{DataDir, GeoReader};
    use super::*;

    #[test]
    fn each_line_gets_its_record() {
        let dir = directory();
        let text = line(3, "30") + &line(7, "70");
        let segment = zip(dir.path(), "ny00001.truncated.uf1.zip", &[("ny00001.truncated.uf1", text.as_bytes())]);
        let written = geo_from(&segment, None).unwrap();
        assert_eq!((written.records, written.text_bytes), (2, 802));
        assert_eq!(DataDir::scan(dir.path()).unwrap().states[0].geo, written.path);
        let mut reader = GeoReader::open(&written.path).unwrap();
        for (logrecno, population) in [(3, 30), (7, 70)] {
            let (_, record) = reader.next_record().unwrap().unwrap();
            assert_eq!((record.logrecno, record.pop100), (logrecno, population));
            assert_eq!((record.file_id.as_str(), record.state.as_str()), ("uSF1", "36"));
        }
        assert!(reader.next_record().unwrap().is_none());
    }

    #[test]
    fn a_bad_segment_leaves_no_header() {
        let dir = directory();
        let segment = zip(dir.path(), "ny00001_uf1.zip", &[("ny00001.uf1", (line(1, "1") + "x\n").as_bytes())]);
        assert!(geo_from(&segment, None).unwrap_err().to_string().contains("line 2"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        let named = dir.path().join("segment.zip");
        assert!(matches!(geo_from(&named, None), Err(GeoFromError::Name { .. })));
    }
}
