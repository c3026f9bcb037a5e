//! Two series side by side: what differs in their setups, and what of it shows, cell by cell. Pure.
//!
//! ```text
//! setups ─► may absolute rates be compared?
//! cells in both ─► rates (one machine only) · ratios of a series' own comparisons (any machines) · verdicts
//!                       └── one level of confidence for everything that is said of a pair of series ──┘
//! ```
//! Runs of two series are not paired: a rate's error is that of both series' means, with what the machine itself moves
//! between two series. A ratio of two cells is paired within the blocks of its own series, so a machine that became
//! slower, or another one, does not change it. All intervals of a pair of series hold together with 95 % confidence:
//! 0.05 is shared out to cells, schemes and other factors, and within each as Bonferroni has it.

mod conditions;
mod gate;
mod rates;
mod ratios;
mod setups;
#[cfg(test)]
mod simulations;
#[cfg(test)]
mod tests;

pub use gate::{Decision, Gate, Reason, Ruling};
pub use setups::Setups;

use super::compare::ALPHA;
use super::estimate::Estimate;
use super::scatter::Scatters;
use super::{Analysis, Bound, CellRuns, Confidence, Limit, Means, Ratio};
use crate::model::cell::Cell;
use crate::model::{Factor, Part};
use crate::wire::record::RunRecord;
use crate::wire::setup::Setup;
use serde::Serialize;

/// How 0.05 is shared out: to rates, to ratios of schemes, to ratios of everything else.
const SHARES: [f64; 3] = [2.0, 2.0, 1.0];

/// How often an interval that stands for itself fails: 5 % at each end.
const ALONE: f64 = 0.10;

/// A series to be compared.
#[derive(Debug, Clone)]
pub struct Series<'a> {
    /// Its name.
    pub name: &'a str,
    /// What produced it.
    pub setup: &'a Setup,
    /// Its runs.
    pub records: &'a [RunRecord],
    /// What they say by themselves.
    pub analysis: Analysis<'a>,
}

impl<'a> Series<'a> {
    /// Of what is kept of it.
    pub fn of(name: &'a str, setup: &'a Setup, records: &'a [RunRecord]) -> Self {
        Self { name, setup, records, analysis: Analysis::of(records) }
    }

    /// What two identical cells of it were seen to differ by; 0 where no cell ran twice a block.
    fn floor(&self) -> f64 {
        self.analysis.noise.as_ref().map_or(0.0, |noise| noise.floor)
    }
}

/// A series beside the one it is compared with.
#[derive(Debug, Clone)]
pub struct Across<'s> {
    /// What is compared with.
    pub base: &'s Series<'s>,
    /// What is compared.
    pub other: &'s Series<'s>,
    /// What differs in what produced them, and what that allows to say.
    pub setups: Setups,
    /// Cells that both have, in the order people read them.
    pub cells: Vec<CellChange<'s>>,
    /// Cells that only the first has …
    pub only_base: Vec<&'s Cell>,
    /// … and those that only the second has.
    pub only_other: Vec<&'s Cell>,
    /// Comparisons of cells that both have, those of schemes first.
    pub ratios: Vec<RatioChange<'s>>,
    /// What two identical cells were seen to differ by in the noisier series, as a part of the rate.
    pub floor: f64,
    /// How fast the processors were in the second series, as a multiple of the first's: client, database.
    pub speeds: [Option<f64>; 2],
}

/// A cell in both series.
#[derive(Debug, Clone)]
pub struct CellChange<'s> {
    /// In the base.
    pub base: &'s CellRuns<'s>,
    /// In the other.
    pub other: &'s CellRuns<'s>,
    /// Its rate, as a multiple of the base's.
    pub rate: Change,
    /// What bounds it.
    pub verdict: VerdictChange,
}

/// Two cells that differ in one factor, in both series.
#[derive(Debug, Clone, Serialize)]
pub struct RatioChange<'s> {
    /// What they differ in.
    pub factor: Factor,
    /// What is compared with.
    pub base: &'s Cell,
    /// What is compared.
    pub other: &'s Cell,
    /// The ratio of their rates in each of the series, with an interval of its own; none where there are too few blocks.
    pub in_each: [Option<Ratio>; 2],
    /// The second series' ratio, as a multiple of the first's.
    pub change: Change,
}

/// What became of a rate or of a ratio from one series to the other.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Nothing is claimed.
    Incomparable {
        /// Why not.
        why: String,
        /// The least and the most of what the runs would make of it.
        range: Option<(f64, f64)>,
    },
    /// Both series have six runs or more of it.
    Measured {
        /// How many times as much, with the interval that holds together with all others.
        ratio: Ratio,
        /// The same with an interval that stands for itself: 5 % at each end.
        alone: Ratio,
        /// The smallest difference, as a part, that would have been found in four pairs of series of five.
        smallest: f64,
        /// What that means.
        means: Means,
    },
}

impl Change {
    fn cannot(why: impl Into<String>) -> Self {
        Self::Incomparable { why: why.into(), range: None }
    }

    fn of(estimate: &Estimate, alpha: f64, floor: f64) -> Self {
        Self::Measured {
            ratio: estimate.ratio(alpha),
            alone: estimate.ratio(ALONE),
            smallest: estimate.smallest(alpha, floor),
            means: estimate.means(alpha, floor),
        }
    }

