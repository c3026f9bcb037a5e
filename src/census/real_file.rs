//! Claims about the Bureau's own file, where the environment says where it is.

use super::testing::shared;
use super::{Line, SegmentReader};

#[test]
fn the_real_file_has_the_known_items_and_sums() {
    let Some(shared) = shared("the_real_file_has_the_known_items_and_sums") else {
        return;
    };
    let path = shared.join("data/ny00001.truncated.uf1.zip");
    let mut reader = SegmentReader::open(&path, 1).unwrap();
    let mut line = Line::default();
    let (mut lines, mut items, mut hundredths) = (0_u64, 0_usize, 0_i64);
    while let Some(number) = reader.next_record(&mut line).unwrap() {
        lines += 1;
        items += line.values.len();
        hundredths += line.values.iter().sum::<i64>();
        assert_eq!((number, u64::from(line.logrecno)), (lines, lines));
        if lines == 500 {
            assert_eq!((items, hundredths), (111_000, 109_372_318_600));
        }
    }
    assert_eq!((lines, items, hundredths), (50_000, 11_100_000, 131_642_715_500));
}
