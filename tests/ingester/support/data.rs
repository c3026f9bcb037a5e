//! Data folders: generated, real, and broken ones.

use ingest_lab::census::{GenerateSpec, Line, SegmentReader, generate};
use ingest_lab::model::checksum::Tally;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Items of segment 01.
pub const ITEMS: usize = 222;
/// Its archive and member.
pub const SEGMENT: (&str, &str) = ("ny00001_uf1.zip", "ny00001.uf1");
/// The header's archive and member.
pub const HEADER: (&str, &str) = ("nygeo_uf1.zip", "nygeo.uf1");

/// A folder of generated data.
pub fn generated(geo_records: u32, lines: u32, segments: &[u8]) -> TempDir {
    let dir = TempDir::new().unwrap();
    let spec = GenerateSpec { geo_records, lines, segments: segments.to_vec(), ..GenerateSpec::default() };
    generate(&spec, dir.path()).unwrap();
    dir
}

/// Rows and sum (hundredths) of a segment's archive, read without the ingester.
pub fn sum_of(archive: &Path, segment: u8) -> Tally {
    let (mut reader, mut line, mut tally) =
        (SegmentReader::open(archive, segment).unwrap(), Line::default(), Tally::default());
    while reader.next_record(&mut line).unwrap().is_some() {
        tally.rows += line.values.len() as u64;
        tally.sum += line.values.iter().sum::<i64>();
    }
    tally
}

/// The Bureau's own file with a header derived from it by the ingester, or a loud line that says what is skipped.
pub fn real(test: &str) -> Option<TempDir> {
    const NAME: &str = "ny00001.truncated.uf1.zip";
    let Some(shared) = std::env::var_os("INGEST_LAB_SHARED").map(PathBuf::from) else {
        // Past the harness, which keeps what a passing test prints to itself.
        let text = format!("skipped: {test}, because INGEST_LAB_SHARED does not name the folder with data/{NAME}\n");
        std::io::stderr().write_all(text.as_bytes()).unwrap();
        return None;
    };
    let dir = TempDir::new().unwrap();
    let archive = dir.path().join(NAME);
    std::os::unix::fs::symlink(fs::canonicalize(shared.join("data").join(NAME)).unwrap(), &archive).unwrap();
    super::ingester().arg("geo-from").arg(&archive).assert().success();
    Some(dir)
}

/// Writes an archive with these members, in Latin-1 as the Bureau does.
pub fn zip(dir: &Path, name: &str, members: &[(&str, &str)]) -> PathBuf {
    let path = dir.join(name);
    let mut zip = ZipWriter::new(File::create(&path).unwrap());
    for (member, text) in members {
        zip.start_file(*member, SimpleFileOptions::default()).unwrap();
        let latin1: Vec<u8> = text.chars().map(|character| u8::try_from(character).unwrap()).collect();
        zip.write_all(&latin1).unwrap();
    }
    zip.finish().unwrap();
    path
}

/// A line of segment 01 about one place, with these items.
pub fn line_of(logrecno: u32, items: &[&str]) -> String {
    format!("uSF1,NY,000,01,{logrecno:07},{}\n", items.join(","))
}

/// A line of segment 01 whose every item is its place's number.
pub fn line(logrecno: u32) -> String {
    let item = logrecno.to_string();
    line_of(logrecno, &[item.as_str(); ITEMS])
}

/// Lines about the places 1 to `count`.
pub fn lines(count: u32) -> String {
    (1..=count).map(line).collect()
}

/// Puts another text in the place of segment 01.
pub fn replace_segment(dir: &Path, text: &str) {
    zip(dir, SEGMENT.0, &[(SEGMENT.1, text)]);
}

/// The text of an archive's one member.
pub fn text_of(archive: &Path) -> String {
    let mut zip = zip::ZipArchive::new(File::open(archive).unwrap()).unwrap();
    let mut latin1 = Vec::new();
    zip.by_index(0).unwrap().read_to_end(&mut latin1).unwrap();
    latin1.into_iter().map(char::from).collect()
}
