//! The result of one run. It contains the configuration that produced it, and loads again.

use super::metrics::{PhaseMetrics, RunMetrics};
use super::{Job, Retried, Timeline};
use crate::model::checksum::Tally;
use crate::model::lookup::Delivered;
use crate::model::{Phase, Workload};
use serde::{Deserialize, Serialize};

/// Everything one ingester run measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// [`super::SCHEMA`] of the program that wrote it.
    pub schema: u32,
    /// Name and version of the program.
    pub program: String,
    /// What was asked for; the database URL without its password.
    pub job: Job,
    /// Wall-clock time the run began, seconds since 1970 (UTC).
    pub began: f64,
    /// Each phase that ran, in order.
    pub phases: Vec<PhaseResult>,
    /// What the database confirmed; of a resumed run also what `progress` listed when it began.
    pub acknowledged: Acknowledged,
    /// What was found in the database afterwards; absent where the lab verifies itself.
    pub verification: Option<Verification>,
    /// Processor time of the ingester with its children.
    pub cpu: Cpu,
    /// Largest resident memory of the ingester, bytes; for `processes` the largest of its children on top. Of several
    /// ingesters theirs together.
    pub peak_memory: u64,
    /// Why the run ended early, if it did.
    pub interrupted: Option<Interrupt>,
    /// Whether the program's threads run one at a time, as under an interpreter's lock: it uses one processor, however
    /// many it may.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interpreter_lock: bool,
    /// Worker processes that died on the way, a sentence each; others did their work. Absent where none did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// What broke on the way and was made good; absent where nothing did, or the job didn't ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried: Option<Retried>,
    /// What was measured outside the phases; absent where the job didn't ask for it, or the program can't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<RunMetrics>,
    /// What each of several ingesters did that shared the run, in order; absent where there was one. All other figures
    /// are those of all of them together; `job` is what each was told, but for its share.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<ClientResult>,
}

/// What one of several ingesters did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientResult {
    /// Which, from 1.
    pub client: usize,
    /// Each phase that it ran, in order.
    pub phases: Vec<ClientPhase>,
    /// Its processor time, with its children's.
    pub cpu: Cpu,
    /// Its largest resident memory, bytes.
    pub peak_memory: u64,
}

/// What one of several ingesters did in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClientPhase {
    /// Which.
    pub phase: Phase,
    /// Records acknowledged.
    pub records: u64,
    /// Rows acknowledged.
    pub rows: u64,
    /// From the phase's start, which is everybody's, to its own last acknowledgement, seconds.
    pub seconds: f64,
    /// Rows a second while every worker of every ingester was busy: these add up to the steady rate of all. Where there
    /// was no such time, over the time it took itself; absent where that was too short.
    pub rate: Option<f64>,
    /// Processor time.
    pub cpu: Cpu,
}

impl RunResult {
    /// Whether its rows were looked for, and are those that were acknowledged.
    pub fn is_verified(&self) -> bool {
        self.verification.as_ref().is_some_and(|found| found.verified)
    }

    /// Where a phase of such a workload counts otherwise than was acknowledged, a sentence each: rates are made of what
    /// phases count, and what was acknowledged is all that is looked for in the database. Not of a run that resumes
    /// another: what that one committed is acknowledged, and in no phase.
    pub fn miscounted(&self, workload: Workload) -> Vec<String> {
        let said = &self.acknowledged;
        let differs = |seen: &PhaseResult| {
            let (records, rows) = match (seen.phase, workload) {
                (Phase::Geo, _) => (said.geo_rows, said.geo_rows),
                (Phase::Data, Workload::Census) => (said.lines, said.total().rows),
                (Phase::Data, Workload::Lookup) => (said.lines, said.lookup.map_or(0, |delivered| delivered.rows)),
            };
            ((seen.records, seen.rows) != (records, rows)).then(|| {
                format!(
                    "phase {} counts {} records and {} rows, acknowledged are {records} and {rows}",
                    seen.phase, seen.records, seen.rows
                )
            })
        };
        self.phases.iter().filter_map(differs).collect()
    }

    /// The result of one phase, if it ran.
    pub fn phase(&self, phase: Phase) -> Option<&PhaseResult> {
        self.phases.iter().find(|result| result.phase == phase)
    }

    /// Connections of all ingesters together.
    pub fn connections(&self) -> usize {
        self.job.pool.saturating_mul(self.clients.len().max(1))
    }

    /// Of several ingesters what each did in a phase: which, and what.
    pub fn clients_in(&self, phase: Phase) -> impl Iterator<Item = (usize, &ClientPhase)> {
        let of = move |one: &ClientResult| Some((one.client, one.phases.iter().position(|seen| seen.phase == phase)?));
        self.clients.iter().filter_map(move |one| of(one).map(|(client, at)| (client, &one.phases[at])))
    }

