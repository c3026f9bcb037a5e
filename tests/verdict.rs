//! Cells whose bound is known, because each is proved by relieving it: the analysis has to name it from what was
//! measured alone. `make test-verdict`; an hour and more on a machine that does nothing else.
//!
//! Parameters are drawn from a seed that is printed: INGEST_LAB_SEED repeats a drawing, INGEST_LAB_DRAWS says how many
//! cells of each class and scheme (three), INGEST_LAB_CLASSES names the classes to try, by commas.
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod known;
mod stacks;

use ingest_lab::analysis::{Bound, Summary, evidence, verdict};
use ingest_lab::model::cell::Cell;
use ingest_lab::wire::record::RunRecord;
use known::{bare, rate, run};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use stacks::Stack;

/// Relieving the bound gives at least this many times as much …
const RELIEVED: f64 = 1.3;

/// … relieving anything else less than this …
const NO_RELIEF: f64 = 1.1;

/// … and of two bounds alike one alone less than this: what `mixed` means.
const ALONE: f64 = 1.2;

/// Tries to find limits that both sides use up …
const BALANCING: usize = 5;

/// … which they do from this share on.
const BALANCED: f64 = 0.95;

/// A cell, what bounds it, and what shows that it does.
struct Known {
    class: &'static str,
    bounds: &'static [Bound],
    cell: String,
    relieved: String,
    others: Vec<String>,
    seconds: f64,
    /// Blocks: a cell's rate is the median of its runs.
    blocks: usize,
    /// Lines there are, and places: far away each of these takes a round trip, too.
    lines: u32,
    tag: &'static str,
}

/// Parameters, drawn.
struct Draw(ChaCha8Rng);

impl Draw {
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64)
    }

    /// Rounded to hundredths.
    fn cpus(&mut self, low: f64, high: f64) -> f64 {
        (self.between(low, high) * 100.0).round() / 100.0
    }
}

