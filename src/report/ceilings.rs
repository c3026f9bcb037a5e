//! How near cells come to what PostgreSQL's own tools do with the same rows, as an answer.

use super::answer::{Answer, Line};
use super::bounds::capital;
use super::names::Names;
use crate::analysis::{Analysis, Comparison, Finding, LEAST_PAIRS, Means};
use crate::model::{Factor, units};

/// As many distances are told one by one; of more, the range of each scheme.
const ONE_BY_ONE: usize = 12;

/// How far each cell is from a ceiling that ran under the same conditions; none where no such ran.
pub(super) fn distances(analysis: &Analysis<'_>, names: &Names) -> Option<Answer> {
    let all = &analysis.distances;
    if all.is_empty() {
        return None;
    }
    let lines = match all.len() {
        ..=ONE_BY_ONE => all.iter().map(|one| line(one, names)).collect(),
        _ => by_scheme(all, names),
    };
    Some(Answer { question: "How far from the ceiling?".into(), lines })
}

fn line(one: &Comparison<'_>, names: &Names) -> Line {
    let at = names.without(Some(Factor::Scheme), one.base);
    let (ceiling, scheme) = (one.base.scheme, names.side(Factor::Scheme, one.other));
    match one.finding {
        Finding::TooFew { pairs, range } => {
            let blocks = if pairs == 1 { "block has" } else { "blocks have" };
            let seen = range.map_or_else(String::new, |range| {
                format!("; there {scheme} did {} of {ceiling}'s rows/s", span(range))
            });
            let detail = format!("{pairs} {blocks} both, {LEAST_PAIRS} are needed{seen}");
            Line { at, lead: format!("{} and {ceiling}: this cannot be said", capital(&scheme)), detail, strong: false }
        }
        Finding::Measured { ratio, smallest, means } => {
            let lead = format!("{} does {} of {ceiling}'s rows/s", capital(&scheme), units::percent(ratio.ratio));
            let interval = span((ratio.low, ratio.high));
            let strong = matches!(means, Means::Slower | Means::Faster);
            let detail = if strong {
                interval
            } else {
                format!(
                    "{interval}, no measurable difference; from {} on it would have shown",
                    units::percent(smallest)
                )
            };
            Line { at, lead, detail, strong }
        }
    }
}

/// A line for every scheme and its ceiling, over all settings.
fn by_scheme(all: &[Comparison<'_>], names: &Names) -> Vec<Line> {
    let who = |one: &Comparison<'_>| (one.base.scheme, names.side(Factor::Scheme, one.other));
    let mut pairs: Vec<_> = all.iter().map(who).collect();
    pairs.sort();
    pairs.dedup();
    let line = |(ceiling, scheme): (_, String)| {
        let ratios: Vec<f64> = all
            .iter()
            .filter(|one| who(one) == (ceiling, scheme.clone()))
            .filter_map(|one| match one.finding {
                Finding::Measured { ratio, .. } => Some(ratio.ratio),
                Finding::TooFew { .. } => None,
            })
            .collect();
        let (least, most) =
            ratios.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), one| (low.min(*one), high.max(*one)));
        let (lead, detail) = match ratios.len() {
            0 => ("This cannot be said".into(), format!("fewer than {LEAST_PAIRS} blocks have it and {ceiling}")),
            settings => (
                format!("{} of {ceiling}'s rows/s", span((least, most))),
                format!("the least and the most of {settings} settings"),
            ),
        };
        Line { at: scheme, lead, detail, strong: !ratios.is_empty() }
    };
    pairs.into_iter().map(line).collect()
}

/// From one part to another.
fn span((least, most): (f64, f64)) -> String {
    let (least, most) = (units::percent(least), units::percent(most));
    if least == most { least } else { format!("{least} to {most}") }
}
