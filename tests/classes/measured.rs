//! Cells that depend on the machine: what both sides need is measured first.

use super::{Draw, Known, known};
use crate::known::{bare, rate, run};
use crate::stacks::Stack;
use ingest_lab::analysis::{Bound, Summary, evidence};
use ingest_lab::wire::record::RunRecord;

/// How such a cell is found: on a stack, for a scheme.
type Find = fn(&Stack, &str, &mut Draw) -> Known;

/// Classes, and how their cells are found.
pub const MEASURED: [(&str, Find); 2] = [("mixed", mixed), ("host CPU", host)];

/// Tries to measure …
const TRIES: usize = 5;

/// … until both sides use up this share of what they may have.
const BALANCED: f64 = 0.95;

/// Both sides with as much CPU as they need for the same rate: neither alone is the bound. Found by measuring: whichever
/// side leaves some of its time unused gets less, until neither does.
fn mixed(stack: &Stack, scheme: &str, draw: &mut Draw) -> Known {
    let cell = |limits: &str| format!("pool 15{limits} placement pinned");
    let rounded = |cpus: f64| (cpus * 1_000.0).round() / 1_000.0;
    let mut database = draw.cpus(0.4, 0.6);
    let mut client = rounded(database * 0.4);
    for _ in 0..TRIES {
        let limited = format!("{scheme} row auto {}", cell(&format!(" client-cpus {client} db-cpus {database}")));
        let Some([of_client, of_database]) = used(stack, &limited) else { continue };
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
    let (of_client, of_database) = (format!(" client-cpus {client}"), format!(" db-cpus {database}"));
    Known {
        seconds: 14.0,
        ..known(
            scheme,
            "mixed",
            &[Bound::ClientCpu, Bound::DatabaseCpu],
            [&cell(&format!("{of_client}{of_database}")), &cell("")],
            &[&cell(&of_client), &cell(&of_database)],
        )
    }
}

/// What client and database used of the CPU time they may have; none where no run counts.
fn used(stack: &Stack, cell: &str) -> Option<[f64; 2]> {
    let shares = |record: &RunRecord| {
        let found = evidence(&bare(record))?;
        Some([found.client_cpu?, found.database_cpu?])
    };
    let tried = run(stack, &[cell], 1, 10.0, 600);
    let all: Vec<[f64; 2]> = tried.iter().filter(|record| record.is_valid()).filter_map(shares).collect();
    let mean = |side: usize| all.iter().map(|one| one[side]).sum::<f64>() / all.len() as f64;
    (!all.is_empty()).then(|| [mean(0), mean(1)])
}

/// Both sides on all processors, and none is left: the client is given about as much more to do as both had together, so
/// that it takes a bit more than half of the time, and the database the rest.
fn host(stack: &Stack, scheme: &str, draw: &mut Draw) -> Known {
    let (pool, part) = (draw.whole(10.0, 14.0), draw.between(0.7, 1.0));
    // No commit waits for a flush, and there are connections enough for a queue.
    let cell = |pool: f64, rest: &str| format!("pool {pool} synchronous-commit off{rest}");
    let plain = format!("{scheme} row auto {}", cell(pool, ""));
    let took = (0..TRIES).find_map(|_| cost(stack, &plain)).expect("some run of a plain cell counts");
    let spin = (part * took * 1e6).round();
    eprintln!("host CPU: a row takes {:.0} us of both sides, {spin} us more are put in", took * 1e6);
    let work = format!(" inject spin={spin}us");
    Known {
        seconds: 12.0,
        blocks: 2,
        ..known(
            scheme,
            "host CPU",
            &[Bound::HostCpu],
            [&cell(pool, &work), &cell(pool, "")],
            &[&cell(2.0 * pool, &work), &cell(pool, &format!(" reader preload{work}"))],
        )
    }
}

/// Processor time of the machine a row, seconds; none where no run counts.
fn cost(stack: &Stack, cell: &str) -> Option<f64> {
    let a_row = |record: &RunRecord| {
        let found = evidence(&bare(record))?;
        // Without quotas the client may use all processors there are.
        Some(found.host_cpu? * found.client_processors / rate(record))
    };
    let tried = run(stack, &[cell], 1, 10.0, 600);
    let all = tried.iter().filter(|record| record.is_valid()).filter_map(a_row);
    Summary::of(all).map(|summary| summary.median)
}