/// One of each class; the first of them as far away and as crowded as people fear.
fn classes(scheme: &str, first: bool, draw: &mut Draw) -> Vec<Known> {
    let known = |class, bounds, cell: &str, relieved: &str, others: &[&str], seconds| Known {
        class,
        bounds,
        cell: format!("{scheme} row auto {cell}"),
        relieved: format!("{scheme} row auto {relieved}"),
        others: others.iter().map(|other| format!("{scheme} row auto {other}")).collect(),
        seconds,
        blocks: 1,
        lines: 600,
        tag: "local",
    };
    let read = draw.between(280.0, 400.0).round();
    let (client, spin) = (draw.cpus(0.08, 0.12), draw.between(150.0, 250.0).round());
    let (database, near) = (draw.cpus(0.15, 0.22), draw.between(3.0, 6.0).round());
    // Hundreds of records have to end before such a run does, two for each worker: three are given, and the time that a slow
    // machine takes for them. With much more CPU, or fewer workers farther away, the distance would be what bounds it: 350
    // workers do 4,375 rows a second at 80 ms, 40 do 2,350 at 17 ms, and a fifth of a quick machine's processor 1,600.
    let (crowd, away, database, long) =
        if first { (350, 80.0, database + 0.15, 300.0) } else { (40, near, database, 24.0) };
    // Near, more commits share a flush, and the database has less to do for each: a relief that isn't the distance's. 350 far
    // away share theirs anyway; the few don't wait for one.
    let commits = if first { "" } else { " synchronous-commit off" };
    let far = draw.between(60.0, 80.0).round();
    let pool = draw.between(2.0, 4.0).round();
    let kilobits = draw.between(600.0, 1_000.0).round();
    let mut all = vec![
        // The client has next to no CPU, and yet it waits: for the reader.
        known(
            "coordination",
            &[Bound::Coordination],
            &format!("pool 8 client-cpus 0.1 placement pinned inject read={read}ms"),
            "pool 8 client-cpus 0.1 placement pinned",
            &[&format!("pool 8 client-cpus 0.3 placement pinned inject read={read}ms")],
            10.0,
        ),
        // Far away, with many connections: they hide the distance, and the database has no CPU left.
        Known {
            lines: if first { 1_050 } else { 600 },
            // What PostgreSQL does on its own (vacuum, checkpoints) shares so little CPU, and comes when it comes: short
            // runs of one cell differ by a fifth, more than what is to be shown.
            blocks: if first { 1 } else { 3 },
            ..known(
                "database CPU",
                &[Bound::DatabaseCpu],
                &format!("pool {crowd} link rtt={away}ms db-cpus {database:.2} placement pinned{commits}"),
                &format!("pool {crowd} link rtt={away}ms placement pinned{commits}"),
                // Near, by the same way: past the queue requests come in other bunches, and cost the database less.
                &[&format!("pool {crowd} link local-queued db-cpus {database:.2} placement pinned{commits}")],
                long,
            )
        },
        // Two megabits look narrow; one request at a time uses none of them.
        Known {
            lines: 40,
            ..known(
                "round trips",
                &[Bound::RoundTrips],
                &format!("pool 1 link rtt={far}ms,up=2mbit,down=2mbit placement pinned"),
                "pool 1 link rtt=4ms,up=2mbit,down=2mbit placement pinned",
                &[&format!("pool 1 link rtt={far}ms placement pinned")],
                32.0,
            )
        },
        // A slow database behind a client that is slower still.
        known(
            "client CPU",
            &[Bound::ClientCpu],
            &format!("pool 4 client-cpus {client} db-cpus 0.2 placement pinned inject spin={spin}us"),
            &format!("pool 4 client-cpus 0.5 db-cpus 0.2 placement pinned inject spin={spin}us"),
            &[&format!("pool 4 client-cpus {client} placement pinned inject spin={spin}us")],
            10.0,
        ),
        // Many connections, and a link that carries so much and no more.
        known(
            "bandwidth",
            &[Bound::Bandwidth],
            &format!("pool 15 link rtt=5ms,up={kilobits}kbit,down=20mbit placement pinned"),
            "pool 15 link rtt=5ms,up=20mbit,down=20mbit placement pinned",
            &[&format!("pool 15 link rtt=2ms,up={kilobits}kbit,down=20mbit placement pinned")],
            20.0,
        ),
        // Every commit waits 5 ms for the disk.
        Known {
            tag: "slow-sync",
            ..known(
                "database I/O",
                &[Bound::DatabaseIo],
                &format!("pool {pool} placement pinned db-cpus 0.9"),
                &format!("pool {pool} placement pinned db-cpus 0.9 synchronous-commit off"),
                &[&format!("pool {pool} placement pinned")],
                10.0,
            )
        },
    ];
    if scheme == "async" {
        let spin = draw.between(400.0, 600.0).round();
        // An event loop fills its processor; the client may use another one, and cannot.
        all.push(Known {
            cell: format!("async-single row auto pool 15 inject spin={spin}us"),
            relieved: format!("async row auto pool 15 inject spin={}us", (spin / 3.0).round()),
            others: vec![format!("async-single row auto pool 15 synchronous-commit off inject spin={spin}us")],
            ..known("one client thread", &[Bound::ClientThread], "", "", &[], 10.0)
        });
    } else {
        let spin = draw.between(500.0, 700.0).round();
        let python =
            |scheme: &str, but: &str| format!("{scheme} row auto pool 4 protocol simple{but} inject spin={spin}us");
        // Python's threads may use two processors and run one at a time; its processes don't.
        all.push(Known {
            cell: python("py-threads", ""),
            relieved: python("py-processes", ""),
            others: vec![python("py-threads", " synchronous-commit off")],
            ..known("interpreter's lock", &[Bound::ClientThread], "", "", &[], 10.0)
        });
    }
    all
}

/// Both sides with as much CPU as they need for the same rate: neither alone is the bound. Found by measuring: whichever
/// side leaves some of its time unused gets less, until neither does.
fn mixed(stack: &Stack, scheme: &str, draw: &mut Draw) -> Known {
    let cell = |limits: &str| format!("{scheme} row auto pool 15{limits} placement pinned");
    let rounded = |cpus: f64| (cpus * 1_000.0).round() / 1_000.0;
    let mut database = draw.cpus(0.4, 0.6);
    let mut client = rounded(database * 0.4);
    for _ in 0..BALANCING {
        let tried = run(stack, &[&cell(&format!(" client-cpus {client} db-cpus {database}"))], 1, 10.0, 600);
        let shares = |record: &RunRecord| {
            let found = evidence(&bare(record))?;
            Some((found.client_cpu?, found.database_cpu?))
        };
        let all: Vec<(f64, f64)> = tried.iter().filter(|record| record.is_valid()).filter_map(shares).collect();
        if all.is_empty() {
            continue;
        }
        let mean = |side: fn(&(f64, f64)) -> f64| all.iter().map(side).sum::<f64>() / all.len() as f64;
        let (of_client, of_database) = (mean(|one| one.0), mean(|one| one.1));
        eprintln!("mixed: client {client} CPU {of_client:.2} used, database {database} CPU {of_database:.2} used");
        if of_client.min(of_database) >= BALANCED {
            break;
        }
        if of_client < of_database {
            client = rounded(client * of_client / of_database);
        } else {
            database = rounded(database * of_database / of_client);
        }
    }
    Known {
        class: "mixed",
        bounds: &[Bound::ClientCpu, Bound::DatabaseCpu],
        cell: cell(&format!(" client-cpus {client} db-cpus {database}")),
        relieved: cell(""),
        others: vec![cell(&format!(" client-cpus {client}")), cell(&format!(" db-cpus {database}"))],
        seconds: 14.0,
        blocks: 1,
        lines: 600,
        tag: "local",
    }
}

