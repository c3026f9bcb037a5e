//! What the link's agent is asked to set.

use super::support::{Case, case};

/// A profile as JSON.
const GOOD: &str = r#"{"name":"x","queued":false,"up":{"delay":"10ms","rate":"unlimited"},"down":{"delay":"10ms","rate":"unlimited"}}"#;

/// The profile with something replaced, and the sentence about it.
const EDITED: &[(&str, &str, &str)] = &[
    ("\"10ms\"", "10", "the profile's JSON: invalid type: integer `10`, expected a string"),
    ("\"10ms\"", "\"-10ms\"", "the profile's JSON: -10ms is negative"),
    ("\"unlimited\"", "\"1bit\"", "1bit is not between 1kbit and 100gbit"),
    (
        "\"10ms\"",
        "\"10ms\",\"jitter\":{\"width\":\"11ms\",\"distribution\":\"uniform\",\"ordered\":true}",
        "a uniform jitter of 11ms is more than the direction's delay of 10ms: lower it",
    ),
    ("\"name\":\"x\",", "", "missing field `name`"),
    (GOOD, "{", "the profile's JSON: EOF while parsing an object"),
    (GOOD, "", "there is no link profile"),
];

pub fn cases() -> Vec<Case> {
    let set = |(from, to, says): &(&str, &str, &'static str)| {
        let text = GOOD.replacen(from, to, 1);
        case(format!("a profile with {to}"), "link set -", 2, says).stdin(text)
    };
    let mut cases: Vec<Case> = EDITED.iter().map(set).collect();
    cases.extend([
        case("a profile that goes on", "link set -", 2, "EOF while parsing a string")
            .stdin(GOOD.replace("\"x\"", &format!("\"{}\"", "x".repeat(200_000)))),
        case("a name that is none", "link set marz", 2, "there is no link profile marz"),
        case("a bare number", "link set rtt=20", 2, "20 has no unit: write 20ms"),
        case("a setting that is none", "link set rtd=20ms", 2, "\"rtd\" is not a setting: did you mean rtt?"),
        case("a state that is none", "link status --state s.json", 7, "s.json is no state of an agent")
            .file("s.json", "\u{1b}[2J"),
    ]);
    cases
}
