//! What a watcher beside the database sees of its processes and of the machine: JSON lines, raw, for the analysis.
//!
//! Times are seconds on the machine's monotonic clock, which every container of one machine shares.

use super::DbUrl;
use super::setup::LinkStatus;
use crate::model::Tls;
use serde::{Deserialize, Serialize};

/// What a watcher is told, as one JSON document on standard input. It ends when standard input does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchJob {
    /// The database, as seen from within its own network namespace.
    pub dburl: DbUrl,
    /// Mean time between two looks, seconds. The looks come at random (Poisson) times: a regular 10 Hz would be
    /// the period of the kernel's CPU quota itself.
    pub every: f64,
    /// Decides the times.
    pub seed: u64,
}

/// One look.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// When the states were read.
    pub at: f64,
    /// When the accounts below were read: after the database's answer.
    pub accounted: f64,
    /// Client backends, counted by what they did at that moment.
    pub backends: Vec<Seen>,
    /// Time the client backends have been on a CPU since the watcher began, seconds, all together.
    pub on_cpu: f64,
    /// Time they have been ready and waited for a CPU; a control group's throttling is part of it.
    pub run_queue: f64,
    /// The server's own processes (WAL writer, checkpointer …): time on a CPU.
    pub server_on_cpu: f64,
    /// The machine: its processors' time so far.
    pub machine: Machine,
    /// The same of each processor by its number: for how long it was idle, whatever anything waited for; zero where there is
    /// none of that number. Empty in older records, and where nobody could see them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idle: Vec<f64>,
    /// WAL written and flushed so far.
    pub wal: Wal,
}

/// Backends that did the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// What they did.
    pub doing: Doing,
    /// PostgreSQL's name for what they waited for: `LWLock:WALWrite`; empty where they waited for nothing.
    pub wait: String,
    /// How many.
    pub count: u32,
}

/// What a backend does at a moment: its process's state first, PostgreSQL's word for it only where it sleeps.
/// Wait events alone mislead: a process that was woken keeps its wait event until it gets a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doing {
    /// Runs, or is ready to run and waits for a CPU.
    Runnable,
    /// Sleeps until WAL is written or flushed.
    Wal,
    /// Sleeps until a file is read or written.
    Io,
    /// Sleeps for a lock that another backend holds.
    Lock,
    /// Sleeps until its client asks for something.
    Client,
    /// Sleeps for something else.
    Other,
}

impl Doing {
    /// Of a process in this state (`R`, `S`, `D` of `/proc`) and what PostgreSQL says it waits for: one that sleeps is
    /// asked what for. PostgreSQL's manual lists the events: table 28.4 ff., "Wait Events".
    ///
    /// Of the locks around WAL only `WALWrite` is the disk's: whoever waits for it waits for the one that flushes. Room in
    /// WAL's buffers (`WALInsert`, `WALBufMapping`) is what backends take from each other.
    pub fn of(state: char, kind: &str, event: &str) -> Self {
        let is_wal = match kind {
            "LWLock" => event == "WALWrite",
            _ => event.starts_with("Wal") || event.starts_with("WAL") || event == "SyncRep",
        };
        match (state, kind) {
            ('R', _) => Self::Runnable,
            (_, "Client") => Self::Client,
            (_, "IO" | "LWLock" | "IPC") if is_wal => Self::Wal,
            (_, "IO" | "BufferIO") | ('D', _) => Self::Io,
            (_, "Lock" | "LWLock" | "BufferPin") => Self::Lock,
            _ => Self::Other,
        }
    }
}

/// Processor time of a machine since it started, seconds, all processors together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// In programs, the kernel, interrupts.
    pub busy: f64,
    /// In soft interrupts, part of `busy`: the network's work, where the kernel accounts for it.
    pub softirq: f64,
    /// Idle while something waits for a disk.
    pub iowait: f64,
    /// Taken by the machine underneath, if this one is virtual.
    pub stolen: f64,
    /// Idle.
    pub idle: f64,
    /// Time in which somebody waited for a CPU, a disk, memory (`/proc/pressure`, "some"); none where the kernel
    /// doesn't tell.
    pub pressure: Option<[f64; 3]>,
}

