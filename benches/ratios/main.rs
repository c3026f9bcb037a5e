//! `make bench`: how the ingester compares with pgbench doing the same statements, and how fast SF1 is read and made.
//!
//! Both sides run in containers on the same network, through the same link, on the same CPU, with the same number of
//! threads and connections; the database has a CPU of its own. Sides alternate; ratios are of neighbours in time.
//! Needs the stack (`docker/stack.sh with cargo bench` brings it up), two CPUs and a quiet machine.
//! Settings: BENCH_PAIRS (10), BENCH_LINES (1200: about 20 s a side), BENCH_ONLY (pgbench, metrics; both).

mod against_pgbench;
mod container;
mod sf1;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() -> anyhow::Result<()> {
    // `cargo test --all-targets` runs benches, too, with --test: there is nothing to measure then.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    sf1::speeds()?;
    against_pgbench::compare(setting("BENCH_PAIRS", 10), setting("BENCH_LINES", 1_200))
}
