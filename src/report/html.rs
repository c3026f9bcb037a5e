//! The report as one HTML file that needs no network. What it says comes from the same view as every other form;
//! this file only chooses the charts and fills `template.html`.

use super::chart::{self, Bar, Line, Multiple, Point, Stack};
use super::latency::{self, CellLatency};
use super::markdown::with_spread;
use super::page::{self, TEMPLATE};
use super::table::{self, RATES};
use super::waits::CellWaits;
use super::{Report, bounds, faults, forecasts, ledgers, machine, then, waits};
use crate::analysis::{CellRuns, Comparison, Finding, Means, Summary};
use crate::model::{Factor, Part, units};
use serde::Serialize;
use std::fmt::Write;

/// More rows than that are no chart any more.
const MOST_ROWS: usize = 48;

/// A chart with what a reader needs to read it.
#[derive(Debug, Clone, Serialize)]
struct Figure {
    title: String,
    svg: String,
    /// Lines' signs and names.
    legend: Vec<(String, String)>,
    caption: String,
}

/// A table without more to it.
#[derive(Debug, Clone, Serialize)]
struct Table {
    id: &'static str,
    title: &'static str,
    /// The heads of the columns, and whether what stands below is a number.
    heads: Vec<(&'static str, bool)>,
    rows: Vec<Vec<String>>,
    note: String,
}

/// A line of the table of rates.
#[derive(Debug, Clone, Serialize)]
struct TableRow {
    name: String,
    cells: Vec<Cell>,
    runs: String,
    complete: bool,
}

/// A figure above its spread.
#[derive(Debug, Clone, Serialize)]
struct Cell {
    median: String,
    spread: String,
    title: String,
}

/// A cell with the stages of its requests.
#[derive(Debug, Clone, Serialize)]
struct LatencyRow {
    name: String,
    /// Stage, operations of a run, durations and the stalled part.
    stages: Vec<(String, String, Vec<String>)>,
}

impl From<&CellLatency> for LatencyRow {
    fn from(cell: &CellLatency) -> Self {
        let stage = |one: &latency::StageLatency| {
            (one.stage.to_string(), units::count(one.operations.round() as u64), one.columns())
        };
        Self { name: cell.name.clone(), stages: cell.stages.iter().map(stage).collect() }
    }
}

/// A cell with what its backends waited for.
#[derive(Debug, Clone, Serialize)]
struct WaitsRow {
    name: String,
    looks: String,
    /// Share, PostgreSQL's name, what the ledger counts it as.
    waits: Vec<(String, String, &'static str)>,
}

impl From<&CellWaits> for WaitsRow {
    fn from(cell: &CellWaits) -> Self {
        let waits = cell.waits.iter().map(|wait| (wait.percent(), wait.event.clone(), wait.counts_as));
        Self { name: cell.name.clone(), looks: units::count(cell.looks as u64), waits: waits.collect() }
    }
}

impl Report<'_> {
    /// The whole page.
    pub fn html(&self) -> String {
        let rows = table::rows(&self.analysis, &self.names);
        let heads: Vec<_> = RATES.iter().map(|(name, what, _)| (*name, *what)).collect();
        let page = serde_json::json!({
            "series": self.source.series,
            "question": self.source.question,
            "tally": self.tally(),
            "warnings": self.warnings().collect::<Vec<_>>(),
            "answers": self.in_words().collect::<Vec<_>>(),
            "figures": self.figures(),
            "common": self.names.common(),
            "heads": heads,
            "spread_is": table::spread_is(&rows),
            "rows": rows.iter().map(table_row).collect::<Vec<_>>(),
            "trips_are": table::TRIPS,
            "latency_heads": latency::heads().collect::<Vec<_>>(),
            "latency": self.latencies.iter().map(LatencyRow::from).collect::<Vec<_>>(),
            "latency_note": latency::NOTE,
            "waits": self.waits.iter().map(WaitsRow::from).collect::<Vec<_>>(),
            "waits_note": waits::NOTE,
            "then": self.then,
            "then_note": then::NOTE,
            "tables": self.tables(),
            "comparisons": self.comparison_rows(),
            "facts": self.facts,
            "invalid": self.invalid,
            "not_shown": self.not_shown,
            "setup": self.setup,
            "path": self.source.path,
            "program": concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
        });
        page::render(TEMPLATE, &page)
    }

