//! How a line's rows are sent: one file a statement kind, each written once, async, whatever the scheme.

mod executemany;
mod row;

use super::census::{Counters, IngestError, Manner, Prepared, Record};
use super::session::Session;
use crate::census::line::Line;
use crate::model::Statement;

/// Inserts one line's items; gives the keys they were stored under.
pub async fn line(
    session: &mut Session,
    prepared: &Prepared,
    manner: Manner,
    segment: u8,
    line: &Line,
    counters: &mut Counters<'_>,
) -> Result<Vec<i32>, IngestError> {
    match manner.statement {
        Statement::Row => row::line(session, prepared, manner, segment, line, counters).await,
        Statement::Executemany => executemany::line(session, prepared, manner, segment, line, counters).await,
    }
}

/// Inserts several geographic records, all sent before waiting; on an error says which record it was.
pub async fn geo(
    session: &mut Session,
    prepared: &Prepared,
    manner: Manner,
    records: &[Record],
    counters: &mut Counters<'_>,
) -> Result<(), (usize, IngestError)> {
    match manner.statement {
        Statement::Row => Err((0, IngestError::NotPipelined)),
        Statement::Executemany => executemany::geo(session, prepared, records, counters).await,
    }
}

/// Whether the kind sends before it waits, and so needs a driver that pipelines.
pub fn pipelines(kind: Statement) -> bool {
    match kind {
        Statement::Row => false,
        Statement::Executemany => true,
    }
}
