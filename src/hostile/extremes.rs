//! Numbers that no run has: a record that a stranger made up may say anything that its types allow, and is reported.

use crate::analysis::{Across, Series};
use crate::report::testing::quick_of;
use crate::report::{Compared, Report, Screen, Source};
use crate::wire::record::RunRecord;
use crate::wire::testing;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The names that numbers have in a document, wherever they stand.
fn names(document: &Value, of: Option<&str>, found: &mut BTreeSet<String>) {
    match document {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| names(value, Some(name), found)),
        Value::Array(values) => values.iter().for_each(|value| names(value, of, found)),
        Value::Number(_) => found.extend(of.map(str::to_owned)),
        _ => {}
    }
}

/// Every number of a name replaced.
fn replace(document: &mut Value, of: Option<&str>, name: &str, by: &Value) {
    match document {
        Value::Object(fields) => fields.iter_mut().for_each(|(of, value)| replace(value, Some(of), name, by)),
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, of, name, by)),
        Value::Number(_) if of == Some(name) => *document = by.clone(),
        _ => {}
    }
}

fn told(records: &[RunRecord]) -> usize {
    let (series, question, path) = ("x", "Which?", "results/x");
    let report = Report::of(Source { series, experiment: "quick", question, records, path });
    let setup = testing::setup();
    let [one, other] = [Series::of("a", &setup, records), Series::of("b", &setup, records)];
    let across =
        Across::of(&one, &other).map_or(0, |across| Compared::of(&[across], None).terminal(Screen::PLAIN).len());
    report.terminal(Screen::PLAIN).len() + report.html().len() + report.json().len() + across
}

#[test]
fn a_record_of_impossible_numbers_is_reported_like_any_other() {
    let records = quick_of(1);
    let document = serde_json::to_value(&records[2]).unwrap();
    let mut found = BTreeSet::new();
    names(&document, None, &mut found);
    assert!(found.len() > 50, "{found:?}");
    let mut read = 0;
    for name in &found {
        for by in [json!(0), json!(-1e300), json!(1e308), json!(u64::MAX), json!(u32::MAX)] {
            let mut spoilt = document.clone();
            replace(&mut spoilt, None, name, &by);
            let Ok(record) = serde_json::from_value::<RunRecord>(spoilt) else { continue };
            let mut all = records.clone();
            all[2] = record;
            read += 1;
            assert!(told(&all) > 1_000, "{name} as {by}");
        }
    }
    assert!(read > found.len(), "{read}");
}
