//! What a data set's rows add up to, told from its files alone: who acknowledges something else has not read them.

use crate::census::{DataDir, Dictionary, GeoReader, Line, SegmentReader};
use crate::db::geo::Columns;
use crate::model::checksum::Tally;
use crate::wire::{Acknowledged, ItemTally, Verification};
use anyhow::Result;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

/// Digests add up modulo 2^63.
const DIGESTS: u64 = u64::MAX >> 1;

/// Differences that are listed before the rest is only counted.
const LISTED: usize = 3;

/// Every geographic record and every line of a folder.
pub(super) fn of(folder: &Path) -> Result<Acknowledged> {
    let files = DataDir::scan(folder)?;
    let mut all = Acknowledged::default();
    let mut items: BTreeMap<i32, Tally> = BTreeMap::new();
    for state in &files.states {
        let mut reader = GeoReader::open(&state.geo)?;
        while let Some((_, record)) = reader.next_record()? {
            all.geo_rows += 1;
            all.geo_digest = all.geo_digest.wrapping_add(Columns::of(&record).digest()) & DIGESTS;
        }
    }
    for file in files.segments() {
        let mut reader = SegmentReader::open(&file.path, file.segment)?;
        let mut line = Line::default();
        while reader.next_record(&mut line)?.is_some() {
            all.lines += 1;
            for (item, value) in Dictionary::embedded().items_in(file.segment).iter().zip(&line.values) {
                items.entry(item.id).or_default().add(line.logrecno, item.id, *value);
            }
        }
    }
    all.items = items.into_iter().map(|(item, tally)| ItemTally { item, tally }).collect();
    Ok(all)
}

/// What is acknowledged beside what there is, a sentence each difference.
pub(super) fn differences(expected: &Acknowledged, said: &Acknowledged) -> Vec<String> {
    let mut wrong = counts(expected.geo_rows, expected.lines, said);
    if said.geo_rows == expected.geo_rows && said.geo_digest != expected.geo_digest {
        wrong.push("`geo_digest` is not that of the data's geographic records".into());
    }
    let tallies = |all: &Acknowledged| -> BTreeMap<i32, Tally> {
        all.items.iter().filter(|item| item.tally.rows > 0).map(|item| (item.item, item.tally)).collect()
    };
    let (expected, said) = (tallies(expected), tallies(said));
    let mut items: Vec<i32> = expected.keys().chain(said.keys()).copied().collect();
    items.sort_unstable();
    items.dedup();
    items.retain(|item| expected.get(item) != said.get(item));
    for item in items.iter().take(LISTED) {
        let of = |tallies: &BTreeMap<i32, Tally>| tallies.get(item).copied().unwrap_or_default();
        let (Tally { rows, sum, mix }, there) = (of(&said), of(&expected));
        wrong.push(format!(
            "of item {item} it acknowledges rows {rows}, sum {sum}, mix {mix}; the data holds rows {}, sum {}, mix {}",
            there.rows, there.sum, there.mix
        ));
    }
    if items.len() > LISTED {
        wrong.push(format!("{} more items differ", items.len() - LISTED));
    }
    wrong
}

/// How many geographic records and lines are acknowledged, beside how many there have to be. Which ones is the peer's
/// to choose where the job sets a limit.
pub(super) fn counts(geo: u64, lines: u64, said: &Acknowledged) -> Vec<String> {
    let mut wrong = Vec::new();
    for (what, wanted, found) in [("geographic records", geo, said.geo_rows), ("lines", lines, said.lines)] {
        if wanted != found {
            wrong.push(format!("it acknowledges {found} {what}, the job asks for {wanted}"));
        }
    }
    wrong
}

/// The tables beside what was acknowledged: whether rows are lost, or doubled.
pub(super) fn disagreement(found: &Verification, said: &Acknowledged) -> Option<String> {
    if found.verified {
        return None;
    }
    let (there, claimed) = (found.geo_rows + found.elements.rows, said.geo_rows + said.total().rows);
    let what = match there.cmp(&claimed) {
        Ordering::Less => format!("it loses rows ({} of those acknowledged are not there)", claimed - there),
        Ordering::Greater => {
            format!("it doubles rows, or acknowledges too few ({} too many are there)", there - claimed)
        }
        Ordering::Equal => "its rows are not those that it acknowledged".into(),
    };
    Some(format!("{what}: {}", found.differences.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{GenerateSpec, generate};

    fn set() -> Acknowledged {
        let folder = tempfile::tempdir().unwrap();
        let spec = GenerateSpec { geo_records: 20, lines: 12, segments: vec![1, 3], ..Default::default() };
        generate(&spec, folder.path()).unwrap();
        of(folder.path()).unwrap()
    }

    #[test]
    fn a_data_set_adds_up_from_its_files() {
        let all = set();
        let items: usize = [1, 3].map(|segment| Dictionary::embedded().items_of_segment(segment)).iter().sum();
        assert_eq!((all.geo_rows, all.lines, all.items.len()), (20, 24, items));
        assert!(all.items.iter().all(|item| item.tally.rows == 12) && all.geo_digest > 0);
        assert_eq!(all.total().rows, 12 * items as u64);
        assert!(differences(&all, &all.clone()).is_empty());
    }

    #[test]
    fn what_was_not_read_and_yet_acknowledged_is_told() {
        let all = set();
        let mut said = all.clone();
        said.lines -= 1;
        said.geo_digest ^= 1;
        for (by, item) in said.items.iter_mut().take(5).enumerate() {
            item.tally.sum += by as i64;
        }
        let wrong = differences(&all, &said);
        assert_eq!(wrong.len(), 6, "{wrong:?}");
        assert_eq!(wrong[0], "it acknowledges 23 lines, the job asks for 24");
        assert!(wrong[1].contains("geo_digest") && wrong[2].starts_with("of item 2 it acknowledges rows 12, sum "));
        assert_eq!(wrong[5], "1 more items differ");
        said.items.clear();
        assert!(differences(&all, &said).iter().any(|one| one.contains("acknowledges rows 0, sum 0, mix 0")));
    }

    #[test]
    fn rows_lost_and_rows_doubled_are_told_apart() {
        let said = set();
        let (geo_rows, elements) = (said.geo_rows, said.total());
        let with = |rows: u64| Verification {
            verified: false,
            geo_rows,
            elements: Tally { rows, ..elements },
            lookup: None,
            differences: vec!["data_element holds another number".into()],
        };
        let told = |rows| disagreement(&with(rows), &said).unwrap();
        assert!(told(elements.rows - 2).starts_with("it loses rows (2 of those acknowledged are not there): data_el"));
        assert!(told(elements.rows + 1).starts_with("it doubles rows, or acknowledges too few (1 too many are there)"));
        assert!(told(elements.rows).starts_with("its rows are not those"));
        assert_eq!(disagreement(&Verification { verified: true, ..with(1) }, &said), None);
    }
}
