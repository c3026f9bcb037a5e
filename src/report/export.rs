//! Everything as CSV, a line a run, and as JSON, with what the analysis made of it.

use super::Report;
use super::bounds;
use super::latency::{CellLatency, DURATIONS, StageLatency};
use super::ledgers::CellLedgers;
use super::machine;
use super::table::{self, RATES};
use crate::analysis::{Share, evidence, round_trips, rounds_on_the_link, verdict};
use crate::model::{Factor, Phase};
use crate::wire::SCHEMA;
use crate::wire::conditions::CpuCheck;
use crate::wire::record::RunRecord;
use serde_json::{Map, Value, json};

/// A column: its name, with the unit, and what it holds.
type Column = (&'static str, fn(&RunRecord) -> Option<String>);

/// What is told of every run besides its factors.
const COLUMNS: [Column; 32] = [
    ("series", |run| Some(run.series.clone())),
    ("run", |run| Some(run.run.to_string())),
    ("attempt", |run| Some(run.attempt.to_string())),
    ("block", |run| Some(run.block.to_string())),
    ("part", |run| Some(run.part.to_string())),
    ("valid", |run| Some(run.is_valid().to_string())),
    ("why_not", |run| Some(run.invalid.join("; "))),
    ("verified", |run| Some(run.result()?.verification.as_ref()?.verified.to_string())),
    ("geo_rows_per_s", |run| figure((RATES[0].2)(run.result()?))),
    ("filling_rows_per_s", |run| figure((RATES[1].2)(run.result()?))),
    ("after_rows_per_s", |run| figure((RATES[2].2)(run.result()?))),
    ("steady_rows_per_s", |run| figure((RATES[3].2)(run.result()?))),
    ("data_rows", |run| Some(run.result()?.phase(Phase::Data)?.rows.to_string())),
    ("data_seconds", |run| figure(Some(run.result()?.phase(Phase::Data)?.seconds))),
    ("client_cpu_us_per_row", |run| figure(table::cpu_a_row(run.result()?))),
    ("client_memory_bytes", |run| Some(run.result()?.peak_memory.to_string())),
    ("rtt_asked_ms", |run| {
        let asked = run.conditions.link_asked.as_ref().filter(|asked| !asked.is_direct())?;
        figure(Some(asked.rtt().nanos() as f64 / 1e6))
    }),
    ("rtt_measured_p50_ms", |run| figure(Some(run.conditions.round_trip()?.p50 as f64 / 1e6))),
    ("rtt_measured_p99_ms", |run| figure(Some(run.conditions.round_trip()?.p99 as f64 / 1e6))),
    ("round_trips_per_row", |run| figure(round_trips(run))),
    ("link_rounds_per_row", |run| figure(rounds_on_the_link(run))),
    ("bound", |run| Some(verdict(&evidence(run)?).bound.to_string())),
    ("client_cpus_measured", |run| share(run.conditions.client.as_ref())),
    ("db_cpus_measured", |run| share(run.conditions.database.as_ref())),
    ("slowest_client", |run| Some(run.result()?.slowest(Phase::Data)?.0.to_string())),
    ("slowest_client_rows_per_s", |run| figure(Some(run.result()?.slowest(Phase::Data)?.1))),
    ("fault_at_s", |run| figure(run.conditions.fault.as_ref()?.applied)),
    ("fault_until_s", |run| figure(run.conditions.fault.as_ref()?.lifted)),
    ("rows_per_s_before_fault", |run| figure(Some(run.conditions.fault.as_ref()?.outage?.before))),
    ("without_a_row_s", |run| figure(Some(run.conditions.fault.as_ref()?.outage?.without))),
    ("back_after_s", |run| figure(run.conditions.fault.as_ref()?.outage?.back)),
    ("lost_unasked_packets", |run| {
        let emulation = &run.conditions.link.as_ref()?.emulation;
        let ways = [&emulation.up, &emulation.down];
        let lost = ways.into_iter().flatten().filter_map(|way| way.dropped_unasked);
        Some(lost.fold(0, u64::saturating_add).to_string())
    }),
];

fn figure(value: Option<f64>) -> Option<String> {
    value.filter(|value| value.is_finite()).map(|value| value.to_string())
}

fn share(check: Option<&CpuCheck>) -> Option<String> {
    figure(Some(check?.measured))
}

impl Report<'_> {
    /// A line a run, warm-ups and invalid ones too; what was not measured is empty. RFC 4180.
    pub fn csv(&self) -> String {
        let factors = Factor::ALL.iter().map(|factor| factor.word().replace('-', "_"));
        let of_machine = machine::FIGURES.iter().map(|(name, _)| (*name).to_owned());
        let heads = COLUMNS.iter().map(|(name, _)| (*name).to_owned()).chain(of_machine).chain(factors);
        let mut text = line(heads);
        for run in self.source.records {
            let figures = COLUMNS.iter().map(|(_, of)| of(run).unwrap_or_default());
            let seen = machine::Seen::of(run);
            let of_machine = machine::FIGURES.iter().map(|(_, of)| figure(of(&seen)).unwrap_or_default());
            let figures = figures.chain(of_machine);
            text.push_str(&line(figures.chain(Factor::ALL.iter().map(|factor| factor.level(&run.cell)))));
        }
        text
    }

    /// The answers, the figures behind them, and every run as it is kept. Rates are rows a second, ratios are
    /// multiples, `smallest` and `floor` parts of a rate, shares parts of a whole.
    pub fn json(&self) -> String {
        let cells: Vec<Value> = self
            .analysis
            .cells
            .iter()
            .zip(table::rows(&self.analysis, &self.names))
            .map(|(cell, row)| {
                let rates: Map<String, Value> =
                    RATES.iter().zip(row.rates).map(|((name, ..), rate)| ((*name).to_owned(), json!(rate))).collect();
                json!({
                    "cell": cell.cell, "part": cell.part, "name": row.name, "rows_per_s": rates,
                    "client_cpu_us_per_row": row.cpu, "valid": row.valid, "verified": row.verified, "runs": row.runs,
                    "verdict": bounds::Row::of(&self.analysis, cell, &self.names),
                })
            })
            .collect();
        let whole = json!({
            "schema": SCHEMA,
            "series": self.source.series,
            "experiment": self.source.experiment,
            "question": self.source.question,
            "tally": self.tally(),
            "answers": self.in_words().collect::<Vec<_>>(),
            "cells": cells,
            "connection_time": self.ledgers.iter().map(connection_time).collect::<Vec<_>>(),
            "latency": self.latencies.iter().map(latency).collect::<Vec<_>>(),
            "waits": self.waits,
            "machine": self.machine.iter().map(machine::Row::json).collect::<Vec<_>>(),
            "comparisons": self.analysis.comparisons,
            "distances": self.analysis.distances,
            "noise": self.analysis.noise,
            "then": self.then,
            "faults": self.faults,
            "forecasts": self.forecasts,
            "why_believe_it": self.facts,
            "invalid": self.invalid,
            "not_shown": self.not_shown,
            "setup": self.setup,
            "runs": self.source.records,
        });
        format!("{whole:#}\n")
    }
}

