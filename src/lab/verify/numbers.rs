//! Two documents, number by number.

use serde_json::Value;

/// How far two numbers may lie apart, as a part of them: logarithms of another machine's library end differently.
const TOLERANCE: f64 = 1e-9;

/// How much of a text is shown, characters.
const SHOWN: usize = 60;

/// What came of comparing two documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// Numbers that both have at the same place.
    pub numbers: usize,
    /// Where they differ, a phrase each.
    pub apart: Vec<String>,
}

/// Compares two documents.
pub(super) fn compare(then: &Value, now: &Value) -> Compared {
    let mut compared = Compared::default();
    walk(then, now, "", &mut compared);
    compared
}

fn walk(then: &Value, now: &Value, place: &str, compared: &mut Compared) {
    match (then, now) {
        (Value::Object(a), Value::Object(b)) => {
            for (name, was) in a {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                walk(was, b.get(name).unwrap_or(&Value::Null), &place, compared);
            }
            let new = b.iter().filter(|(name, is)| !a.contains_key(*name) && !is.is_null());
            compared.apart.extend(new.map(|(name, _)| format!("{place}.{name} is missing")));
        }
        (Value::Array(a), Value::Array(b)) => {
            if a.len() != b.len() {
                compared.apart.push(format!("{place} has {} entries, anew {}", a.len(), b.len()));
            }
            for (at, (was, is)) in a.iter().zip(b).enumerate() {
                walk(was, is, &format!("{place}[{at}]"), compared);
            }
        }
        (Value::Number(a), Value::Number(b)) => {
            compared.numbers += 1;
            let is_same = a == b || (a.is_f64() || b.is_f64()) && are_close(a.as_f64(), b.as_f64());
            if !is_same {
                compared.apart.push(format!("{place} is {a}, anew {b}"));
            }
        }
        (was, is) if was != is => compared.apart.push(format!("{place} is {}, anew {}", shown(was), shown(is))),
        _ => {}
    }
}

fn are_close(a: Option<f64>, b: Option<f64>) -> bool {
    a.zip(b).is_some_and(|(a, b)| (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()))
}

/// As JSON, which shows no character as anything else than it is.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > SHOWN { text.chars().take(SHOWN).chain(['…']).collect() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_compared_where_they_stand_and_the_last_digit_may_differ() {
        let then = json!({ "a": [1, 2.5, "x"], "b": { "c": 1.000_000_000_000_1 }, "d": null });
        assert_eq!(compare(&then, &then).numbers, 3);
        let close = json!({ "a": [1, 2.5, "x"], "b": { "c": 1.0 } });
        assert_eq!(compare(&then, &close).apart, Vec::<String>::new());
        let other = json!({ "a": [2, 2.5, "y", 1], "b": { "c": 1.01 }, "e": 1 });
        let apart = compare(&then, &other).apart;
        assert_eq!(apart[0], "a has 3 entries, anew 4");
        assert_eq!(apart[1], "a[0] is 1, anew 2");
        assert_eq!(apart[2], "a[2] is \"x\", anew \"y\"");
        assert!(apart[3].starts_with("b.c is 1.0000000000001, anew 1.01"), "{apart:?}");
        assert_eq!((apart[4].as_str(), apart.len()), (".e is missing", 5));
    }
}
