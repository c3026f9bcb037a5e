//! Comparisons of two cells that differ in one factor: paired within blocks, with an interval, or with the sentence
//! that there were too few blocks for one.
//!
//! The interval is Student's over the mean of the paired log-ratios. All intervals of one factor hold together with
//! 95 % confidence: each is widened as Bonferroni has it, to 1 − 0.05 / (their number). Sources: O. J. Dunn, Multiple
//! Comparisons Among Means, JASA 56 (1961) 52; NIST/SEMATECH e-Handbook of Statistical Methods, section 7.4.7.3.

use super::cells::{CellRuns, apart, groups};
use super::estimate::Estimate;
use super::scatter::{Scatter, Scatters};
use super::{LEAST_PAIRS, Ratio};
use crate::model::cell::Cell;
use crate::model::{Factor, Part};
use serde::Serialize;

/// How often all intervals of a factor may fail to hold together.
pub(super) const ALPHA: f64 = 0.05;

/// A pair whose differences vary so many times as much as its cells' scatter has them uses its own: they move against
/// each other, which no scatter of single cells shows. By chance that happens to 2 pairs in 100 at most.
pub(super) const OWN_VARIANCE: f64 = 3.0;

/// Two cells that differ in one factor.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison<'a> {
    /// What they differ in.
    pub factor: Factor,
    /// What is compared with.
    pub base: &'a Cell,
    /// What is compared.
    pub other: &'a Cell,
    /// What came of it.
    pub finding: Finding,
}

/// What a comparison says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// Fewer than six blocks have both: the range of the ratios, no interval, no verdict.
    TooFew {
        /// Blocks with a valid run of both.
        pairs: usize,
        /// The least and the most of the blocks' ratios.
        range: Option<(f64, f64)>,
    },
    /// Six blocks or more.
    Measured {
        /// How many times as many rows a second, with the widened interval.
        ratio: Ratio,
        /// The smallest difference, as a part of the rate, that would have been found in four series of five.
        smallest: f64,
        /// What that means.
        means: Means,
    },
}

impl Finding {
    fn of(estimate: &Estimate, alpha: f64, floor: f64) -> Self {
        let (ratio, smallest) = (estimate.ratio(alpha), estimate.smallest(alpha, floor));
        Self::Measured { ratio, smallest, means: estimate.means(alpha, floor) }
    }
}

/// What an interval means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Means {
    /// No measurable difference: the interval holds 1.
    Same,
    /// The interval leaves 1 out, but two identical cells were seen to differ by as much.
    WithinNoise,
    /// Fewer rows a second.
    Slower,
    /// More rows a second.
    Faster,
}

/// What two identical cells were seen to differ by.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Noise<'a> {
    /// The cell that ran twice a block.
    pub cell: &'a Cell,
    /// The second of a block as a multiple of the first.
    pub finding: Finding,
    /// What they differ by, as a part of the rate: by as much as was seen and a standard error. Where there are too
    /// few blocks for one, the end of the range farther from 1. (The far end of its interval would count the scatter
    /// twice, which widens every other interval already: of differences of a tenth a quarter would be missed where runs
    /// scatter by 5 %. So 3 series in 100 report a difference of two identical cells, by simulation.)
    pub floor: f64,
}

impl<'a> Noise<'a> {
    /// Of the cell that ran twice a block; none where no block has both.
    pub fn of(cells: &[CellRuns<'a>], scatters: &Scatters<'_, 'a>) -> Option<Self> {
        let twin = cells.iter().find(|cell| cell.part == Part::Twin)?;
        let first = cells.iter().find(|cell| cell.part == Part::Cell && cell.cell == twin.cell)?;
        let Some(estimate) = estimate(first, twin, scatters) else {
            let finding = too_few(first, twin);
            let Finding::TooFew { range: Some((low, high)), .. } = finding else { return None };
            return Some(Self { cell: twin.cell, finding, floor: (1.0 / low).max(high) - 1.0 });
        };
        let floor = (estimate.mean.abs() + estimate.error).exp() - 1.0;
        Some(Self { cell: twin.cell, finding: Finding::of(&estimate, ALPHA, 0.0), floor })
    }
}

/// Every comparison of one factor.
pub fn family<'a>(
    factor: Factor,
    cells: &[CellRuns<'a>],
    scatters: &Scatters<'_, 'a>,
    floor: f64,
) -> Vec<Comparison<'a>> {
    let mut pairs: Vec<Pair<'_, 'a>> = Vec::new();
    for group in groups(factor, cells) {
        pairs.extend(group[1..].iter().map(|other| (group[0], *other)));
    }
    compared(factor, &pairs, scatters, floor)
}