/// Both ledgers of a cell.
fn connection_time(cell: &CellLedgers) -> Value {
    let named = |shares: &[Share]| -> Map<String, Value> {
        shares.iter().map(|(name, share)| ((*name).to_owned(), json!(share))).collect()
    };
    json!({ "name": cell.name, "workers": named(&cell.workers), "backends": named(&cell.backends) })
}

/// How long a cell's requests took, milliseconds, as the table has it.
fn latency(cell: &CellLatency) -> Value {
    let stage = |one: &StageLatency| -> Map<String, Value> {
        let durations = DURATIONS.iter().zip(one.durations);
        let named = durations.map(|((name, _), ns)| (format!("{name}_ms"), json!(ns / 1e6)));
        let counts = [("runs", json!(one.runs)), ("operations", json!(one.operations)), ("stage", json!(one.stage))];
        let counts = counts.into_iter().chain([("stalled", json!(one.stalled))]);
        counts.map(|(name, value)| (name.to_owned(), value)).chain(named).collect()
    };
    json!({ "name": cell.name, "stages": cell.stages.iter().map(stage).collect::<Vec<_>>() })
}

/// Fields of one line; quoted where they hold what separates them.
pub(super) fn line(fields: impl Iterator<Item = String>) -> String {
    let quoted = fields.map(|field| {
        if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
    });
    let mut text = quoted.collect::<Vec<_>>().join(",");
    text.push_str("\r\n");
    text
}
