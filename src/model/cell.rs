//! A cell: one combination of everything that is compared. A run is one execution of a cell.

use super::inject::Inject;
use super::limits::Cpus;
use super::{Commit, Congestion, Placement, Reader, Scheme, Statement, Storage, Switch};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

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
    /// Work and waiting put in on purpose.
    #[serde(default)]
    pub inject: Inject,
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
            inject: Inject::NONE,
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
        unusual("storage", self.storage.to_string(), self.storage == usual.storage)?;
        unusual("inject", self.inject.to_string(), self.inject.is_none())
    }
}

impl FromStr for Cell {
    type Err = String;

    /// As [`Cell`] is shown: `async row auto pool 60 link near-region`. What is not named is as usual.
    fn from_str(text: &str) -> Result<Self, String> {
        fn word<T: FromStr>(what: &str, text: Option<&str>) -> Result<T, String> {
            let text = text.ok_or_else(|| format!("the {what} is missing"))?;
            text.parse().map_err(|_| format!("`{text}` is no {what}"))
        }
        let mut words = text.split_whitespace();
        let scheme = word("scheme", words.next())?;
        let statement = word("statement kind", words.next())?;
        let commit = word("transaction grain", words.next())?;
        let mut cell = Self::new(scheme, statement, commit, 15);
        while let Some(name) = words.next() {
            let value = words.next();
            match name {
                "pool" => cell.pool = word(name, value)?,
                "in-flight" => cell.in_flight = word(name, value)?,
                "reader" => cell.reader = word(name, value)?,
                "link" => cell.link = word(name, value)?,
                "client-cpus" => cell.client_cpus = word(name, value)?,
                "db-cpus" => cell.db_cpus = word(name, value)?,
                "placement" => cell.placement = word(name, value)?,
                "congestion" => cell.congestion = word(name, value)?,
                "synchronous-commit" => cell.synchronous_commit = word(name, value)?,
                "foreign-keys" => cell.foreign_keys = word(name, value)?,
                "storage" => cell.storage = word(name, value)?,
                "inject" => cell.inject = word(name, value)?,
                other => return Err(format!("`{other}` is nothing a cell has")),
            }
        }
        Ok(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_is_shown_reads_back() {
        let all = "async-single executemany record pool 60 in-flight 20 reader process link rtt=5ms,loss=1% client-cpus 0.5 \
                   db-cpus 0.25 placement pinned congestion reno synchronous-commit off foreign-keys off storage tmpfs \
                   inject spin=20us";
        for text in ["threads row auto pool 15", "async row auto pool 60 link near-region", all] {
            assert_eq!(text.parse::<Cell>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_cell_says_where() {
        for (text, part) in [
            ("", "the scheme is missing"),
            ("threads rows auto", "`rows` is no statement kind"),
            ("threads row auto pool", "the pool is missing"),
            ("threads row auto poool 3", "`poool` is nothing a cell has"),
        ] {
            assert!(text.parse::<Cell>().unwrap_err().contains(part), "{text}");
        }
    }
}
