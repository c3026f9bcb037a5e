//! A database that is not the lab's: what it is, and what could not be seen of it.

use super::why::{Fact, warning};
use crate::wire::external::External;
use crate::wire::record::RunRecord;

/// Nothing of a series on the lab's own database.
pub(super) fn facts(runs: &[&RunRecord]) -> Vec<Fact> {
    let found: Vec<&External> = runs.iter().filter_map(|run| run.conditions.external.as_ref()).collect();
    let Some(last) = found.last() else { return Vec::new() };
    let text = format!(
        "PostgreSQL {} outside the lab, its settings as they are. Not seen: {}",
        last.server.version,
        last.unseen.join("; ")
    );
    let mut facts = vec![warning("server", text)];
    let with = runs.iter().filter(|run| run.conditions.external.is_some() && run.conditions.checkpoints > 0).count();
    if with > 0 {
        facts
            .push(warning("checkpoints", format!("began in {with} of {} runs, which count all the same", found.len())));
    }
    facts
}
