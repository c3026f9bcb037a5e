//! Where quotas held a side back: in which part of their periods, and for how long.

use super::names::Names;
use super::why::{Fact, fact};
use crate::analysis::{Analysis, CellRuns, Summary};
use crate::model::units;
use crate::wire::watched::{Observed, Used};

/// Of so many cells and sides each is told; of more, how far they lie apart.
const ONE_BY_ONE: usize = 8;

/// Below this part of the periods a quota is no matter.
const WORTH_TELLING: f64 = 0.01;

/// What a side's control group said while the ingester ran.
type Readings = fn(&Observed) -> Vec<&[Used]>;

/// How a quota felt to a side of a cell.
struct Held {
    cell: String,
    /// Of the periods in which something ran, those in which it was held back.
    part: f64,
    /// Seconds a run, all processors together.
    seconds: f64,
}

/// A line for every side of every cell that was held back.
pub(super) fn facts(analysis: &Analysis<'_>, names: &Names) -> Vec<Fact> {
    let sides: [(&str, Readings); 2] =
        [("client", |seen| seen.clients().collect()), ("database", |seen| vec![&seen.database])];
    let found = sides.map(|(side, readings)| {
        let all: Vec<Held> = analysis.compared().filter_map(|cell| held(cell, readings, names)).collect();
        (side, all)
    });
    let one_by_one = found.iter().map(|(_, all)| all.len()).sum::<usize>() <= ONE_BY_ONE;
    let mut facts = Vec::new();
    for (side, all) in found {
        if one_by_one {
            facts.extend(all.iter().map(|held| one(side, held)));
        } else {
            facts.extend(summary(side, &all));
        }
    }
    facts
}

fn one(side: &str, Held { cell, part, seconds }: &Held) -> Fact {
    let (part, seconds) = (units::percent(*part), units::duration(*seconds));
    fact("held back", format!("{cell}: the {side} in {part} of its quota's periods, {seconds} a run"))
}

fn summary(side: &str, all: &[Held]) -> Option<Fact> {
    let least = all.iter().min_by(|a, b| a.part.total_cmp(&b.part))?;
    let most = all.iter().max_by(|a, b| a.part.total_cmp(&b.part))?;
    let ends = format!("{} to {}", units::percent(least.part), units::percent(most.part));
    let (cells, longest) = (all.len(), units::duration(most.seconds));
    Some(fact(
        "held back",
        format!(
            "the {side} in {ends} of its quota's periods, in {cells} cells; most in {}, {longest} a run",
            most.cell
        ),
    ))
}

/// Of a cell's valid runs together; none where no quota held it back.
fn held(cell: &CellRuns<'_>, readings: Readings, names: &Names) -> Option<Held> {
    let runs: Vec<Vec<(&Used, &Used)>> = cell
        .valid_runs()
        .filter_map(|run| {
            let all = readings(run.conditions.observed.as_ref()?);
            all.into_iter().map(|one| Some((one.first()?, one.last()?))).collect()
        })
        .collect();
    let sum = |of: fn(&Used) -> u64| {
        let passed = runs.iter().flatten().map(|(first, last)| of(last).saturating_sub(of(first)));
        passed.fold(0, u64::saturating_add)
    };
    let (throttled, periods) = (sum(|used| used.throttled_periods), sum(|used| used.periods));
    let part = throttled as f64 / periods.max(1) as f64;
    let of_run = |ends: &Vec<(&Used, &Used)>| ends.iter().map(|(first, last)| last.throttled - first.throttled).sum();
    let seconds = Summary::of(runs.iter().map(of_run))?.median;
    (part > WORTH_TELLING).then(|| Held { cell: names.cell(cell.cell), part, seconds: seconds.max(0.0) })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{limited, quick};
    use super::*;
    use crate::wire::record::RunRecord;

    fn of(records: &[RunRecord]) -> Vec<String> {
        let analysis = Analysis::of(records);
        facts(&analysis, &Names::of(&analysis)).into_iter().map(|fact| fact.text).collect()
    }

    #[test]
    fn a_side_that_its_quota_held_back_is_named_and_one_without_is_not() {
        let said = of(&limited());
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!(said[0], "database 0.25 CPU: the database in 90 % of its quota's periods, 5.76 s a run");
        assert_eq!(of(&quick()), Vec::<String>::new());
    }

    #[test]
    fn of_many_cells_the_range_is_told() {
        let mut records = quick();
        for record in &mut records {
            let run = record.run as u64;
            let observed = record.conditions.observed.as_mut().unwrap();
            for used in [&mut observed.client, &mut observed.database] {
                let last = used.last_mut().unwrap();
                (last.periods, last.throttled_periods, last.throttled) = (80, 20 + run, 3.0);
            }
        }
        let said = of(&records);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[0].starts_with("the client in 48 % to 56 % of its quota's periods, in 6 cells; most in"),
            "{said:?}"
        );
    }
}
