//! The factors of a cell by name: what two cells differ in, and how that is said.

use super::cell::Cell;
use super::{Commit, Factor, Statement, Workload};
use std::str::FromStr;

impl Factor {
    /// This factor's level in a cell, as it is typed.
    pub fn level(self, cell: &Cell) -> String {
        match self {
            Self::Workload => cell.workload.to_string(),
            Self::Scheme => cell.scheme.to_string(),
            Self::Statement => cell.statement.to_string(),
            Self::Commit => cell.commit.to_string(),
            Self::Pool => cell.pool.to_string(),
            Self::Clients => cell.clients.to_string(),
            Self::InFlight => cell.in_flight.to_string(),
            Self::Batch => cell.batch.to_string(),
            Self::Chunk => cell.chunk.to_string(),
            Self::Protocol => cell.protocol.to_string(),
            Self::Reader => cell.reader.to_string(),
            Self::Link => cell.link.clone(),
            Self::ClientCpus => cell.client_cpus.to_string(),
            Self::DbCpus => cell.db_cpus.to_string(),
            Self::Placement => cell.placement.to_string(),
            Self::Congestion => cell.congestion.to_string(),
            Self::SynchronousCommit => cell.synchronous_commit.to_string(),
            Self::ForeignKeys => cell.foreign_keys.to_string(),
            Self::Storage => cell.storage.to_string(),
            Self::Tls => cell.tls.to_string(),
            Self::Inject => cell.inject.to_string(),
            Self::Fault => cell.fault.to_string(),
        }
    }

    /// Sets a cell's level as it is typed, the inverse of [`Self::level`]; says whether there is such a level.
    pub fn set(self, cell: &mut Cell, level: &str) -> bool {
        fn put<T: FromStr>(field: &mut T, level: &str) -> bool {
            level.parse().map(|level| *field = level).is_ok()
        }
        match self {
            Self::Workload => put(&mut cell.workload, level),
            Self::Scheme => put(&mut cell.scheme, level),
            Self::Statement => put(&mut cell.statement, level),
            Self::Commit => put(&mut cell.commit, level),
            Self::Pool => put(&mut cell.pool, level),
            Self::Clients => put(&mut cell.clients, level),
            Self::InFlight => put(&mut cell.in_flight, level),
            Self::Batch => put(&mut cell.batch, level),
            Self::Chunk => put(&mut cell.chunk, level),
            Self::Protocol => put(&mut cell.protocol, level),
            Self::Reader => put(&mut cell.reader, level),
            Self::Link => put(&mut cell.link, level),
            Self::ClientCpus => put(&mut cell.client_cpus, level),
            Self::DbCpus => put(&mut cell.db_cpus, level),
            Self::Placement => put(&mut cell.placement, level),
            Self::Congestion => put(&mut cell.congestion, level),
            Self::SynchronousCommit => put(&mut cell.synchronous_commit, level),
            Self::ForeignKeys => put(&mut cell.foreign_keys, level),
            Self::Storage => put(&mut cell.storage, level),
            Self::Tls => put(&mut cell.tls, level),
            Self::Inject => put(&mut cell.inject, level),
            Self::Fault => put(&mut cell.fault, level),
        }
    }

    /// Its name as people say it: `synchronous commit`.
    pub fn name(self) -> String {
        self.word().replace('-', " ")
    }

    /// Its level as people say it: words that speak for themselves alone, others with their name (`pool 15`).
    pub fn said(self, cell: &Cell) -> String {
        let level = self.level(cell);
        match self {
            Self::Fault if cell.fault.is_none() => "no fault".into(),
            Self::Inject if cell.inject.is_none() => "nothing injected".into(),
            Self::Inject => format!("{level} injected"),
            Self::Workload
            | Self::Scheme
            | Self::Statement
            | Self::Commit
            | Self::Link
            | Self::Placement
            | Self::Fault => level,
            Self::Clients if cell.clients == 1 => "1 client".into(),
            Self::Clients => format!("{level} clients"),
            Self::ClientCpus => format!("client {level} CPU"),
            Self::DbCpus => format!("database {level} CPU"),
            Self::Batch => format!("{level} rows an INSERT"),
            Self::Chunk if cell.workload == Workload::Lookup => format!("{level} keys a chunk"),
            Self::Chunk => format!("{level} records a chunk"),
            Self::Protocol => format!("{level} statements"),
            _ => format!("{} {level}", self.name()),
        }
    }

