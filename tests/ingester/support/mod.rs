//! What the tests share: a PostgreSQL in a container, a database of their own in it, data, and the ingester
//! as a user runs it.

mod crashing;
pub mod data;
mod database;
mod forwarder;
pub mod processes;
mod program;
mod server;

pub use crashing::Crashing;
pub use database::Database;
pub use forwarder::Forwarder;
pub use program::{Answer, Child, PATIENCE, ingester, run, run_patiently, run_with};
