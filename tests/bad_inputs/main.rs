//! Bad inputs made by hand, one a line: what is put in, the sentence that comes out, the exit code. No engine, no database.
//! What the data's archives can have wrong is in tests/ingester/bad_input.rs and src/census/bad_input.rs.

#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod bundles;
mod experiments;
mod jobs;
mod links;
mod support;

use support::Case;

/// All of them.
fn cases() -> Vec<Case> {
    [experiments::cases(), jobs::cases(), links::cases(), bundles::cases()].into_iter().flatten().collect()
}

#[test]
fn every_bad_input_is_told_in_a_sentence_with_its_exit_code() {
    let cases = cases();
    assert!(cases.len() >= 50, "{} cases", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(|case| case.wrong()).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
