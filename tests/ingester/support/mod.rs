//! What the tests share: a PostgreSQL in a container, a database of their own in it, data, and the ingester
//! as a user runs it.

pub mod data;
mod database;
pub mod processes;
mod program;
mod server;

pub use database::Database;
pub use program::{Answer, Child, PATIENCE, ingester, run, run_with};
