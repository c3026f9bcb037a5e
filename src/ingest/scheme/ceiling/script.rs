//! What pgbench is told: a script that is one line's statements, run once a line. A script has neither lists nor files,
//! so the values of its line come from the database: a table that was filled before the clock ([`TABLE`]), a row a line,
//! one request more than the line's own two hundred. The script's first pass inserts nothing:
//!
//! ```text
//! first pass   everything is prepared ─ wait for the lock that the ingester holds ─►
//! every other  the line's row of the table ─ [BEGIN] ─ SELECT ─ SELECT ─ INSERT ─ INSERT ─ … ─ [COMMIT]
//! ```

use super::lines::Lines;
use crate::ingest::census::{INSERT_ELEMENT, SELECT_GEO, SELECT_KEYS};
use crate::model::{Commit, Protocol};
use std::fmt::Write as _;

/// Where the lines wait. Whoever empties it stops pgbench at each client's next line.
pub(super) use crate::db::REPLAY as TABLE;

/// Held by the ingester until the clock starts; "replay" in ASCII.
pub(super) const LOCK: i64 = 0x72_65_70_6c_61_79;

/// Values of a row of the table: as many as the longest of these lines has.
fn width(lines: &Lines) -> usize {
    lines.keys.values().map(Vec::len).max().unwrap_or(0)
}

/// Makes the table anew. It is as good as in memory: it never reaches the WAL.
pub(super) fn create(lines: &Lines) -> String {
    let mut columns =
        String::from("n integer PRIMARY KEY, segment integer, logrecno integer, fileid text, stusab text");
    for item in 1..=width(lines) {
        let _ = write!(columns, ", v{item} text");
    }
    format!("DROP TABLE IF EXISTS {TABLE}; CREATE UNLOGGED TABLE {TABLE} ({columns})")
}

/// The script for these lines.
pub(super) fn script(protocol: Protocol, commit: Commit, lines: &Lines) -> String {
    let mut script = String::from("\\if :warm\n");
    // What a pipeline holds is prepared where it begins, taken or not: this way nothing is executed.
    let prepares = protocol == Protocol::Prepared;
    if prepares {
        script.push_str("\\startpipeline\n");
    }
    script.push_str("\\elif :n < :lines\n");
    line(&mut script, commit, lines);
    script.push_str("\\set n :n + :pool\n\\endif\n\\if :warm\n");
    if prepares {
        script.push_str("\\endpipeline\n");
    }
    let _ = write!(script, "SELECT pg_advisory_xact_lock_shared({LOCK});\n\\set warm 0\n\\set n :client_id\n\\endif\n");
    script
}

fn line(script: &mut String, commit: Commit, lines: &Lines) {
    script.push_str("SELECT segment, logrecno, fileid, stusab");
    for item in 1..=width(lines) {
        let _ = write!(script, ", v{item}");
    }
    let _ = writeln!(script, " FROM {TABLE} WHERE n = :n \\gset");
    if commit == Commit::Record {
        script.push_str("BEGIN;\n");
    }
    let place = SELECT_GEO.replace("$1", ":fileid").replace("$2", ":logrecno").replace("$3", ":stusab");
    let _ = writeln!(script, "{place} \\gset geo_\n{};", SELECT_KEYS.replace("$1", ":segment"));
    for (number, (segment, keys)) in lines.keys.iter().enumerate() {
        if lines.keys.len() > 1 {
            let word = if number == 0 { "if" } else { "elif" };
            let _ = writeln!(script, "\\{word} :segment = {segment}");
        }
        for item in 1..=keys.len() {
            let row = INSERT_ELEMENT.replace("$1", ":geo_id").replace("$2", &format!(":i{segment}_{item}"));
            let _ = writeln!(script, "{};", row.replace("$3", &format!(":v{item}")));
        }
    }
    if lines.keys.len() > 1 {
        script.push_str("\\endif\n");
    }
    if commit == Commit::Record {
        script.push_str("COMMIT;\n");
    }
}

/// What the script's variables are at first.
pub(super) fn variables(pool: usize, lines: &Lines) -> Vec<String> {
    let mut variables = vec!["warm=1".into(), "n=0".into(), format!("pool={pool}"), format!("lines={}", lines.count())];
    for (segment, keys) in &lines.keys {
        variables.extend(keys.iter().zip(1..).map(|(key, item)| format!("i{segment}_{item}={key}")));
    }
    variables
}

/// How a text is kept in the table: `simple` writes what is there into the statement.
pub(super) fn text(protocol: Protocol, text: &str) -> String {
    let text = if protocol == Protocol::Simple { format!("'{}'", text.replace('\'', "''")) } else { text.to_owned() };
    text.replace('\\', "\\\\") // as COPY has it
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(segments: &[u8]) -> Lines {
        Lines {
            segments: segments.to_vec(),
            keys: segments.iter().map(|segment| (*segment, vec![i32::from(*segment) * 10, 7])).collect(),
        }
    }

    #[test]
    fn a_line_is_its_two_selects_and_an_insert_an_item() {
        let script = script(Protocol::Prepared, Commit::Record, &lines(&[1]));
        let [_, taken] = script.split("\\elif :n < :lines\n").collect::<Vec<_>>()[..] else { panic!("{script}") };
        let words: Vec<&str> = taken.lines().map(|line| line.split(' ').next().unwrap()).collect();
        let expected = ["SELECT", "BEGIN;", "SELECT", "SELECT", "INSERT", "INSERT", "COMMIT;", "\\set", "\\endif"];
        assert_eq!(words[..expected.len()], expected);
        assert!(taken.contains("VALUES (:geo_id, :i1_2, :v2);\n"), "{taken}");
    }

    #[test]
    fn what_is_prepared_lies_in_a_pipeline_that_nothing_is_sent_in() {
        let prepared = script(Protocol::Prepared, Commit::Auto, &lines(&[1]));
        let (begin, end) = (prepared.find("\\startpipeline"), prepared.find("\\endpipeline"));
        let insert = prepared.find("INSERT");
        assert!(begin < insert && insert < end, "{prepared}");
        for protocol in [Protocol::Unnamed, Protocol::Simple] {
            assert!(!script(protocol, Commit::Auto, &lines(&[1])).contains("pipeline"), "{protocol}");
        }
    }

    #[test]
    fn lines_of_several_segments_choose_their_inserts() {
        let script = script(Protocol::Prepared, Commit::Auto, &lines(&[1, 12]));
        assert!(script.contains("\\if :segment = 1\n") && script.contains("\\elif :segment = 12\n"), "{script}");
        assert_eq!(
            variables(3, &lines(&[1, 12]))[2..],
            ["pool=3", "lines=2", "i1_1=10", "i1_2=7", "i12_1=120", "i12_2=7"]
        );
    }

    #[test]
    fn texts_that_are_written_into_a_statement_are_quoted() {
        assert_eq!(text(Protocol::Prepared, "uSF1"), "uSF1");
        assert_eq!(text(Protocol::Simple, "u'F1"), "'u''F1'");
    }
}