/// Everything seen from outside while an ingester ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// When the lab heard that the data phase begins.
    pub data_began: Option<f64>,
    /// What the link had counted then.
    #[serde(default)]
    pub link_at_data: Option<LinkStatus>,
    /// What the client's connections were encrypted with then, by the database's word; none where nobody could ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// What the watcher saw; of a server that is not the lab's what it says of itself: PostgreSQL's word alone, without
    /// the kernel's account.
    pub looks: Vec<Look>,
    /// The database's control group, every half second or so.
    pub database: Vec<Used>,
    /// The client's; of several the first one's.
    pub client: Vec<Used>,
    /// Those of the other clients, in order; absent where there was one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_clients: Vec<Vec<Used>>,
    /// What the server counted itself from before the ingest to its end; none in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
    /// What could not be seen, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The client's connections by whether they are encrypted (`pg_stat_ssl`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// Connections that are not.
    pub plain: u32,
    /// Connections that are.
    pub encrypted: u32,
    /// The protocol of the most of these: `TLSv1.3`; empty where there are none.
    pub version: String,
    /// Their cipher: `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
}

impl Observed {
    /// The control group of every client, in order.
    pub fn clients(&self) -> impl Iterator<Item = &[Used]> {
        std::iter::once(self.client.as_slice()).chain(self.more_clients.iter().map(Vec::as_slice))
    }
}

impl Encryption {
    /// What was found where [`Tls`] was asked for: its word where all connections are alike; none where there was no
    /// connection to ask about, as when a short run had ended before it was asked.
    pub fn found(&self) -> Option<String> {
        match (self.plain, self.encrypted) {
            (0, 0) => None,
            (0, _) => Some(Tls::On.to_string()),
            (_, 0) => Some(Tls::Off.to_string()),
            (plain, encrypted) => Some(format!("on {encrypted} of {} connections", plain + encrypted)),
        }
    }
}

/// What a control group has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// When.
    pub at: f64,
    /// Processor time, seconds.
    pub cpu: f64,
    /// Periods of its quota in which something ran.
    pub periods: u64,
    /// Of them those in which it was held back.
    pub throttled_periods: u64,
    /// Time for which it was held back, seconds, added up over processors.
    pub throttled: f64,
}

/// `pg_stat_wal`, since the server's statistics were reset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Wal {
    /// Bytes.
    pub bytes: f64,
    /// Times it was flushed.
    pub syncs: f64,
    /// Time in writes, seconds.
    pub write_seconds: f64,
    /// Time in flushes, seconds.
    pub sync_seconds: f64,
}

/// What a server counts itself, of one role and one database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// The role's statements; none where the server keeps no account of them, or doesn't tell this role.
    pub statements: Option<Statements>,
    /// The database's pages, whoever asked for them; none where the server doesn't tell.
    pub pages: Option<Pages>,
}

/// `pg_stat_statements`: statements as clients sent them. The lab's own looks are not among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Statements {
    /// How many were executed.
    pub calls: f64,
    /// Time the server took to execute them, seconds, whatever they waited for there; the flush at a commit comes after
    /// it, parsing and planning before.
    pub seconds: f64,
}

/// `pg_stat_database`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Pages {
    /// Pages that were in the server's memory when a backend wanted them.
    pub hit: f64,
    /// Pages that were not: read from the kernel's cache, or a disk.
    pub read: f64,
    /// Time of backends in reads of pages, seconds; zero where the server doesn't time them (`track_io_timing`).
    pub read_seconds: f64,
    /// The same in writes.
    pub write_seconds: f64,
}

impl Counted {
    /// What has come since.
    pub fn since(self, before: Self) -> Self {
        Self {
            statements: self.statements.zip(before.statements).and_then(|(now, before)| now.since(before)),
            pages: self.pages.zip(before.pages).and_then(|(now, before)| now.since(before)),
        }
    }
}

impl Statements {
    /// None where there is less than before: the server has dropped some of them, or begun anew. Where it has dropped
    /// less than came, that is missing, and nobody sees it.
    fn since(self, before: Self) -> Option<Self> {
        let came = Self { calls: self.calls - before.calls, seconds: self.seconds - before.seconds };
        (came.calls >= 0.0 && came.seconds >= 0.0).then_some(came)
    }
}

