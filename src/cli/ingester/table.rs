//! A run's result as a table for people.

use crate::model::units::{bytes, count, duration, number, rows_a_second};
use crate::model::{Phase, Workload};
use crate::wire::{Job, RunResult};
use comfy_table::{CellAlignment, Table, presets};

/// One run for people: the three rates of 2015 and what surrounds them.
pub(super) fn table(result: &RunResult) -> String {
    let Job { workload, scheme, statement, commit, pool, .. } = &result.job;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let mut row = |name: &str, value: String, unit: String| {
        table.add_row(vec![name.to_owned(), value, unit]);
    };
    for phase in &result.phases {
        match phase.phase {
            Phase::Geo => row("geo", rows_a_second(phase.rates.whole), "rows/s".into()),
            Phase::Data => {
                row("data while the queue is filled", rows_a_second(phase.rates.while_filling), "rows/s".into());
                row("data after", rows_a_second(phase.rates.after), "rows/s".into());
                let window = phase.rates.steady.map(|steady| {
                    format!("rows/s, {} of {}", duration(steady.to - steady.from), duration(phase.seconds))
                });
                row(
                    "data, every worker busy",
                    rows_a_second(phase.rates.steady.map(|steady| steady.rate)),
                    window.unwrap_or_else(|| "rows/s".into()),
                );
                let micros = (phase.rows > 0).then(|| phase.cpu.total() / phase.rows as f64 * 1e6);
                row("client CPU", micros.map_or_else(|| "n/a".into(), number), "µs a row".into());
            }
        }
        row(
            &format!("{} rows", phase.phase),
            count(phase.rows),
            format!("in {} records, {}", count(phase.records), duration(phase.seconds)),
        );
    }
    for phase in result.phases.iter().filter(|phase| phase.skipped > 0) {
        row(&format!("{} skipped", phase.phase), count(phase.skipped), "records that an earlier run committed".into());
    }
    if let Some(retried) = &result.retried {
        let records = format!(
            "{} records done again, {} found committed, longest outage {}",
            count(retried.redone),
            count(retried.found),
            duration(retried.longest_outage)
        );
        row("connections opened again", count(retried.reconnects), records);
    }
    row("peak memory", bytes(result.peak_memory), String::new());
    if let Some(found) = &result.verification {
        let sum = found.elements.sum as f64 / 100.0;
        let verdict = if found.verified { "verified" } else { "NOT VERIFIED" };
        match found.lookup {
            Some(found) => row(verdict, count(found.rows), "rows, delivered in the order of their keys".into()),
            None => row(verdict, count(found.elements.rows), format!("elements, sum {}", number(sum))),
        }
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let plural = if *pool == 1 { "" } else { "s" };
    let what = match workload {
        Workload::Census => format!("{scheme} · {statement} · commit {commit}"),
        Workload::Lookup => format!("{workload} · {scheme} · {statement}"),
    };
    format!("{what} · {pool} connection{plural}\n{table}")
}