    /// What it means; none where nothing is claimed.
    pub fn means(&self) -> Option<Means> {
        match self {
            Self::Measured { means, .. } => Some(*means),
            Self::Incomparable { .. } => None,
        }
    }

    /// Whether a difference was found.
    pub fn differs(&self) -> bool {
        matches!(self.means(), Some(Means::Slower | Means::Faster))
    }
}

/// What became of a cell's verdict.
#[derive(Debug, Clone, PartialEq)]
pub enum VerdictChange {
    /// Both series say the same.
    Kept(Bound),
    /// They say different things.
    Flipped {
        /// What bounds it in the base.
        base: Bound,
        /// What bounds it in the other.
        other: Bound,
    },
    /// One of them says nothing sure.
    NotSaid {
        /// Which of them says something: base, other.
        said: [bool; 2],
        /// Why this is no flip.
        why: String,
    },
}

impl VerdictChange {
    fn of(base: &CellRuns<'_>, other: &CellRuns<'_>) -> Self {
        let sure = |cell: &CellRuns<'_>| {
            Limit::of(cell).filter(|limit| limit.confidence != Confidence::None && limit.bound != Bound::Undetermined)
        };
        let not = |said: [bool; 2], why: String| Self::NotSaid { said, why };
        match (sure(base), sure(other)) {
            (Some(was), Some(is)) if was.bound == is.bound => Self::Kept(was.bound),
            // A mixture holds what it is a mixture of: the border between the two was crossed, or not even that.
            (Some(was), Some(is)) if was.bound == Bound::Mixed || is.bound == Bound::Mixed => {
                not([true; 2], format!("{} against {}: two bounds that are close", was.bound.words(), is.bound.words()))
            }
            (Some(was), Some(is)) => Self::Flipped { base: was.bound, other: is.bound },
            (None, None) => not([false; 2], "neither says what bounds it".into()),
            (Some(was), None) => not([true, false], format!("{} in the first only", was.bound.words())),
            (None, Some(is)) => not([false, true], format!("{} in the second only", is.bound.words())),
        }
    }
}

impl<'s> Across<'s> {
    /// A series against a base. Warm-ups and invalid runs are never used. None where they have no cell in common.
    pub fn of(base: &'s Series<'s>, other: &'s Series<'s>) -> Option<Self> {
        let setups = Setups::of(base.setup, other.setup);
        let both: Vec<(&'s CellRuns<'s>, &'s CellRuns<'s>)> =
            base.analysis.compared().filter_map(|cell| Some((cell, in_series(other, cell.cell)?))).collect();
        if both.is_empty() {
            return None;
        }
        let floor = base.floor().max(other.floor());
        let scatters = [base, other].map(|series| Scatters::of(&series.analysis.cells));
        let rates: Vec<_> = both.iter().map(|(was, is)| rates::compared(was, is, &scatters, &setups)).collect();
        let ratios = ratios::in_both(&both, &scatters);
        let alphas = alphas([
            rates.iter().filter(|rate| rate.is_ok()).count(),
            ratios.iter().filter(|one| one.measured.is_ok() && one.factor == Factor::Scheme).count(),
            ratios.iter().filter(|one| one.measured.is_ok() && one.factor != Factor::Scheme).count(),
        ]);
        let cell =
            |((base, other), rate): (&(&'s CellRuns<'s>, &'s CellRuns<'s>), Result<Estimate, Change>)| CellChange {
                rate: rate.map_or_else(|why| why, |rate| Change::of(&rate, alphas[0], floor)),
                verdict: VerdictChange::of(base, other),
                base,
                other,
            };
        let cells = both.iter().zip(rates).map(cell).collect();
        let only = |series: &'s Series<'s>, beside: &'s Series<'s>| {
            let missing = series.analysis.compared().filter(|cell| in_series(beside, cell.cell).is_none());
            missing.map(|cell| cell.cell).collect()
        };
        Some(Self {
            setups,
            cells,
            only_base: only(base, other),
            only_other: only(other, base),
            ratios: ratios.into_iter().map(|one| one.told(alphas, floor)).collect(),
            speeds: conditions::speeds_of(&both),
            floor,
            base,
            other,
        })
    }

    /// Whether anything was found to differ: a rate, or a ratio.
    pub fn differs(&self) -> bool {
        self.cells.iter().any(|cell| cell.rate.differs()) || self.ratios.iter().any(|ratio| ratio.change.differs())
    }
}

/// A cell with its runs in a series.
fn in_series<'s>(series: &'s Series<'s>, cell: &Cell) -> Option<&'s CellRuns<'s>> {
    series.analysis.cells.iter().find(|runs| runs.part == Part::Cell && runs.cell == cell)
}

/// How often one interval of each family may fail, so that all of all families fail together in 1 pair of series of 20:
/// families without any leave their share to the others.
fn alphas(counts: [usize; 3]) -> [f64; 3] {
    let shared: f64 = SHARES.iter().zip(counts).filter(|(_, count)| *count > 0).map(|(share, _)| share).sum();
    let mut alphas = [ALPHA; 3];
    for (alpha, (share, count)) in alphas.iter_mut().zip(SHARES.iter().zip(counts)).filter(|(_, (_, count))| *count > 0)
    {
        *alpha = ALPHA * share / shared / count as f64;
    }
    alphas
}