/// Runs a known cell; what is wrong with it, if anything.
fn try_out(stack: &Stack, known: &Known) -> Option<String> {
    let cells: Vec<&str> =
        [&known.cell, &known.relieved].into_iter().chain(&known.others).map(String::as_str).collect();
    // What does not count here counts nowhere: a cell without a valid run is run once more, and then given up.
    let mut records = run(stack, &cells, known.blocks, known.seconds, known.lines);
    let missing = |records: &[RunRecord]| {
        let has = |text: &&str| {
            let cell: Cell = text.parse().unwrap();
            records.iter().any(|record| record.cell == cell && record.is_valid())
        };
        cells.iter().copied().filter(|text| !has(text)).collect::<Vec<_>>()
    };
    let again = missing(&records);
    if !again.is_empty() {
        eprintln!("{}: no valid run of {}, once more", known.class, again.join(", "));
        records.extend(run(stack, &again, known.blocks, known.seconds, known.lines));
    }
    let without = missing(&records);
    if !without.is_empty() {
        let why: Vec<String> = records.iter().flat_map(|record| record.invalid.clone()).collect();
        return Some(format!("{}: no valid run of {}: {}", known.class, without.join(", "), why.join("; ")));
    }
    records.retain(RunRecord::is_valid);
    let of = |text: &str| {
        let cell: Cell = text.parse().unwrap();
        Summary::of(records.iter().filter(|record| record.cell == cell).map(rate)).unwrap().median
    };
    let own = of(&known.cell);
    let relief = of(&known.relieved) / own;
    let others: Vec<f64> = known.others.iter().map(|other| of(other) / own).collect();
    let cell: Cell = known.cell.parse().unwrap();
    let told: Vec<_> = records
        .iter()
        .filter(|record| record.cell == cell)
        .map(|record| (evidence(&bare(record)).unwrap(), verdict(&evidence(&bare(record)).unwrap())))
        .collect();
    eprintln!("{:<18} {}", known.class, known.cell);
    eprintln!("    {own:.0} rows/s; relieved {relief:.2}x, others {others:.2?}");
    told.iter().for_each(|(_, verdict)| eprintln!("    {}: {}", verdict.bound, verdict.why));
    let mut wrong = Vec::new();
    let most = if known.bounds.len() > 1 { ALONE } else { NO_RELIEF };
    if relief < RELIEVED || others.iter().any(|other| *other >= most) {
        wrong.push(format!("it is not bounded as meant: relieved {relief:.2}x, others {others:.2?}"));
    }
    wrong.extend(
        told.iter()
            .filter(|(_, verdict)| verdict.of != known.bounds)
            .map(|(evidence, verdict)| format!("told {} ({}): {evidence:?}", verdict.bound, verdict.why)),
    );
    (!wrong.is_empty()).then(|| format!("{}, {}: {}", known.class, known.cell, wrong.join("; ")))
}

#[test]
#[ignore = "an hour: make test-verdict"]
fn known_bounds_are_named() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("INGEST_LAB_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let draws = number("INGEST_LAB_DRAWS").unwrap_or(3);
    let wanted = std::env::var("INGEST_LAB_CLASSES").unwrap_or_default();
    eprintln!("INGEST_LAB_SEED={seed}, {draws} cells of each class and scheme");
    let mut draw = Draw(ChaCha8Rng::seed_from_u64(seed));
    let mut all: Vec<Known> = (0..draws)
        .flat_map(|at| [("threads", at), ("async", at)])
        .flat_map(|(scheme, at)| classes(scheme, at == 0, &mut draw))
        .collect();
    let is_wanted = |class: &str| wanted.is_empty() || wanted.split(',').any(|one| one == class);
    all.retain(|known| is_wanted(known.class));
    all.sort_by_key(|known| known.tag);
    let (mut wrong, mut tried) = (Vec::new(), all.len());
    for tag in ["local", "slow-sync"] {
        let of_tag: Vec<&Known> = all.iter().filter(|known| known.tag == tag).collect();
        if !of_tag.is_empty() {
            let stack = Stack::with(tag);
            wrong.extend(of_tag.iter().filter_map(|known| try_out(&stack, known)));
            if tag == "local" && is_wanted("mixed") {
                for scheme in (0..draws).flat_map(|_| ["threads", "async"]) {
                    let known = mixed(&stack, scheme, &mut draw);
                    wrong.extend(try_out(&stack, &known));
                    tried += 1;
                }
            }
        }
    }
    eprintln!("{} of {tried} right", tried - wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
