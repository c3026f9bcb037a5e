//! What a cell's rate hangs on, and how many connections are right, as answers.

use super::answer::{Answer, Line};
use super::names::Names;
use crate::analysis::{Agreement, Analysis, CellRuns, Demand, Diagnosis, Elasticity, Influence, LEAST_PAIRS, Scaling};
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
    let changing = found.bound.map(|(bound, elasticity)| {
        let [value, low, high] = in_figures(elasticity);
        (bound, format!("elasticity {value}, {low} to {high}"))
    });
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
    let [value, low, high] = in_figures(elasticity);
    format!("{value} ({low} to {high})")
}

fn in_figures(elasticity: Elasticity) -> [String; 3] {
    [elasticity.0, elasticity.1, elasticity.2].map(whole).map(units::number)
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
    let mut tried: Vec<_> = group.iter().filter_map(|cell| Some((*cell, cell.rate()?))).collect();
    tried.sort_by_key(|(cell, _)| cell.cell.pool);
    let did = |pool: usize| {
        let (_, rate) = tried.iter().find(|(cell, _)| cell.cell.pool == pool)?;
        let (low, high) = rate.spread();
        // One run has no range.
        let range = if low < high { format!(" ({})", units::between((low, high), units::rate)) } else { String::new() };
        Some(format!("{} rows/s{range}", units::rate(rate.median)))
    };
    let best = law.best_measured()?;
    let is_few = tried.iter().any(|(cell, _)| cell.valid_runs().count() < LEAST_PAIRS);
    let (right, last, checked) = right(&law, best, is_few, did);
    let each = if group[0].cell.clients > 1 { " of each client" } else { "" };
    let edge = match last == law.tried.1 {
        true => ", the most tried",
        false if is_few && !law.fits() => ", perhaps",
        false => "",
    };
    let mut detail = format!("pool {best} did most, {}; {checked}", did(best)?);
    if let Some(demand) = demand(&tried.iter().map(|(cell, _)| *cell).collect::<Vec<_>>()) {
        detail.push_str(&demand);
    }
    Some(Line {
        at: names.without(Some(Factor::Pool), group[0].cell),
        lead: format!("{right} connections{each}{edge}"),
        detail,
        strong: law.fits() && law.is_checked(),
    })
}

