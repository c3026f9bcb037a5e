//! Generated data: archives in the Bureau's real form, the same bytes for a seed on every machine.
//!
//! It is the lab's default data. Counts of a place are the sums of its blocks' counts, POP100 is
//! item P001001, and a matrix's parts add up to its total.

use super::dictionary::SEGMENTS;
use super::field::Field;
use super::figures::Figures;
use super::names::{Part, SourceName};
use super::places::{Place, places};
use super::states::State;
use super::writer::ArchiveWriter;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The most geographic records a state can have: LOGRECNO has seven digits.
pub const MAX_GEO_RECORDS: u32 = 9_999_999;

/// What to generate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateSpec {
    /// Same seed, same bytes.
    pub seed: u64,
    /// A state's two letters or name.
    pub state: String,
    /// How many geographic records: 1 to 9,999,999. LOGRECNO counts from 1.
    pub geo_records: u32,
    /// Which segments, each 1 to 39.
    pub segments: Vec<u8>,
    /// How many lines each segment has, at most `geo_records`: line n is about LOGRECNO n.
    pub lines: u32,
}

impl Default for GenerateSpec {
    fn default() -> Self {
        Self { seed: 2000, state: "ny".to_owned(), geo_records: 10_000, segments: vec![1], lines: 10_000 }
    }
}

/// A file that was generated or derived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its geographic records or lines.
    pub records: u64,
    /// Bytes of text in its member.
    pub text_bytes: u64,
}

/// Why nothing, or not everything, was generated. Files that are there are complete.
#[derive(Debug, Error)]
pub enum GenerateError {
    /// A state that SF1 does not have.
    #[error("{0:?} is no state: use its two letters, such as ny")]
    UnknownState(String),
    /// A segment that SF1 does not have.
    #[error("segment {0} does not exist: segments are 1 to 39")]
    UnknownSegment(u8),
    /// No geographic record, or more than LOGRECNO can number.
    #[error("{0} geographic records cannot be generated: ask for 1 to {MAX_GEO_RECORDS}")]
    GeoRecords(u32),
    /// More lines than places.
    #[error("{lines} lines need as many geographic records, not {geo_records}: ask for fewer lines or more records")]
    Lines {
        /// Lines asked for.
        lines: u32,
        /// Geographic records asked for.
        geo_records: u32,
    },
    /// A file could not be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        source: io::Error,
    },
}

/// Writes `ssgeo_uf1.zip` and one `ss000NN_uf1.zip` a segment into `dir`, which has to exist; a file
/// of that name is replaced.
///
/// # Errors
/// A [`GenerateError`]: the spec cannot be met, or a file cannot be written.
pub fn generate(spec: &GenerateSpec, dir: &Path) -> Result<Vec<WrittenFile>, GenerateError> {
    let state = check(spec)?;
    let letters = Field::new(state.letters.as_bytes()).unwrap_or_default();
    let places = places(spec.seed, spec.geo_records);
    let write = |part: Part, write: &mut dyn FnMut(&mut ArchiveWriter) -> io::Result<u64>| {
        let name = SourceName { state: letters, part };
        let path = dir.join(name.archive());
        write_file(&path, name, write).map_err(|source| GenerateError::Io { path, source })
    };
    let mut files = vec![write(Part::Geo, &mut |file| write_geo(file, state, &places))?];
    for &segment in &spec.segments {
        let places = &places[..spec.lines as usize];
        files.push(write(Part::Segment(segment), &mut |file| write_segment(file, spec.seed, state, segment, places))?);
    }
    Ok(files)
}

fn check(spec: &GenerateSpec) -> Result<&'static State, GenerateError> {
    if let Some(unknown) = spec.segments.iter().find(|s| !(1..=SEGMENTS).contains(s)) {
        return Err(GenerateError::UnknownSegment(*unknown));
    }
    if !(1..=MAX_GEO_RECORDS).contains(&spec.geo_records) {
        return Err(GenerateError::GeoRecords(spec.geo_records));
    }
    if spec.lines > spec.geo_records {
        return Err(GenerateError::Lines { lines: spec.lines, geo_records: spec.geo_records });
    }
    State::find(&spec.state).ok_or_else(|| GenerateError::UnknownState(spec.state.clone()))
}

fn write_file(
    path: &Path,
    name: SourceName,
    write: &mut dyn FnMut(&mut ArchiveWriter) -> io::Result<u64>,
) -> io::Result<WrittenFile> {
    let mut file = ArchiveWriter::create(path.to_owned(), name)?;
    let records = write(&mut file)?;
    let (path, text_bytes) = file.finish()?;
    Ok(WrittenFile { path, records, text_bytes })
}

fn write_geo(file: &mut ArchiveWriter, state: &State, places: &[Place]) -> io::Result<u64> {
    let mut text = Vec::new();
    for (logrecno, place) in (1..).zip(places) {
        text.clear();
        place.record(state, logrecno).render(&mut text).map_err(io::Error::other)?;
        text.push(b'\n');
        file.write(&text)?;
    }
    Ok(places.len() as u64)
}

