//! `row`: one prepared execute a row, the answer awaited each time, as in 2015.

use crate::census::line::Line;
use crate::ingest::census::{Counters, IngestError, Manner, Prepared, geo_id, keys};
use crate::ingest::numeric::Hundredths;
use crate::ingest::session::Session;
use crate::model::Commit;

pub(super) async fn line(
    session: &mut Session,
    prepared: &Prepared,
    manner: Manner,
    segment: u8,
    line: &Line,
    counters: &mut Counters<'_>,
) -> Result<Vec<i32>, IngestError> {
    let one_transaction = manner.commit == Commit::Record;
    if one_transaction {
        session.simple("BEGIN").await?;
    }
    let logrecno = line.logrecno as i32;
    let rows = session.query(&prepared.select_geo, &[&line.file_id.as_str(), &logrecno, &line.stusab.as_str()]).await?;
    let geo = geo_id(&rows, line)?;
    let rows = session.query(&prepared.select_keys, &[&i16::from(segment)]).await?;
    let keys = keys(&rows, segment, line)?;
    for (key, value) in keys.iter().zip(&line.values) {
        session.execute(&prepared.insert_element, &[&geo, key, &Hundredths(*value)]).await?;
        if !one_transaction {
            counters.rows(1);
        }
    }
    if one_transaction {
        session.simple("COMMIT").await?;
        counters.rows(keys.len() as u64);
    }
    Ok(keys)
}
