//! Series as they come out of a lab, for tests: a `quick` and a `limits`, looked at from inside and outside, and a sweep
//! over pools and links without metrics. Drawn from fixed seeds.

mod broken;
mod observed;

pub use broken::faults;

use super::{Report, Source};
use crate::model::cell::Cell;
use crate::model::profiles::Profiles;
use crate::model::{Backend, Commit, Part, Phase, Placement, Program, Protocol, Scheme, Statement};
use crate::wire::conditions::{Conditions, CpuCheck, Setting};
use crate::wire::emulation::{Counters, RejectedBackend};
use crate::wire::forecast::Forecast;
use crate::wire::measured::{LinkMeasured, Quantiles};
use crate::wire::record::{Outcome, RunRecord};
use crate::wire::setup::{EngineFacts, Forwarding, ImageFacts, MachineFacts};
use crate::wire::{Steady, testing};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The report of these records.
pub fn report(records: &[RunRecord]) -> Report<'_> {
    let (experiment, question) = match records.first().map(|run| run.experiment.as_str()) {
        Some("pool-and-distance") => {
            ("pool-and-distance", "How many connections, and what if the database moves away?")
        }
        Some("limits") => ("limits", "What does a quarter of a processor do to the database?"),
        Some("scheme-2015") => ("scheme-2015", "What did 2015's schemes do, at 2015's pools?"),
        Some("multiprocess") => ("multiprocess", "How much more do several processes read than one?"),
        Some("ceilings") => {
            ("ceilings", "How far is the ingester from what PostgreSQL's own tools do with the same rows?")
        }
        Some("faults") => ("faults", "What does it cost when something breaks, and is every row there once?"),
        Some("diagnose") => ("diagnose", "What does the rate of one cell hang on?"),
        _ => ("quick", "Threads or async, when rows are inserted one by one?"),
    };
    let (series, path) = match experiment {
        "pool-and-distance" => ("2026-11-20-pool-and-distance", "results/2026-11-20-pool-and-distance"),
        "limits" => ("2026-11-20-limits", "results/2026-11-20-limits"),
        "scheme-2015" => ("2026-11-20-scheme-2015", "results/2026-11-20-scheme-2015"),
        "multiprocess" => ("2026-11-20-multiprocess", "results/2026-11-20-multiprocess"),
        "ceilings" => ("2026-11-20-ceilings", "results/2026-11-20-ceilings"),
        "faults" => ("2026-11-20-faults", "results/2026-11-20-faults"),
        "diagnose" => ("2026-11-20-diagnose", "results/2026-11-20-diagnose"),
        _ => ("2026-11-20-quick", "results/2026-11-20-quick"),
    };
    Report::of(Source { series, experiment, question, records, path })
}

/// Like `experiments/quick.toml`: threads and async nearby and 20 ms away, executemany, six blocks; run 9 does not
/// count.
pub fn quick() -> Vec<RunRecord> {
    quick_of(6)
}

/// The same in so many blocks.
pub fn quick_of(blocks: usize) -> Vec<RunRecord> {
    let cell = |scheme, statement, link: &str| Cell {
        link: link.into(),
        placement: Placement::Pinned,
        ..Cell::new(scheme, statement, Commit::Auto, 15)
    };
    let cells = [
        (cell(Scheme::Threads, Statement::Row, "local"), Part::Cell, 8_910.0),
        (cell(Scheme::Threads, Statement::Row, "local"), Part::Twin, 8_910.0),
        (cell(Scheme::Async, Statement::Row, "local"), Part::Cell, 9_000.0),
        (cell(Scheme::Threads, Statement::Row, "near-region"), Part::Cell, 702.0),
        (cell(Scheme::Async, Statement::Row, "near-region"), Part::Cell, 688.0),
        (cell(Scheme::Async, Statement::Executemany, "local"), Part::Cell, 14_200.0),
        (cell(Scheme::Async, Statement::Executemany, "near-region"), Part::Cell, 13_100.0),
    ];
    let mut records = played("quick", &cells, blocks, 2_015);
    if let Some(ninth) = records.iter_mut().find(|record| record.run == 9) {
        ninth.invalid = vec!["2 checkpoints began while it ran".into()];
    }
    records.iter_mut().for_each(observed::add);
    records
}

