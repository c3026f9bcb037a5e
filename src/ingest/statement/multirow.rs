//! `multirow`: INSERT … VALUES of `--batch` rows, all of a chunk's sent before waiting. What is left of a batch goes
//! into statements of a power of two of rows each, so that any number of rows is made of few statements, which can all
//! be prepared before the clock starts.

use super::bulk::Rows;
use crate::db::command::{Command, Value};
use crate::ingest::census::{Prepared, element};
use futures_util::stream::{FuturesOrdered, TryStreamExt};
use std::fmt::Write as _;
use std::ops::Range;
use tokio_postgres::{Client, Error};

/// The statements for a batch of so many rows and for its fractions.
pub(super) fn sql(batch: usize) -> Vec<(usize, String)> {
    let fractions = (0..usize::BITS).rev().map(|power| 1_usize << power).filter(|rows| *rows < batch);
    std::iter::once(batch).chain(fractions).map(|rows| (rows, of(rows))).collect()
}

fn of(rows: usize) -> String {
    let mut sql = String::from("INSERT INTO data_element (geo_record, dictionary_item, value) VALUES ");
    for row in 0..rows {
        let (comma, first) = (if row == 0 { "" } else { ", " }, row * 3 + 1);
        let _ = write!(sql, "{comma}(${first}, ${}, ${})", first + 1, first + 2); // writing to a String cannot fail
    }
    sql
}

pub(super) async fn insert(client: &Client, prepared: &Prepared, rows: &Rows) -> Result<(), Error> {
    let mut answers = FuturesOrdered::new();
    let mut done = 0;
    for (size, command) in &prepared.insert_elements {
        while rows.len() - done >= *size {
            answers.push_back(execute(client, command, rows, done..done + size));
            done += size;
        }
    }
    answers.try_for_each(|()| async { Ok(()) }).await
}

async fn execute(client: &Client, command: &Command, rows: &Rows, range: Range<usize>) -> Result<(), Error> {
    let values: Vec<Value<'_>> =
        range.flat_map(|row| element(rows.geo[row], rows.items[row], rows.values[row])).collect();
    command.execute(client, &values).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_batch_has_fractions_down_to_one_row() {
        let sizes = |batch| sql(batch).into_iter().map(|(rows, _)| rows).collect::<Vec<_>>();
        assert_eq!(sizes(100), [100, 64, 32, 16, 8, 4, 2, 1]);
        assert_eq!(sizes(64), [64, 32, 16, 8, 4, 2, 1]);
        assert_eq!(sizes(1), [1]);
        assert!(of(2).ends_with("VALUES ($1, $2, $3), ($4, $5, $6)"));
    }

    proptest! {
        #[test]
        fn any_number_of_rows_is_made_of_whole_statements(batch in 1_usize..300, rows in 0_usize..2_000) {
            let mut left = rows;
            for (size, _) in sql(batch) {
                left -= left / size * size;
            }
            prop_assert_eq!(left, 0);
        }
    }
}
