//! Census 2000 Summary File 1: its dictionary, its files and their records, and a generator of both.
//!
//! ```text
//! DataDir ──► SegmentReader ──► Line      (ny00001_uf1.zip: LOGRECNO and its items)
//!         └─► GeoReader     ──► GeoRecord (nygeo_uf1.zip: LOGRECNO and its place)
//! Dictionary: 286 matrices in 39 segments, 8,113 items: what a line's items are
//! ```
//!
//! This module knows the format and nothing else: no database, no scheme, no other module of the
//! crate. Every reader streams: no archive member is ever held whole in memory.

pub mod archive;
mod columns;
pub mod dictionary;
mod download;
pub mod error;
pub mod fetch;
mod fetch_error;
pub mod field;
mod figures;
pub mod files;
pub mod generate;
pub mod geo;
pub mod geo_from;
pub mod line;
pub mod lines;
pub mod member;
pub mod names;
mod places;
pub mod states;
mod writer;

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod fetch_tests;
#[cfg(test)]
mod real_file;
#[cfg(test)]
mod speed;
#[cfg(test)]
mod testing;

pub use archive::{GeoReader, SegmentReader};
pub use dictionary::{Dictionary, Item, Matrix, SEGMENTS};
pub use error::ArchiveError;
pub use fetch::{FetchError, FetchProgress, FetchSpec, Fetched, FetchedFile, fetch};
pub use field::Field;
pub use files::{DataDir, DataDirError, SegmentFile, StateFiles, sha256_of_file};
pub use generate::{GenerateError, GenerateSpec, WrittenFile, generate};
pub use geo::{GeoError, GeoRecord};
pub use geo_from::{GeoFromError, geo_from};
pub use line::{Line, LineError};
pub use names::{Part, SourceName};
pub use states::{STATES, State};
