//! The ingester: reader and queue, two workloads (census, lookup), one file a scheme, one file a statement kind.
//! Knows the job and the database; knows nothing of containers, links or experiments.

mod backoff;
mod barrier;
pub mod census;
mod children;
mod coordinator;
mod cpu;
mod driven;
mod filling;
pub mod lookup;
pub mod reader;
mod resume;
mod retry;
mod run;
mod scheme;
mod session;
mod spin;
mod statement;
mod stats;
#[cfg(test)]
mod testing;
mod ticker;
mod worker;
mod workload;

pub use run::{Extras, PROGRAM, run};
pub use spin::spin;