    /// Of several ingesters the one with the lowest rate in a phase; none where there was one only.
    pub fn slowest(&self, phase: Phase) -> Option<(usize, f64)> {
        let rates = self.clients_in(phase).filter_map(|(client, seen)| Some((client, seen.rate?)));
        rates.min_by(|one, other| one.1.total_cmp(&other.1))
    }
}

/// Why a run ended before its data did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interrupt {
    /// A person or the lab asked it to stop.
    Signal,
}

/// One phase of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseResult {
    /// Which.
    pub phase: Phase,
    /// Records acknowledged.
    pub records: u64,
    /// Rows acknowledged.
    pub rows: u64,
    /// Records passed over because an earlier run had committed them; of a resumed run only.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// From the phase's start to its last acknowledgement, seconds.
    pub seconds: f64,
    /// Processor time of the ingester with its children during the phase.
    pub cpu: Cpu,
    /// Rows a second, by part.
    pub rates: Rates,
    /// Where the time went; absent where the job didn't ask for it, or the program can't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Box<PhaseMetrics>>,
    /// Its rows over time, on the clock that all ingesters share: from one of several only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Rows a second; absent where a part had no time to be measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Over the whole phase.
    pub whole: Option<f64>,
    /// While the reader was still filling the queue.
    pub while_filling: Option<f64>,
    /// After the reader's last record.
    pub after: Option<f64>,
    /// In the window in which every worker was busy.
    pub steady: Option<Steady>,
}

/// The window in which every worker was busy, ramp and drain left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Steady {
    /// Rows a second within the window.
    pub rate: f64,
    /// Where the window starts, seconds into the phase.
    pub from: f64,
    /// Where it ends, seconds into the phase.
    pub to: f64,
}

/// What the database confirmed to the workers, added up over all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Geographic records inserted: how many, and the sum of their digests.
    pub geo_rows: u64,
    /// Order-independent sum of the geographic records' digests (each below 2^60), modulo 2^63.
    pub geo_digest: u64,
    /// Lines whose every item was inserted; of a lookup rows delivered.
    pub lines: u64,
    /// Per dictionary item, ascending by item.
    pub items: Vec<ItemTally>,
    /// Of a lookup what was delivered, in its order; absent of an ingest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Delivered>,
}

impl Acknowledged {
    /// All items together.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for item in &self.items {
            total.merge(&item.tally);
        }
        total
    }
}

/// One dictionary item's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemTally {
    /// The dictionary item's id.
    pub item: i32,
    /// Its rows.
    #[serde(flatten)]
    pub tally: Tally,
}

/// What was found in the database, next to what had been acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Whether every count, sum and checksum agreed.
    pub verified: bool,
    /// Rows found in `geo_record`.
    pub geo_rows: u64,
    /// Rows, sum (hundredths) and checksum found in `data_element`.
    pub elements: Tally,
    /// Of a lookup what as many deliveries in order have to add up to, by what `node` holds; absent of an ingest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Delivered>,
    /// What differed, a sentence each; empty when verified.
    pub differences: Vec<String>,
}

/// Processor time, seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cpu {
    /// In user mode.
    pub user: f64,
    /// In the kernel.
    pub system: f64,
}

impl Cpu {
    /// Both together.
    pub fn total(self) -> f64 {
        self.user + self.system
    }

    /// This and another together.
    pub fn plus(self, other: Self) -> Self {
        Self { user: self.user + other.user, system: self.system + other.system }
    }

    /// From `earlier` to this reading.
    pub fn since(self, earlier: Self) -> Self {
        Self { user: self.user - earlier.user, system: self.system - earlier.system }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::result;
    use super::*;
    use crate::model::cell::Cell;

    #[test]
    fn phases_count_what_was_acknowledged_or_are_told() {
        for (cell, phases) in [("threads row auto pool 15", 2), ("lookup threads row pool 4 chunk 10", 1)] {
            let cell: Cell = cell.parse().unwrap();
            let mut run = result(&cell, 9_000.0);
            assert_eq!(run.miscounted(cell.workload), Vec::<String>::new());
            run.phases.iter_mut().for_each(|phase| phase.rows *= 2);
            let told = run.miscounted(cell.workload);
            assert_eq!(told.len(), phases, "{told:?}");
            let last = "phase data counts 40 records and 17760 rows, acknowledged are 40 and 8880";
            assert_eq!(told[phases - 1], last);
        }
        let mut lines = result(&"threads row auto pool 15".parse().unwrap(), 9_000.0);
        lines.acknowledged.lines -= 1;
        assert_eq!(lines.miscounted(Workload::Census).len(), 1, "records are counted, too");
        assert_eq!(lines.miscounted(Workload::Lookup).len(), 1, "no row was delivered");
    }
}
