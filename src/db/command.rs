//! A statement the way a run sends it: prepared once a connection, parsed anew with each call, or as text that holds
//! its parameters. Which of them is all that differs: the SQL is the same, written with `$1`, `$2` …

use super::numeric::Hundredths;
use crate::model::Protocol;
use bytes::BytesMut;
use std::error::Error as StdError;
use std::fmt::Write as _;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Error, Row, SimpleQueryMessage, Statement};

/// A parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// `smallint`.
    Int2(i16),
    /// `integer`.
    Int4(i32),
    /// `bigint`.
    Int8(i64),
    /// `text`.
    Text(&'a str),
    /// `numeric`.
    Numeric(Hundredths),
    /// `integer[]`.
    Int4s(&'a [i32]),
    /// `numeric[]`.
    Numerics(&'a [Hundredths]),
}

impl Value<'_> {
    fn type_of(&self) -> Type {
        match self {
            Self::Int2(_) => Type::INT2,
            Self::Int4(_) => Type::INT4,
            Self::Int8(_) => Type::INT8,
            Self::Text(_) => Type::TEXT,
            Self::Numeric(_) => Type::NUMERIC,
            Self::Int4s(_) => Type::INT4_ARRAY,
            Self::Numerics(_) => Type::NUMERIC_ARRAY,
        }
    }

    /// As it stands in a statement's text. Strings are as the standard has them: `standard_conforming_strings` is on
    /// unless somebody turned it off twenty years ago.
    pub(super) fn literal(&self, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = match self {
            Self::Int2(value) => write!(out, "{value}"),
            Self::Int4(value) => write!(out, "{value}"),
            Self::Int8(value) => write!(out, "{value}"),
            Self::Text(text) => write!(out, "'{}'", text.replace('\'', "''")),
            Self::Numeric(value) => write!(out, "{value}"),
            Self::Int4s(values) => write!(out, "'{{{}}}'", joined(values)),
            Self::Numerics(values) => write!(out, "'{{{}}}'", joined(values)),
        };
    }
}

fn joined<T: std::fmt::Display>(values: &[T]) -> String {
    let mut text = String::with_capacity(values.len() * 8);
    for (index, value) in values.iter().enumerate() {
        let _ = write!(text, "{}{value}", if index == 0 { "" } else { "," });
    }
    text
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Self::Int2(value) => value.to_sql(ty, out),
            Self::Int4(value) => value.to_sql(ty, out),
            Self::Int8(value) => value.to_sql(ty, out),
            Self::Text(value) => value.to_sql(ty, out),
            Self::Numeric(value) => value.to_sql(ty, out),
            Self::Int4s(values) => values.to_sql(ty, out),
            Self::Numerics(values) => values.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(
            *ty,
            Type::INT2 | Type::INT4 | Type::INT8 | Type::TEXT | Type::NUMERIC | Type::INT4_ARRAY | Type::NUMERIC_ARRAY
        )
    }

    to_sql_checked!();
}

/// A statement, ready to be sent.
#[derive(Clone)]
pub enum Command {
    /// Parsed and planned on the connection before.
    Prepared(Statement),
    /// Parsed and planned with each call, in the same round trip.
    Unnamed(String),
    /// Its parameters are written into its text.
    Simple(String),
}

/// Parameters with their types, as the driver takes them where the server isn't asked first.
type Typed<'a> = Vec<(&'a (dyn ToSql + Sync), Type)>;

