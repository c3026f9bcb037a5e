//! What a cell's rate hangs on, and how many connections are right, as answers.

use super::answer::{Answer, Line};
use super::names::Names;
use crate::analysis::{Analysis, CellRuns, Demand, Influence, Scaling};
use crate::model::{Factor, units};

/// What the number of connections is called.
const CONNECTIONS: &str = "connections";

/// An influence this small is told to be none.
const NOTHING: f64 = 0.1;

/// What the rate hangs on; none where no resource was changed one at a time.
pub(super) fn resources(analysis: &Analysis<'_>) -> Option<Answer> {
    let found = analysis.diagnosis.as_ref()?;
    let mut influences: Vec<&Influence> = found.influences.iter().collect();
    influences.sort_by(|a, b| b.elasticity.0.total_cmp(&a.elasticity.0));
    let mut lines: Vec<Line> = influences.into_iter().map(line).collect();
    if lines.is_empty() {
        return None;
    }
    let detail = match (found.agrees(), found.bound, found.by_ledgers) {
        (Some(true), Some(bound), _) => format!("{bound}, by changing it and by watching it"),
        (Some(false), Some(one), Some(other)) => format!("changing says {one}, watching says {other}"),
        (_, None, Some(other)) => format!("no single resource makes half the difference; watching says {other}"),
        _ => "nothing stands out".into(),
    };
    let lead = match found.agrees() {
        Some(true) => "Both ways agree",
        Some(false) => "The two ways disagree",
        None => "Undetermined",
    };
    let strong = found.agrees() == Some(true);
    // What it hangs on most comes first; connections are no part of the sum, and last.
    lines.sort_by_key(|line| line.at == CONNECTIONS);
    lines.insert(0, Line { at: "in short".into(), lead: lead.into(), detail, strong });
    let rest = format!("{} is what these leave of 1", units::number(found.undiagnosed));
    lines.push(Line { at: "the rest".into(), lead: "Undiagnosed".into(), detail: rest, strong: false });
    Some(Answer { question: "What does the rate hang on?".into(), lines })
}

fn line(one: &Influence) -> Line {
    // Half a hundredth below zero is zero.
    let whole = |value: f64| if value.abs() < 0.005 { 0.0 } else { value };
    let (value, low, high) = (whole(one.elasticity.0), whole(one.elasticity.1), whole(one.elasticity.2));
    let changed = format!("with {}", one.factor.said(&one.cell));
    let at = match one.factor {
        Factor::Inject | Factor::ClientCpus => "client CPU",
        Factor::DbCpus => "database CPU",
        Factor::Link => "round trips",
        Factor::SynchronousCommit => "waiting for the disk",
        Factor::Pool => CONNECTIONS,
        _ => "other",
    };
    let figure = format!("{} ({} to {})", units::number(value), units::number(low), units::number(high));
    let lead = if high < NOTHING {
        "Hardly"
    } else if low > 1.0 - 3.0 * NOTHING {
        "One to one"
    } else if low > 0.0 {
        "In part"
    } else {
        "Cannot be told from nothing"
    };
    Line { at: at.into(), lead: lead.into(), detail: format!("elasticity {figure}, {changed}"), strong: low > NOTHING }
}

/// How many connections: a range of pools by a law through those tried; none where fewer than three were.
pub(super) fn connections(analysis: &Analysis<'_>, names: &Names) -> Option<Answer> {
    let groups = analysis.groups(Factor::Pool);
    let lines: Vec<Line> = groups.iter().filter_map(|group| of_group(group, names)).collect();
    (!lines.is_empty()).then(|| Answer { question: "How many connections, for 95 % of the best?".into(), lines })
}

fn of_group(group: &[&CellRuns<'_>], names: &Names) -> Option<Line> {
    let law = Scaling::of(group)?;
    let (low, high) = law.as_good();
    let mut tried: Vec<_> = group.iter().filter_map(|cell| Some((*cell, cell.rate()?))).collect();
    tried.sort_by_key(|(cell, _)| cell.cell.pool);
    let (best, rate) = tried.iter().max_by(|a, b| a.1.median.total_cmp(&b.1.median))?;
    let ends = if low == high { low.to_string() } else { format!("{low} to {high}") };
    let each = if group[0].cell.clients > 1 { " of each client" } else { "" };
    let edge = if high == law.tried.1 { ", the most tried" } else { "" };
    let mut detail = format!(
        "pool {} did most, {} rows/s ({}); the law through all of them is at most {} off",
        best.cell.pool,
        units::rate(rate.median),
        units::between(rate.spread(), units::rate),
        units::percent(law.off)
    );
    if let Some(demand) = demand(&tried.iter().map(|(cell, _)| *cell).collect::<Vec<_>>()) {
        detail.push_str(&demand);
    }
    Some(Line {
        at: names.without(Some(Factor::Pool), group[0].cell),
        lead: format!("{ends} connections{each}{edge}"),
        detail,
        strong: law.off < 0.10,
    })
}

/// What a row costs at the fewest and the most connections: it is no constant.
fn demand(tried: &[&CellRuns<'_>]) -> Option<String> {
    let (first, last) = (tried.first()?, tried.last()?);
    let cost = |cell: &CellRuns<'_>| Some(Demand::of(cell)?.database * 1e6);
    let (fewest, most) = (cost(first)?, cost(last)?);
    Some(format!(
        "; a row costs the database {} µs of CPU at pool {}, {} at {}",
        units::number(fewest),
        first.cell.pool,
        units::number(most),
        last.cell.pool
    ))
}
