//! Records from archives and from a feed.

use super::*;
use crate::census::{GenerateSpec, generate};
use crate::ingest::testing::job;
use crate::model::{Commit, Workload};

#[test]
fn any_byte_survives_the_pipe() {
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(from_latin1(&latin1(&bytes)).unwrap(), bytes);
    assert_eq!(from_latin1("Caña"), Some(b"Ca\xf1a".to_vec()));
    assert_eq!(from_latin1("€"), None);
}

#[test]
fn clients_read_every_record_once_and_a_reader_process_no_other_ones() {
    let dir = tempfile::TempDir::new().unwrap();
    let spec = GenerateSpec { geo_records: 50, lines: 50, segments: vec![1, 2], ..GenerateSpec::default() };
    generate(&spec, dir.path()).unwrap();
    let (phases, limit_lines) = (vec![Phase::Geo, Phase::Data], Some(83));
    let whole = Job { workload: Workload::Census, data: dir.path().into(), phases, limit_lines, ..job() };
    let read = |job: &Job, source: &mut Source, phase| {
        let mut found = Vec::new();
        let mut put = |record: Record| {
            found.push(record.origin().map(|origin| (origin.file.to_string(), origin.line)).unwrap());
            true
        };
        assert!(source.read(job, phase, false, &mut put).unwrap());
        found
    };
    for (commit, clients) in [(Commit::Record, 3), (Commit::Chunk, 3), (Commit::Auto, 4)] {
        let mut piped: Vec<Source> = Vec::new();
        let jobs: Vec<Job> =
            Share::all(clients).map(|share| Job { share, commit, chunk: 16, ..whole.clone() }).collect();
        for job in &jobs {
            let mut text = Vec::new();
            write_feed(job, &mut text).unwrap();
            piped.push(Source::Feed(FeedReader::new(Box::new(std::io::Cursor::new(text)))));
        }
        for phase in [Phase::Geo, Phase::Data] {
            let mut all = Vec::new();
            for (job, piped) in jobs.iter().zip(&mut piped) {
                let own = read(job, &mut Source::Files(open(job).unwrap()), phase);
                assert_eq!(own, read(job, piped, phase));
                all.extend(own);
            }
            let mut wanted = read(&whole, &mut Source::Files(open(&whole).unwrap()), phase);
            assert_eq!(wanted.len(), if phase == Phase::Geo { 50 } else { 83 });
            all.sort();
            wanted.sort();
            assert_eq!(all, wanted, "{commit}, {clients} clients");
        }
    }
}

fn feed(lines: &str) -> FeedReader {
    FeedReader::new(Box::new(std::io::Cursor::new(lines.to_owned().into_bytes())))
}

const RECORD: &str = r#"{"feed":"record","segment":1,"file":"f","line":7,"text":"x"}"#;

#[test]
fn a_feed_is_read_phase_by_phase() {
    let text = format!(
        "{{\"feed\":\"phase\",\"phase\":\"geo\"}}\n{RECORD}\n{RECORD}\n{{\"feed\":\"phase\",\"phase\":\"data\"}}\n{RECORD}\n{{\"feed\":\"end\"}}\n"
    );
    let mut feed = feed(&text);
    let mut count = 0;
    assert!(
        feed.read(Phase::Geo, true, &mut |_| {
            count += 1;
            true
        })
        .unwrap()
    );
    assert_eq!(count, 2);
    assert!(
        feed.read(Phase::Data, true, &mut |_| {
            count += 1;
            true
        })
        .unwrap()
    );
    assert_eq!(count, 3);
}

#[test]
fn a_feed_that_has_ended_is_not_read_any_further() {
    // The rest would block on a pipe that stays open.
    let mut feed = feed("{\"feed\":\"phase\",\"phase\":\"geo\"}\n{\"feed\":\"end\"}\nnever read\n");
    assert!(feed.read(Phase::Geo, true, &mut |_| true).unwrap());
    assert!(feed.read(Phase::Data, true, &mut |_| true).unwrap());
}

#[test]
fn a_feed_that_breaks_off_is_an_error_not_an_end() {
    let mut feed = feed(&format!("{{\"feed\":\"phase\",\"phase\":\"geo\"}}\n{RECORD}\n"));
    let error = feed.read(Phase::Geo, true, &mut |_| true).unwrap_err();
    assert!(error.to_string().contains("without its end mark"), "{error}");
}

#[test]
fn a_failure_of_the_reader_keeps_its_exit_code() {
    let mut feed = feed("{\"feed\":\"failed\",\"error\":\"no zip\",\"code\":4}\n");
    let error = feed.read(Phase::Geo, true, &mut |_| true).unwrap_err();
    assert_eq!(Failure::exit_of(&error), Exit::Data);
}
