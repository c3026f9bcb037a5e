//! Progress lines, every few seconds.

use super::stats::Live;
use crate::model::Phase;
use crate::wire::Event;
use std::time::{Duration, Instant};

/// How often progress is told.
pub const TICK: Duration = Duration::from_secs(2);

/// Turns live counters into progress lines.
pub struct Ticker {
    begun: Instant,
    last: Instant,
    last_rows: u64,
    /// When the next line is due.
    pub next: Instant,
}

impl Ticker {
    /// From a phase's beginning.
    pub fn new(begun: Instant) -> Self {
        Self { begun, last: begun, last_rows: 0, next: begun + TICK }
    }

    /// The line that is due now.
    pub fn tick(&mut self, phase: Phase, live: &[Live]) -> Event {
        let now = Instant::now();
        let (records, rows) = Live::sum(live);
        let current =
            rows.saturating_sub(self.last_rows) as f64 / now.duration_since(self.last).as_secs_f64().max(1e-9);
        let average = rows as f64 / now.duration_since(self.begun).as_secs_f64().max(1e-9);
        (self.last, self.last_rows, self.next) = (now, rows, now + TICK);
        Event::Progress { phase, records, rows, current, average }
    }
}