/// Like `experiments/multiprocess.toml`, with a cell that ingests among them.
pub fn lookups() -> Vec<RunRecord> {
    let cells = [
        ("lookup processes row pool 1 chunk 10", Part::Cell, 5_200.0),
        ("lookup processes row pool 1 chunk 10", Part::Twin, 5_200.0),
        ("lookup processes row pool 2 chunk 10", Part::Cell, 9_100.0),
        ("lookup processes row pool 4 chunk 10", Part::Cell, 11_800.0),
        ("lookup threads row pool 4 chunk 10", Part::Cell, 16_300.0),
        ("lookup async-single executemany pool 1 in-flight 100 chunk 100", Part::Cell, 21_500.0),
        ("threads row auto pool 4", Part::Cell, 7_000.0),
    ];
    let cells = cells.map(|(cell, part, rate)| (cell.parse().expect("it is a cell"), part, rate));
    let mut records = played("multiprocess", &cells, 6, 2_015);
    records.iter_mut().for_each(observed::add);
    records
}

/// Like `experiments/ceilings.toml`, nearby: with psycopg2's executemany, which is a round trip a row. A tool tells
/// nothing of its inside.
pub fn with_ceilings() -> Vec<RunRecord> {
    let cells = [
        ("threads row record pool 15 protocol simple", Part::Cell, 8_910.0),
        ("threads row record pool 15 protocol simple", Part::Twin, 8_910.0),
        ("async row record pool 15 protocol simple", Part::Cell, 9_000.0),
        ("py-threads executemany record pool 15 in-flight 100 protocol simple", Part::Cell, 3_500.0),
        ("async executemany record pool 15 in-flight 100 protocol simple", Part::Cell, 14_200.0),
        ("pgbench row record pool 15 protocol simple", Part::Cell, 9_300.0),
        ("async copy record pool 15", Part::Cell, 31_000.0),
        ("psql-copy copy record pool 15", Part::Cell, 43_000.0),
    ];
    let cells = cells.map(|(cell, part, rate)| (cell.parse().expect("it is a cell"), part, rate));
    let mut records = played("ceilings", &cells, 6, 42);
    let own = |record: &&mut RunRecord| record.cell.scheme.program() == Program::Ingester;
    records.iter_mut().filter(own).for_each(observed::add);
    records
}

/// Threads nearby, with a whole processor for the database and with a quarter of one, six blocks.
pub fn limited() -> Vec<RunRecord> {
    let whole = Cell { placement: Placement::Pinned, ..Cell::new(Scheme::Threads, Statement::Row, Commit::Auto, 15) };
    let quarter = Cell { db_cpus: "0.25".parse().unwrap(), ..whole.clone() };
    let cells = [(whole, Part::Cell, 8_910.0), (quarter, Part::Cell, 2_140.0)];
    let mut records = played("limits", &cells, 6, 250);
    foretold(&mut records);
    records.iter_mut().for_each(observed::add);
    records
}

/// A cell that the database's CPU bounds, with each of its resources changed, six blocks.
pub fn diagnosed() -> Vec<RunRecord> {
    let base = "threads row auto pool 15 placement pinned";
    let cell = |text: &str, part, rate| (text.parse::<Cell>().unwrap(), part, rate);
    let mut cells = vec![cell(base, Part::Cell, 8_910.0), cell(base, Part::Twin, 8_910.0)];
    for (changed, rate) in [
        ("threads row auto pool 15 placement pinned inject spin=6us", 8_890.0),
        ("threads row auto pool 15 placement pinned inject spin=12us", 8_850.0),
        ("threads row auto pool 15 client-cpus 0.8 placement pinned", 8_880.0),
        ("threads row auto pool 15 db-cpus 0.8 placement pinned", 7_150.0),
        ("threads row auto pool 15 link local-queued placement pinned", 8_700.0),
        ("threads row auto pool 15 link rtt=336us placement pinned", 8_620.0),
        ("threads row auto pool 15 placement pinned synchronous-commit off", 9_300.0),
        ("threads row auto pool 7 placement pinned", 8_200.0),
        ("threads row auto pool 30 placement pinned", 9_050.0),
    ] {
        cells.push(cell(changed, Part::Cell, rate));
    }
    let mut records = played("diagnose", &cells, 6, 77);
    records.iter_mut().for_each(observed::add);
    records
}

