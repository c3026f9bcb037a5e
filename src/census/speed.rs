//! How fast reading and generating are: `cargo test --release speed_of -- --ignored --nocapture`.

use super::testing::{directory, shared};
use super::{GenerateSpec, Line, SegmentReader, generate};
use std::path::Path;
use std::time::{Duration, Instant};

const ROUNDS: u32 = 7;

fn report(what: &str, bytes: u64, mut times: Vec<Duration>) {
    times.sort();
    let rate = |t: &Duration| bytes as f64 / 1e6 / t.as_secs_f64();
    println!(
        "{what}: {:.0} MB/s of text (median of {}; {:.0} to {:.0})",
        rate(&times[times.len() / 2]),
        times.len(),
        rate(&times[times.len() - 1]),
        rate(&times[0]),
    );
}

fn measure_reading(what: &str, path: &Path) {
    let mut bytes = 0;
    let times = |read: &mut dyn FnMut(SegmentReader)| -> Vec<Duration> {
        (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                read(SegmentReader::open(path, 1).unwrap());
                start.elapsed()
            })
            .collect()
    };
    let mut raw = Vec::new();
    let lines = times(&mut |mut reader| {
        bytes = reader.text_bytes();
        while reader.next_line(&mut raw).unwrap().is_some() {}
    });
    report(&format!("lines of {what}"), bytes, lines);
    let mut record = Line::default();
    let records = times(&mut |mut reader| while reader.next_record(&mut record).unwrap().is_some() {});
    report(&format!("parsed lines of {what}"), bytes, records);
}

#[test]
#[ignore = "a measurement, not a claim"]
fn speed_of_reading_and_generating() {
    let dir = directory();
    let spec = GenerateSpec { geo_records: 100_000, lines: 100_000, ..GenerateSpec::default() };
    let mut bytes = 0;
    let times = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            bytes = generate(&spec, dir.path()).unwrap().iter().map(|f| f.text_bytes).sum();
            start.elapsed()
        })
        .collect();
    report("generated", bytes, times);
    measure_reading("a generated file", &dir.path().join("ny00001_uf1.zip"));
    if let Some(shared) = shared("speed of reading the real file") {
        measure_reading("the real file", &shared.join("data/ny00001.truncated.uf1.zip"));
    }
}
