//! What a crowd of connections does to a row: to the CPU time that it takes, and to its turn at the disk and at locks.

use super::Known;

/// CPU time a row by how many connections crowd the database, 1 at its best. It is no constant: one alone pays for each
/// wake-up and each flush of the WAL, which a few share (group commit), and many are in each other's way. Measured points
/// go before it; this is believed where there are none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usual {
    /// How much more a row takes of one alone, where each row is a round trip.
    alone: f64,
    /// So many connections make it twice as much.
    many: f64,
}

/// Source: `make lab EXPERIMENT=pool-size` on two machines of two processors, between which this lies. Of the database 265
/// and 265 µs a row alone, 135 and 215 at pools of 15 to 60, 285 and 292 at 350 …
pub(super) const DATABASE: Usual = Usual { alone: 0.6, many: 450.0 };

/// … and of the client 86 and 97, 45 and 73, 65 and 80.
pub(super) const CLIENT: Usual = Usual { alone: 0.65, many: 1_000.0 };

impl Usual {
    /// At a crowd, of rows that take so many round trips: who waits for many rows at once is woken once for them.
    pub(super) fn at(&self, present: f64, trips: f64) -> f64 {
        1.0 + trips.min(1.0) * (self.alone / present + present / self.many)
    }
}

/// CPU time a row by how many connections crowd the database: as usual, times what measured points are off it, in between
/// along the logarithm of the crowd, beyond them even.
pub(super) struct Crowding {
    usual: Usual,
    trips: f64,
    /// Logarithms of crowd and of CPU time over the usual.
    points: Vec<(f64, f64)>,
}

impl Crowding {
    /// Of cells that send rows alike, and what a row takes there.
    pub(super) fn of<'a>(
        usual: Usual,
        known: impl IntoIterator<Item = &'a Known<'a>>,
        took: fn(&Known<'_>) -> f64,
    ) -> Self {
        let known: Vec<&Known<'_>> = known.into_iter().collect();
        let trips = known.iter().map(|one| one.demand.trips).sum::<f64>() / known.len().max(1) as f64;
        let off = |one: &Known<'_>| (took(one).max(1e-9) / usual.at(one.present(), trips)).ln();
        let mut points: Vec<(f64, f64)> = known.iter().map(|one| (one.present().ln(), off(one))).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { usual, trips, points }
    }

    /// How many times as much a row takes in one crowd as in another.
    pub(super) fn between(&self, to: f64, from: f64) -> f64 {
        let at = |present: f64| self.usual.at(present, self.trips) * self.off(present.ln()).exp();
        at(to) / at(from)
    }

    fn off(&self, x: f64) -> f64 {
        let Some(after) = self.points.iter().position(|(at, _)| *at >= x) else {
            return self.points.last().map_or(0.0, |(_, off)| *off);
        };
        let Some((from, low)) = after.checked_sub(1).map(|before| self.points[before]) else { return self.points[0].1 };
        let (to, high) = self.points[after];
        low + (high - low) * (x - from) / (to - from).max(1e-9)
    }
}

/// What a connection waits for besides processors, the way and what others hold (a commit's turn at the disk) by how many
/// wait beside it: `alone + each of them`, of which only the proportion of the two matters.
pub(super) struct Queue {
    /// As many connections as waiting alone is worth.
    alone: f64,
}

impl Queue {
    /// Tried, and what is believed before two cells tell: on a disk that flushes thousands of times a second each that waits
    /// beside it is as long as the flush itself (`pool-size`: 115 µs a row alone, about 70 more for each other, up to
    /// pools of 200); on a slow one a single flush serves all who wait, and only measured cells tell that.
    const TRIED: [f64; 9] = [0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 200.0];
    const BELIEVED: f64 = 1.0;

    /// How far (log) the proportion may be from what is believed as easily as one cell from its place in the queue.
    const DOUBT: f64 = 4.0;

    /// The proportion with which what is left of the measured cells' time scatters least.
    pub(super) fn of(known: &[&Known<'_>]) -> Self {
        let points = known.iter().map(|one| (one.present(), one.for_a_turn())).filter(|(_, left)| *left > 0.0);
        let points: Vec<(f64, f64)> = points.map(|(present, left)| (present, left.ln())).collect();
        let off = |alone: f64| {
            let logs = points.iter().map(|(present, left)| left - (present + alone).ln());
            let mean = logs.clone().sum::<f64>() / points.len().max(1) as f64;
            let scatter: f64 = logs.map(|log| (log - mean).powi(2)).sum();
            scatter + ((alone / Self::BELIEVED).ln() / Self::DOUBT).powi(2)
        };
        let best = Self::TRIED.into_iter().min_by(|one, other| off(*one).total_cmp(&off(*other)));
        Self { alone: best.unwrap_or(Self::BELIEVED) }
    }

    pub(super) fn at(&self, present: f64) -> f64 {
        present + self.alone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_and_a_great_many_take_more_a_row_than_some_as_on_either_machine_and_batches_hardly() {
        // Microseconds a row alone, at some and at many connections, where they tell least and where most.
        let client = [[97.0, 73.0, 80.0], [86.0, 45.0, 65.0]];
        let database = [[265.0, 215.0, 292.0], [265.0, 135.0, 285.0]];
        for (usual, [least, most]) in [(CLIENT, client), (DATABASE, database)] {
            let [alone, some, many] = [1.0, 30.0, 350.0].map(|crowd| usual.at(crowd, 1.0));
            let between = |ratio: f64, of: usize| least[of] / least[1] < ratio && ratio < most[of] / most[1];
            assert!(between(alone / some, 0) && between(many / some, 2), "{alone} {some} {many}");
            let [alone, many] = [1.0, 350.0].map(|crowd| usual.at(crowd, 0.01));
            assert!(alone < 1.02 && many < 1.02, "{alone} {many}");
        }
    }
}