/// How near cells come to a ceiling that ran under the same conditions: the ceiling is the base. A family of its own.
pub fn distances<'a>(cells: &[CellRuns<'a>], scatters: &Scatters<'_, 'a>, floor: f64) -> Vec<Comparison<'a>> {
    let (ceilings, others): (Vec<_>, Vec<_>) =
        cells.iter().filter(|cell| cell.part == Part::Cell).partition(|cell| cell.cell.scheme.is_ceiling());
    let mut pairs: Vec<Pair<'_, 'a>> = Vec::new();
    for other in others {
        let near = ceilings.iter().filter(|ceiling| apart(ceiling.cell, other.cell) == [Factor::Scheme]);
        pairs.extend(near.map(|ceiling| (*ceiling, other)));
    }
    compared(Factor::Scheme, &pairs, scatters, floor)
}

/// A base, and what is compared with it.
type Pair<'c, 'a> = (&'c CellRuns<'a>, &'c CellRuns<'a>);

/// Pairs as a family: all intervals hold together.
fn compared<'a>(
    factor: Factor,
    pairs: &[Pair<'_, 'a>],
    scatters: &Scatters<'_, 'a>,
    floor: f64,
) -> Vec<Comparison<'a>> {
    let estimates: Vec<_> = pairs.iter().map(|(base, other)| estimate(base, other, scatters)).collect();
    let made = estimates.iter().flatten().count().max(1);
    let findings = estimates.into_iter().zip(pairs).map(|(estimate, (base, other))| match estimate {
        Some(estimate) => Finding::of(&estimate, ALPHA / made as f64, floor),
        None => too_few(base, other),
    });
    let named = findings.zip(pairs);
    named.map(|(finding, (base, other))| Comparison { factor, base: base.cell, other: other.cell, finding }).collect()
}

/// How many times as much one cell does as another, with an interval that is one of so many which hold together.
pub(super) fn ratio(
    base: &CellRuns<'_>,
    other: &CellRuns<'_>,
    scatters: &Scatters<'_, '_>,
    together: usize,
) -> Option<Ratio> {
    Some(estimate(base, other, scatters)?.ratio(ALPHA / together.max(1) as f64))
}

/// Log-ratios other / base, a block each.
pub(super) fn log_ratios(base: &CellRuns<'_>, other: &CellRuns<'_>) -> Vec<f64> {
    let (base, other) = (base.by_block(), other.by_block());
    base.iter().filter_map(|(block, rate)| Some((other.get(block)? / rate).ln())).collect()
}

fn too_few(base: &CellRuns<'_>, other: &CellRuns<'_>) -> Finding {
    let logs = log_ratios(base, other);
    let range = logs.iter().copied().fold(None, |range: Option<(f64, f64)>, log| {
        Some(range.map_or((log, log), |(least, most)| (least.min(log), most.max(log))))
    });
    Finding::TooFew { pairs: logs.len(), range: range.map(|(least, most)| (least.exp(), most.exp())) }
}

/// The mean of a comparison's log-ratios. None below six pairs. The error is that of both cells' scatter beside the
/// cells of the same conditions, unless there are none or the pair's own differences clearly vary more.
pub(super) fn estimate(base: &CellRuns<'_>, other: &CellRuns<'_>, scatters: &Scatters<'_, '_>) -> Option<Estimate> {
    let logs = log_ratios(base, other);
    if logs.len() < LEAST_PAIRS {
        return None;
    }
    let count = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / count;
    let own = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let of_both = scatters.of_difference(base, other).filter(|scatter| own <= OWN_VARIANCE * scatter.variance);
    let Scatter { variance, freedom } = of_both.unwrap_or(Scatter { variance: own, freedom: logs.len() - 1 });
    Some(Estimate { mean, error: (variance / count).sqrt(), freedom, pairs: logs.len() })
}
