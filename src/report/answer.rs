//! The questions a series answers, and the answers, a sentence each. What cannot be said is said to be so.

use super::bounds::{self, capital};
use super::names::Names;
use super::{ceilings, hangs_on};
use crate::analysis::{Analysis, Comparison, Finding, LEAST_PAIRS, Means};
use crate::model::{Factor, Scheme, units};
use serde::Serialize;

/// As many comparisons are told one by one; of more, those that differ, or where nothing can be said, pairs of sides.
const ONE_BY_ONE: usize = 6;

/// A question and what the series says to it.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// The question.
    pub question: String,
    /// The answers, one for each setting in which it was asked.
    pub lines: Vec<Line>,
}

/// One answer.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// The setting it holds for; empty where there is one only.
    pub at: String,
    /// The answer in a few words.
    pub lead: String,
    /// The figures behind it.
    pub detail: String,
    /// Whether something was found to make a difference.
    pub strong: bool,
}

impl Line {
    /// The whole sentence.
    pub fn text(&self) -> String {
        if self.detail.is_empty() { format!("{}.", self.lead) } else { format!("{}: {}.", self.lead, self.detail) }
    }
}

/// Every question a series can be asked, schemes first; of a diagnosis those about its one cell. Where time went is told
/// by `ledgers`.
pub fn answers(analysis: &Analysis<'_>, names: &Names) -> Vec<Answer> {
    if let Some(of_one) = hangs_on::resources(analysis) {
        let others = [bounds::limits(analysis, names), hangs_on::connections(analysis, names)];
        return std::iter::once(of_one).chain(others.into_iter().flatten()).collect();
    }
    let limits = bounds::limits(analysis, names);
    let connections = hangs_on::connections(analysis, names);
    let schemes = schemes(analysis, names);
    // Where one scheme ran and something else was compared, that is what was asked.
    if !analysis.varying().contains(&Factor::Scheme)
        && let Some(effects) = effects(analysis, names, "What makes a difference?")
    {
        let distances = ceilings::distances(analysis, names);
        return [Some(effects), limits, connections, Some(schemes), distances].into_iter().flatten().collect();
    }
    let effects = effects(analysis, names, "What else makes a difference?");
    let distances = ceilings::distances(analysis, names);
    [Some(schemes), distances, limits, connections, effects].into_iter().flatten().collect()
}

fn schemes(analysis: &Analysis<'_>, names: &Names) -> Answer {
    let all = analysis.compared().map(|cell| cell.cell.scheme);
    let mut seen: Vec<Scheme> = all.filter(|scheme| !scheme.is_ceiling()).collect();
    seen.sort();
    seen.dedup();
    let only_two = seen.iter().all(|scheme| matches!(scheme, Scheme::Threads | Scheme::Async));
    let question = if only_two { "Threads or async?" } else { "Which scheme?" };
    let comparisons: Vec<&Comparison<'_>> = analysis.of_factor(Factor::Scheme).collect();
    let cannot =
        |why: String| vec![Line { at: String::new(), lead: "This cannot be said".into(), detail: why, strong: false }];
    let lines = if analysis.cells.iter().all(|cell| cell.valid().next().is_none()) {
        cannot("no run is valid".into())
    } else if seen.is_empty() {
        cannot("every cell of this series is a ceiling".into())
    } else if seen.len() == 1 {
        cannot(format!("every cell of this series runs {}", seen[0]))
    } else if comparisons.is_empty() {
        cannot("no two cells differ in their scheme only".into())
    } else {
        lines(&comparisons, names)
    };
    Answer { question: question.into(), lines }
}