fn write_segment(file: &mut ArchiveWriter, seed: u64, state: &State, segment: u8, places: &[Place]) -> io::Result<u64> {
    let mut figures = Figures::new(seed, state.letters, segment);
    let mut text = Vec::new();
    for (logrecno, place) in (1..).zip(places) {
        text.clear();
        figures.line(place, logrecno, &mut text);
        file.write(&text)?;
    }
    Ok(places.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::super::testing::directory;
    use super::super::{DataDir, Dictionary, GeoReader, Line, SegmentReader, sha256_of_file};
    use super::*;

    fn spec(geo_records: u32, segments: Vec<u8>) -> GenerateSpec {
        GenerateSpec { geo_records, lines: geo_records, segments, ..GenerateSpec::default() }
    }

    #[test]
    fn every_segment_reads_back_and_its_parts_add_up() {
        let dir = directory();
        let files = generate(&spec(400, (1..=39).collect()), dir.path()).unwrap();
        assert_eq!(files.len(), 40);
        let found = DataDir::scan(dir.path()).unwrap();
        assert_eq!(found.segments().count(), 39);
        for file in found.segments() {
            let matrices = Dictionary::embedded().segment(file.segment);
            let mut reader = SegmentReader::open(&file.path, file.segment).unwrap();
            let mut line = Line::default();
            let mut lines = 0;
            while reader.next_record(&mut line).unwrap().is_some() {
                lines += 1;
                assert_eq!(line.logrecno, lines);
                let mut rest = line.values.as_slice();
                for matrix in matrices {
                    let (items, after) = rest.split_at(usize::from(matrix.items));
                    rest = after;
                    let counts = !matrix.title.starts_with("MEDIAN") && !matrix.title.starts_with("AVERAGE");
                    if counts && items.len() > 1 {
                        assert_eq!(items[0], items[1..].iter().sum::<i64>(), "{}", matrix.code);
                    }
                }
            }
            assert_eq!(lines, 400);
        }
    }

    #[test]
    fn each_line_has_a_place_of_the_same_population() {
        let dir = directory();
        let lines = GenerateSpec { lines: 900, ..spec(1000, vec![1]) };
        generate(&lines, dir.path()).unwrap();
        let mut geo = GeoReader::open(&dir.path().join("nygeo_uf1.zip")).unwrap();
        let mut segment = SegmentReader::open(&dir.path().join("ny00001_uf1.zip"), 1).unwrap();
        let mut line = Line::default();
        let mut blocks = 0;
        let mut state = 0;
        while let Some((number, record)) = geo.next_record().unwrap() {
            assert_eq!(u64::from(record.logrecno), number);
            match record.sumlev.as_str() {
                "040" => state = record.pop100,
                "101" => blocks += record.pop100,
                _ => {}
            }
            if segment.next_record(&mut line).unwrap().is_some() {
                assert_eq!((line.logrecno, line.values[0]), (record.logrecno, record.pop100 * 100));
            } else {
                assert!(number > 900);
            }
        }
        assert!(state > 1000);
        assert_eq!(state, blocks);
    }

    #[test]
    fn a_seed_makes_the_same_bytes_on_every_machine() {
        let dir = directory();
        let files = generate(&spec(2000, vec![1, 2]), dir.path()).unwrap();
        let sums: Vec<String> = files.iter().map(|f| sha256_of_file(&f.path).unwrap()).collect();
        // A new version of the compressor may change these; a machine may not.
        assert_eq!(
            sums,
            [
                "e887119196c2e07310dce23324b459ef4f4dc52892e3472aaea92310f7dad4fd",
                "4ee7e0edd3c32b766b97e2f31b142ec14239d969506451b95d3791724919e422",
                "aecb6667b8df6a19d099787257ab93e5c5aa7c7cfee512959d7e4f29353f467f",
            ]
        );
        let other = directory();
        let seed = GenerateSpec { seed: 1, ..spec(2000, vec![1, 2]) };
        let others = generate(&seed, other.path()).unwrap();
        assert_ne!(sha256_of_file(&others[1].path).unwrap(), sums[1]);
    }

    #[test]
    fn generated_lines_look_like_real_ones() {
        let dir = directory();
        let files = generate(&spec(5000, vec![1]), dir.path()).unwrap();
        let a_line = files[1].text_bytes / files[1].records;
        assert!((460..510).contains(&a_line), "{a_line} bytes a line; real ones have 481");
        let mut reader = SegmentReader::open(&files[1].path, 1).unwrap();
        let mut line = Line::default();
        let mut zeros = 0;
        while reader.next_record(&mut line).unwrap().is_some() {
            zeros += line.values.iter().filter(|v| **v == 0).count();
        }
        let percent = zeros * 100 / (5000 * 222);
        assert!((85..96).contains(&percent), "{percent} % zeros; real lines have 92 %");
    }

    #[test]
    fn what_cannot_be_generated_is_refused() {
        let dir = directory();
        let refused = |spec: GenerateSpec| generate(&spec, dir.path()).unwrap_err().to_string();
        assert!(refused(spec(0, vec![1])).starts_with("0 geographic records"));
        assert!(refused(spec(10_000_000, vec![1])).starts_with("10000000 geographic records"));
        assert!(refused(spec(5, vec![1, 40])).starts_with("segment 40 does not exist"));
        assert!(refused(GenerateSpec { lines: 6, ..spec(5, vec![1]) }).starts_with("6 lines need"));
        assert!(refused(GenerateSpec { state: "zz".into(), ..spec(5, vec![1]) }).contains("is no state"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let missing = generate(&spec(5, vec![1]), &dir.path().join("missing")).unwrap_err();
        assert!(missing.to_string().contains("nygeo_uf1.zip: cannot be written"), "{missing}");
    }
}
