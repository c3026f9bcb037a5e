//! `[[cells]]`: a block of factors, each a list; the cells are their cross product.

use crate::model::cell::{BATCH, CHUNK, Cell, IN_FLIGHT, LOCAL};
use crate::model::fault::Fault;
use crate::model::inject::Inject;
use crate::model::limits::Cpus;
use crate::model::{
    Commit, Congestion, Factor, Placement, Protocol, Reader, Scheme, Statement, Storage, Switch, Tls, Workload,
};
use serde::{Deserialize, Serialize};

/// A cross product of the factors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellSpan {
    /// What is done.
    #[serde(default = "usual")]
    pub workload: Vec<Workload>,
    /// How the client schedules work.
    pub scheme: Vec<Scheme>,
    /// How rows are sent.
    pub statement: Vec<Statement>,
    /// Transaction grain.
    pub commit: Vec<Commit>,
    /// Workers, each with one connection; of each client.
    pub pool: Vec<usize>,
    /// Ingesters that share a run's records, a container each.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub clients: Vec<usize>,
    /// Requests `executemany` sends before waiting.
    #[serde(default = "in_flight")]
    pub in_flight: usize,
    /// Rows of one `multirow` INSERT.
    #[serde(default = "batch")]
    pub batch: Vec<usize>,
    /// Records of one transaction under `chunk`; of a lookup the keys handed out together.
    #[serde(default = "chunk")]
    pub chunk: Vec<usize>,
    /// How a statement and its parameters reach the database.
    #[serde(default = "usual")]
    pub protocol: Vec<Protocol>,
    /// Where the records are read.
    #[serde(default = "reader")]
    pub reader: Reader,
    /// Paths to the database: names of profiles, or inline (`rtt=20ms`).
    #[serde(default = "local")]
    pub link: Vec<String>,
    /// Processor time of the client's container.
    #[serde(default = "usual")]
    pub client_cpus: Vec<Cpus>,
    /// Processor time of the database's container.
    #[serde(default = "usual")]
    pub db_cpus: Vec<Cpus>,
    /// Which processors client and database run on.
    #[serde(default = "usual")]
    pub placement: Vec<Placement>,
    /// TCP congestion control of the client's end.
    #[serde(default = "usual")]
    pub congestion: Vec<Congestion>,
    /// PostgreSQL's `synchronous_commit`.
    #[serde(default = "usual")]
    pub synchronous_commit: Vec<Switch>,
    /// The two foreign keys of `data_element`.
    #[serde(default = "usual")]
    pub foreign_keys: Vec<Switch>,
    /// Where the database keeps its files.
    #[serde(default = "usual")]
    pub storage: Vec<Storage>,
    /// Whether the client's connections are encrypted.
    #[serde(default = "usual")]
    pub tls: Vec<Tls>,
    /// Work and waiting put in on purpose.
    #[serde(default = "usual")]
    pub inject: Vec<Inject>,
    /// What breaks while rows are inserted.
    #[serde(default = "usual")]
    pub fault: Vec<Fault>,
}

fn one() -> Vec<usize> {
    vec![1]
}

fn is_one(clients: &[usize]) -> bool {
    clients == [1]
}

fn in_flight() -> usize {
    IN_FLIGHT
}

fn batch() -> Vec<usize> {
    vec![BATCH]
}

fn chunk() -> Vec<usize> {
    vec![CHUNK]
}

fn reader() -> Reader {
    Reader::Thread
}

fn local() -> Vec<String> {
    vec![LOCAL.into()]
}

/// A factor that is not spanned has one level: its default.
fn usual<T: Default>() -> Vec<T> {
    vec![T::default()]
}

impl CellSpan {
    /// A block that spans one cell only.
    pub fn of(cell: &Cell) -> Self {
        Self {
            workload: vec![cell.workload],
            scheme: vec![cell.scheme],
            statement: vec![cell.statement],
            commit: vec![cell.commit],
            pool: vec![cell.pool],
            clients: vec![cell.clients],
            in_flight: cell.in_flight,
            batch: vec![cell.batch],
            chunk: vec![cell.chunk],
            protocol: vec![cell.protocol],
            reader: cell.reader,
            link: vec![cell.link.clone()],
            client_cpus: vec![cell.client_cpus],
            db_cpus: vec![cell.db_cpus],
            placement: vec![cell.placement],
            congestion: vec![cell.congestion],
            synchronous_commit: vec![cell.synchronous_commit],
            foreign_keys: vec![cell.foreign_keys],
            storage: vec![cell.storage],
            tls: vec![cell.tls],
            inject: vec![cell.inject],
            fault: vec![cell.fault],
        }
    }

