//! `row`: one prepared execute a row, the answer awaited each time, as in 2015.

use crate::census::line::Line;
use crate::db::command::Value;
use crate::db::geo::Columns;
use crate::db::numeric::Hundredths;
use crate::ingest::census::{Prepared, check_keys, element, geo_id, place_of};
use crate::ingest::session::Session;
use crate::ingest::workload::{Counters, IngestError, Manner};
use crate::model::{Commit, Stage};

/// A line, in a transaction of its own where `commit` ends one.
pub(super) async fn line(
    session: &mut Session,
    prepared: &Prepared,
    manner: Manner,
    segment: u8,
    line: &Line,
    commit: Option<&str>,
    counters: &mut Counters<'_>,
) -> Result<Vec<i32>, IngestError> {
    let stages = counters.stages;
    if commit.is_some() {
        stages.time(Stage::Begin, session.simple("BEGIN")).await?;
    }
    let ids = stages.time(Stage::Select, session.ids(&prepared.select_geo, &place_of(line))).await?;
    let geo = geo_id(&ids, line)?;
    let of_segment = [Value::Int2(segment.into())];
    let keys = stages.time(Stage::Select, session.ids(&prepared.select_keys, &of_segment)).await?;
    check_keys(&keys, segment, line)?;
    let mut encoding = Some(stages); // of a line's first row, which stands for the others
    for (key, value) in keys.iter().zip(&line.values) {
        let row = element(geo, *key, Hundredths(*value));
        manner.burn();
        stages.time(Stage::Execute, session.execute(prepared.insert_element(), &row, encoding.take())).await?;
        if manner.commit == Commit::Auto {
            counters.rows(1);
        }
    }
    if let Some(commit) = commit {
        stages.time(Stage::Commit, session.simple(commit)).await?;
        counters.rows(keys.len() as u64);
    }
    Ok(keys)
}

/// One after the other; `each` says whether each is its own transaction.
pub(super) async fn geo(
    session: &mut Session,
    prepared: &Prepared,
    records: &[(&Columns<'_>, &[Value<'_>])],
    each: bool,
    counters: &mut Counters<'_>,
) -> Result<(), (usize, IngestError)> {
    for (index, (columns, values)) in records.iter().enumerate() {
        let insert = session.execute(&prepared.insert_geo, values, Some(counters.stages));
        counters.stages.time(Stage::Execute, insert).await.map_err(|error| (index, IngestError::from(error)))?;
        if each {
            counters.rows(1);
            counters.geo(columns);
        }
    }
    Ok(())
}
