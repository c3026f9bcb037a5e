//! How far the clocks of other hosts are ahead of the lab's: asked over a stream, as NTP does.
//!
//! ```text
//! lab    ── asked ─────────────── answered ──►      ahead = theirs - the middle of both
//! host              theirs                          error = half of the time between both, of the shortest exchange
//! ```

use crate::model::clock::Now;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::iter;
use std::str::FromStr;

/// The most that the wall clocks of two hosts may be apart, seconds. It could be taken off; clocks so far apart belong to
/// hosts that nobody keeps in time, and those drift while a series runs.
pub const MOST_APART: f64 = 1.0;

/// Both clocks of a host at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// The monotonic clock, ns.
    pub steady: u64,
    /// The wall clock since its epoch, ns.
    pub wall: u64,
}

impl Tick {
    /// Those of this host, now.
    pub fn now() -> Self {
        let now = Now::read();
        Self { steady: now.nanos, wall: u64::try_from(now.wall().as_nanos()).unwrap_or(0) }
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.steady, self.wall)
    }
}

impl FromStr for Tick {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers =
            text.trim().split_once(' ').and_then(|(steady, wall)| Some((steady.parse().ok()?, wall.parse().ok()?)));
        let (steady, wall) = numbers.ok_or("a clock's answer is two numbers")?;
        Ok(Self { steady, wall })
    }
}

/// One question and its answer.
#[derive(Debug, Clone, Copy)]
pub struct Exchange {
    /// The lab's clocks before it.
    pub asked: Tick,
    /// What the host answered.
    pub theirs: Tick,
    /// The lab's monotonic clock after it, ns.
    pub answered: u64,
}

/// A host's clocks against the lab's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Ahead {
    /// How far its wall clock is ahead, seconds.
    pub wall: f64,
    /// How far its monotonic clock is ahead, seconds: hosts start at different times.
    pub steady: f64,
    /// How far off both may be, seconds.
    pub error: f64,
}

impl Ahead {
    /// From several exchanges: the shortest says most. None where there was none.
    pub fn of(exchanges: &[Exchange]) -> Option<Self> {
        let took = |one: &Exchange| one.answered.saturating_sub(one.asked.steady);
        let best = exchanges.iter().min_by_key(|one| took(one))?;
        let half = took(best) as f64 / 2e9;
        let ahead = |theirs: u64, asked: u64| (i128::from(theirs) - i128::from(asked)) as f64 / 1e9 - half;
        Some(Self {
            wall: ahead(best.theirs.wall, best.asked.wall),
            steady: ahead(best.theirs.steady, best.asked.steady),
            error: half,
        })
    }

    /// Whether its wall clock may be where a series is measured.
    pub fn is_near(&self) -> bool {
        self.wall.abs() - self.error <= MOST_APART
    }
}

/// The clocks of both sides of a run on two hosts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Clocks {
    /// Those of the database's host.
    pub database: Ahead,
    /// Those of the client's host, of several clients the first one's.
    pub client: Ahead,
    /// Those of the hosts of further clients, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_clients: Vec<Ahead>,
}

impl Clocks {
    /// Those of all clients' hosts, in the clients' order.
    fn clients(&self) -> impl Iterator<Item = &Ahead> {
        iter::once(&self.client).chain(&self.more_clients)
    }

    /// How far a client's wall clock is ahead of the database's, seconds, and how far off that may be: of several clients
    /// the one that is farthest away.
    pub fn apart(&self) -> (f64, f64) {
        let apart = |client: &Ahead| (client.wall - self.database.wall, client.error + self.database.error);
        let farther = |one: (f64, f64), other: (f64, f64)| if other.0.abs() > one.0.abs() { other } else { one };
        self.clients().map(apart).reduce(farther).unwrap_or_default()
    }

    /// How far off the moment may be at which clients begin, seconds: the error of the clock that is known least.
    pub fn client_error(&self) -> f64 {
        self.clients().map(|client| client.error).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(there: u64, back: u64) -> Exchange {
        // A host that started 5 s earlier and whose wall clock is 0.25 s behind.
        let asked = Tick { steady: 1_000_000_000, wall: 9_000_000_000 };
        let theirs = Tick { steady: 6_000_000_000 + there, wall: 8_750_000_000 + there };
        Exchange { asked, theirs, answered: asked.steady + there + back }
    }

    #[test]
    fn the_shortest_exchange_says_how_far_a_clock_is_ahead_and_how_far_off_that_may_be() {
        let found = Ahead::of(&[exchange(40_000_000, 2_000_000), exchange(1_000_000, 1_000_000)]).unwrap();
        assert_eq!((found.steady, found.wall, found.error), (5.0, -0.25, 0.001));
        let skewed = Ahead::of(&[exchange(3_000_000, 1_000_000)]).unwrap();
        assert!((skewed.wall + 0.25).abs() <= skewed.error, "{skewed:?}");
        assert_eq!(Ahead::of(&[]), None);
    }

    #[test]
    fn clocks_apart_by_more_than_a_second_are_too_far_unless_that_may_be_the_error() {
        assert!(Ahead { wall: -0.99, ..Default::default() }.is_near());
        assert!(!Ahead { wall: -1.01, error: 0.001, ..Default::default() }.is_near());
        assert!(Ahead { wall: 1.01, error: 0.05, ..Default::default() }.is_near());
    }

    #[test]
    fn of_several_clients_the_one_farthest_from_the_database_is_told_and_the_clock_known_least() {
        let ahead = |wall, error| Ahead { wall, error, ..Default::default() };
        let two = Clocks { database: ahead(0.1, 0.001), client: ahead(0.2, 0.004), more_clients: vec![] };
        assert_eq!(two.apart(), (0.1, 0.005));
        let three = Clocks { more_clients: vec![ahead(-0.2, 0.002), ahead(0.1, 0.003)], ..two };
        assert_eq!(three.client_error(), 0.004);
        let (apart, error) = three.apart();
        assert!((apart + 0.3).abs() < 1e-9 && (error - 0.003).abs() < 1e-9, "{apart} {error}");
    }

    #[test]
    fn an_answer_reads_back() {
        let tick = Tick { steady: 12, wall: 1_700_000_000_000_000_000 };
        assert_eq!(tick.to_string().parse(), Ok(tick));
        assert!("12".parse::<Tick>().is_err());
    }
}
