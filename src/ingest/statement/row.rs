//! `row`: one prepared execute a row, the answer awaited each time, as in 2015.

use crate::census::line::Line;
use crate::ingest::census::{Counters, IngestError, Manner, Prepared, geo_id, keys};
use crate::ingest::numeric::Hundredths;
use crate::ingest::session::Session;
use crate::model::{Commit, Stage};
use tokio_postgres::types::ToSql;

pub(super) async fn line(
    session: &mut Session,
    prepared: &Prepared,
    manner: Manner,
    segment: u8,
    line: &Line,
    counters: &mut Counters<'_>,
) -> Result<Vec<i32>, IngestError> {
    let one_transaction = manner.commit == Commit::Record;
    let stages = counters.stages;
    if one_transaction {
        stages.time(Stage::Begin, session.simple("BEGIN")).await?;
    }
    let (file_id, state, logrecno) = (line.file_id.as_str(), line.stusab.as_str(), line.logrecno as i32);
    let params: [&(dyn ToSql + Sync); 3] = [&file_id, &logrecno, &state];
    let rows = stages.time(Stage::Select, session.query(&prepared.select_geo, &params)).await?;
    let geo = geo_id(&rows, line)?;
    let rows = stages.time(Stage::Select, session.query(&prepared.select_keys, &[&i16::from(segment)])).await?;
    let keys = keys(&rows, segment, line)?;
    let mut encoding = Some(stages); // of a line's first row, which stands for the others
    for (key, value) in keys.iter().zip(&line.values) {
        let value = Hundredths(*value);
        manner.burn();
        let params: [&(dyn ToSql + Sync); 3] = [&geo, key, &value];
        stages.time(Stage::Execute, session.execute(&prepared.insert_element, &params, encoding.take())).await?;
        if !one_transaction {
            counters.rows(1);
        }
    }
    if one_transaction {
        stages.time(Stage::Commit, session.simple("COMMIT")).await?;
        counters.rows(keys.len() as u64);
    }
    Ok(keys)
}
