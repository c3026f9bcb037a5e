//! A side without processor time, or one thread of it.

use super::{Draw, Known, known};
use ingest_lab::analysis::Bound;

/// Far away, with many connections: they hide the distance, and the database has no CPU left.
pub(super) fn database(scheme: &str, first: bool, draw: &mut Draw) -> Known {
    let (cpus, near) = (draw.cpus(0.15, 0.22), draw.whole(3.0, 6.0));
    // Hundreds of records have to end before such a run does, two for each worker: three are given, and the time that a slow
    // machine takes for them. With much more CPU, or fewer workers farther away, the distance would be what bounds it: 350
    // workers do 4,375 rows a second at 80 ms, 40 do 2,350 at 17 ms, and a fifth of a quick machine's processor 1,600.
    let (crowd, away, cpus, seconds) = if first { (350, 80.0, cpus + 0.15, 300.0) } else { (40, near, cpus, 24.0) };
    // Near, more commits share a flush, and the database has less to do for each: a relief that isn't the distance's. 350 far
    // away share theirs anyway; the few don't wait for one.
    let commits = if first { "" } else { " synchronous-commit off" };
    Known {
        seconds,
        lines: if first { 1_050 } else { 600 },
        // What PostgreSQL does on its own (vacuum, checkpoints) shares so little CPU, and comes when it comes: short
        // runs of one cell differ by a fifth, more than what is to be shown.
        blocks: if first { 1 } else { 3 },
        ..known(
            scheme,
            "database CPU",
            &[Bound::DatabaseCpu],
            [
                &format!("pool {crowd} link rtt={away}ms db-cpus {cpus:.2} placement pinned{commits}"),
                &format!("pool {crowd} link rtt={away}ms placement pinned{commits}"),
            ],
            // Near, by the same way: past the queue requests come in other bunches, and cost the database less.
            &[&format!("pool {crowd} link local-queued db-cpus {cpus:.2} placement pinned{commits}")],
        )
    }
}

/// A slow database behind a client that is slower still.
pub(super) fn client(scheme: &str, draw: &mut Draw) -> Known {
    let (cpus, spin) = (draw.cpus(0.08, 0.12), draw.whole(150.0, 250.0));
    known(
        scheme,
        "client CPU",
        &[Bound::ClientCpu],
        [
            &format!("pool 4 client-cpus {cpus} db-cpus 0.2 placement pinned inject spin={spin}us"),
            &format!("pool 4 client-cpus 0.5 db-cpus 0.2 placement pinned inject spin={spin}us"),
        ],
        &[&format!("pool 4 client-cpus {cpus} placement pinned inject spin={spin}us")],
    )
}

/// COPY over one connection keeps its backend busy; the database may use another processor, and only another backend does.
/// As measured: 0.96 of a processor, 111,000 rows a second, and of 15 backends on one processor as many.
pub(super) fn database_thread(scheme: &str, draw: &mut Draw) -> Known {
    let chunk = draw.whole(32.0, 64.0);
    let copy = |pool: usize, rest: &str| format!("{scheme} copy chunk pool {pool} chunk {chunk}{rest}");
    Known {
        cell: copy(1, ""),
        relieved: copy(2, ""),
        // Neither the disk nor the client's work on the same processors.
        others: vec![copy(1, " synchronous-commit off"), copy(1, " placement pinned")],
        seconds: 6.0,
        blocks: 2,
        lines: 10_000,
        ..known(scheme, "one database thread", &[Bound::DatabaseThread], ["", ""], &[])
    }
}

/// An event loop fills its processor; the client may use another one, and cannot.
pub(super) fn event_loop(draw: &mut Draw) -> Known {
    let spin = draw.whole(400.0, 600.0);
    Known {
        cell: format!("async-single row auto pool 15 inject spin={spin}us"),
        relieved: format!("async row auto pool 15 inject spin={}us", (spin / 3.0).round()),
        others: vec![format!("async-single row auto pool 15 synchronous-commit off inject spin={spin}us")],
        ..known("async-single", "one client thread", &[Bound::ClientThread], ["", ""], &[])
    }
}

/// Python's threads may use two processors and run one at a time; its processes don't.
pub(super) fn interpreter_lock(draw: &mut Draw) -> Known {
    let spin = draw.whole(500.0, 700.0);
    let python =
        |scheme: &str, but: &str| format!("{scheme} row auto pool 4 protocol simple{but} inject spin={spin}us");
    Known {
        cell: python("py-threads", ""),
        relieved: python("py-processes", ""),
        others: vec![python("py-threads", " synchronous-commit off")],
        ..known("py-threads", "interpreter's lock", &[Bound::ClientThread], ["", ""], &[])
    }
}
