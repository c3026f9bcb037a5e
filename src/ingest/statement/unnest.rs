//! `unnest`: one INSERT whose parameters are arrays, a column each: its text and plan are the same for any
//! number of rows.

use super::bulk::Rows;
use crate::db::command::Value;
use crate::ingest::census::Prepared;
use tokio_postgres::{Client, Error};

pub(super) const SQL: &str = "INSERT INTO data_element (geo_record, dictionary_item, value) \
                              SELECT * FROM unnest($1::int4[], $2::int4[], $3::numeric[])";

pub(super) async fn insert(client: &Client, prepared: &Prepared, rows: &Rows) -> Result<(), Error> {
    let columns = [Value::Int4s(&rows.geo), Value::Int4s(&rows.items), Value::Numerics(&rows.values)];
    prepared.insert_element().execute(client, &columns).await
}