/// The right pools, the most of them, and how far the law is to be believed. Where it does not fit, the tried pools
/// that are as good as the best are told with what they did; of a few blocks none of them is known to be better.
fn right(law: &Scaling, best: usize, is_few: bool, did: impl Fn(usize) -> Option<String>) -> (String, usize, String) {
    let off = units::percent(law.off);
    if !law.fits() {
        let good = law.measured_as_good();
        let others = good.iter().filter(|pool| **pool != best);
        let others: Vec<String> = others.filter_map(|pool| Some(format!("pool {pool} {}", did(*pool)?))).collect();
        let mut near = if others.is_empty() {
            "no other that was tried is within 5 %".into()
        } else {
            format!("within 5 % of it: {}", others.join(", "))
        };
        if is_few {
            near.push_str(&format!(", which fewer than {LEAST_PAIRS} blocks do not show to be so again"));
        }
        let pools: Vec<String> = good.iter().map(usize::to_string).collect();
        let told =
            format!("the law through all of them does not fit, it is up to {off} off: these are tried ones; {near}");
        return (pools.join(" or "), good.last().copied().unwrap_or(best), told);
    }
    let ends = |(low, high): (usize, usize)| if low == high { low.to_string() } else { format!("{low} to {high}") };
    let (range, by_law) = (law.as_good(), law.by_law());
    let mut told = if law.is_checked() {
        format!("the law through all of them is at most {off} off")
    } else {
        "three pools are as many as the law has parameters, so nothing checks it".into()
    };
    if range != by_law {
        told.push_str(&format!("; by the law alone it would be {}", ends(by_law)));
    }
    (ends(range), range.1, told)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Bound;
    use crate::model::cell::Cell;
    use crate::model::{Part, Phase};
    use crate::report::Screen;
    use crate::report::testing::{diagnosed, played, report};
    use crate::wire::record::{Outcome, RunRecord};

    fn words(records: &[RunRecord]) -> String {
        report(records).terminal(Screen::PLAIN).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn both_ways_are_said_to_agree_only_where_they_do() {
        let said = |bound: Option<Bound>, by_ledgers| {
            let cell: Cell = "threads row auto pool 15".parse().unwrap();
            let bound = bound.map(|bound| (bound, (0.8, 0.6, 1.0)));
            in_short(&Diagnosis { cell, influences: Vec::new(), undiagnosed: (0.2, 0.0, 0.4), bound, by_ledgers })
        };
        let (lead, detail) = said(Some(Bound::DatabaseCpu), Some(Bound::DatabaseCpu));
        assert_eq!(lead, "Both ways agree");
        assert!(detail.contains("elasticity 0.80, 0.60 to 1.00"), "{detail}");
        assert_eq!(said(Some(Bound::ClientCpu), Some(Bound::DatabaseCpu)).0, "The two ways disagree");
        assert_eq!(said(Some(Bound::ClientCpu), Some(Bound::HostCpu)).0, "The two ways fit");
        assert_eq!(said(Some(Bound::ClientCpu), Some(Bound::DatabaseLocks)).0, "Changing cannot tell");
        assert_eq!(said(None, Some(Bound::Bandwidth)).0, "Changing cannot tell");
        assert_eq!(said(None, Some(Bound::DatabaseCpu)).0, "Not shown by changing");
        assert_eq!(said(Some(Bound::ClientCpu), None).0, "One way only");
    }

    #[test]
    fn a_verdict_that_a_change_contradicts_is_told_by_itself_and_less_sure() {
        let mut records = diagnosed();
        let base = records[0].cell.clone();
        for record in &mut records {
            // The client's quota takes from the rate what the database's took.
            let times = match &record.cell {
                cell if cell.client_cpus != base.client_cpus => 0.8,
                cell if cell.db_cpus != base.db_cpus => 1.25,
                _ => continue,
            };
            let Outcome::Finished { result } = &mut record.outcome else { continue };
            for phase in result.phases.iter_mut().filter(|phase| phase.phase == Phase::Data) {
                if let Some(steady) = &mut phase.rates.steady {
                    steady.rate *= times;
                }
            }
        }
        let words = words(&records);
        assert!(words.contains("The two ways disagree: changing says client CPU (elasticity"), "{words}");
        assert!(
            words.contains(
                "but changing one resource at a time points to client CPU (confidence fair: 6 of 6 runs say so)"
            ),
            "{words}"
        );
    }

    #[test]
    fn a_law_that_nothing_checks_or_that_does_not_fit_is_said_to_be_so() {
        let swept_in = |blocks: usize, rates: &[(usize, f64)]| {
            let cell = |pool: usize| format!("threads row auto pool {pool}").parse::<Cell>().unwrap();
            let cells: Vec<_> = rates.iter().map(|(pool, rate)| (cell(*pool), Part::Cell, *rate)).collect();
            words(&played("pool-and-distance", &cells, blocks, 7))
        };
        let swept = |rates: &[(usize, f64)]| swept_in(6, rates);
        let three = swept(&[(1, 4_000.0), (15, 9_000.0), (350, 6_000.0)]);
        assert!(three.contains("nothing checks it") && !three.contains("0.0 % off"), "{three}");
        let two_plateaus = swept(&[(1, 4_000.0), (4, 4_100.0), (15, 9_000.0), (60, 8_900.0)]);
        assert!(two_plateaus.contains("15 or 60 connections"), "{two_plateaus}");
        assert!(
            two_plateaus.contains("does not fit") && !two_plateaus.contains("blocks do not show"),
            "{two_plateaus}"
        );
        let once = swept_in(1, &[(1, 4_000.0), (4, 4_100.0), (15, 9_000.0), (60, 5_000.0)]);
        assert!(once.contains("15 connections, perhaps"), "{once}");
        assert!(once.contains("within 5 %, which fewer than 6 blocks do not show"), "{once}");
    }
}
