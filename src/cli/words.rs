//! The command line's value lists, taken from the model's enums.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::str::FromStr;

/// A parser for one of the model's words, which lists them with their summaries.
pub fn word<T>(all: &'static [T], summary: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: FromStr + Copy + Into<&'static str> + Send + Sync + 'static,
{
    let values = all.iter().map(|word| {
        let name: &'static str = (*word).into();
        PossibleValue::new(name).help(summary(*word))
    });
    PossibleValuesParser::new(values.collect::<Vec<_>>())
        .map(|text| T::from_str(&text).unwrap_or_else(|_| unreachable!("clap accepts listed words only")))
}
