//! What a link turned out to be: measured through it, to stand beside what was asked for.

use serde::{Deserialize, Serialize};

/// Measured from the client's side of the link, against `link respond` on the database's side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkMeasured {
    /// Time to open a TCP connection: one round trip on a link, whatever the backend.
    pub connect: Quantiles,
    /// Time to send 16 bytes and have 16 back.
    pub exchange: Quantiles,
    /// One flow's rate to the database in bits a second, once it is steady; `None`: not measured.
    pub up: Option<u64>,
    /// And back.
    pub down: Option<u64>,
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
