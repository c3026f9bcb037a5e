//! A database of a test's own.

use super::server::{Server, TEMPLATE};
use std::sync::atomic::{AtomicU32, Ordering};

/// The advisory lock on the server's connections: tests hold it shared, one that needs most of them exclusively.
const CONNECTIONS: i64 = 2;

/// Whether a test shares the server's connections with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    /// A handful is enough.
    No,
    /// It needs hundreds, or counts them: wait until no other test has a database, and keep others waiting.
    Yes,
}

/// A fresh database with schema and dictionary, dropped with this value.
pub struct Database {
    server: &'static Server,
    name: String,
    /// Holds the lock on the connections, and drops the database in the end.
    control: postgres::Client,
}

impl Database {
    /// Schema and dictionary, no records.
    pub fn fresh() -> Self {
        Self::create(Alone::No, TEMPLATE)
    }

    /// The same, with all of the server's connections.
    pub fn fresh_alone() -> Self {
        Self::create(Alone::Yes, TEMPLATE)
    }

    /// No tables at all.
    pub fn bare() -> Self {
        Self::create(Alone::No, "template1")
    }

    fn create(alone: Alone, template: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = Server::shared();
        let mut control = server.connect("postgres").unwrap();
        let lock = match alone {
            Alone::No => "SELECT pg_advisory_lock_shared($1)",
            Alone::Yes => "SELECT pg_advisory_lock($1)",
        };
        control.execute(lock, &[&CONNECTIONS]).unwrap();
        let name = format!("t{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        control.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).unwrap();
        control.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).unwrap();
        Self { server, name, control }
    }

    /// Its URL, password included.
    pub fn url(&self) -> String {
        self.server.url(&self.name).0
    }

    /// The password in its URL.
    pub fn password(&self) -> &str {
        self.server.password()
    }

    /// A connection to it.
    pub fn connect(&self) -> postgres::Client {
        self.server.connect(&self.name).unwrap()
    }

    /// Runs statements in it.
    pub fn change(&self, sql: &str) {
        self.connect().batch_execute(sql).unwrap();
    }

    /// The one number that a query gives.
    pub fn number(&self, sql: &str) -> i64 {
        self.connect().query_one(&format!("SELECT ({sql})::int8"), &[]).unwrap().get(0)
    }

    /// Rows in `data_element`.
    pub fn elements(&self) -> i64 {
        self.number("SELECT count(*) FROM data_element")
    }

    /// Empties what an ingest fills.
    pub fn empty(&self) {
        self.change("TRUNCATE data_element, geo_record, progress RESTART IDENTITY");
    }

    /// Connections of the ingester that are still open here.
    pub fn ingester_connections(&self) -> i64 {
        self.number(&format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND application_name LIKE 'ingest%'",
            self.name
        ))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Err(error) = self.control.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name)) {
            eprintln!("the test database {} stays until its server ends: {error}", self.name);
        }
    }
}