    /// Whether a cell's level makes a difference to it: sizes are used by the kinds that have them; a lookup commits
    /// nothing.
    pub fn is_used(self, cell: &Cell) -> bool {
        match self {
            Self::InFlight => cell.statement == Statement::Executemany,
            Self::Batch => cell.statement == Statement::Multirow,
            Self::Chunk => cell.commit == Commit::Chunk || cell.workload == Workload::Lookup,
            Self::Commit => cell.workload == Workload::Census,
            _ => true,
        }
    }

    /// What two cells differ in. A size is a difference only where both cells use it.
    pub fn between(a: &Cell, b: &Cell) -> Vec<Self> {
        let counts = |factor: &Self| factor.is_used(a) && factor.is_used(b);
        Self::ALL.iter().copied().filter(counts).filter(|factor| factor.level(a) != factor.level(b)).collect()
    }

    /// Factors that have more than one level among these cells, in the order people speak of them.
    pub fn varying(cells: &[&Cell]) -> Vec<Self> {
        let Some((first, rest)) = cells.split_first() else { return Vec::new() };
        let varies = |factor: &Self| rest.iter().any(|cell| factor.level(cell) != factor.level(first));
        Self::ALL.iter().copied().filter(varies).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scheme;
    use std::collections::BTreeSet;

    #[test]
    fn every_field_of_a_cell_is_a_factor() {
        let cell = Cell::new(Scheme::Threads, Statement::Row, Commit::Auto, 15);
        let json = serde_json::to_value(&cell).unwrap();
        let fields: BTreeSet<String> = json.as_object().unwrap().keys().cloned().collect();
        let factors: BTreeSet<String> = Factor::ALL.iter().map(|factor| factor.word().replace('-', "_")).collect();
        assert_eq!(fields, factors);
        for factor in Factor::ALL {
            let field = &json[factor.word().replace('-', "_")];
            let text = field.as_str().map_or_else(|| field.to_string(), str::to_owned);
            assert_eq!(factor.level(&cell), text, "{factor}");
        }
    }

    #[test]
    fn cells_differ_in_what_differs_and_requests_in_flight_only_where_they_are_used() {
        let row = Cell::new(Scheme::Threads, Statement::Row, Commit::Auto, 15);
        let other = Cell { scheme: Scheme::Async, in_flight: 7, ..row.clone() };
        assert_eq!(Factor::between(&row, &other), [Factor::Scheme]);
        let many = Cell { statement: Statement::Executemany, ..row.clone() };
        assert_eq!(Factor::between(&many, &Cell { in_flight: 7, ..many.clone() }), [Factor::InFlight]);
        assert_eq!(Factor::varying(&[&row, &other, &many]), [Factor::Scheme, Factor::Statement, Factor::InFlight]);
        assert_eq!(Factor::varying(&[&row]), []);
    }

    #[test]
    fn sizes_count_only_where_they_are_used() {
        let row = Cell::new(Scheme::Threads, Statement::Row, Commit::Record, 15);
        assert_eq!(Factor::between(&row, &Cell { batch: 7, chunk: 7, ..row.clone() }), []);
        let many = Cell { statement: Statement::Multirow, commit: Commit::Chunk, ..row };
        let other = Cell { batch: 7, chunk: 7, ..many.clone() };
        assert_eq!(Factor::between(&many, &other), [Factor::Batch, Factor::Chunk]);
    }

    #[test]
    fn a_lookup_has_chunks_of_keys_and_no_transactions() {
        let census = Cell::new(Scheme::Threads, Statement::Row, Commit::Auto, 15);
        let lookup = Cell { workload: Workload::Lookup, ..census.clone() };
        assert!(Factor::Chunk.is_used(&lookup) && !Factor::Commit.is_used(&lookup));
        assert_eq!(Factor::Chunk.said(&lookup), "16 keys a chunk");
        assert_eq!(Factor::between(&census, &lookup), [Factor::Workload]);
        assert_eq!(Factor::between(&lookup, &Cell { chunk: 10, ..lookup.clone() }), [Factor::Chunk]);
    }
}
