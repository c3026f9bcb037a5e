//! An experiment for tests.

use super::experiment::Experiment;

/// Two schemes, one pool, so many blocks.
pub(crate) fn experiment(blocks: usize) -> Experiment {
    let text = format!(
        r#"
        question = "Which?"
        seed = 7
        blocks = {blocks}
        stop = {{ seconds = "1s" }}
        [[cells]]
        scheme = ["threads", "async"]
        statement = ["row"]
        commit = ["auto"]
        pool = [15]
        "#
    );
    Experiment::parse("test", &text).unwrap()
}
