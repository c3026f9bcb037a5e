//! Cells whose bound is known: most are drawn, some are found by measuring.

mod locking;
mod measured;
mod processors;
mod waits;

pub use locking::while_locked;
pub use measured::MEASURED;

use ingest_lab::analysis::Bound;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::time::Duration;

/// A cell, what bounds it, and what shows that it does.
pub struct Known {
    pub class: &'static str,
    /// In the order in which a verdict names them; none where nothing that is measured explains it.
    pub bounds: &'static [Bound],
    pub cell: String,
    /// Without what bounds it; of several bounds without all of them.
    pub relieved: String,
    /// Of several waits without one of them: each matters by itself.
    pub each: Vec<String>,
    /// Without something else; of two sides that are used up alike without the limit of one of them.
    pub others: Vec<String>,
    /// For how long a session beside all of these but the relieved keeps a lock, again and again.
    pub locked: Option<Duration>,
    pub seconds: f64,
    /// Blocks: a cell's rate is the median of its runs.
    pub blocks: usize,
    /// Lines there are, and places: far away each of these takes a round trip, too.
    pub lines: u32,
    pub tag: &'static str,
}

/// Parameters, drawn.
#[derive(Clone)]
pub struct Draw(ChaCha8Rng);

impl Draw {
    pub fn of(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64)
    }

    fn whole(&mut self, low: f64, high: f64) -> f64 {
        self.between(low, high).round()
    }

    /// Rounded to hundredths.
    fn cpus(&mut self, low: f64, high: f64) -> f64 {
        (self.between(low, high) * 100.0).round() / 100.0
    }
}

/// One of each class that needs no measuring first; the first of them as far away and as crowded as people fear.
pub fn drawn(scheme: &str, first: bool, draw: &mut Draw) -> Vec<Known> {
    vec![
        waits::coordination(scheme, draw),
        processors::database(scheme, first, draw),
        waits::round_trips(scheme, draw),
        processors::client(scheme, draw),
        waits::bandwidth(scheme, draw),
        waits::database_io(scheme, draw),
        waits::database_locks(scheme, draw),
        waits::way_and_disk(scheme, draw),
        waits::nothing_measured(scheme, draw),
        processors::database_thread(scheme, draw),
        match scheme {
            "async" => processors::event_loop(draw),
            _ => processors::interpreter_lock(draw),
        },
    ]
}

/// A cell and itself relieved, without what the scheme and usual ones have in common.
fn known(
    scheme: &str,
    class: &'static str,
    bounds: &'static [Bound],
    [cell, relieved]: [&str; 2],
    others: &[&str],
) -> Known {
    let whole = |rest: &str| format!("{scheme} row auto {rest}");
    Known {
        class,
        bounds,
        cell: whole(cell),
        relieved: whole(relieved),
        each: Vec::new(),
        others: others.iter().map(|other| whole(other)).collect(),
        locked: None,
        seconds: 10.0,
        blocks: 1,
        lines: 600,
        tag: "local",
    }
}
