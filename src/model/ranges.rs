//! Which records are done: per source, ranges of record numbers that never overlap.

use std::collections::BTreeMap;

/// Record numbers as ranges, both ends included; neighbours are one range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds a range. False, and nothing is added, where a part of it is there already, or it is none.
    pub fn add(&mut self, first: u64, last: u64) -> bool {
        let below = self.0.range(..=last).next_back().map(|(from, to)| (*from, *to));
        if first > last || below.is_some_and(|(_, to)| to >= first) {
            return false;
        }
        let from = match below {
            Some((from, to)) if to + 1 == first => from,
            _ => first,
        };
        let to = last.checked_add(1).and_then(|next| self.0.remove(&next)).unwrap_or(last);
        self.0.insert(from, to);
        true
    }

    /// Whether a record is in one of them.
    pub fn contains(&self, number: u64) -> bool {
        self.0.range(..=number).next_back().is_some_and(|(_, last)| *last >= number)
    }

    /// How many records they hold together.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// Each range, in order: its first record and its last.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().map(|(first, last)| (*first, *last))
    }
}

/// Records of several sources (archives).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed(BTreeMap<String, Ranges>);

impl Listed {
    /// Adds a range of a source's records. False, and nothing is added, where a part of it is there already.
    pub fn add(&mut self, source: &str, first: u64, last: u64) -> bool {
        match self.0.get_mut(source) {
            Some(ranges) => ranges.add(first, last),
            None => self.0.entry(source.to_owned()).or_default().add(first, last),
        }
    }

    /// Adds what another lists. False where both list some record.
    pub fn merge(&mut self, other: &Self) -> bool {
        let mut apart = true;
        for (source, first, last) in other.iter() {
            apart &= self.add(source, first, last);
        }
        apart
    }

    /// Whether a record is listed.
    pub fn contains(&self, source: &str, number: u64) -> bool {
        self.0.get(source).is_some_and(|ranges| ranges.contains(number))
    }

    /// How many records are listed.
    pub fn count(&self) -> u64 {
        self.0.values().map(Ranges::count).sum()
    }

    /// Each range with its source.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        self.0.iter().flat_map(|(source, ranges)| ranges.iter().map(|(first, last)| (source.as_str(), first, last)))
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Workers take chunks as they come; a crash loses those that are not committed; whoever resumes takes what is
        /// not listed, in chunks of another size.
        #[test]
        fn whatever_workers_and_crashes_do_skipped_and_done_are_all_and_disjoint(
            records in 1_u64..400,
            runs in proptest::collection::vec((1_usize..20, proptest::collection::vec(any::<u8>(), 0..200)), 1..5),
        ) {
            let mut listed = Listed::default();
            let last = runs.len();
            for (number, (chunk, luck)) in runs.into_iter().enumerate() {
                let left: Vec<u64> = (1..=records).filter(|record| !listed.contains("a", *record)).collect();
                let skipped = listed.count();
                prop_assert_eq!(skipped + left.len() as u64, records);
                let mut chunks: Vec<&[u64]> = left.chunks(chunk).collect();
                // Any order of commits, and any of them lost, except in the run that comes to its end.
                let order = |index: usize| luck.get(index).copied().unwrap_or(0);
                chunks.sort_by_key(|chunk| order(chunk[0] as usize % 200));
                for (index, chunk) in chunks.into_iter().enumerate() {
                    if number + 1 < last && order(index) % 2 == 0 {
                        continue;
                    }
                    for (first, last) in runs_of(chunk) {
                        prop_assert!(listed.add("a", first, last));
                        prop_assert!(!listed.add("a", first, last), "a range done twice is refused");
                    }
                }
            }
            prop_assert_eq!(listed.count(), records);
            prop_assert_eq!(listed.iter().collect::<Vec<_>>(), [("a", 1, records)]);
        }

        #[test]
        fn ranges_hold_what_a_set_of_numbers_holds(added in proptest::collection::vec((0_u64..100, 0_u64..10), 0..60)) {
            let (mut ranges, mut set) = (Ranges::default(), std::collections::BTreeSet::new());
            for (first, more) in added {
                let free = (first..=first + more).all(|number| !set.contains(&number));
                prop_assert_eq!(ranges.add(first, first + more), free);
                if free {
                    set.extend(first..=first + more);
                }
            }
            prop_assert!((0..120).all(|number| ranges.contains(number) == set.contains(&number)));
            prop_assert_eq!(ranges.count(), set.len() as u64);
            prop_assert!(ranges.iter().zip(ranges.iter().skip(1)).all(|(one, next)| one.1 + 1 < next.0));
        }
    }

    /// Runs without a gap among ascending numbers.
    fn runs_of(numbers: &[u64]) -> Vec<(u64, u64)> {
        let mut ranges = Ranges::default();
        assert!(numbers.iter().all(|number| ranges.add(*number, *number)));
        ranges.iter().collect()
    }

    #[test]
    fn a_range_backwards_is_none() {
        let mut ranges = Ranges::default();
        assert!(!ranges.add(5, 4) && ranges.count() == 0);
        assert!(ranges.add(1, 1) && ranges.add(3, 3) && ranges.add(2, 2));
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [(1, 3)]);
    }
}
