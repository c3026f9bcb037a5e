//! Where bytes of strangers come in: one function a parser, from the bytes to the end of what is done with them before
//! anything of them is believed.
//!
//! ```text
//! fuzz/fuzz_targets/NAME.rs ─► hostile::NAME(bytes) ◄─ tests/hostile.rs: fuzz/corpus/NAME, fuzz/regressions/NAME
//! ```
//! None of them asks an engine, a database or the network. One that panics has found a promise that is not kept: an
//! error is a sentence, what is shown reads back, and nothing that a terminal obeys is shown.

mod census;
mod crossing;
#[cfg(test)]
mod extremes;
mod kernel;
#[cfg(test)]
mod seeds;
mod series;
mod words;

pub use census::{archive, geo, segment};
pub use crossing::{answer, documents, feed, frame, job};
pub use kernel::netlink;
pub use series::{bundle, images, series};
pub use words::{cell, experiment, link, links};

/// What a function makes of bytes: nothing, or a panic.
pub type Target = fn(&[u8]);

/// Every function with the name of its fuzz target.
pub const TARGETS: [(&str, Target); 16] = [
    ("archive", archive),
    ("geo", geo),
    ("segment", segment),
    ("experiment", experiment),
    ("links", links),
    ("link", link),
    ("cell", cell),
    ("job", job),
    ("feed", feed),
    ("frame", frame),
    ("answer", answer),
    ("documents", documents),
    ("series", series),
    ("bundle", bundle),
    ("images", images),
    ("netlink", netlink),
];

/// An error's sentence, as `cli::end` prints it: it says something, and nothing that a terminal obeys.
fn sentence(error: &impl std::fmt::Display) {
    let whole = format!("{error:#}");
    let said = crate::model::printable(&whole);
    assert!(!said.trim().is_empty(), "an error without a word");
    assert!(!said.contains('\x1b'), "an error that a terminal obeys: {said:?}");
}
