//! The places that generated data is about: a state with its counties, county subdivisions, tracts,
//! block groups and blocks, whose counts add up.

use super::field::Field;
use super::geo::GeoRecord;
use super::states::State;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// From the state (0) to the block (5): summary level and the words of its name.
const LEVELS: [&str; 6] = ["040", "050", "060", "140", "150", "101"];

/// Fewest children of a place one level up, and how many more there may be.
const CHILDREN: [(u32, u32); 6] = [(1, 0), (u32::MAX, 0), (2, 8), (2, 5), (2, 3), (5, 16)];

/// Invented; some need Latin-1, as some real ones do.
const NAMES: [&str; 16] = [
    "Alder", "Birch", "Cañada", "Dogwood", "Elm", "Fir", "Gingko", "Hickory", "Ivy", "Juniper", "Kalmia", "Larch",
    "Maple", "Nutmeg", "Oak", "Piñon",
];

/// One place, a geographic record to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// 0 (state) to 5 (block).
    level: u8,
    /// 1-based number within its parent, at each level down to its own; 0 below.
    path: [u32; 6],
    /// People counted.
    pub(super) population: u32,
    /// Housing units counted.
    pub(super) housing: u32,
}

/// The first `count` places of the state that `seed` makes, in file order: a place, then what is in
/// it. A place's counts are the sums of those of its blocks among these.
pub(super) fn places(seed: u64, count: u32) -> Vec<Place> {
    let mut rng = stream(seed, 0);
    let mut places: Vec<Place> = Vec::with_capacity(count as usize);
    let mut children_left = [0_u32; LEVELS.len()];
    children_left[0] = 1;
    let mut path = [0_u32; LEVELS.len()];
    let mut open = [0_usize; LEVELS.len()];
    while places.len() < count as usize {
        // Counties never run out, so there always is a level with a child left.
        let level = children_left.iter().rposition(|left| *left > 0).unwrap_or(0);
        children_left[level] -= 1;
        path[level] += 1;
        path[level + 1..].fill(0);
        open[level] = places.len();
        let mut place = Place { level: level as u8, path, ..Place::default() };
        if let Some((fewest, more)) = CHILDREN.get(level + 1) {
            children_left[level + 1] = fewest + rng.next_u32() % (more + 1);
        } else {
            (place.population, place.housing) = block_counts(&mut rng);
            for ancestor in &open[..level] {
                places[*ancestor].population += place.population;
                places[*ancestor].housing += place.housing;
            }
        }
        places.push(place);
    }
    places
}

/// An independent source of randomness for each `stream` of a seed.
pub(super) fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(bytes);
    rng.set_stream(stream);
    rng
}

/// People and housing units of a block: a quarter are empty, most are small, few are large, as in
/// the Bureau's New York file.
fn block_counts(rng: &mut ChaCha8Rng) -> (u32, u32) {
    let draw = rng.next_u32();
    let (empty, skew) = (draw & 3, (draw >> 2) & 0x3ff);
    if empty == 0 {
        return (0, draw >> 31);
    }
    let population = 1 + skew * skew * skew / 3_600_000;
    (population, population * 2 / 5 + 1 + (draw >> 30))
}

impl Place {
    /// Its geographic record.
    pub(super) fn record(&self, state: &State, logrecno: u32) -> GeoRecord {
        let [_, county, cousub, tract, group, block] = self.path;
        // Real county codes are odd.
        let county_code = if county == 0 { String::new() } else { format!("{:03}", (2 * county - 1) % 1000) };
        let numbered = |n: u32, text: String| if n == 0 { String::new() } else { text };
        let area = i64::from(6 - u32::from(self.level)).pow(6) * 2_000 + i64::from(logrecno % 997);
        GeoRecord {
            file_id: field("uSF1"),
            stusab: field(&state.letters.to_ascii_uppercase()),
            sumlev: field(LEVELS[usize::from(self.level)]),
            geocomp: field("00"),
            chariter: field("000"),
            cifsn: field("01"),
            logrecno,
            state: field(state.fips),
            county: field(&county_code),
            cousub: field(&numbered(cousub, format!("{:05}", (county * 100 + cousub) % 100_000))),
            tract: field(&numbered(tract, format!("{:04}{tract:02}", (county * 10 + cousub) % 10_000))),
            blkgrp: field(&numbered(group, format!("{}", group % 10))),
            block: field(&numbered(block, format!("{}{block:03}", group % 10))),
            arealand: area,
            areawatr: area / 50,
            name: self.name(state),
            pop100: i64::from(self.population),
            hu100: i64::from(self.housing),
            intptlat: field(&format!("+{:08}", 40_500_000 + logrecno % 4_500_000)),
            intptlon: field(&format!("-{:09}", 72_000_000 + logrecno % 7_000_000)),
            ..GeoRecord::default()
        }
    }

    fn name(&self, state: &State) -> String {
        let [_, county, cousub, tract, group, block] = self.path;
        let invented = |n: u32| NAMES[n as usize % NAMES.len()];
        match self.level {
            0 => state.folder.replace('_', " "),
            1 => format!("{} County {county}", invented(county)),
            2 => format!("{} town", invented(county + cousub)),
            3 => format!("Census Tract {}.{tract:02}", county * 10 + cousub),
            4 => format!("Block Group {group}"),
            _ => format!("Block {}{block:03}", group % 10),
        }
    }
}

/// A field of text that this module makes no longer than it may be.
fn field<const N: usize>(text: &str) -> Field<N> {
    Field::new(text.as_bytes()).expect("codes are formatted to their width")
}