    /// How many combinations it spans: known without making them.
    pub(super) fn combinations(&self) -> usize {
        let lists = [
            self.workload.len(),
            self.scheme.len(),
            self.statement.len(),
            self.commit.len(),
            self.pool.len(),
            self.clients.len(),
            self.batch.len(),
            self.chunk.len(),
            self.protocol.len(),
            self.link.len(),
            self.client_cpus.len(),
            self.db_cpus.len(),
            self.placement.len(),
            self.congestion.len(),
            self.synchronous_commit.len(),
            self.foreign_keys.len(),
            self.storage.len(),
            self.tls.len(),
            self.inject.len(),
            self.fault.len(),
        ];
        lists.into_iter().fold(1, usize::saturating_mul)
    }

    /// Its cells: the factor written first changes fastest, so that what people compare stands side by side.
    pub fn cells(&self) -> Vec<Cell> {
        let (Some(scheme), Some(statement), Some(commit), Some(pool)) =
            (self.scheme.first(), self.statement.first(), self.commit.first(), self.pool.first())
        else {
            return Vec::new();
        };
        let mut first = Cell::new(*scheme, *statement, *commit, *pool);
        (first.in_flight, first.reader) = (self.in_flight, self.reader);
        let mut cells = vec![first];
        cells = cross(&cells, &self.fault, |cell, fault| cell.fault = *fault);
        cells = cross(&cells, &self.inject, |cell, inject| cell.inject = *inject);
        cells = cross(&cells, &self.tls, |cell, tls| cell.tls = *tls);
        cells = cross(&cells, &self.storage, |cell, storage| cell.storage = *storage);
        cells = cross(&cells, &self.foreign_keys, |cell, keys| cell.foreign_keys = *keys);
        cells = cross(&cells, &self.synchronous_commit, |cell, commit| cell.synchronous_commit = *commit);
        cells = cross(&cells, &self.congestion, |cell, congestion| cell.congestion = *congestion);
        cells = cross(&cells, &self.placement, |cell, placement| cell.placement = *placement);
        cells = cross(&cells, &self.db_cpus, |cell, cpus| cell.db_cpus = *cpus);
        cells = cross(&cells, &self.client_cpus, |cell, cpus| cell.client_cpus = *cpus);
        cells = cross(&cells, &self.link, |cell, link| cell.link.clone_from(link));
        cells = cross(&cells, &self.protocol, |cell, protocol| cell.protocol = *protocol);
        cells = cross(&cells, &self.chunk, |cell, chunk| cell.chunk = *chunk);
        cells = cross(&cells, &self.batch, |cell, batch| cell.batch = *batch);
        cells = cross(&cells, &self.clients, |cell, clients| cell.clients = *clients);
        cells = cross(&cells, &self.pool, |cell, pool| cell.pool = *pool);
        cells = cross(&cells, &self.commit, |cell, commit| cell.commit = *commit);
        cells = cross(&cells, &self.statement, |cell, statement| cell.statement = *statement);
        cells = cross(&cells, &self.scheme, |cell, scheme| cell.scheme = *scheme);
        cells = cross(&cells, &self.workload, |cell, workload| cell.workload = *workload);
        // A size that a cell does not use is as usual: else the same cell would be there once for each size.
        for cell in &mut cells {
            cell.batch = if Factor::Batch.is_used(cell) { cell.batch } else { BATCH };
            cell.chunk = if Factor::Chunk.is_used(cell) { cell.chunk } else { CHUNK };
        }
        cells
    }
}

/// Every cell with every level of one more factor.
fn cross<T>(cells: &[Cell], levels: &[T], set: impl Fn(&mut Cell, &T)) -> Vec<Cell> {
    let one = |cell: &Cell, level: &T| {
        let mut cell = cell.clone();
        set(&mut cell, level);
        cell
    };
    cells.iter().flat_map(|cell| levels.iter().map(|level| one(cell, level))).collect()
}
