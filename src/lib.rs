//! Ingest Lab: the same ingest under every scheme, link and limit, with the evidence beside the answer.
//!
//! ARCHITECTURE.md draws the layers: `model` and `wire` know nothing of the others, `cli` knows all.

pub mod analysis;
pub mod census;
pub mod cli;
pub mod db;
pub mod engine;
pub mod hostile;
pub mod ingest;
pub mod lab;
pub mod link;
pub mod model;
pub mod observe;
pub mod report;
pub mod series;
pub mod telemetry;
pub mod wire;
