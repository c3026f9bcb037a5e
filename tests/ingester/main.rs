//! The ingester from outside: the program as a user runs it, against a real PostgreSQL.

#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod bad_input;
mod commit_grain;
mod crashes;
mod lookup;
mod metrics;
mod pools;
mod protocol;
mod same_rows;
mod shared;
mod stopping;
mod support;
mod tls;
mod verification;