    /// What is no more than a table.
    fn tables(&self) -> Vec<Table> {
        let faults = Table {
            id: "faults",
            title: "What each fault cost",
            heads: faults::HEADS.to_vec(),
            rows: self.faults.iter().map(faults::Row::cells).collect(),
            note: faults::note(),
        };
        let forecasts = Table {
            id: "forecasts",
            title: "Told before it ran",
            heads: forecasts::HEADS.to_vec(),
            rows: self.forecasts.iter().map(|row| row.cells().into()).collect(),
            note: forecasts::NOTE.into(),
        };
        let bounds = Table {
            id: "bounds",
            title: "What bounds each cell",
            heads: bounds::HEADS.to_vec(),
            rows: self.bounds.iter().map(|row| row.cells().into()).collect(),
            note: bounds::NOTE.into(),
        };
        let machine = Table {
            id: "machine",
            title: machine::TITLE,
            heads: machine::HEADS.to_vec(),
            rows: self.machine.iter().map(|row| row.cells().into()).collect(),
            note: machine::NOTE.into(),
        };
        [faults, bounds, forecasts, machine].into_iter().filter(|table| !table.rows.is_empty()).collect()
    }

    /// What was broken, and what came meanwhile.
    fn over_time(&self) -> Figure {
        Figure {
            title: "Rows a second while something breaks".into(),
            svg: chart::timelines(&faults::panels(&self.analysis, &self.faults)),
            legend: Vec::new(),
            caption:
                "A line a run. Shaded, between upright lines: from the moment the fault was ordered until it was made \
                      good, by the lab's clock."
                    .into(),
        }
    }

    fn figures(&self) -> Vec<Figure> {
        let all = [
            self.over_time(),
            self.ratios(),
            self.by_pool(),
            self.by_distance(),
            self.by_cell(),
            self.connection_time(),
        ];
        all.into_iter().filter(|figure| !figure.svg.is_empty()).collect()
    }

    /// Every cell's rate.
    fn by_cell(&self) -> Figure {
        let cells = self.analysis.cells.iter().filter_map(|cell| self.bar(cell));
        let bars: Vec<Bar> = cells.take(MOST_ROWS).collect();
        Figure {
            title: "Rows a second, cell by cell".into(),
            svg: chart::bars(&bars),
            legend: Vec::new(),
            caption: "Bar: median; whisker: its 95 % interval, with fewer than six runs their range; dots: the runs. \
                      Data phase, every worker busy."
                .into(),
        }
    }

    fn bar(&self, cell: &CellRuns<'_>) -> Option<Bar> {
        let rate = cell.rate()?;
        let name = self.names.runs(cell);
        let runs = cell.by_block().into_values().collect();
        let title = format!("{name}: {}", told(&rate));
        Some(Bar { name, value: rate.median, spread: rate.spread(), runs, title, light: cell.part == Part::Twin })
    }

    /// Both ledgers of every cell.
    fn connection_time(&self) -> Figure {
        let cells = &self.ledgers[..self.ledgers.len().min(MOST_ROWS)];
        let stacks: Vec<Stack> =
            cells.iter().map(|cell| Stack { name: cell.name.clone(), sides: cell.drawn() }).collect();
        let sign = |state: ledgers::State| (chart::patch(state.style, state.legend), state.legend.to_owned());
        let mut caption = "Means of the valid runs. Workers: the client's, by their own clocks, in the data phase. \
                           Backends: the database's, by the kernel's account and by looks at random times, while every \
                           worker was busy."
            .to_owned();
        if let Some(overlap) = ledgers::overlap(cells) {
            let _ = write!(
                caption,
                " States that overlap fill their bar: unexplained is below zero there, by {} at most.",
                units::percent(overlap)
            );
        }
        Figure {
            title: "Where connection time went".into(),
            svg: chart::stacks(&stacks),
            legend: ledgers::legend(cells).into_iter().map(sign).collect(),
            caption,
        }
    }

    /// Schemes against each other.
    fn ratios(&self) -> Figure {
        let comparisons: Vec<&Comparison<'_>> = self.analysis.of_factor(Factor::Scheme).collect();
        let sides = |one: &Comparison<'_>| (one.other.scheme, one.base.scheme);
        // Where it is always the same two, they are named once.
        let only =
            comparisons.first().map(|one| sides(one)).filter(|two| comparisons.iter().all(|one| sides(one) == *two));
        let rows: Vec<Multiple> =
            comparisons.iter().filter_map(|one| self.multiple(one, only.is_some())).take(MOST_ROWS).collect();
        let title = only.map_or_else(
            || "Schemes as a multiple of another".into(),
            |(other, base)| format!("{other}, as a multiple of {base}"),
        );
        let floor = self.analysis.noise.as_ref().map(|noise| noise.floor);
        let mut caption = "Rows a second, pairs of runs within a block, with intervals that hold together at 95 %. \
                           Filled: a difference."
            .to_owned();
        if let Some(floor) = floor {
            let _ = write!(caption, " Shaded: what identical cells may differ by, {}.", units::percent(floor));
        }
        Figure { title, svg: chart::multiples(&rows, floor), legend: Vec::new(), caption }
    }

