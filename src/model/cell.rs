//! A cell: one combination of everything that is compared. A run is one execution of a cell.

use super::fault::Fault;
use super::inject::Inject;
use super::limits::Cpus;
use super::{
    Commit, Congestion, Factor, Placement, Protocol, Reader, Scheme, Statement, Storage, Switch, Tls, Workload,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The link that adds nothing: the control.
pub const LOCAL: &str = "local";

/// The way past the link: nothing is asked of it, what it is like is measured.
pub const DIRECT: &str = "direct";

/// The link that leads through the emulator and adds nothing: what tells a distance from the emulator's own cost.
pub const CONTROL: &str = "local-queued";

/// Requests `executemany` sends before waiting unless told otherwise.
pub const IN_FLIGHT: usize = 100;

/// Rows of one `multirow` INSERT unless told otherwise: what many drivers' helpers send (psycopg2's `execute_values`).
pub const BATCH: usize = 100;

/// Records of one transaction under `chunk` unless told otherwise: 3,552 rows of segment 1.
pub const CHUNK: usize = 16;

/// One combination of the factors an experiment spans.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// What is done.
    #[serde(default)]
    pub workload: Workload,
    /// How the client schedules work.
    pub scheme: Scheme,
    /// How rows are sent.
    pub statement: Statement,
    /// Transaction grain.
    pub commit: Commit,
    /// Workers, each with one connection; of each client.
    pub pool: usize,
    /// Ingesters that share the run's records, a container each.
    #[serde(default = "one")]
    pub clients: usize,
    /// Requests sent before waiting; of a line's rows only `executemany` has them.
    pub in_flight: usize,
    /// Rows of one INSERT; only `multirow` uses it.
    #[serde(default = "batch")]
    pub batch: usize,
    /// Records of one transaction, at most, which only `chunk` uses; of a lookup the keys handed out together.
    #[serde(default = "chunk")]
    pub chunk: usize,
    /// How a statement and its parameters reach the database.
    #[serde(default)]
    pub protocol: Protocol,
    /// Where the records are read and parsed.
    pub reader: Reader,
    /// The path to the database: a profile's name, or inline (`rtt=20ms`).
    #[serde(default = "local")]
    pub link: String,
    /// Processor time of the client's container.
    #[serde(default)]
    pub client_cpus: Cpus,
    /// Processor time of the database's container.
    #[serde(default)]
    pub db_cpus: Cpus,
    /// Which processors client and database run on.
    #[serde(default)]
    pub placement: Placement,
    /// TCP congestion control of the client's end.
    #[serde(default)]
    pub congestion: Congestion,
    /// PostgreSQL's `synchronous_commit`.
    #[serde(default)]
    pub synchronous_commit: Switch,
    /// The two foreign keys of `data_element`.
    #[serde(default)]
    pub foreign_keys: Switch,
    /// Where the database keeps its files.
    #[serde(default)]
    pub storage: Storage,
    /// Whether the client's connections are encrypted.
    #[serde(default)]
    pub tls: Tls,
    /// Work and waiting put in on purpose.
    #[serde(default)]
    pub inject: Inject,
    /// What breaks while rows are inserted.
    #[serde(default)]
    pub fault: Fault,
}

/// Which statements of a chunk are sent before the answers to others are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Travels {
    /// Its SELECTs with BEGIN, then its INSERTs (its COPY) with COMMIT.
    Together,
    /// Its SELECTs with BEGIN; of the others each is waited for.
    SomeAlone,
    /// None: each is waited for.
    EachAlone,
}

fn local() -> String {
    LOCAL.into()
}

fn one() -> usize {
    1
}

fn batch() -> usize {
    BATCH
}

fn chunk() -> usize {
    CHUNK
}

impl Cell {
    /// A cell on the plain stack: nothing slowed, nothing limited.
    pub fn new(scheme: Scheme, statement: Statement, commit: Commit, pool: usize) -> Self {
        Self {
            workload: Workload::default(),
            scheme,
            statement,
            commit,
            pool,
            clients: 1,
            in_flight: IN_FLIGHT,
            batch: BATCH,
            chunk: CHUNK,
            protocol: Protocol::default(),
            reader: Reader::Thread,
            link: local(),
            client_cpus: Cpus::UNLIMITED,
            db_cpus: Cpus::UNLIMITED,
            placement: Placement::default(),
            congestion: Congestion::default(),
            synchronous_commit: Switch::default(),
            foreign_keys: Switch::default(),
            storage: Storage::default(),
            tls: Tls::default(),
            inject: Inject::NONE,
            fault: Fault::NONE,
        }
    }