/// Threads and async at six pools and over three links, six blocks.
pub fn sweep() -> Vec<RunRecord> {
    let mut cells = Vec::new();
    for (link, rtt) in [("local", 0.05), ("cross-zone", 1.0), ("near-region", 20.0)] {
        for pool in [1, 4, 15, 60, 120, 350] {
            for scheme in [Scheme::Threads, Scheme::Async] {
                // As many as round trips allow, up to what the database does; fewer again where it is crowded.
                let connections = pool as f64;
                let most = 11_000.0 / (1.0 + connections / 600.0);
                let allowed = connections * 1_000.0 / (rtt + 0.9);
                let mut rate = 1.0 / (1.0 / most + 1.0 / allowed);
                if scheme == Scheme::Async && pool == 350 {
                    rate *= 1.22;
                }
                let cell = Cell { link: link.into(), ..Cell::new(scheme, Statement::Row, Commit::Auto, pool) };
                cells.push((cell, Part::Cell, rate));
            }
        }
    }
    cells.push((cells[0].0.clone(), Part::Twin, cells[0].2));
    played("pool-and-distance", &cells, 6, 350)
}

/// Like `experiments/scheme-2015.toml`, three schemes of it.
pub fn as_in_2015() -> Vec<RunRecord> {
    let mut cells = Vec::new();
    for (pool, link) in [(15, "local"), (150, "local"), (350, "local"), (120, "cross-zone")] {
        for (scheme, protocol, rate) in [
            (Scheme::Threads, Protocol::Prepared, 9_000.0),
            (Scheme::PyThreads, Protocol::Simple, 3_500.0),
            (Scheme::PyAsyncio, Protocol::Prepared, 4_200.0),
        ] {
            let cell = Cell { link: link.into(), protocol, ..Cell::new(scheme, Statement::Row, Commit::Auto, pool) };
            cells.push((cell, Part::Cell, rate));
        }
    }
    played("scheme-2015", &cells, 6, 2_015)
}

/// Forecasts of the later cells, as if told from the first: one good, one far off.
fn foretold(records: &mut [RunRecord]) {
    let Some(first) = records.iter().find(|record| record.part == Part::Cell).map(|record| record.cell.clone()) else {
        return;
    };
    let others: Vec<usize> =
        (0..records.len()).filter(|at| records[*at].block == 1 && records[*at].cell != first).collect();
    for (number, at) in others.into_iter().enumerate() {
        let Some(rate) = records[at].result().and_then(|run| run.phase(Phase::Data)?.rates.whole) else { continue };
        let said = rate * if number == 0 { 1.03 } else { 1.4 };
        let apart = crate::model::Factor::between(&first, &records[at].cell);
        records[at].forecast = Some(Forecast {
            rate: said,
            low: said * 0.85,
            high: said * 1.18,
            from: 1,
            nearest: first.clone(),
            nearest_rate: 8_910.0,
            held_out: true,
            apart,
        });
    }
}

/// A warm-up and so many blocks of these cells.
pub fn played(experiment: &str, cells: &[(Cell, Part, f64)], blocks: usize, seed: u64) -> Vec<RunRecord> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // The sum of twelve uniform figures has a variance of 1.
    let mut normal = || (0..12).map(|_| (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64).sum::<f64>() - 6.0;
    let warm_up = cells.first().map(|(cell, _, rate)| testing::run_of(cell, Part::WarmUp, 0, 0, *rate));
    let mut records: Vec<RunRecord> = warm_up.into_iter().collect();
    for block in 1..=blocks {
        let drift = 0.03 * normal();
        for (cell, part, rate) in cells {
            let noise = if cell.link == "near-region" { 0.004 } else { 0.02 };
            let rate = rate * (drift * noise / 0.02 + noise * normal()).exp();
            records.push(testing::run_of(cell, *part, records.len(), block, rate));
        }
    }
    for (index, record) in records.iter_mut().enumerate() {
        record.experiment = experiment.into();
        record.series = format!("2026-11-20-{experiment}");
        record.conditions = conditions(&record.cell, &mut normal);
        detail(record, index, &mut normal);
    }
    records
}

