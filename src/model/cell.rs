//! A cell: one combination of everything that is compared. A run is one execution of a cell.

use super::limits::Cpus;
use super::{Commit, Congestion, Placement, Reader, Scheme, Statement, Storage, Switch};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The link that adds nothing: the control.
pub const LOCAL: &str = "local";

/// Requests `executemany` sends before waiting unless told otherwise.
pub const IN_FLIGHT: usize = 100;

/// One combination of the factors an experiment spans.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// How the client schedules work.
    pub scheme: Scheme,
    /// How rows are sent.
    pub statement: Statement,
    /// Transaction grain.
    pub commit: Commit,
    /// Workers, each with one connection.
    pub pool: usize,
    /// Requests sent before waiting; only `executemany` uses it.
    pub in_flight: usize,
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
}

fn local() -> String {
    LOCAL.into()
}

impl Cell {
    /// A cell on the plain stack: nothing slowed, nothing limited.
    pub fn new(scheme: Scheme, statement: Statement, commit: Commit, pool: usize) -> Self {
        Self {
            scheme,
            statement,
            commit,
            pool,
            in_flight: IN_FLIGHT,
            reader: Reader::Thread,
            link: local(),
            client_cpus: Cpus::UNLIMITED,
            db_cpus: Cpus::UNLIMITED,
            placement: Placement::default(),
            congestion: Congestion::default(),
            synchronous_commit: Switch::default(),
            foreign_keys: Switch::default(),
            storage: Storage::default(),
        }
    }
}

impl fmt::Display for Cell {
    /// The factors people compare, in the order they speak of them, and whatever is not as usual:
    /// `threads row auto pool 15 client-cpus 0.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} pool {}", self.scheme, self.statement, self.commit, self.pool)?;
        if self.statement == Statement::Executemany {
            write!(f, " in-flight {}", self.in_flight)?;
        }
        let usual = Self::new(self.scheme, self.statement, self.commit, self.pool);
        let mut unusual =
            |name: &str, value: String, usual: bool| if usual { Ok(()) } else { write!(f, " {name} {value}") };
        unusual("reader", self.reader.to_string(), self.reader == usual.reader)?;
        unusual("link", self.link.clone(), self.link == usual.link)?;
        unusual("client-cpus", self.client_cpus.to_string(), self.client_cpus == usual.client_cpus)?;
        unusual("db-cpus", self.db_cpus.to_string(), self.db_cpus == usual.db_cpus)?;
        unusual("placement", self.placement.to_string(), self.placement == usual.placement)?;
        unusual("congestion", self.congestion.to_string(), self.congestion == usual.congestion)?;
        let on = Switch::On;
        unusual("synchronous-commit", self.synchronous_commit.to_string(), self.synchronous_commit == on)?;
        unusual("foreign-keys", self.foreign_keys.to_string(), self.foreign_keys == on)?;
        unusual("storage", self.storage.to_string(), self.storage == usual.storage)
    }
}