    /// Connections of all its clients together.
    pub fn connections(&self) -> usize {
        self.pool.saturating_mul(self.clients.max(1))
    }

    /// How the statements of a chunk travel, where its kind sends before it waits. psycopg2, aiopg and asyncpg have one
    /// statement under way on a connection. psycopg 3 has a pipeline: not for the simple protocol, nor for a COMMIT
    /// behind COPY, nor for INSERTs that are a transaction each.
    pub fn travels(&self) -> Travels {
        use Scheme::{PyAiopg, PyAsyncio, PyGevent, PyProcesses, PyPsycopg3, PyPsycopg3Async, PyThreads};
        if self.workload == Workload::Lookup || self.statement.waits_a_line() {
            return Travels::Together; // a round trip a row or a window of rows is most of what these take
        }
        let auto = self.commit == Commit::Auto;
        match (self.scheme, self.statement) {
            (PyThreads | PyGevent | PyProcesses | PyAsyncio | PyAiopg, _) => Travels::EachAlone,
            (PyPsycopg3 | PyPsycopg3Async, _) if self.protocol == Protocol::Simple => Travels::EachAlone,
            (PyPsycopg3 | PyPsycopg3Async, Statement::Multirow) if auto => Travels::SomeAlone,
            (PyPsycopg3 | PyPsycopg3Async, Statement::Copy) if !auto => Travels::SomeAlone,
            _ => Travels::Together,
        }
    }

    /// The cell that it ranks as: of an ingest the one whose rows are sent as these really are.
    pub fn ranked(&self) -> Self {
        match self.workload {
            Workload::Census => Self { statement: self.scheme.sends(self.statement), ..self.clone() },
            Workload::Lookup => self.clone(),
        }
    }
}

impl fmt::Display for Cell {
    /// The factors people compare, in the order they speak of them, and whatever is not as usual:
    /// `threads row auto pool 15 client-cpus 0.5`, `lookup threads row pool 4 chunk 10`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.workload {
            Workload::Census => write!(f, "{} {} {}", self.scheme, self.statement, self.commit)?,
            workload => write!(f, "{workload} {} {}", self.scheme, self.statement)?, // it commits nothing
        }
        write!(f, " pool {}", self.pool)?;
        if self.clients != 1 {
            write!(f, " clients {}", self.clients)?;
        }
        for factor in [Factor::InFlight, Factor::Batch, Factor::Chunk] {
            if factor.is_used(self) {
                write!(f, " {factor} {}", factor.level(self))?;
            }
        }
        let usual = Self::new(self.scheme, self.statement, self.commit, self.pool);
        let mut unusual =
            |name: &str, value: String, usual: bool| if usual { Ok(()) } else { write!(f, " {name} {value}") };
        unusual("protocol", self.protocol.to_string(), self.protocol == usual.protocol)?;
        unusual("reader", self.reader.to_string(), self.reader == usual.reader)?;
        unusual("link", self.link.clone(), self.link == usual.link)?;
        unusual("client-cpus", self.client_cpus.to_string(), self.client_cpus == usual.client_cpus)?;
        unusual("db-cpus", self.db_cpus.to_string(), self.db_cpus == usual.db_cpus)?;
        unusual("placement", self.placement.to_string(), self.placement == usual.placement)?;
        unusual("congestion", self.congestion.to_string(), self.congestion == usual.congestion)?;
        let on = Switch::On;
        unusual("synchronous-commit", self.synchronous_commit.to_string(), self.synchronous_commit == on)?;
        unusual("foreign-keys", self.foreign_keys.to_string(), self.foreign_keys == on)?;
        unusual("storage", self.storage.to_string(), self.storage == usual.storage)?;
        unusual("tls", self.tls.to_string(), self.tls == usual.tls)?;
        unusual("inject", self.inject.to_string(), self.inject.is_none())?;
        unusual("fault", self.fault.to_string(), self.fault.is_none())
    }
}

