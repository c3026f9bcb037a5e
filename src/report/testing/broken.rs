//! What runs show in which something breaks, made up.

use super::played;
use crate::analysis::outage;
use crate::model::Part;
use crate::model::cell::Cell;
use crate::wire::fault::{FaultSeen, Piece};
use crate::wire::record::{Outcome, RunRecord};

/// Like `experiments/faults.toml`, some of it, three blocks. One of the runs with a full disk fails.
pub fn faults() -> Vec<RunRecord> {
    let cell = |fault: &str| Cell { fault: fault.parse().unwrap(), .."async row record pool 8".parse().unwrap() };
    let kinds =
        ["none", "db-restart", "db-kill", "ingester-kill", "reset", "black-hole=3s", "loss-burst=20%/3s", "wal-full"];
    let cells: Vec<_> = kinds.iter().map(|kind| (cell(kind), Part::Cell, 9_000.0)).collect();
    let mut records = played("faults", &cells, 3, 5);
    for (number, record) in records.iter_mut().enumerate() {
        let late = (number % 3) as f64 * 0.2;
        record.conditions.fault = seen(record, late);
    }
    if let Some(failed) = records.iter_mut().rfind(|record| record.cell.fault.to_string() == "wal-full") {
        let error = "the database says: could not extend file: No space left on device (53100)".into();
        failed.outcome = Outcome::Failed { error, code: 5 };
        failed.invalid = failed.outcome.invalid();
    }
    records
}

/// Nothing for so long, then a little, then as before; of a link that loses packets a little all the while.
fn seen(record: &RunRecord, late: f64) -> Option<FaultSeen> {
    let (nothing, little, lifted, error) = match record.cell.fault.to_string().as_str() {
        "none" => return None,
        "db-restart" => (1.6, 0.8, 1.1, Some("the connection to the database was lost (it is shutting down)")),
        "db-kill" => (2.4, 0.6, 0.7, Some("the connection to the database was lost (unexpected EOF)")),
        "ingester-kill" => (1.8, 0.4, 1.2, Some("the ingester was killed")),
        "reset" => (0.4, 0.6, 1.0, Some("the connection to the database was lost (Connection reset by peer)")),
        "black-hole=3s" => (3.2, 0.2, 3.1, None),
        "loss-burst=20%/3s" => (0.4, 12.0, 3.1, None),
        _ => (1.0, 0.4, 2.9, Some("the connection to the database was lost (unexpected EOF)")),
    };
    let applied = 4.05;
    let rate = |at: f64| match at - applied - late {
        after if after < 0.0 => 9_000.0 + 400.0 * (at * 7.0).sin(),
        after if after < nothing => 0.0,
        after if after < nothing + little => 3_000.0,
        _ => 9_000.0 + 400.0 * (at * 5.0).sin(),
    };
    let piece = |number: u32| {
        let from = f64::from(number) * 0.2;
        Piece { from, to: from + 0.2, rows: (rate(from + 0.1) * 0.2) as u64 }
    };
    let mut seen = FaultSeen {
        fault: record.cell.fault,
        asked: 4.0,
        applied: Some(applied),
        lifted: Some(applied + lifted),
        error: error.map(str::to_owned),
        reconnects: if error.is_some() { 8 } else { 0 },
        rows: (0..60).map(piece).collect(),
        ..Default::default()
    };
    seen.outage = outage(&seen);
    Some(seen)
}
