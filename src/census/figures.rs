//! The items of generated lines: each matrix a total and its parts, which add up to it.
//!
//! Whole numbers only, so that every machine makes the same.

use super::dictionary::{Dictionary, Matrix};
use super::places::{Place, stream};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// What one matrix of a line is made of.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A total, then parts of it: `share` 256ths of the place's people or housing units.
    Counts { of: Base, share: u64 },
    /// Ages with one decimal.
    Medians,
    /// Sizes of households and families, with two decimals.
    Averages,
}

#[derive(Debug, Clone, Copy)]
enum Base {
    People,
    Housing,
}

/// Makes the lines of one segment, in the order of the places.
#[derive(Debug)]
pub(super) struct Figures {
    rng: ChaCha8Rng,
    header: String,
    matrices: Vec<(Kind, usize)>,
}

impl Figures {
    pub(super) fn new(seed: u64, state: &str, segment: u8) -> Self {
        let matrices = Dictionary::embedded().segment(segment).iter();
        Self {
            rng: stream(seed, u64::from(segment)),
            header: format!("uSF1,{},000,{segment:02},", state.to_ascii_uppercase()),
            matrices: matrices.map(|m| (kind(m), usize::from(m.items))).collect(),
        }
    }

    /// Appends the line of `place`, with its line end.
    pub(super) fn line(&mut self, place: &Place, logrecno: u32, into: &mut Vec<u8>) {
        into.extend_from_slice(self.header.as_bytes());
        let digits = 10_000_000 + logrecno;
        push_number(u64::from(digits), into);
        // The leading 1 only kept the zeros.
        let lead = into.len() - 8;
        into.remove(lead);
        for (kind, items) in &self.matrices {
            match kind {
                Kind::Counts { of, share } => {
                    let base = match of {
                        Base::People => place.population,
                        Base::Housing => place.housing,
                    };
                    let dither = if *share == 256 { 0 } else { u64::from(self.rng.next_u32() & 0xff) };
                    counts((u64::from(base) * share + dither) >> 8, *items, &mut self.rng, into);
                }
                Kind::Medians => decimals(place, *items, [180, 450], 1, &mut self.rng, into),
                Kind::Averages => decimals(place, *items, [120, 380], 2, &mut self.rng, into),
            }
        }
        into.push(b'\n');
    }
}

/// What a matrix is made of, by its title and universe.
fn kind(matrix: &Matrix) -> Kind {
    if matrix.title.starts_with("MEDIAN") {
        return Kind::Medians;
    }
    if matrix.title.starts_with("AVERAGE") {
        return Kind::Averages;
    }
    let housing = ["Housing", "Household", "Occupied", "Vacant", "Families"];
    let of = if housing.iter().any(|word| matrix.universe.starts_with(word)) { Base::Housing } else { Base::People };
    let share = match (matrix.universe.as_str(), matrix.code.bytes().last()) {
        ("Total population" | "Housing units", _) => 256,
        // Of the race iterations A to O, the first and I are those of most people.
        (_, Some(b'A' | b'I')) => 180,
        (_, Some(letter @ b'B'..=b'O')) => u64::from(letter - b'A') * 3,
        _ => 60 + u64::from(matrix.id.unsigned_abs() * 37 % 160),
    };
    Kind::Counts { of, share }
}

/// Appends a total and its `items - 1` parts. The parts get smaller, so lines of small places are
/// mostly zeros, as real ones are.
fn counts(total: u64, items: usize, rng: &mut ChaCha8Rng, into: &mut Vec<u8>) {
    into.push(b',');
    push_number(total, into);
    let mut rest = total;
    for left in (1..items).rev() {
        if rest == 0 {
            push_zeros(left, into);
            return;
        }
        let part = match left {
            1 => rest,
            // A handful of people is soon shared out.
            _ if rest < 4 => rest,
            _ => (rest * u64::from(rng.next_u32() & 0x3ff)) >> 11,
        };
        rest -= part;
        into.push(b',');
        push_number(part, into);
    }
}

/// Appends figures between two bounds, in units of the last decimal; zeros where nobody lives.
fn decimals(place: &Place, items: usize, bounds: [u32; 2], places: usize, rng: &mut ChaCha8Rng, into: &mut Vec<u8>) {
    let unit = 10_u64.pow(u32::from(places == 2) + 1);
    for _ in 0..items {
        let figure = match place.population {
            0 => 0,
            _ => u64::from(bounds[0] + rng.next_u32() % (bounds[1] - bounds[0])),
        };
        into.push(b',');
        push_number(figure / unit, into);
        into.push(b'.');
        let decimals = figure % unit;
        if places == 2 && decimals < 10 {
            into.push(b'0');
        }
        push_number(decimals, into);
    }
}

fn push_zeros(count: usize, into: &mut Vec<u8>) {
    const ZEROS: [u8; 512] = {
        let mut zeros = [b','; 512];
        let mut at = 1;
        while at < zeros.len() {
            zeros[at] = b'0';
            at += 2;
        }
        zeros
    };
    let mut left = count * 2;
    while left > 0 {
        let now = left.min(ZEROS.len());
        into.extend_from_slice(&ZEROS[..now]);
        left -= now;
    }
}

fn push_number(number: u64, into: &mut Vec<u8>) {
    if number < 10 {
        into.push(b'0' + number as u8);
        return;
    }
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    let mut rest = number;
    while rest > 0 {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    into.extend_from_slice(&digits[start..]);
}
