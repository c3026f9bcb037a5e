//! The census workload: the SQL of 2015, the same for every scheme.

use super::session::Session;
use super::statement;
use super::workload::{IngestError, Manner};
use crate::census::dictionary::Dictionary;
use crate::census::line::Line;
use crate::db;
use crate::db::command::{Command, Value};
use crate::db::numeric::Hundredths;
use crate::model::{Protocol, Statement};

/// Finds the place a line belongs to. The state is named, too: LOGRECNO counts anew in each.
pub const SELECT_GEO: &str = "SELECT id FROM geo_record WHERE fileid = $1 AND logrecno = $2 AND stusab = $3";
/// Finds the places of many lines of one file and state: their numbers and ids.
pub const SELECT_GEOS: &str =
    "SELECT logrecno, id FROM geo_record WHERE fileid = $1 AND logrecno = ANY($2::int4[]) AND stusab = $3";
/// Finds the keys of a segment's items, in file order.
pub const SELECT_KEYS: &str =
    "SELECT d.id FROM dictionary_item d JOIN matrix m ON m.id = d.matrix WHERE m.segment = $1 ORDER BY d.id";
/// Inserts one item.
pub const INSERT_ELEMENT: &str = "INSERT INTO data_element (geo_record, dictionary_item, value) VALUES ($1, $2, $3)";

/// The statements of the workload, ready on one connection.
pub struct Prepared {
    /// [`crate::db::geo::insert_sql`]; where it has to say so, with the word that the record is there.
    pub insert_geo: Command,
    /// [`SELECT_GEO`]; where many lines are looked up together, [`SELECT_GEOS`].
    pub select_geo: Command,
    /// [`SELECT_KEYS`].
    pub select_keys: Command,
    /// What inserts items, by how many rows each takes, the most first.
    pub insert_elements: Vec<(usize, Command)>,
}

impl Prepared {
    /// All of them, once a connection; COPY is prepared in any case.
    pub async fn on(session: &mut Session, manner: Manner) -> Result<Self, tokio_postgres::Error> {
        let protocol = manner.protocol;
        let of_items = if manner.statement == Statement::Copy { Protocol::Prepared } else { protocol };
        let insert_geo = match manner.tells_each() {
            true => db::progress::told(&db::geo::insert_sql(), db::geo::COLUMNS.len()),
            false => db::geo::insert_sql(),
        };
        let select_geo = if manner.statement.waits_a_line() { SELECT_GEO } else { SELECT_GEOS };
        let mut insert_elements = Vec::new();
        for (rows, sql) in statement::elements_sql(manner) {
            insert_elements.push((rows, session.command(&sql, of_items).await?));
        }
        Ok(Self {
            insert_geo: session.command(&insert_geo, protocol).await?,
            select_geo: session.command(select_geo, protocol).await?,
            select_keys: session.command(SELECT_KEYS, protocol).await?,
            insert_elements,
        })
    }

    /// What inserts items: of a kind that has one statement, that.
    pub fn insert_element(&self) -> &Command {
        &self.insert_elements[0].1
    }
}

/// The parameters of [`SELECT_GEO`].
pub fn place_of(line: &Line) -> [Value<'_>; 3] {
    let (file, state) = source_of(line);
    [Value::Text(file), Value::Int4(number_of(line)), Value::Text(state)]
}

/// File and state a line is of.
pub fn source_of(line: &Line) -> (&str, &str) {
    (line.file_id.as_str(), line.stusab.as_str())
}

/// A line's number within its state.
pub fn number_of(line: &Line) -> i32 {
    line.logrecno as i32 // seven digits
}

/// The parameters of [`INSERT_ELEMENT`], and of a row in a longer INSERT.
pub fn element(geo: i32, key: i32, value: Hundredths) -> [Value<'static>; 3] {
    [Value::Int4(geo), Value::Int4(key), Value::Numeric(value)]
}

/// The geographic id among those [`SELECT_GEO`] gave.
pub fn geo_id(ids: &[i32], line: &Line) -> Result<i32, IngestError> {
    match ids {
        [id] => Ok(*id),
        [] => Err(IngestError::Record(format!(
            "LOGRECNO {:07} has no geographic record: load the whole header file (a higher --limit-geo), or derive one with `ingester geo-from`",
            line.logrecno
        ))),
        _ => Err(IngestError::Record(format!("LOGRECNO {:07} has {} geographic records", line.logrecno, ids.len()))),
    }
}

/// Refuses keys as [`SELECT_KEYS`] gave them that are not as many as the line has items.
pub fn check_keys(keys: &[i32], segment: u8, line: &Line) -> Result<(), IngestError> {
    if keys.len() == line.values.len() {
        return Ok(());
    }
    Err(IngestError::Record(format!(
        "the line has {} items, the dictionary in the database lists {} for segment {segment:02}: run `ingester rebuild`, or check that the file is segment {segment:02}",
        line.values.len(),
        keys.len()
    )))
}

/// The ids of a segment's items, in file order, as [`SELECT_KEYS`] gives them.
pub fn keys(segment: u8) -> Vec<i32> {
    Dictionary::embedded().items_in(segment).iter().map(|item| item.id).collect()
}

/// Items a segment's line has.
pub fn items(segment: u8) -> usize {
    Dictionary::embedded().items_of_segment(segment)
}