fn typed<'a>(values: &'a [Value<'_>]) -> Typed<'a> {
    values.iter().map(|value| (value as &(dyn ToSql + Sync), value.type_of())).collect()
}

fn plain<'a>(values: &'a [Value<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

impl Command {
    /// Of a statement's text; `prepared` is what the connection made of it, where the protocol has that.
    pub fn new(sql: &str, prepared: Option<Statement>, protocol: Protocol) -> Self {
        match (prepared, protocol) {
            (Some(statement), _) => Self::Prepared(statement),
            (None, Protocol::Simple) => Self::Simple(sql.into()),
            (None, _) => Self::Unnamed(sql.into()),
        }
    }

    /// The prepared statement, where it is one.
    pub fn statement(&self) -> Option<&Statement> {
        match self {
            Self::Prepared(statement) => Some(statement),
            Self::Unnamed(_) | Self::Simple(_) => None,
        }
    }

    /// Runs it, for what it does.
    pub async fn execute(&self, client: &Client, values: &[Value<'_>]) -> Result<(), Error> {
        match self {
            Self::Prepared(statement) => client.execute_raw(statement, values).await.map(drop),
            Self::Unnamed(sql) => client.execute_typed(sql, &typed(values)).await.map(drop),
            Self::Simple(sql) => client.batch_execute(&filled_in(sql, values)).await,
        }
    }

    /// Runs it, for the first column of its rows.
    pub async fn ids(&self, client: &Client, values: &[Value<'_>]) -> Result<Vec<i32>, Error> {
        match self {
            Self::Prepared(statement) => Ok(firsts(&client.query(statement, &plain(values)).await?)),
            Self::Unnamed(sql) => Ok(firsts(&client.query_typed(sql, &typed(values)).await?)),
            Self::Simple(sql) => Ok(first_texts(&client.simple_query(&filled_in(sql, values)).await?)),
        }
    }

    /// Runs it, for the first two columns of its rows.
    pub async fn pairs(&self, client: &Client, values: &[Value<'_>]) -> Result<Vec<(i32, i32)>, Error> {
        let pairs = |rows: Vec<Row>| rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        match self {
            Self::Prepared(statement) => Ok(pairs(client.query(statement, &plain(values)).await?)),
            Self::Unnamed(sql) => Ok(pairs(client.query_typed(sql, &typed(values)).await?)),
            Self::Simple(sql) => Ok(pairs_of_texts(&client.simple_query(&filled_in(sql, values)).await?)),
        }
    }

    /// Runs it, for its rows.
    pub async fn rows(&self, client: &Client, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        match self {
            Self::Prepared(statement) => client.query(statement, &plain(values)).await,
            Self::Unnamed(sql) => client.query_typed(sql, &typed(values)).await,
            // Typed rows as they are here, text as the simple protocol has it: whoever wants both is refused before.
            Self::Simple(sql) => client.query(&filled_in(sql, values), &[]).await,
        }
    }

    /// [`Self::rows`] by the blocking driver.
    pub fn rows_blocking(&self, client: &mut postgres::Client, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        match self {
            Self::Prepared(statement) => client.query(statement, &plain(values)),
            Self::Unnamed(sql) => client.query_typed(sql, &typed(values)),
            Self::Simple(sql) => client.query(&filled_in(sql, values), &[]),
        }
    }

    /// [`Self::execute`] by the blocking driver.
    pub fn execute_blocking(&self, client: &mut postgres::Client, values: &[Value<'_>]) -> Result<(), Error> {
        match self {
            Self::Prepared(statement) => client.execute(statement, &plain(values)).map(drop),
            Self::Unnamed(sql) => client.execute_typed(sql, &typed(values)).map(drop),
            Self::Simple(sql) => client.batch_execute(&filled_in(sql, values)),
        }
    }

    /// [`Self::ids`] by the blocking driver.
    pub fn ids_blocking(&self, client: &mut postgres::Client, values: &[Value<'_>]) -> Result<Vec<i32>, Error> {
        match self {
            Self::Prepared(statement) => Ok(firsts(&client.query(statement, &plain(values))?)),
            Self::Unnamed(sql) => Ok(firsts(&client.query_typed(sql, &typed(values))?)),
            Self::Simple(sql) => Ok(first_texts(&client.simple_query(&filled_in(sql, values))?)),
        }
    }
}

fn firsts(rows: &[Row]) -> Vec<i32> {
    rows.iter().map(|row| row.get(0)).collect()
}

/// A column of a row that came as text. What isn't a number is left out: whoever asked for ids counts them.
fn number(message: &SimpleQueryMessage, column: usize) -> Option<i32> {
    match message {
        SimpleQueryMessage::Row(row) => row.get(column)?.parse().ok(),
        _ => None,
    }
}

fn first_texts(messages: &[SimpleQueryMessage]) -> Vec<i32> {
    messages.iter().filter_map(|message| number(message, 0)).collect()
}

fn pairs_of_texts(messages: &[SimpleQueryMessage]) -> Vec<(i32, i32)> {
    messages.iter().filter_map(|message| Some((number(message, 0)?, number(message, 1)?))).collect()
}

/// The text with each `$n` replaced by its value.
fn filled_in(sql: &str, values: &[Value<'_>]) -> String {
    let mut text = String::with_capacity(sql.len() + values.len() * 8);
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let value = after[..digits].parse::<usize>().ok().and_then(|number| values.get(number.checked_sub(1)?));
        match value {
            Some(value) => value.literal(&mut text),
            None => text.push_str(&format!("${}", &after[..digits])), // the server says what is wrong with it
        }
        rest = &after[digits..];
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_where_their_numbers_are() {
        let values = [Value::Int4(7), Value::Text("O'Brien $1"), Value::Numeric(Hundredths(-1_205))];
        assert_eq!(filled_in("VALUES ($2, $1, $3), ($10)", &values), "VALUES ('O''Brien $1', 7, -12.05), ($10)");
        let arrays = [Value::Int4s(&[1, -2]), Value::Numerics(&[Hundredths(5), Hundredths(100)])];
        assert_eq!(filled_in("($1::int4[], $2::numeric[])", &arrays), "('{1,-2}'::int4[], '{0.05,1.00}'::numeric[])");
        assert_eq!(filled_in("SELECT 1", &[]), "SELECT 1");
    }
}
