//! The factors of a cell by name: what two cells differ in, and how that is said.

use super::cell::Cell;
use super::{Factor, Statement};

impl Factor {
    /// This factor's level in a cell, as it is typed.
    pub fn level(self, cell: &Cell) -> String {
        match self {
            Self::Scheme => cell.scheme.to_string(),
            Self::Statement => cell.statement.to_string(),
            Self::Commit => cell.commit.to_string(),
            Self::Pool => cell.pool.to_string(),
            Self::InFlight => cell.in_flight.to_string(),
            Self::Reader => cell.reader.to_string(),
            Self::Link => cell.link.clone(),
            Self::ClientCpus => cell.client_cpus.to_string(),
            Self::DbCpus => cell.db_cpus.to_string(),
            Self::Placement => cell.placement.to_string(),
            Self::Congestion => cell.congestion.to_string(),
            Self::SynchronousCommit => cell.synchronous_commit.to_string(),
            Self::ForeignKeys => cell.foreign_keys.to_string(),
            Self::Storage => cell.storage.to_string(),
            Self::Inject => cell.inject.to_string(),
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
            Self::Inject if cell.inject.is_none() => "nothing injected".into(),
            Self::Inject => format!("{level} injected"),
            Self::Scheme | Self::Statement | Self::Commit | Self::Link | Self::Placement => level,
            Self::ClientCpus => format!("client {level} CPU"),
            Self::DbCpus => format!("database {level} CPU"),
            _ => format!("{} {level}", self.name()),
        }
    }

    /// What two cells differ in. Requests in flight are a difference only where both cells use them.
    pub fn between(a: &Cell, b: &Cell) -> Vec<Self> {
        let pipelined = a.statement == Statement::Executemany && b.statement == Statement::Executemany;
        let counts = |factor: &Self| *factor != Self::InFlight || pipelined;
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
    use crate::model::{Commit, Scheme};
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
}
