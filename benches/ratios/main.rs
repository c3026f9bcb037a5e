//! `make bench`: how the ingester compares with pgbench and psql doing the same, what each statement kind makes of a
//! distance, what metrics cost, and how fast SF1 is read and made.
//!
//! Both sides run in containers on the same network, through the same link, on the same CPU; the database has a CPU of
//! its own. Sides alternate (of `metrics` they run beside each other); ratios are of neighbours in time. Needs the stack
//! (`docker/stack.sh with cargo bench` brings it up), two CPUs and a quiet machine.
//! Settings: BENCH_ONLY (pgbench, metrics, far-away, python, copy, copy-no-keys, lookup,
//! lookup-quarter; all), BENCH_PAIRS (10), BENCH_LINES (what makes about 20 s a side).

mod against_copy;
mod against_pgbench;
mod against_python;
mod container;
mod far_away;
mod lookup;
mod metrics;
mod ring;
mod sf1;

use anyhow::Result;
use ring::Ring;

/// A bench: its name, how many lines make a run of about 20 s (or outlast its seconds), and what it does.
type Bench = (&'static str, usize, fn(&Ring, usize) -> Result<()>);

const BENCHES: [Bench; 8] = [
    ("pgbench", 1_200, against_pgbench::compare),
    ("metrics", 6_000, metrics::compare),
    ("far-away", 15_000, far_away::compare),
    ("python", 1_200, against_python::compare),
    ("copy", 12_000, against_copy::with_keys),
    ("copy-no-keys", 300_000, against_copy::without_keys),
    ("lookup", 1, lookup::on_a_processor),
    ("lookup-quarter", 1, lookup::on_a_quarter),
];

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() -> Result<()> {
    // `cargo test --all-targets` runs benches, too, with --test: there is nothing to measure then.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    sf1::speeds()?;
    let only = std::env::var("BENCH_ONLY").ok();
    for (name, lines, compare) in BENCHES {
        if only.as_deref().is_none_or(|only| only == name) {
            Ring::with(setting("BENCH_LINES", lines), |ring| compare(ring, setting("BENCH_PAIRS", 10)))?;
        }
    }
    Ok(())
}
