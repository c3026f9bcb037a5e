//! 2015's four tables again, and beside each what this series measured in the same place.
//!
//! The figures of 2015 are records a second as that write-up printed them, in thousands: what it called a record is a
//! row here. Other machines, PostgreSQL 9.3 and 9.4, Python 2.7 and 3.4: they stand here for what they were compared
//! with each other, not with what is measured today.

use crate::analysis::{Analysis, CellRuns};
use crate::model::cell::Cell;
use crate::model::{Commit, Part, Statement, units};
use crate::wire::RunResult;
use serde::Serialize;

use super::table::RATES;

/// The experiment that runs 2015's job.
const EXPERIMENT: &str = "scheme-2015";

/// What was reported of one program: geo, data while the queue fills, data after; thousands of rows a second. Zero: none
/// was given.
type Reported = (&'static str, [f64; 3]);

/// Where it was measured, the pool, the link that is like it here, and what was reported.
const REPORTED: [(&str, usize, &str, &[Reported]); 4] = [
    (
        "a laptop, PostgreSQL on it, pool 15",
        15,
        "local",
        &[
            ("threads, Python 2", [6.8, 16.0, 20.0]),
            ("threads, Python 3", [5.5, 14.0, 19.0]),
            ("gevent", [9.0, 9.0, 13.0]),
            ("asyncio", [5.0, 5.0, 6.0]),
        ],
    ),
    (
        "another laptop, PostgreSQL on it, pool 350",
        350,
        "local",
        &[
            ("threads, Python 2", [11.0, 0.0, 9.0]),
            ("threads, Python 3", [9.0, 0.0, 9.0]),
            ("gevent", [13.0, 0.0, 9.0]),
            ("asyncio", [7.0, 0.0, 6.0]),
        ],
    ),
    (
        "that laptop, pool 150",
        150,
        "local",
        &[
            ("threads, Python 2", [8.0, 0.0, 7.0]),
            ("threads, Python 3", [8.0, 0.0, 6.5]),
            ("gevent", [7.0, 0.0, 6.0]),
            ("asyncio", [6.0, 0.0, 5.5]),
        ],
    ),
    (
        "from one to the other over a network, pool 120",
        120,
        "cross-zone",
        &[
            ("threads, Python 2", [22.0, 0.0, 22.0]),
            ("threads, Python 3", [10.0, 0.0, 21.0]),
            ("gevent", [18.0, 0.0, 19.0]),
            ("asyncio", [8.0, 0.0, 10.0]),
        ],
    ),
];

/// What the columns are.
pub const NOTE: &str = "Rows a second, every statement its own transaction, one INSERT a row. 2015's rows are as it \
                        reported them, on its machines: compare within a year, not across. The rest is this series: \
                        medians of the valid runs, the network as link cross-zone.";

/// One of 2015's tables, and what was measured here in its place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Then {
    /// Where 2015 measured it.
    pub place: &'static str,
    /// 2015's programs, then this series' schemes.
    pub rows: Vec<Row>,
}

/// One program's rates as text: geo, data while the queue fills, data after.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The program, or the scheme.
    pub who: String,
    /// The rates.
    pub rates: [String; 3],
    /// Whether it is 2015's.
    pub of_2015: bool,
}

/// 2015's tables of which this series measured something; none of another experiment than 2015's.
pub fn tables(experiment: &str, analysis: &Analysis<'_>) -> Vec<Then> {
    if experiment != EXPERIMENT {
        return Vec::new();
    }
    let tables = REPORTED.iter().map(|(place, pool, link, reported)| {
        let here = analysis.cells.iter().filter(|runs| runs.part == Part::Cell && is_like(runs.cell, *pool, link));
        let here: Vec<Row> = here.filter(|runs| runs.rate().is_some()).map(measured).collect();
        (place, reported, here)
    });
    tables
        .filter(|(.., here)| !here.is_empty())
        .map(|(place, reported, here)| Then { place, rows: reported.iter().map(said).chain(here).collect() })
        .collect()
}

/// Whether it is 2015's job in that place; a plain cell in everything else.
fn is_like(cell: &Cell, pool: usize, link: &str) -> bool {
    let mut plain = Cell::new(cell.scheme, Statement::Row, Commit::Auto, pool);
    plain.link = link.into();
    // How a driver sends parameters is its own affair here.
    plain.protocol = cell.protocol;
    *cell == plain
}

fn said((who, rates): &Reported) -> Row {
    let rate = |thousands: f64| if thousands > 0.0 { units::rate(thousands * 1e3) } else { "–".into() };
    Row { who: format!("2015: {who}"), rates: rates.map(rate), of_2015: true }
}

fn measured(runs: &CellRuns<'_>) -> Row {
    let rate = |figure: fn(&RunResult) -> Option<f64>| {
        runs.figure(figure).map_or_else(|| "–".into(), |rate| units::rate(rate.median))
    };
    let [geo, filling, after, _] = RATES.map(|(_, _, figure)| rate(figure));
    Row { who: runs.cell.scheme.to_string(), rates: [geo, filling, after], of_2015: false }
}
