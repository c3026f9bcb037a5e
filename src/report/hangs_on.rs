//! What a cell's rate hangs on, and how many connections are right, as answers.

use super::answer::{Answer, Line};
use super::names::Names;
use crate::analysis::{Agreement, Analysis, CellRuns, Demand, Diagnosis, Elasticity, Influence, Scaling};
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
    let (lead, detail) = in_short(found);
    let strong = found.agreement() == Agreement::Same;
    // What it hangs on most comes first; connections are no part of the sum, and last.
    lines.sort_by_key(|line| line.at == CONNECTIONS);
    lines.insert(0, Line { at: "in short".into(), lead: lead.into(), detail, strong });
    let rest = format!("{} is what these leave of 1", figure(found.undiagnosed));
    lines.push(Line { at: "the rest".into(), lead: "Undiagnosed".into(), detail: rest, strong: false });
    Some(Answer { question: "What does the rate hang on?".into(), lines })
}

/// What both ways say together: in a few words, and with the figures.
fn in_short(found: &Diagnosis) -> (&'static str, String) {
    let watching = found.by_ledgers.map_or_else(|| "nobody watched".into(), |bound| format!("watching says {bound}"));
    let changing = found.bound.map(|(bound, elasticity)| (bound, format!("elasticity {}", figure(elasticity))));
    match (found.agreement(), changing) {
        (Agreement::Same, Some((bound, by))) => {
            ("Both ways agree", format!("{bound}, by changing it ({by}) and by watching it"))
        }
        (Agreement::SameProcessors, Some((bound, by))) => (
            "The two ways fit",
            format!("changing says {bound} ({by}), {watching}, and both sides use up the same processors"),
        ),
        (Agreement::NotByChanging, None) => {
            ("Changing cannot tell", format!("{watching}, which no change of one resource shows"))
        }
        (Agreement::NotByChanging, Some((bound, by))) => (
            "Changing cannot tell",
            format!("{watching}, which no change of one resource shows; these changes point to {bound} ({by})"),
        ),
        (Agreement::NotByWatching, Some((bound, by))) => {
            ("One way only", format!("changing says {bound} ({by}), {watching}"))
        }
        (_, Some((bound, by))) => ("The two ways disagree", format!("changing says {bound} ({by}), {watching}")),
        (_, None) => (
            "Not shown by changing",
            format!("of no resource it is shown that it makes half the difference; {watching}"),
        ),
    }
}

/// An elasticity with its interval.
fn figure(elasticity: Elasticity) -> String {
    let [value, low, high] = [elasticity.0, elasticity.1, elasticity.2].map(whole).map(units::number);
    format!("{value} ({low} to {high})")
}

/// Half a hundredth below zero is zero.
fn whole(value: f64) -> f64 {
    if value.abs() < 0.005 { 0.0 } else { value }
}

fn line(one: &Influence) -> Line {
    let (low, high) = (whole(one.elasticity.1), whole(one.elasticity.2));
    let changed = format!("with {}", one.factor.said(&one.cell));
    let at = match one.factor {
        Factor::Inject | Factor::ClientCpus => "client CPU",
        Factor::DbCpus => "database CPU",
        Factor::Link => "round trips",
        Factor::SynchronousCommit => "waiting for the disk",
        Factor::Pool => CONNECTIONS,
        _ => "other",
    };
    let lead = if high < NOTHING {
        "Hardly"
    } else if low > 1.0 - 3.0 * NOTHING {
        "One to one"
    } else if low > 0.0 && !one.within_noise {
        "In part"
    } else {
        "Cannot be told from nothing"
    };
    let detail = format!("elasticity {}, {changed}", figure(one.elasticity));
    Line { at: at.into(), lead: lead.into(), detail, strong: low > NOTHING && !one.within_noise }
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
