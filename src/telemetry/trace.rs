//! A trace for Chrome (`chrome://tracing`) or Perfetto: a JSON array of complete events.

use crate::model::Stage;
use serde_json::json;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Operations a trace holds at most, shared out evenly among the workers: each keeps its first ones. About 10 MB of
/// memory while the run lasts, and 40 MB of file, which viewers still open.
pub const MOST_SLICES: usize = 400_000;

/// One operation, ns since the run's origin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slice {
    pub stage: Stage,
    pub begun: u64,
    pub ended: u64,
}

/// Writes what each worker kept; the last of them is the reader.
pub(super) fn write(file: &Path, workers: &[Vec<Slice>]) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    let process = std::process::id();
    out.write_all(b"[")?;
    let mut first = true;
    let mut put = |out: &mut BufWriter<File>, event: &serde_json::Value| -> io::Result<()> {
        out.write_all(if std::mem::take(&mut first) { b"\n" } else { b",\n" })?;
        Ok(serde_json::to_writer(out, event)?)
    };
    for (number, slices) in workers.iter().enumerate().filter(|(_, slices)| !slices.is_empty()) {
        let worker = if number + 1 == workers.len() { "reader".to_owned() } else { format!("worker {number}") };
        // What a task does and what it waits for overlap without nesting: a line each.
        for (line, name) in [(2 * number, worker.clone()), (2 * number + 1, format!("{worker}, polls"))] {
            if slices.iter().any(|slice| line_of(number, slice.stage) == line) {
                let name = json!({ "name": name });
                put(&mut out, &json!({ "ph": "M", "name": "thread_name", "pid": process, "tid": line, "args": name }))?;
            }
        }
        for slice in slices {
            let micros = |ns: u64| ns as f64 / 1e3;
            let (ts, dur) = (micros(slice.begun), micros(slice.ended.saturating_sub(slice.begun)));
            let line = line_of(number, slice.stage);
            let event =
                json!({ "ph": "X", "name": slice.stage.word(), "pid": process, "tid": line, "ts": ts, "dur": dur });
            put(&mut out, &event)?;
        }
    }
    out.write_all(b"\n]\n")?;
    out.flush()
}

fn line_of(worker: usize, stage: Stage) -> usize {
    2 * worker + usize::from(matches!(stage, Stage::Ready | Stage::Poll))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_trace_is_an_array_of_complete_events_in_microseconds() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("trace.json");
        let slice = |stage, begun, ended| Slice { stage, begun, ended };
        let worker = vec![slice(Stage::Execute, 1_000, 4_500), slice(Stage::Poll, 900, 1_200)];
        write(&file, &[worker, Vec::new(), vec![slice(Stage::Read, 0, 10)]]).unwrap();
        let events: Vec<Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let complete: Vec<&Value> = events.iter().filter(|event| event["ph"] == "X").collect();
        assert_eq!(complete.len(), 3);
        assert_eq!(
            (&complete[0]["name"], &complete[0]["ts"], &complete[0]["dur"]),
            (&json!("execute"), &json!(1.0), &json!(3.5))
        );
        assert_ne!(complete[0]["tid"], complete[1]["tid"], "a poll has a line of its own");
        let names: Vec<&Value> =
            events.iter().filter(|event| event["ph"] == "M").map(|event| &event["args"]["name"]).collect();
        assert_eq!(names, ["worker 0", "worker 0, polls", "reader"]);
    }
}