impl FromStr for Cell {
    type Err = String;

    /// As [`Cell`] is shown: `async row auto pool 60 link near-region`, `lookup async row pool 4`. What is not named is
    /// as usual.
    fn from_str(text: &str) -> Result<Self, String> {
        fn put(cell: &mut Cell, factor: Factor, what: &str, level: Option<&str>) -> Result<(), String> {
            let level = level.ok_or_else(|| format!("the {what} is missing"))?;
            if factor.set(cell, level) { Ok(()) } else { Err(format!("`{level}` is no {what}")) }
        }
        const FIRST: [(Factor, &str); 3] =
            [(Factor::Scheme, "scheme"), (Factor::Statement, "statement kind"), (Factor::Commit, "transaction grain")];
        let mut words = text.split_whitespace().peekable();
        let mut cell = Self::new(Scheme::Threads, Statement::Row, Commit::Auto, 15);
        if words.peek().is_some_and(|first| Factor::Workload.set(&mut cell, first)) {
            words.next();
        }
        for (factor, what) in FIRST.into_iter().filter(|(factor, _)| factor.is_used(&cell)).collect::<Vec<_>>() {
            put(&mut cell, factor, what, words.next())?;
        }
        let mut sizes = Vec::new();
        let is_first = |named: Factor| named == Factor::Workload || FIRST.iter().any(|(first, _)| *first == named);
        while let Some(name) = words.next() {
            let factor = Factor::from_str(name).ok().filter(|named| !is_first(*named));
            let factor = factor.ok_or_else(|| format!("`{name}` is nothing a cell has"))?;
            put(&mut cell, factor, name, words.next())?;
            sizes.push(factor);
        }
        match sizes.iter().find(|size| !size.is_used(&cell)) {
            Some(unused) => Err(format!("`{unused}` makes no difference to this cell: leave it out")),
            None => Ok(cell),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_is_shown_reads_back() {
        let all = "async-single executemany record pool 60 in-flight 20 reader process link rtt=5ms,loss=1% client-cpus 0.5 \
                   db-cpus 0.25 placement pinned congestion reno synchronous-commit off foreign-keys off storage tmpfs \
                   tls on inject spin=20us fault black-hole=3s@4s";
        let bulk = "processes multirow chunk pool 4 clients 3 batch 50 chunk 8 protocol simple";
        let lookup = "lookup async-single executemany pool 4 in-flight 100 chunk 10 link near-region";
        for text in ["threads row auto pool 15", "async row auto pool 60 link near-region", bulk, all, lookup] {
            assert_eq!(text.parse::<Cell>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_a_driver_has_under_way_decides_how_a_chunk_travels() {
        for (text, travels) in [
            ("async multirow chunk", Travels::Together),
            ("async copy record", Travels::Together),
            ("py-asyncio row record", Travels::Together),
            ("py-asyncio multirow chunk", Travels::EachAlone),
            ("py-threads copy chunk protocol simple", Travels::EachAlone),
            ("py-psycopg3 unnest chunk", Travels::Together),
            ("py-psycopg3 multirow record", Travels::Together),
            ("py-psycopg3 multirow auto", Travels::SomeAlone),
            ("py-psycopg3-async copy chunk", Travels::SomeAlone),
            ("py-psycopg3-async unnest chunk protocol simple", Travels::EachAlone),
            ("lookup py-asyncio executemany", Travels::Together),
        ] {
            assert_eq!(text.parse::<Cell>().unwrap().travels(), travels, "{text}");
        }
    }

    #[test]
    fn what_is_no_cell_says_where() {
        for (text, part) in [
            ("", "the scheme is missing"),
            ("threads rows auto", "`rows` is no statement kind"),
            ("threads row auto pool", "the pool is missing"),
            ("threads row auto poool 3", "`poool` is nothing a cell has"),
            ("lookup threads row auto", "`auto` is nothing a cell has"),
            ("threads row auto workload lookup", "`workload` is nothing a cell has"),
            ("lookup async row batch 7", "`batch` makes no difference to this cell"),
        ] {
            assert!(text.parse::<Cell>().unwrap_err().contains(part), "{text}");
        }
    }
}
