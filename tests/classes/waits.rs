//! What connections wait for: the way, the link's bytes, the disk, each other, records. And what nobody is told.

use super::{Draw, Known, known};
use ingest_lab::analysis::Bound;
use std::time::Duration;

/// The client has next to no CPU, and yet it waits: for the reader.
pub(super) fn coordination(scheme: &str, draw: &mut Draw) -> Known {
    let read = draw.whole(280.0, 400.0);
    known(
        scheme,
        "coordination",
        &[Bound::Coordination],
        [
            &format!("pool 8 client-cpus 0.1 placement pinned inject read={read}ms"),
            "pool 8 client-cpus 0.1 placement pinned",
        ],
        &[&format!("pool 8 client-cpus 0.3 placement pinned inject read={read}ms")],
    )
}

/// Two megabits look narrow; one request at a time uses none of them.
pub(super) fn round_trips(scheme: &str, draw: &mut Draw) -> Known {
    let far = draw.whole(60.0, 80.0);
    Known {
        seconds: 32.0,
        lines: 40,
        ..known(
            scheme,
            "round trips",
            &[Bound::RoundTrips],
            [
                &format!("pool 1 link rtt={far}ms,up=2mbit,down=2mbit placement pinned"),
                "pool 1 link rtt=4ms,up=2mbit,down=2mbit placement pinned",
            ],
            &[&format!("pool 1 link rtt={far}ms placement pinned")],
        )
    }
}

/// Many connections, and a link that carries so much and no more.
pub(super) fn bandwidth(scheme: &str, draw: &mut Draw) -> Known {
    let kilobits = draw.whole(600.0, 1_000.0);
    Known {
        seconds: 20.0,
        ..known(
            scheme,
            "bandwidth",
            &[Bound::Bandwidth],
            [
                &format!("pool 15 link rtt=5ms,up={kilobits}kbit,down=20mbit placement pinned"),
                "pool 15 link rtt=5ms,up=20mbit,down=20mbit placement pinned",
            ],
            &[&format!("pool 15 link rtt=2ms,up={kilobits}kbit,down=20mbit placement pinned")],
        )
    }
}

/// Every commit waits 5 ms for the disk.
pub(super) fn database_io(scheme: &str, draw: &mut Draw) -> Known {
    let pool = draw.whole(2.0, 4.0);
    Known {
        tag: "slow-sync",
        ..known(
            scheme,
            "database I/O",
            &[Bound::DatabaseIo],
            [
                &format!("pool {pool} placement pinned db-cpus 0.9"),
                &format!("pool {pool} placement pinned db-cpus 0.9 synchronous-commit off"),
            ],
            &[&format!("pool {pool} placement pinned")],
        )
    }
}

/// Every row waits for a lock, which is kept so long that a flush beside it is next to nothing.
pub(super) fn database_locks(scheme: &str, draw: &mut Draw) -> Known {
    // Each worker does a row in as long as the lock is kept and a millisecond or three: 444 rows, two lines, in 15 s at most.
    let (pool, held) = (draw.whole(4.0, 6.0), draw.whole(20.0, 30.0));
    let cell = format!("pool {pool} client-cpus 0.5 placement pinned");
    Known {
        locked: Some(Duration::from_millis(held as u64)),
        seconds: 19.0,
        ..known(
            scheme,
            "database locks",
            &[Bound::DatabaseLocks],
            [&cell, &cell],
            &[&format!("{cell} synchronous-commit off"), &format!("pool {pool} placement pinned")],
        )
    }
}

/// Every row travels for about as long as its commit waits for the disk. On one connection: of two each would wait for
/// the other's flush, and the disk would be all that matters.
pub(super) fn way_and_disk(scheme: &str, draw: &mut Draw) -> Known {
    let away = draw.whole(4.0, 7.0);
    let cell = |way: &str, rest: &str| format!("pool 1{way}{rest} placement pinned");
    let (far, limits) = (format!(" link rtt={away}ms"), " client-cpus 0.5 db-cpus 0.5");
    let soon = format!("{limits} synchronous-commit off");
    let whole = |rest: &str| format!("{scheme} row auto {rest}");
    Known {
        each: vec![whole(&cell("", limits)), whole(&cell(&far, &soon))],
        seconds: 14.0,
        lines: 80,
        tag: "slow-sync",
        ..known(
            scheme,
            "mixed waits",
            &[Bound::RoundTrips, Bound::DatabaseIo],
            [&cell(&far, limits), &cell("", &soon)],
            &[&cell(&far, " db-cpus 0.5"), &cell(&far, " client-cpus 0.5")],
        )
    }
}

/// Workers sleep after each line and tell nobody: no figure explains that, and the verdict must not either.
pub(super) fn nothing_measured(scheme: &str, draw: &mut Draw) -> Known {
    let (pool, sleep) = (draw.whole(1.0, 3.0), draw.whole(400.0, 600.0));
    let cell = |limits: &str| format!("pool {pool}{limits} placement pinned synchronous-commit off");
    let (both, asleep) = (" client-cpus 0.5 db-cpus 0.9", format!("inject sleep={sleep}ms"));
    Known {
        seconds: 12.0,
        ..known(
            scheme,
            "undetermined",
            &[],
            [&format!("{} {asleep}", cell(both)), &cell(both)],
            &[&format!("{} {asleep}", cell(" db-cpus 0.9")), &format!("{} {asleep}", cell(" client-cpus 0.5"))],
        )
    }
}
