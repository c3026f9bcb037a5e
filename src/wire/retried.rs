//! What broke during a run and was made good.

use serde::{Deserialize, Serialize};

/// Connections that broke, and what became of the work they were at. Rows are never counted twice for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Retried {
    /// Connections that broke and were opened again.
    pub reconnects: u64,
    /// Attempts it took to open them, the last ones included.
    pub attempts: u64,
    /// Records done again, because what they were sent in was not committed; of a lookup keys asked for again.
    pub redone: u64,
    /// Records found committed whose confirmation had been lost: not done again.
    pub found: u64,
    /// The longest time that a worker was without its connection, seconds.
    pub longest_outage: f64,
}

impl Retried {
    /// This and what happened elsewhere together.
    pub fn merge(&mut self, other: &Self) {
        self.reconnects = self.reconnects.saturating_add(other.reconnects);
        self.attempts = self.attempts.saturating_add(other.attempts);
        self.redone = self.redone.saturating_add(other.redone);
        self.found = self.found.saturating_add(other.found);
        self.longest_outage = self.longest_outage.max(other.longest_outage);
    }

    /// None where nothing broke.
    pub fn if_any(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}
