//! How fast SF1 is read out of its archive and made.

use anyhow::Result;
use ingest_lab::analysis::Summary;
use ingest_lab::census::generate::{GenerateSpec, generate};
use ingest_lab::census::{Line, SegmentReader};
use std::time::Instant;

const ROUNDS: usize = 7;
const LINES: u32 = 50_000;

/// Prints both speeds in MB (10^6 bytes) of text a second of one core.
pub fn speeds() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let spec = GenerateSpec { geo_records: LINES, lines: LINES, ..GenerateSpec::default() };
    let (mut making, mut reading) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let written = generate(&spec, folder.path())?;
        let text: u64 = written.iter().map(|file| file.text_bytes).sum();
        making.push(text as f64 / 1e6 / begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        let mut reader = SegmentReader::open(&folder.path().join("ny00001_uf1.zip"), 1)?;
        let text = reader.text_bytes();
        let mut line = Line::default();
        while reader.next_record(&mut line)?.is_some() {}
        reading.push(text as f64 / 1e6 / begun.elapsed().as_secs_f64());
    }
    for (what, figures, wanted) in [("parse from the zip", reading, 200), ("generate into a zip", making, 100)] {
        if let Some(found) = Summary::of(figures) {
            println!(
                "{what}: {:.0} MB/s ({:.0}-{:.0} over {ROUNDS}), wanted {wanted} or more",
                found.median, found.least, found.most
            );
        }
    }
    Ok(())
}
