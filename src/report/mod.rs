//! Results as text for people. Pure: records in, text out.

mod table;

pub use table::table;
