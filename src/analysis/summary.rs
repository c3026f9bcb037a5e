//! Several runs' figures as one: the middle, and how far they lie apart.

/// Median and range of some runs. A range says what was seen; it is no interval of confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// The middle figure, or the mean of the two in the middle.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
    /// How many.
    pub runs: usize,
}

impl Summary {
    /// Of these figures; none where there are none. Figures that aren't finite don't count.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().filter(|figure| figure.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len().is_multiple_of(2) { (sorted[middle - 1] + sorted[middle]) / 2.0 } else { sorted[middle] };
        Some(Self { median, least, most, runs: sorted.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_nothing_has_none() {
        let summary = Summary::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!((summary.median, summary.least, summary.most, summary.runs), (2.0, 1.0, 3.0, 3));
        assert_eq!(Summary::of([1.0, 2.0, f64::NAN]).unwrap().median, 1.5);
        assert_eq!(Summary::of([]), None);
    }
}