/// One by one, or those that differ and how many don't; where nothing can be said, what was seen.
fn lines(comparisons: &[&Comparison<'_>], names: &Names) -> Vec<Line> {
    if comparisons.len() <= ONE_BY_ONE {
        return comparisons.iter().map(|comparison| line(comparison, names)).collect();
    }
    if comparisons.iter().all(|one| matches!(one.finding, Finding::TooFew { .. })) {
        let told = by_level(comparisons, names);
        if told.len() <= ONE_BY_ONE {
            return told;
        }
    }
    let mut differ: Vec<(&Comparison<'_>, f64)> = comparisons
        .iter()
        .filter_map(|one| match one.finding {
            Finding::Measured { ratio, means: Means::Faster | Means::Slower, .. } => {
                Some((*one, ratio.ratio.ln().abs()))
            }
            _ => None,
        })
        .collect();
    let found = differ.len();
    differ.sort_by(|a, b| b.1.total_cmp(&a.1));
    differ.truncate(ONE_BY_ONE - 1);
    let (first, rest): (Vec<_>, Vec<_>) =
        comparisons.iter().partition(|one| differ.iter().any(|(shown, _)| std::ptr::eq(*shown, **one)));
    let mut lines: Vec<Line> = first.into_iter().map(|one| line(one, names)).collect();
    lines.push(summary_of_the_rest(&rest, found - differ.len(), comparisons.len()));
    lines
}

fn summary_of_the_rest(rest: &[&Comparison<'_>], more: usize, all: usize) -> Line {
    let mut smallest = Vec::new();
    let mut few = 0;
    for comparison in rest {
        match comparison.finding {
            Finding::TooFew { .. } => few += 1,
            Finding::Measured { smallest: one, means: Means::Same | Means::WithinNoise, .. } => smallest.push(one),
            Finding::Measured { .. } => {}
        }
    }
    let mut parts = Vec::new();
    let mut lead = "In the other settings".to_owned();
    if !smallest.is_empty() {
        let (least, most) =
            smallest.iter().fold((f64::INFINITY, 0.0_f64), |(least, most), one| (least.min(*one), most.max(*one)));
        lead = format!("No measurable difference in {} of {all} settings", smallest.len());
        let (least, most) = (units::percent(least), units::percent(most));
        parts.push(format!("from {least} on, in others from {most} on, it would have shown"));
    }
    if more > 0 {
        parts.push(format!("a smaller difference in {more}: see the table of comparisons"));
    }
    let mut at = "elsewhere".to_owned();
    if few == all {
        (at, lead) = (format!("{all} comparisons"), "This cannot be said".into());
        parts.push(format!("fewer than {LEAST_PAIRS} blocks have both"));
    } else if few > 0 {
        parts.push(format!("cannot be said in {few}: fewer than {LEAST_PAIRS} blocks have both"));
    }
    Line { at, lead, detail: parts.join("; "), strong: false }
}

/// Why nothing can be said of any of these, and what was seen in them.
fn too_few(base: &str, other: &str, of: &[&Comparison<'_>]) -> String {
    let seen = of.iter().filter_map(|one| match one.finding {
        Finding::TooFew { range, .. } => range,
        Finding::Measured { .. } => None,
    });
    let widest = seen.reduce(|one, more| (one.0.min(more.0), one.1.max(more.1)));
    let there = widest.map_or_else(String::new, |range| {
        format!("; there {other} did {}x of {base}", units::range(range, units::multiple))
    });
    format!("fewer than {LEAST_PAIRS} blocks have both{there}")
}

/// One comparison as a sentence.
fn line(comparison: &Comparison<'_>, names: &Names) -> Line {
    let at = names.without(Some(comparison.factor), comparison.base);
    let (base, other) = sides(comparison, names);
    let mut strong = false;
    let (lead, detail) = match comparison.finding {
        Finding::TooFew { pairs, range } => {
            let seen = range.map_or_else(String::new, |range| {
                format!("; there {other} did {}x of {base}", units::range(range, units::multiple))
            });
            let blocks = if pairs == 1 { "block has" } else { "blocks have" };
            ("This cannot be said".into(), format!("{pairs} {blocks} both, {LEAST_PAIRS} are needed{seen}"))
        }
        Finding::Measured { ratio, smallest, means } => {
            let interval = units::between((ratio.low, ratio.high), units::multiple);
            let short = format!("{}x of {base} ({interval})", units::multiple(ratio.ratio));
            let figures = format!("{other} does {short}");
            strong = matches!(means, Means::Faster | Means::Slower);
            match means {
                Means::Same => (
                    "No measurable difference".into(),
                    format!("{figures}; from {} on it would have shown", units::percent(smallest)),
                ),
                Means::WithinNoise => (
                    "No measurable difference".into(),
                    format!(
                        "{figures}, but two identical cells may differ as much; from {} on it would have shown",
                        units::percent(smallest)
                    ),
                ),
                Means::Faster => (format!("{} is faster", capital(&other)), short),
                Means::Slower => (format!("{} is slower", capital(&other)), short),
            }
        }
    };
    Line { at, lead, detail, strong }
}

/// What is compared, by its levels alone: base, other.
fn sides(comparison: &Comparison<'_>, names: &Names) -> (String, String) {
    let said = |cell| names.side(comparison.factor, cell);
    (said(comparison.base), said(comparison.other))
}

/// What each other factor did. Pools have a question of their own.
fn effects(analysis: &Analysis<'_>, names: &Names, question: &str) -> Option<Answer> {
    let sweeps = analysis.groups(Factor::Pool).iter().any(|group| group.len() > 2);
    let others: Vec<&Comparison<'_>> = analysis
        .comparisons
        .iter()
        .filter(|one| one.factor != Factor::Scheme && !(one.factor == Factor::Pool && sweeps))
        .collect();
    if others.is_empty() {
        return None;
    }
    let lines = if others.len() <= ONE_BY_ONE {
        others.iter().map(|one| effect(one, names)).collect()
    } else {
        by_level(&others, names)
    };
    Some(Answer { question: question.into(), lines })
}

fn effect(comparison: &Comparison<'_>, names: &Names) -> Line {
    let (base, other) = sides(comparison, names);
    let at = names.without(Some(comparison.factor), comparison.base);
    let mut said = line(comparison, names);
    if let Finding::Measured { ratio, means: Means::Faster | Means::Slower, .. } = comparison.finding {
        let interval = units::between((ratio.low, ratio.high), units::multiple);
        said.lead = format!("{}x ({interval}) with {other} instead of {base}", units::multiple(ratio.ratio));
        said.detail = String::new();
    } else {
        said.lead = format!("{} between {base} and {other}", said.lead);
    }
    Line { at, ..said }
}

/// A line for every level of every factor, over all settings it was tried in.
fn by_level(comparisons: &[&Comparison<'_>], names: &Names) -> Vec<Line> {
    let mut levels: Vec<(String, String, Vec<&Comparison<'_>>)> = Vec::new();
    for comparison in comparisons {
        let (base, other) = sides(comparison, names);
        match levels.iter_mut().find(|(b, o, of)| (b, o) == (&base, &other) && of[0].factor == comparison.factor) {
            Some((.., of)) => of.push(comparison),
            None => levels.push((base, other, vec![comparison])),
        }
    }
    levels.into_iter().map(|(base, other, of)| level(&base, &other, &of, names)).collect()
}

fn level(base: &str, other: &str, of: &[&Comparison<'_>], names: &Names) -> Line {
    if let [only] = of {
        return effect(only, names);
    }
    let ratios: Vec<(f64, &Comparison<'_>)> = of
        .iter()
        .filter_map(|one| match one.finding {
            Finding::Measured { ratio, .. } => Some((ratio.ratio, *one)),
            Finding::TooFew { .. } => None,
        })
        .collect();
    let at = format!("{} settings", of.len());
    let ends = ratios.iter().min_by(|a, b| a.0.total_cmp(&b.0)).zip(ratios.iter().max_by(|a, b| a.0.total_cmp(&b.0)));
    let Some((least, most)) = ends else {
        let detail = too_few(base, other, of);
        return Line { at, lead: format!("{base} against {other} cannot be said"), detail, strong: false };
    };
    let setting = |one: &Comparison<'_>| names.without(Some(one.factor), one.base);
    let differ =
        of.iter().filter(|one| matches!(one.finding, Finding::Measured { means: Means::Faster | Means::Slower, .. }));
    let detail = format!(
        "least with {}, most with {}; measurable in {} of {}",
        setting(least.1),
        setting(most.1),
        differ.count(),
        of.len()
    );
    let strong =
        of.iter().any(|one| matches!(one.finding, Finding::Measured { means: Means::Faster | Means::Slower, .. }));
    let lead = format!("{}x with {other} instead of {base}", units::range((least.0, most.0), units::multiple));
    Line { at, lead, detail, strong }
}

#[cfg(test)]
mod tests {
    use crate::model::cell::Cell;
    use crate::model::{Part, Scheme};
    use crate::report::Screen;
    use crate::report::testing::{played, report};

    #[test]
    fn many_settings_of_few_blocks_are_told_together_with_what_was_seen() {
        let pools = [1, 2, 4, 8, 15, 30, 60];
        let of = |scheme: &str, times: f64| -> Vec<(Cell, Part, f64)> {
            let cell = |pool: usize| format!("{scheme} row auto pool {pool}").parse().unwrap();
            pools.iter().map(|pool| (cell(*pool), Part::Cell, 1_000.0 * times)).collect()
        };
        let words = |cells: &[(Cell, Part, f64)]| {
            let told = report(&played("pool-size", cells, 1, 7)).terminal(Screen::PLAIN);
            told.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let two = words(&[of("threads", 1.0), of("async", 1.3)].concat());
        let told =
            |other: &str| format!("against {other} cannot be said: fewer than 6 blocks have both; there {other} did ");
        assert!(two.contains(&format!("7 settings threads {}1.", told("async"))), "{two}");
        assert!(two.contains("x of threads."), "{two}");
        let three = words(&[of("threads", 1.0), of("async", 1.3), of("serial", 0.5)].concat());
        assert!(three.contains(&told("async")) && three.contains(&told("serial")), "{three}");
        let cells = Scheme::ALL.iter().filter_map(|scheme| format!("{scheme} row auto pool 15").parse().ok());
        let many: Vec<_> = cells.map(|cell: Cell| (cell, Part::Cell, 1_000.0)).collect();
        let many = words(&many);
        assert!(many.contains("comparisons This cannot be said: fewer than 6 blocks have both."), "{many}");
    }
}
