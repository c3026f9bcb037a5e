//! The lab's words as types. Every enum's names live here, once: the command line's value lists,
//! the job's JSON and the report all take them from here. This module knows nothing of any other.

pub mod cell;
pub mod checksum;
pub mod clock;
pub mod factor;
pub mod fault;
mod hex;
pub mod inject;
pub mod limits;
pub mod link;
pub mod lookup;
pub mod nearest;
pub mod nodes;
pub mod poisson;
mod printable;
pub mod profiles;
pub mod quantity;
pub mod ranges;
pub mod seconds;
pub mod share;
pub mod units;

pub use hex::{digest_of, digest_of_files, hex};
pub use printable::{INSTEAD, printable};

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// Derives what every enum of words needs: its kebab-case name in text and in JSON, and the list of all.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident => $summary:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
                 Display, EnumString, IntoStaticStr, VariantArray)]
        #[serde(rename_all = "kebab-case")]
        #[strum(serialize_all = "kebab-case")]
        pub enum $name { $($(#[$variant_meta])* #[doc = $summary] $variant,)+ }

        impl $name {
            /// Every variant, in the order people meet them.
            pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;

            /// The word, as it is typed and written.
            pub fn word(self) -> &'static str {
                self.into()
            }

            /// One line that says what it does.
            pub fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary,)+ }
            }
        }
    };
}

words! {
    /// What places the containers of a stack.
    #[derive(Default)]
    PlacedBy {
        #[default]
        Docker => "one container engine, where `make up` started the stack",
        Swarm => "the nodes of a swarm, by their label lab.role: docs/two-hosts.md",
    }
}

words! {
    /// What is done.
    #[derive(Default)]
    Workload {
        #[default]
        Census => "ingest Census records: INSERTs, and two SELECTs a line",
        Lookup => "read wide rows by key, in the order of the keys",
    }
}

words! {
    /// How the client schedules work.
    Scheme {
        Serial => "one worker, one request at a time, its connections in turn",
        Threads => "one operating-system thread a connection",
        Async => "one task a connection on tokio's multi-thread runtime",
        AsyncSingle => "one task a connection on a one-thread event loop",
        Processes => "one process a connection, fed by the parent",
        PyThreads => "Python: one thread a connection, psycopg2",
        PyGevent => "Python: one greenlet a connection, psycopg2 on gevent",
        PyAsyncio => "Python: one task a connection on asyncio, asyncpg",
        PyAiopg => "Python: one task a connection on asyncio, aiopg (2015's choice)",
        PyPsycopg3 => "Python: one thread a connection, psycopg 3",
        PyPsycopg3Async => "Python: one task a connection on asyncio, psycopg 3",
        PyProcesses => "Python: one process a connection, psycopg2 in a multiprocessing pool",
        Pgbench => "a ceiling: pgbench replays the same statements over the same rows",
        PsqlCopy => "a ceiling: one psql a connection, \\copy of rows rendered before",
    }
}

impl Scheme {
    /// Those of the ingester itself.
    pub const OWN: &'static [Self] = &[Self::Serial, Self::Threads, Self::Async, Self::AsyncSingle, Self::Processes];

    /// Whether its work is done by one thread at a time, however many processors there are: an event loop, an
    /// interpreter's lock.
    pub fn is_one_at_a_time(self) -> bool {
        match self {
            Self::Threads | Self::Async | Self::Processes | Self::PyProcesses | Self::Pgbench | Self::PsqlCopy => false,
            Self::Serial
            | Self::AsyncSingle
            | Self::PyThreads
            | Self::PyGevent
            | Self::PyAsyncio
            | Self::PyAiopg
            | Self::PyPsycopg3
            | Self::PyPsycopg3Async => true,
        }
    }

    /// Whether it is there to be compared with, and ranks with nobody.
    pub fn is_ceiling(self) -> bool {
        self.program() == Program::Ceilings
    }

    /// How it really sends the rows of an ingest: psycopg2's executemany is a loop of single statements, a round trip a
    /// row.
    pub fn sends(self, statement: Statement) -> Statement {
        match (self, statement) {
            (Self::PyThreads | Self::PyGevent | Self::PyProcesses, Statement::Executemany) => Statement::Row,
            _ => statement,
        }
    }

    /// Whose it is.
    pub fn program(self) -> Program {
        match self {
            Self::Serial | Self::Threads | Self::Async | Self::AsyncSingle | Self::Processes => Program::Ingester,
            Self::PyThreads
            | Self::PyGevent
            | Self::PyAsyncio
            | Self::PyAiopg
            | Self::PyPsycopg3
            | Self::PyPsycopg3Async
            | Self::PyProcesses => Program::Python,
            Self::Pgbench | Self::PsqlCopy => Program::Ceilings,
        }
    }
}

words! {
    /// A program that does the job, by the last word of its image's name.
    Program {
        Ingester => "the ingester of this project",
        Python => "the Python peers",
        Ceilings => "PostgreSQL's own tools, which the ingester follows",
    }
}

words! {
    /// How rows are sent.
    Statement {
        Row => "one INSERT a row, the answer awaited each time",
        Executemany => "one INSERT a row, up to --in-flight of them sent before waiting",
        Multirow => "INSERTs of --batch rows each, all sent before waiting",
        Unnest => "one INSERT from arrays, a column each",
        Copy => "COPY in binary",
    }
}

impl Statement {
    /// Whether each line of a chunk is waited for before the next is sent.
    pub fn waits_a_line(self) -> bool {
        match self {
            Self::Row | Self::Executemany => true,
            Self::Multirow | Self::Unnest | Self::Copy => false,
        }
    }
}