impl Pages {
    /// None where the server has begun anew.
    fn since(self, before: Self) -> Option<Self> {
        let came = Self {
            hit: self.hit - before.hit,
            read: self.read - before.read,
            read_seconds: self.read_seconds - before.read_seconds,
            write_seconds: self.write_seconds - before.write_seconds,
        };
        (came.hit >= 0.0 && came.read >= 0.0).then_some(came)
    }
}

/// An even share of what comes, bounded however much that is: when there is no room left every second one goes, and of
/// what comes from then on every second is kept, then every fourth …
#[derive(Debug)]
pub struct Share<T> {
    /// What is kept, in the order it came.
    pub kept: Vec<T>,
    most: usize,
    came: usize,
    every: usize,
}

impl<T> Share<T> {
    /// So many at most.
    pub fn of(most: usize) -> Self {
        Self { kept: Vec::new(), most, came: 0, every: 1 }
    }

    /// Takes what came.
    pub fn push(&mut self, one: T) {
        if self.came.is_multiple_of(self.every) {
            if self.kept.len() >= self.most {
                let mut number = 0_usize;
                self.kept.retain(|_| {
                    number += 1;
                    !number.is_multiple_of(2)
                });
                self.every *= 2;
            }
            if self.came.is_multiple_of(self.every) {
                self.kept.push(one);
            }
        }
        self.came += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_locks_around_wal_only_that_of_the_one_who_flushes_is_the_disk_s() {
        let lock = |event| Doing::of('S', "LWLock", event);
        assert_eq!(
            [lock("WALInsert"), lock("WALBufMapping"), lock("WALWrite")],
            [Doing::Lock, Doing::Lock, Doing::Wal]
        );
        let io = |event| Doing::of('D', "IO", event);
        assert_eq!([io("WalSync"), io("WALWrite"), io("DataFileRead")], [Doing::Wal, Doing::Wal, Doing::Io]);
        assert_eq!(Doing::of('S', "IPC", "SyncRep"), Doing::Wal);
    }

    #[test]
    fn what_is_encrypted_is_on_or_off_only_where_all_connections_are_alike() {
        let found = |plain, encrypted| Encryption { plain, encrypted, ..Default::default() }.found();
        assert_eq!([found(0, 15), found(15, 0)], [Some("on".into()), Some("off".into())]);
        assert_eq!([found(1, 14), found(0, 0)], [Some("on 14 of 15 connections".into()), None]);
    }

    #[test]
    fn what_came_is_told_only_where_the_server_counted_on() {
        let counted = |calls, hit| Counted {
            statements: Some(Statements { calls, seconds: calls / 1e4 }),
            pages: Some(Pages { hit, ..Pages::default() }),
        };
        let came = counted(700.0, 900.0).since(counted(500.0, 600.0));
        assert_eq!((came.statements.unwrap().calls, came.pages.unwrap().hit), (200.0, 300.0));
        let anew = counted(100.0, 50.0).since(counted(500.0, 600.0));
        assert_eq!(anew, Counted::default());
        let dropped = counted(499.0, 900.0).since(counted(500.0, 600.0));
        assert!(dropped.statements.is_none() && dropped.pages.is_some());
        assert_eq!(counted(700.0, 900.0).since(Counted::default()), Counted::default(), "nobody knows what was before");
    }

    #[test]
    fn a_record_of_before_anything_was_counted_is_read_and_written_as_it_is() {
        let old = r#"{"data_began":7.0,"link_at_data":null,"looks":[],"database":[],"client":[]}"#;
        let observed: Observed = serde_json::from_str(old).unwrap();
        assert_eq!((observed.data_began, observed.counted), (Some(7.0), None));
        assert_eq!(serde_json::to_string(&observed).unwrap(), old);
    }

    #[test]
    fn of_much_an_even_share_is_kept_and_of_little_everything() {
        for came in 0..1_000 {
            let mut share = Share::of(8);
            (0..came).for_each(|one| share.push(one));
            let kept = share.kept;
            assert!(kept.len() <= 8 && kept.len() >= came.min(5), "{came}: {kept:?}");
            let step = kept.get(1).copied().unwrap_or(1);
            assert!(kept.iter().enumerate().all(|(at, one)| *one == at * step), "{came}: {kept:?}");
        }
    }
}
