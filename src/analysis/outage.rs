//! What a fault cost a run: how long no row came, and when the rate was back. Pure; from the rows of each piece of time.

use crate::wire::fault::{FaultSeen, Outage, Piece};

/// The rate is back when it has reached so much of what it was before the fault …
pub const BACK: f64 = 0.9;

/// … over so long a time, seconds: of less, a few transactions decide.
const WINDOW: f64 = 1.0;

/// A run's first second, in which workers begin, says nothing of its rate.
const RAMP: f64 = 1.0;

/// What the fault cost; none where it never came, or no row before it.
pub fn outage(seen: &FaultSeen) -> Option<Outage> {
    let (pieces, applied) = (&seen.rows, seen.applied?);
    let before = rate_before(pieces, applied)?;
    let (without, rows_again) = longest_without(pieces, applied);
    let back = back(pieces, rows_again.max(applied), BACK * before).map(|at| at - applied);
    Some(Outage { before, without, back })
}

fn rate_before(pieces: &[Piece], applied: f64) -> Option<f64> {
    let rate = |from: f64| {
        let whole = pieces.iter().filter(|piece| piece.from >= from && piece.to <= applied);
        let (rows, seconds) =
            whole.fold((0, 0.0), |(rows, seconds), piece| (rows + piece.rows, seconds + piece.to - piece.from));
        (rows > 0 && seconds > 0.0).then(|| rows as f64 / seconds)
    };
    rate(RAMP).or_else(|| rate(0.0))
}

/// The longest time without a row that ends after the fault came, as far as it lies after it; and where it ends.
fn longest_without(pieces: &[Piece], applied: f64) -> (f64, f64) {
    let mut last_row = applied;
    let mut longest = (0.0, applied);
    let mut take = |from: f64, to: f64| {
        if to - from > longest.0 {
            longest = (to - from, to);
        }
    };
    for piece in pieces.iter().filter(|piece| piece.rows > 0 && piece.to > applied) {
        take(last_row, piece.from);
        last_row = piece.to;
    }
    if let Some(end) = pieces.last() {
        take(last_row, end.to);
    }
    longest
}

/// The first moment from which on so many rows a second came for a while.
fn back(pieces: &[Piece], from: f64, wanted: f64) -> Option<f64> {
    let end = pieces.last()?.to;
    let starts = std::iter::once(from).chain(pieces.iter().map(|piece| piece.from).filter(|start| *start > from));
    starts.take_while(|start| start + WINDOW <= end + 1e-9).find(|start| rows_in(pieces, *start) / WINDOW >= wanted)
}

/// Rows of the window that begins there; a piece that reaches out of it counts by its part within.
fn rows_in(pieces: &[Piece], from: f64) -> f64 {
    let to = from + WINDOW;
    let part = |piece: &Piece| {
        let within = piece.to.min(to) - piece.from.max(from);
        if within > 0.0 { piece.rows as f64 * within / (piece.to - piece.from) } else { 0.0 }
    };
    pieces.iter().map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of a fifth of a second with so many rows each, one after the other.
    fn seen(rows: &[u64], applied: f64) -> FaultSeen {
        let piece = |(number, rows): (usize, &u64)| {
            let from = number as f64 * 0.2;
            Piece { from, to: from + 0.2, rows: *rows }
        };
        FaultSeen { applied: Some(applied), rows: rows.iter().enumerate().map(piece).collect(), ..Default::default() }
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn an_outage_lasts_from_the_last_row_to_the_next_and_the_rate_is_back_when_it_stays_there() {
        let mut rows = vec![0; 5]; // the first second does not count
        rows.extend([200; 10]); // 1,000 a second, until 3 s
        rows.extend([0; 7]); // to 4.4 s
        rows.extend([50, 100, 150]); // to 5 s
        rows.extend([190; 10]);
        let found = outage(&seen(&rows, 3.0)).unwrap();
        assert!(close(found.before, 1_000.0) && close(found.without, 1.4), "{found:?}");
        // From 4.8 s on: 150 + 4 × 190 = 910 rows in a second.
        assert!(close(found.back.unwrap(), 1.8), "{found:?}");
    }

    #[test]
    fn what_takes_effect_later_is_back_only_after_its_effect() {
        let mut rows = vec![200; 20];
        rows.extend([0; 5]);
        rows.extend([200; 10]);
        let found = outage(&seen(&rows, 2.0)).unwrap();
        assert!(close(found.without, 1.0) && close(found.back.unwrap(), 3.0), "{found:?}");
    }

    #[test]
    fn a_fault_that_nobody_feels_costs_nothing() {
        let found = outage(&seen(&[100; 30], 3.0)).unwrap();
        assert!(close(found.without, 0.0) && close(found.back.unwrap(), 0.0), "{found:?}");
    }

    #[test]
    fn a_rate_that_never_comes_back_is_told_as_such() {
        let mut rows = vec![200; 15];
        rows.extend([100; 15]);
        assert_eq!(outage(&seen(&rows, 3.0)).unwrap().back, None);
        rows.truncate(15);
        rows.extend([0; 10]);
        let found = outage(&seen(&rows, 3.0)).unwrap();
        assert!(close(found.without, 2.0) && found.back.is_none(), "{found:?}");
    }

    #[test]
    fn while_no_ingester_runs_there_is_no_row() {
        let mut killed = seen(&[200; 15], 3.0);
        let late = seen(&[200; 10], 3.0).rows;
        killed.rows.extend(late.into_iter().map(|one| Piece { from: one.from + 5.0, to: one.to + 5.0, ..one }));
        let found = outage(&killed).unwrap();
        assert!(close(found.without, 2.0) && close(found.back.unwrap(), 2.0), "{found:?}");
    }

    #[test]
    fn nothing_is_said_of_a_fault_that_never_came_or_came_before_the_first_row() {
        assert_eq!(outage(&FaultSeen { applied: None, ..seen(&[200; 15], 3.0) }), None);
        assert_eq!(outage(&seen(&[0, 0, 0, 200, 200], 0.4)), None);
        assert_eq!(outage(&FaultSeen { applied: Some(1.0), ..Default::default() }), None);
    }
}