    fn multiple(&self, one: &Comparison<'_>, named_once: bool) -> Option<Multiple> {
        let Finding::Measured { ratio, smallest, means } = one.finding else { return None };
        let at = self.names.without(Some(Factor::Scheme), one.base);
        let side = |cell| self.names.side(Factor::Scheme, cell);
        let what = format!("{} / {}", side(one.other), side(one.base));
        let name = match at.is_empty() {
            true => what.clone(),
            false if named_once => at.clone(),
            false => format!("{what}, {at}"),
        };
        let interval = (ratio.low, ratio.high);
        let title = format!(
            "{what} {at}: {}x ({}), {} pairs; from {} on a difference would have shown",
            units::multiple(ratio.ratio),
            units::between(interval, units::multiple),
            ratio.pairs,
            units::percent(smallest)
        );
        let strong = matches!(means, Means::Faster | Means::Slower);
        Some(Multiple { name, value: ratio.ratio, interval, title, strong })
    }

    fn by_pool(&self) -> Figure {
        let x = |cell: &CellRuns<'_>| Some((cell.cell.pool as f64, cell.cell.pool.to_string()));
        self.over(Factor::Pool, "Rows a second by number of connections", "pool (connections), logarithmic", &x)
    }

    fn by_distance(&self) -> Figure {
        let x = |cell: &CellRuns<'_>| {
            let connects = cell.valid_runs().filter_map(|run| run.conditions.round_trip());
            let rtt = Summary::of(connects.map(|connect| connect.p50 as f64))?.median;
            Some((rtt / 1e6, format!("{} ms", units::milliseconds(rtt))))
        };
        self.over(Factor::Link, "Rows a second by distance", "round trip as measured, logarithmic", &x)
    }

    /// A line for every group of cells that differ in this factor only.
    fn over(
        &self,
        factor: Factor,
        title: &str,
        x_name: &str,
        x: &dyn Fn(&CellRuns<'_>) -> Option<(f64, String)>,
    ) -> Figure {
        let mut ticks: Vec<(f64, String)> = Vec::new();
        let mut kinds: Vec<String> = Vec::new();
        let mut lines = Vec::new();
        for group in self.analysis.groups(factor) {
            let first = group[0].cell;
            // How rows are sent and by whom is told by a line's style, everything else at its end.
            let is_kind = |one| matches!(one, Factor::Scheme | Factor::Statement);
            let kind = self.names.by(first, |one| one != factor && is_kind(one));
            let end = self.names.by(first, |one| one != factor && !is_kind(one));
            let style = kinds.iter().position(|one| *one == kind).unwrap_or_else(|| {
                kinds.push(kind);
                kinds.len() - 1
            });
            let mut points = Vec::new();
            for cell in group {
                let (Some((at, tick)), Some(rate)) = (x(cell), cell.rate()) else { continue };
                let title = format!("{} ({tick}): {}", self.names.cell(cell.cell), told(&rate));
                points.push(Point { x: at, y: rate.median, spread: rate.spread(), title });
                ticks.push((at, tick));
            }
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            lines.push(Line { style, end, points });
        }
        ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
        ticks.dedup_by(|a, b| a.1 == b.1);
        let signs = kinds.iter().enumerate().filter(|(_, kind)| !kind.is_empty());
        let legend = signs.map(|(style, kind)| (chart::swatch(style, kind), kind.clone())).collect();
        let caption = "Medians; upright lines: their 95 % intervals, with fewer than six runs the range.".into();
        Figure { title: title.into(), svg: chart::lines(&lines, x_name, &ticks), legend, caption }
    }
}

/// A cell's rate in words.
fn told(rate: &Summary) -> String {
    let spread = match (rate.interval, rate.runs) {
        (_, 1) => "one run".into(),
        (Some(_), runs) => format!("95 % interval {}, {runs} runs", units::between(rate.spread(), units::rate)),
        (None, runs) => format!("range {} of {runs} runs", units::range(rate.spread(), units::rate)),
    };
    format!(
        "{} rows/s ({spread}; mean {}, most {})",
        units::rate(rate.median),
        units::rate(rate.mean),
        units::rate(rate.most)
    )
}

fn table_row(row: &table::Row) -> TableRow {
    let cell = |figure: Option<Summary>, unit: fn(f64) -> String, what: &str| Cell {
        median: figure.map_or_else(|| "n/a".into(), |figure| unit(figure.median)),
        spread: figure
            .filter(|figure| figure.runs > 1)
            .map_or_else(String::new, |figure| units::between(figure.spread(), unit)),
        title: format!("{}, {what}", with_spread(figure, unit)),
    };
    let mut cells: Vec<Cell> = row.rates.iter().map(|rate| cell(*rate, units::rate, "rows a second")).collect();
    cells.push(cell(row.cpu, units::number, "µs of the client's processor time a row"));
    let link = row.link_rounds.map_or_else(String::new, |link| format!("link {}", units::multiple(link)));
    let own = row.round_trips.map_or_else(|| "n/a".into(), units::multiple);
    cells.push(Cell { median: own, spread: link, title: "round trips a row".into() });
    let runs = format!("{}/{}", row.valid, row.runs);
    TableRow { name: row.name.clone(), cells, runs, complete: row.valid == row.runs }
}