words! {
    /// Transaction grain.
    Commit {
        Auto => "every statement is its own transaction: what a crash leaves of a record nobody can tell",
        Record => "one transaction a record (a line with all its items)",
        Chunk => "one transaction for up to --chunk records",
    }
}

words! {
    /// How a statement and its parameters reach the database.
    #[derive(Default)]
    Protocol {
        #[default]
        Prepared => "each statement is prepared once a connection",
        Unnamed => "each call is parsed and planned anew, in the same round trip",
        Simple => "parameters are written into the text (the simple query protocol, as psycopg2 does)",
    }
}

words! {
    /// Where the records are read and parsed.
    Reader {
        Thread => "a thread of the ingester reads while workers insert",
        Process => "a child process reads and hands the lines over a pipe",
        Preload => "everything is read and parsed before the clock starts",
    }
}

words! {
    /// The two halves of the census workload; a lookup has the second only.
    Phase {
        Geo => "INSERT each geographic record into a table with two indexes",
        Data => "per line two SELECTs, then a row an item",
    }
}

words! {
    /// Which processors client and database run on.
    #[derive(Default)]
    Placement {
        #[default]
        Shared => "client and database run on every processor",
        Pinned => "client and database each on processors of their own",
    }
}

words! {
    /// What makes the link slow.
    Backend {
        Netem => "the kernel's own emulator delays packets",
        Nfqueue => "the link's agent delays packets that the kernel hands it",
        Relay => "the link's agent delays the bytes of each connection; no loss, no reordering, no slow handshake",
    }
}

words! {
    /// What the link's agent breaks of the path until it is told to stop.
    LinkFault {
        BlackHole => "no packet of a connection passes, either way",
        Reset => "every connection is reset, at both ends, with the next packet from the database",
    }
}

words! {
    /// TCP congestion control of the client's end, which sends the rows.
    #[derive(Default)]
    Congestion {
        #[default]
        System => "whatever the engine's machine uses; recorded",
        Cubic => "backs off when packets are lost",
        Reno => "backs off when packets are lost, and recovers slower",
        Bbr => "goes by measured rate and delay, hardly by loss",
    }
}

words! {
    /// Something that is on, or off.
    #[derive(Default)]
    Switch {
        #[default]
        On => "as the stack has it",
        Off => "without",
    }
}

words! {
    /// Where the database keeps its files.
    #[derive(Default)]
    Storage {
        #[default]
        Volume => "a volume on the engine's disk",
        Tmpfs => "memory",
    }
}

words! {
    /// Whether connections to the database are encrypted.
    #[derive(Default)]
    Tls {
        #[default]
        Off => "plain connections",
        On => "encrypted, and the database's certificate verified",
    }
}

words! {
    /// What a run is in its series.
    #[derive(Default)]
    Part {
        #[default]
        Cell => "one of the experiment's cells",
        Twin => "a cell once more: what differs between the two is noise",
        WarmUp => "the first run, which never counts",
    }
}

words! {
    /// What a part of the ingester is at. Except for `ready` and `poll`, stages of one worker follow each other
    /// (`encode` lies inside `execute`).
    Stage {
        Read => "a record is read out of its archive and parsed",
        Queue => "a worker waits for a record",
        Connect => "a connection is opened and its statements are prepared",
        Begin => "BEGIN is sent and answered",
        Select => "a SELECT is sent and answered",
        Execute => "an INSERT, or a window of them, is sent and answered",
        Commit => "COMMIT is sent and answered",
        Encode => "parameters become the protocol's bytes",
        Ready => "a task that was woken waits for a thread of its runtime",
        Poll => "a task runs, from the start of its poll to the end",
    }
}

words! {
    /// What cells can differ in, by the name of [`cell::Cell`]'s field.
    Factor {
        Workload => "what is done",
        Scheme => "how the client schedules work",
        Statement => "how rows are sent",
        Commit => "transaction grain",
        Pool => "workers of a client, each with one connection",
        Clients => "ingesters that share a run, a container each",
        InFlight => "requests sent before waiting",
        Batch => "rows of one INSERT",
        Chunk => "records of one transaction, or keys handed out together",
        Protocol => "how a statement and its parameters reach the database",
        Reader => "where the records are read and parsed",
        Link => "the path to the database",
        ClientCpus => "processor time of the client",
        DbCpus => "processor time of the database",
        Placement => "which processors client and database run on",
        Congestion => "TCP congestion control of the client's end",
        SynchronousCommit => "whether a commit waits for the disk",
        ForeignKeys => "the two foreign keys of data_element",
        Storage => "where the database keeps its files",
        Tls => "whether connections to the database are encrypted",
        Inject => "work and waiting put in on purpose",
        Fault => "what breaks while rows are inserted",
    }
}

words! {
    /// How a delay spreads about its mean.
    Distribution {
        Uniform => "evenly, at most the jitter to either side",
        Normal => "bell-shaped, the jitter is its standard deviation",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    #[test]
    fn a_word_is_the_same_in_text_and_in_json() {
        for scheme in Scheme::ALL {
            let json = serde_json::to_string(scheme).unwrap();
            assert_eq!(json, format!("\"{}\"", scheme.word()));
            assert_eq!(Scheme::from_str(scheme.word()).unwrap(), *scheme);
        }
        assert_eq!(Scheme::AsyncSingle.word(), "async-single");
        assert_eq!(Scheme::PyPsycopg3Async.word(), "py-psycopg3-async");
    }

    #[test]
    fn the_ingester_s_own_schemes_are_those_it_says_it_does() {
        let own: Vec<Scheme> =
            Scheme::ALL.iter().copied().filter(|scheme| scheme.program() == Program::Ingester).collect();
        assert_eq!(own, Scheme::OWN);
    }
}
