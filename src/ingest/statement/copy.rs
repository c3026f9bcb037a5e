//! `copy`: COPY in PostgreSQL's binary format, encoded straight into large buffers.
//! Source of the format: PostgreSQL's manual, COPY, "Binary Format".

use super::bulk::Rows;
use super::committed;
use crate::ingest::census::Prepared;
use bytes::{BufMut, BytesMut};
use futures_util::SinkExt;
use std::future::Future;
use std::pin::pin;
use tokio_postgres::{Client, Error};

pub(super) const SQL: &str = "COPY data_element (geo_record, dictionary_item, value) FROM STDIN (FORMAT binary)";

/// Signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Bytes handed over at once: enough that the driver doesn't copy them once more, few enough to stay in the cache.
const BUFFER: usize = 64 * 1024;

/// The most bytes of a row: a count, three lengths, two integers, a numeric of six digits.
const ROW: usize = 2 + 3 * 4 + 2 * 4 + 8 + 6 * 2;

pub(super) async fn insert(
    client: &Client,
    prepared: &Prepared,
    rows: &Rows,
    commit: impl Future<Output = Result<(), Error>>,
) -> Result<(), Error> {
    let statement = prepared.insert_element().statement().expect("COPY is prepared under every protocol");
    let mut sink = pin!(client.copy_in(statement).await?);
    let mut buffer = BytesMut::with_capacity(BUFFER + ROW);
    buffer.put_slice(HEADER);
    for ((geo, item), value) in rows.geo.iter().zip(&rows.items).zip(&rows.values) {
        buffer.put_i16(3);
        buffer.put_i32(4);
        buffer.put_i32(*geo);
        buffer.put_i32(4);
        buffer.put_i32(*item);
        value.put_field(&mut buffer);
        if buffer.len() >= BUFFER {
            sink.send(buffer.split().freeze()).await?;
            buffer.reserve(BUFFER + ROW);
        }
    }
    buffer.put_i16(-1);
    sink.send(buffer.freeze()).await?;
    committed(async { sink.finish().await.map(drop) }, commit).await
}
