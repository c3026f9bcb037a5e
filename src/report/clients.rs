//! Several clients of one run: what each did, and which was the slowest, as an answer.

use super::answer::{Answer, Line};
use super::names::Names;
use crate::analysis::{Analysis, CellRuns, Summary};
use crate::model::{Part, Phase, units};

/// From this part of the clients' mean on, downwards, the slowest is far behind: a run ends with its last client.
const BEHIND: f64 = 0.9;

/// What each client of a cell did: medians over its valid runs.
struct Each {
    /// Which, from 1, with its rows a second.
    rates: Vec<(usize, f64)>,
    /// Processor time a row, microseconds, of the least and of the most costly.
    cpu: Option<(f64, f64)>,
}

/// A line for every cell whose runs several clients shared; none where there was no such.
pub(super) fn answer(analysis: &Analysis<'_>, names: &Names) -> Option<Answer> {
    let cells = analysis.cells.iter().filter(|cell| cell.part == Part::Cell);
    let lines: Vec<Line> = cells.filter_map(|cell| line(cell, names)).collect();
    (!lines.is_empty()).then(|| Answer { question: "Which client is the slowest?".into(), lines })
}

fn line(cell: &CellRuns<'_>, names: &Names) -> Option<Line> {
    let each = Each::of(cell)?;
    let (slowest, least) = each.rates.iter().copied().min_by(|one, other| one.1.total_cmp(&other.1))?;
    let most = each.rates.iter().map(|(_, rate)| *rate).fold(least, f64::max);
    let all: f64 = each.rates.iter().map(|(_, rate)| rate).sum();
    let mean = all / each.rates.len() as f64;
    let others = match units::rate(least) == units::rate(most) {
        true => "as all of them".to_owned(),
        false => format!("the fastest {}", units::rate(most)),
    };
    let cpu = each.cpu.map_or_else(String::new, |(least, most)| {
        format!("; CPU time a row {} µs", units::range((least, most), units::number))
    });
    let is_behind = least < BEHIND * mean;
    let detail = format!(
        "{} rows/s, {others}, {} together over {} connections; {} of the mean{cpu}",
        units::rate(least),
        units::rate(all),
        units::count(cell.cell.connections() as u64),
        units::percent(least / mean)
    );
    let of = each.rates.len();
    Some(Line { at: names.cell(cell.cell), lead: format!("Client {slowest} of {of}"), detail, strong: is_behind })
}

impl Each {
    /// None where one client did all, or no valid run tells of each.
    fn of(cell: &CellRuns<'_>) -> Option<Self> {
        let clients = cell.cell.clients;
        if clients < 2 {
            return None;
        }
        let figure = |client: usize, of: &dyn Fn(&crate::wire::ClientPhase) -> Option<f64>| {
            let seen = |run: &crate::wire::RunResult| {
                let (_, seen) = run.clients_in(Phase::Data).find(|(number, _)| *number == client)?;
                of(seen)
            };
            Summary::of(cell.valid().filter_map(seen)).map(|summary| summary.median)
        };
        let rates = (1..=clients).map(|client| Some((client, figure(client, &|seen| seen.rate)?)));
        let a_row = |client| figure(client, &|seen| (seen.rows > 0).then(|| seen.cpu.total() * 1e6 / seen.rows as f64));
        let cpu: Option<Vec<f64>> = (1..=clients).map(a_row).collect();
        let ends =
            |all: Vec<f64>| (all.iter().copied().fold(f64::INFINITY, f64::min), all.into_iter().fold(0.0, f64::max));
        Some(Self { rates: rates.collect::<Option<_>>()?, cpu: cpu.map(ends) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cell::Cell;
    use crate::model::share::Share;
    use crate::wire::record::{Outcome, RunRecord};
    use crate::wire::testing::{result, run_of};
    use crate::wire::{Timeline, merge};

    /// A run whose clients did so many rows in each tenth of a second.
    fn run(cell: &Cell, block: usize, rows: &[f64]) -> RunRecord {
        let part = |(share, rows): (Share, &f64)| {
            let mut part = result(cell, 1.0);
            part.job.share = share;
            for phase in &mut part.phases {
                phase.timeline = Some(Timeline::new(vec![*rows; 40], Some((0.0, 4.0)), None));
                (phase.rows, phase.seconds) = ((rows * 40.0) as u64, 4.0);
                phase.cpu.user = rows * 40.0 * 20e-6;
            }
            part
        };
        let mut record = run_of(cell, Part::Cell, block, block, 1.0);
        let mut merged = merge(Share::all(rows.len()).zip(rows).map(part).collect()).unwrap();
        merged.verification = record.result().and_then(|one| one.verification.clone());
        record.outcome = Outcome::Finished { result: Box::new(merged) };
        record
    }

    #[test]
    fn the_slowest_client_is_named_with_what_all_did_and_marked_where_it_is_far_behind() {
        let two: Cell = "threads row record pool 4 clients 2".parse().unwrap();
        let three: Cell = "threads row record pool 4 clients 3".parse().unwrap();
        let one: Cell = "threads row record pool 4".parse().unwrap();
        let mut records = vec![run_of(&one, Part::Cell, 9, 1, 900.0)];
        for block in 1..=3 {
            records.push(run(&two, block, &[30.0, 30.0]));
            records.push(run(&three, block, &[30.0, 20.0, 40.0]));
        }
        let analysis = Analysis::of(&records);
        let answer = answer(&analysis, &Names::of(&analysis)).unwrap();
        let told: Vec<(String, bool)> =
            answer.lines.iter().map(|line| (format!("{}: {}", line.at, line.text()), line.strong)).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].0.starts_with("2 clients: Client 1 of 2: 300 rows/s, as all of them, 600 together over 8"),
            "{told:?}"
        );
        assert!(
            told[1].0.starts_with("3 clients: Client 2 of 3: 200 rows/s, the fastest 400, 900 together over 12"),
            "{told:?}"
        );
        assert_eq!((told[0].1, told[1].1), (false, true));
    }

    #[test]
    fn where_one_client_did_all_nothing_is_asked() {
        let one: Cell = "threads row record pool 4".parse().unwrap();
        let records = [run_of(&one, Part::Cell, 1, 1, 900.0)];
        let analysis = Analysis::of(&records);
        assert!(answer(&analysis, &Names::of(&analysis)).is_none());
    }
}
