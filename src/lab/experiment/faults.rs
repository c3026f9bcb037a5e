//! What a cell with a fault needs, so that what it shows can be told: rows that nobody can count twice, and time.

use super::StopRule;
use crate::model::cell::{Cell, DIRECT};
use crate::model::fault::Kind;
use crate::model::{Commit, Program, Storage, Workload};

/// What a run has to go on after its fault, seconds: the rate of a second is looked for.
const AFTER: f64 = 2.0;

/// Refuses what a fault makes no sense of, with what would do.
pub(super) fn check(cell: &Cell, stop: &StopRule) -> Result<(), String> {
    let fault = cell.fault;
    if fault.is_none() {
        return Ok(());
    }
    if cell.scheme.program() != Program::Ingester {
        return Err(format!(
            "{} keeps no progress and opens no connection again: give a fault to a scheme of the ingester",
            cell.scheme
        ));
    }
    let needs_progress = cell.workload == Workload::Census && cell.commit == Commit::Auto;
    if needs_progress {
        return Err(
            "after a fault nobody can tell which rows of a record commit auto has left: use commit record or chunk"
                .into(),
        );
    }
    if cell.link == DIRECT && matches!(fault.kind, Kind::Reset | Kind::BlackHole(_) | Kind::LossBurst(..)) {
        return Err(format!("{fault} is done by the link, and link {DIRECT} leads past it: use link local"));
    }
    let of_lookup = cell.workload == Workload::Lookup;
    match (fault.kind, cell.storage) {
        (Kind::IngesterKill | Kind::WalFull, _) if of_lookup => {
            return Err(format!("a lookup writes nothing, so there is nothing to go on with: leave {fault} out"));
        }
        (Kind::WalFull, Storage::Volume) => {
            return Err(
                "wal-full fills the disk of the write-ahead log, which must not be the machine's: use storage tmpfs"
                    .into(),
            );
        }
        (Kind::DbKill | Kind::DbRestart | Kind::Memory, Storage::Tmpfs) => {
            return Err(format!(
                "{fault} ends the database, and one in memory loses every row with it: use storage volume"
            ));
        }
        _ => {}
    }
    let Some(seconds) = stop.seconds else {
        return Err(format!("{fault} comes so many seconds into the data phase: give stop.seconds"));
    };
    let over = fault.begins(seconds) + fault.lasts() + AFTER;
    if over > seconds {
        return Err(format!(
            "{fault} would not be over {AFTER} s before the run's {seconds} s are: raise stop.seconds to {over:.0}, or let it come earlier (@1s)"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(cell: &str, seconds: Option<f64>) -> Result<(), String> {
        check(&cell.parse().unwrap(), &StopRule { seconds, ..Default::default() })
    }

    #[test]
    fn a_fault_is_refused_where_nothing_could_be_told_of_it() {
        for (cell, part) in [
            ("async row auto pool 8 fault reset", "use commit record or chunk"),
            ("py-asyncio row record pool 8 fault reset", "py-asyncio keeps no progress"),
            ("async row record pool 8 fault wal-full", "use storage tmpfs"),
            ("async row record pool 8 storage tmpfs fault db-kill", "use storage volume"),
            ("lookup async row pool 8 fault ingester-kill", "a lookup writes nothing"),
            ("async row record pool 8 link direct fault reset", "use link local"),
            ("async row record pool 8 fault black-hole=5s@6s", "raise stop.seconds to 13"),
        ] {
            let error = told(cell, Some(12.0)).unwrap_err();
            assert!(error.contains(part), "{cell}: {error}");
        }
        assert!(told("async row record pool 8 fault reset", None).unwrap_err().contains("give stop.seconds"));
    }

    #[test]
    fn a_fault_with_time_and_transactions_is_fine() {
        for cell in [
            "async row record pool 8 fault black-hole=5s@4s",
            "processes row chunk pool 8 fault db-kill",
            "async row record pool 8 storage tmpfs fault wal-full",
            "lookup async row pool 8 fault db-kill",
            "async row auto pool 8",
        ] {
            assert_eq!(told(cell, Some(12.0)), Ok(()), "{cell}");
        }
    }
}
