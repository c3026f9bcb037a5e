//! What results say together. Pure: figures in, figures out; nothing is read, asked or printed here.

mod ratio;
mod summary;

pub use ratio::{LEAST_PAIRS, Ratio};
pub use summary::Summary;