/// What a run measures besides the rate it was made with.
fn detail(record: &mut RunRecord, index: usize, normal: &mut impl FnMut() -> f64) {
    let Outcome::Finished { result } = &mut record.outcome else { return };
    result.began = 1_795_000_000.0 + 14.0 * index as f64;
    for phase in &mut result.phases {
        phase.seconds = 8.0;
        let Some(rate) = phase.rates.whole else { continue };
        phase.cpu.user *= 1.0 + 0.02 * normal();
        match phase.phase {
            Phase::Geo => phase.rates.whole = Some(rate * 0.62 * (1.0 + 0.02 * normal())),
            Phase::Data => {
                phase.rates.while_filling = Some(rate * 0.97);
                phase.rates.after = Some(rate * 1.01);
                phase.rates.steady = Some(Steady { rate, from: 0.2, to: 7.9 });
            }
        }
    }
}

fn conditions(cell: &Cell, normal: &mut impl FnMut() -> f64) -> Conditions {
    let profile = Profiles::shipped().find(&cell.link).unwrap();
    let counters = Counters { packets: 120_000, dropped_unasked: Some(0), ..Default::default() };
    let mut link = testing::link();
    link.forwarding = Forwarding::Nft;
    link.emulation.profile = profile.clone();
    (link.emulation.up, link.emulation.down) = (Some(counters.clone()), Some(counters));
    let reason = "the kernel has no sch_netem".into();
    link.emulation.rejected = vec![RejectedBackend { backend: Backend::Netem, reason }];
    let rtt = profile.rtt().nanos() as f64 + 60_000.0 + 4_000.0 * normal();
    let times = Quantiles { count: 50, p50: rtt as u64, p99: (rtt * 1.04) as u64 };
    let check = |asked: crate::model::limits::Cpus, cpuset: &str, measured: f64| CpuCheck {
        asked,
        cpuset: cpuset.into(),
        engine: asked,
        cgroup: Some(asked),
        measured: asked.count().unwrap_or(1.0) * measured,
        threads: 2,
        work: 1e-5,
        ..Default::default()
    };
    let image = |role: &str| ImageFacts {
        role: role.into(),
        id: "sha256:0123456789abcdef".into(),
        digests: Vec::new(),
        base: "official".into(),
        labels: std::collections::BTreeMap::new(),
    };
    let setting =
        |name: &str, asked: &str, found: &str| Setting { name: name.into(), asked: asked.into(), found: found.into() };
    Conditions {
        engine: EngineFacts {
            version: "28.1.1".into(),
            api: "1.49".into(),
            cgroup: "2".into(),
            kernel: "6.12.0".into(),
            system: "Debian GNU/Linux 13".into(),
            architecture: "x86_64".into(),
            processors: 2,
            memory: 8 << 30,
            storage: "overlay2".into(),
        },
        machine: MachineFacts {
            processor: "AMD EPYC 7763 64-Core Processor".into(),
            clocksource: "tsc".into(),
            filesystem: "ext2/ext3".into(),
            synced_writes: Some(1_240.0),
            congestion: "cubic".into(),
            receive_buffer: "4096 131072 6291456".into(),
            send_buffer: "4096 16384 4194304".into(),
        },
        images: ["db", "link", "ingester", "lab"].map(image).into(),
        link: Some(link),
        link_asked: Some(profile),
        link_measured: Some(LinkMeasured { connect: times, exchange: times, up: None, down: None }),
        data: "sha256:5f2c9e0a7b31d4".into(),
        settings: vec![
            setting("foreign_keys", "on", "on"),
            setting("synchronous_commit", "on", "on"),
            setting("congestion", "system", "cubic"),
        ],
        client: Some(check(cell.client_cpus, "0", 0.995 + 0.002 * normal())),
        database: Some(check(cell.db_cpus, "1", 0.994 + 0.002 * normal())),
        ..Default::default()
    }
}
