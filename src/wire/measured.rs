//! What a link turned out to be: measured through it, to stand beside what was asked for.

use crate::model::quantity::Delay;
use serde::{Deserialize, Serialize};

/// What `link respond` says on standard output once it listens.
pub const READY: &str = "ready";

/// The window of every connection of a measurement, bytes: fixed, so that theory knows it, and no more than
/// Linux allows without changes (`net.core.rmem_max` is 212,992).
pub const WINDOW: usize = 200_000;

/// Measured from the client's side of the link, against `link respond` on the database's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkMeasured {
    /// Time to open a TCP connection: one round trip on a link, whatever the backend.
    pub connect: Quantiles,
    /// Time that 16 bytes take there and 24 back, from being sent to coming in; what the ends take to wake is no part
    /// of it.
    pub exchange: Quantiles,
    /// One flow's rate to the database in bits a second, once it is steady; `None`: not measured.
    pub up: Option<u64>,
    /// And back.
    pub down: Option<u64>,
}

impl LinkMeasured {
    /// Bits a second that one flow of a measurement can have at most: a window each round trip, and no more than
    /// a gigabit, which user space is asked to keep up with.
    pub fn window_bound(rtt: Delay) -> f64 {
        const GIGABIT: f64 = 1e9;
        (WINDOW as f64 * 8e9 / (rtt.nanos().max(1) as f64)).min(GIGABIT)
    }
}

/// Of a number of times, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantiles {
    /// How many.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: u64,
    /// 99 in 100 took no longer.
    pub p99: u64,
}

impl Quantiles {
    /// How far the slow ones lie beyond the middle, nanoseconds.
    pub fn jitter(self) -> f64 {
        self.p99.saturating_sub(self.p50) as f64
    }
}
