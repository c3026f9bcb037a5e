//! A database that is not the lab's: what it is, and what could not be seen of it.

use super::why::{Fact, fact, warning};
use crate::model::units;
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
    facts.extend(statements(runs));
    facts
}

/// What the server took for the role's statements.
fn statements(runs: &[&RunRecord]) -> Option<Fact> {
    let (mut calls, mut seconds) = (0.0, 0.0);
    for run in runs.iter().filter(|run| run.is_valid()) {
        let Some(said) = run.conditions.external.as_ref().and_then(|found| found.statements) else { continue };
        (calls, seconds) = (calls + said.calls, seconds + said.seconds);
    }
    (calls > 0.0).then(|| {
        let text = format!(
            "{} us each of {} in the server, processors and disks together (pg_stat_statements)",
            units::number(seconds * 1e6 / calls),
            units::count(calls as u64)
        );
        fact("statements", text)
    })
}
