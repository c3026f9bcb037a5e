//! Bad input: a clear sentence, the right exit code, a prompt end, nothing claimed.

use crate::support::data::{HEADER, ITEMS, SEGMENT, generated, line, line_of, lines, replace_segment, text_of, zip};
use crate::support::{Answer, Database, run, run_with};
use ingest_lab::model::{Reader, Scheme};
use std::fs;
use std::path::Path;

/// Places in the header of the folders that are broken here.
const PLACES: u32 = 40;

/// A folder of good data that `spoil` makes bad: what must be said of it.
struct Case {
    what: &'static str,
    spoil: fn(&Path),
    /// Each has to be said; `|` stands between two of which either will do.
    says: &'static [&'static str],
}

/// Replaces segment 01 by 30 good lines with this one among them, as the 21st.
fn with_line_21(dir: &Path, bad: &str) {
    replace_segment(dir, &(lines(20) + bad + &(22..=30).map(line).collect::<String>()));
}

/// Line 21 with its 7th item replaced.
fn item_7(item: &str) -> String {
    let mut items = ["21"; ITEMS];
    items[6] = item;
    line_of(21, &items)
}

/// Writes a number into the archive's directory, at this distance from the start of its one entry.
fn patch_directory(dir: &Path, offset: usize, value: u32) {
    let path = dir.join(SEGMENT.0);
    let mut bytes = fs::read(&path).unwrap();
    let entry = bytes.windows(4).rposition(|four| four == b"PK\x01\x02").unwrap();
    bytes[entry + offset..entry + offset + 4].copy_from_slice(&value.to_le_bytes());
    fs::write(path, bytes).unwrap();
}

const CASES: &[Case] = &[
    Case {
        what: "a truncated zip",
        spoil: |dir| {
            let path = dir.join(SEGMENT.0);
            let bytes = fs::read(&path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        },
        says: &["ny00001_uf1.zip: not a complete zip file", "get it again"],
    },
    Case {
        what: "no zip at all",
        spoil: |dir| fs::write(dir.join(SEGMENT.0), "<html>404 Not Found</html>").unwrap(),
        says: &["ny00001_uf1.zip: not a complete zip file"],
    },
    Case {
        what: "a truncated header",
        spoil: |dir| {
            let path = dir.join(HEADER.0);
            let bytes = fs::read(&path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 10]).unwrap();
        },
        says: &["nygeo_uf1.zip: not a complete zip file"],
    },
    Case {
        what: "no member",
        spoil: |dir| drop(zip(dir, SEGMENT.0, &[])),
        says: &["ny00001_uf1.zip: the archive is empty"],
    },
    Case {
        what: "several members",
        spoil: |dir| drop(zip(dir, SEGMENT.0, &[(SEGMENT.1, &lines(3)), ("ny00002.uf1", "")])),
        says: &["2 members where an SF1 archive has one: put each in an archive of its own"],
    },
    Case {
        what: "a wrong member",
        spoil: |dir| drop(zip(dir, SEGMENT.0, &[("ny00002.uf1", &lines(3))])),
        says: &["holds \"ny00002.uf1\", expected ny00001.uf1"],
    },
    Case {
        what: "a member that declares too few bytes",
        spoil: |dir| {
            replace_segment(dir, &lines(30));
            patch_directory(dir, 24, 1_000);
        },
        says: &["its member declares 1000 bytes but has at least"],
    },
    Case {
        what: "a member that declares too many bytes",
        spoil: |dir| {
            replace_segment(dir, &lines(30));
            patch_directory(dir, 24, 1_000_000);
        },
        says: &["its member declares 1000000 bytes but has"],
    },
    Case {
        what: "a member with a wrong checksum",
        spoil: |dir| {
            replace_segment(dir, &lines(30));
            patch_directory(dir, 16, 1);
        },
        says: &["its member is damaged: its checksum does not match"],
    },
    Case {
        what: "too few items",
        spoil: |dir| with_line_21(dir, &line_of(21, &["1"; ITEMS - 1])),
        says: &["ny00001_uf1.zip: line 21: 221 items, but the dictionary has 222"],
    },
    Case {
        what: "too many items",
        spoil: |dir| with_line_21(dir, &line_of(21, &["1"; ITEMS + 1])),
        says: &["ny00001_uf1.zip: line 21: 223 items, but the dictionary has 222"],
    },
    Case {
        what: "a non-ASCII item",
        spoil: |dir| with_line_21(dir, &item_7("Ñ")),
        says: &["line 21: item 7 is not ASCII"],
    },
    Case {
        what: "a non-numeric item",
        spoil: |dir| with_line_21(dir, &item_7("many")),
        says: &["line 21: item 7 is not a number with at most two decimals: \"many\""],
    },
    Case { what: "an empty item", spoil: |dir| with_line_21(dir, &item_7("")), says: &["line 21: item 7 is empty"] },
    Case {
        what: "an item the column cannot hold",
        spoil: |dir| with_line_21(dir, &item_7("100000000")),
        says: &["line 21: item 7 is outside ±99,999,999.99"],
    },
    Case {
        what: "a last line that is cut off",
        spoil: |dir| replace_segment(dir, lines(3).trim_end_matches(|last| last != ',')),
        says: &["ny00001_uf1.zip: line 3: item 222 is empty"],
    },
    Case {
        what: "a LOGRECNO without a geographic record",
        spoil: |dir| with_line_21(dir, &line(9_999)),
        says: &["ny00001_uf1.zip: line 21: LOGRECNO 0009999 has no geographic record", "ingester geo-from"],
    },
    Case {
        what: "a geographic record that is there twice",
        spoil: |dir| {
            let text = text_of(&dir.join(HEADER.0));
            let third = text.split_inclusive('\n').nth(2).unwrap().to_owned();
            zip(dir, HEADER.0, &[(HEADER.1, &(text + &third))]);
        },
        says: &[
            // Of the two, whichever reaches the database second.
            "nygeo_uf1.zip: line 41: the geographic record is there twice|nygeo_uf1.zip: line 3: the geographic record is there twice",
            "(uSF1, NY, 000, 01, 3)",
            "each LOGRECNO may occur once",
        ],
    },
    Case {
        what: "a geographic record that is too short",
        spoil: |dir| {
            let text = text_of(&dir.join(HEADER.0));
            zip(dir, HEADER.0, &[(HEADER.1, &(text + "uSF1  NY\n"))]);
        },
        says: &["nygeo_uf1.zip: line 41: 8 characters, but a geographic record has 400"],
    },
    Case {
        what: "lines of another segment",
        spoil: |dir| with_line_21(dir, &line(21).replace(",000,01,", ",000,02,")),
        says: &["line 21: CIFSN is \"02\", not 01"],
    },
    Case {
        what: "another segment under this one's name",
        spoil: |dir| {
            let second = generated(3, 3, &[2]);
            let text = text_of(&second.path().join("ny00002_uf1.zip"));
            replace_segment(dir, &text);
        },
        says: &["ny00001_uf1.zip: line 1: "],
    },
    Case {
        what: "lines of another state",
        spoil: |dir| with_line_21(dir, &line(21).replace(",NY,", ",NJ,")),
        says: &["line 21: STUSAB is \"NJ\", not NY"],
    },
    Case {
        what: "an empty folder",
        spoil: |dir| {
            for file in fs::read_dir(dir).unwrap() {
                fs::remove_file(file.unwrap().path()).unwrap();
            }
        },
        says: &["no Census file there", "`make lab` fills it", "`ingester generate --data", "`ingester fetch STATE"],
    },
    Case {
        what: "no header",
        spoil: |dir| fs::remove_file(dir.join(HEADER.0)).unwrap(),
        says: &["no geographic header nygeo_uf1.zip beside it", "`ingester geo-from"],
    },
    Case {
        what: "no segment",
        spoil: |dir| fs::remove_file(dir.join(SEGMENT.0)).unwrap(),
        says: &["no segment", "ingester generate"],
    },
    Case {
        what: "the same segment twice",
        spoil: |dir| assert!(fs::copy(dir.join(SEGMENT.0), dir.join("NY00001_UF1.ZIP")).unwrap() > 0),
        says: &["are the same part of the same state: keep one"],
    },
];

/// A run that failed with this code, said all of this, and claimed nothing.
fn assert_refused(answer: &Answer, code: u8, says: &[&str], what: &str) {
    let (said, named) = answer.failure().unwrap_or_else(|| panic!("{what} is accepted"));
    assert_eq!((answer.code, named), (Some(i32::from(code)), code), "{what}: {said}");
    for phrase in says {
        assert!(phrase.split('|').any(|either| said.contains(either)), "{what}: {said:?} should say {phrase:?}");
    }
    assert!(!said.contains('\n'), "{what}: one sentence: {said}");
    assert!(!answer.stderr.contains("panicked"), "{what}: {}", answer.stderr);
}

/// Runs every case with one scheme after the other, and one reader kind after the other.
fn every_case_from(first: usize) {
    let database = Database::fresh();
    for (number, case) in CASES.iter().enumerate() {
        let scheme = Scheme::OWN[(number + first) % Scheme::OWN.len()];
        let reader = Reader::ALL[(number / Scheme::OWN.len() + first) % Reader::ALL.len()];
        let statement = if (number + first).is_multiple_of(2) { "row" } else { "executemany" };
        let data = generated(PLACES, PLACES, &[1]);
        (case.spoil)(data.path());
        database.empty();
        let flags = format!("--scheme {scheme} --reader {reader} --statement {statement} --pool 3");
        let what = format!("{} ({flags})", case.what);
        assert_refused(&run_with(&database.url(), data.path(), &flags), 4, case.says, &what);
    }
}

#[test]
fn bad_data_is_refused_with_file_line_and_remedy() {
    every_case_from(0);
}

#[test]
fn bad_data_is_refused_under_other_schemes_and_readers_too() {
    every_case_from(1);
}

#[test]
fn a_bad_record_ends_the_run_under_every_scheme_and_reader() {
    let (database, data) = (Database::fresh(), generated(PLACES, PLACES, &[1]));
    with_line_21(data.path(), &line(9_999));
    for scheme in Scheme::OWN {
        for reader in Reader::ALL {
            for pool in [1, 4] {
                database.empty();
                let flags = format!("--scheme {scheme} --reader {reader} --pool {pool}");
                let answer = run_with(&database.url(), data.path(), &flags);
                assert_refused(&answer, 4, &["ny00001_uf1.zip: line 21: LOGRECNO 0009999"], &flags);
            }
        }
    }
}

#[test]
fn windows_line_ends_are_accepted() {
    let (database, data) = (Database::fresh(), generated(PLACES, PLACES, &[1]));
    let unix = run(&database, data.path(), "--pool 2").acknowledged;
    for (archive, member) in [HEADER, SEGMENT] {
        let text = text_of(&data.path().join(archive)).replace('\n', "\r\n");
        zip(data.path(), archive, &[(member, &text)]);
    }
    for flags in ["--scheme threads", "--scheme processes --reader process"] {
        database.empty();
        assert_eq!(run(&database, data.path(), &format!("{flags} --pool 2")).acknowledged, unix);
    }
}

#[test]
fn a_database_that_is_not_ready_is_refused_with_the_remedy() {
    let data = generated(3, 3, &[39]);
    let (good, bare) = (Database::fresh(), Database::bare());
    let with_password = |password: &str| good.url().replace(good.password(), password);
    let missing = good.url() + "_nowhere";
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("postgresql://ingest:secret@127.0.0.1:{}/ingest", listener.local_addr().unwrap().port())
    };
    for (what, url, says) in [
        ("nobody listens", gone, ["is not reachable", "check that it runs"]),
        ("a wrong password", with_password("wrong"), ["refuses the user or password", "check the URL's user:password"]),
        ("no such database", missing, ["does not exist", "create it, or correct the URL"]),
        (
            "no tables",
            bare.url(),
            [
                "lacks the table data_element, dictionary_item, matrix, geo_record, progress",
                "run `ingester rebuild` first",
            ],
        ),
    ] {
        assert_refused(&run_with(&url, data.path(), "--pool 2"), 5, &says, what);
    }
    good.change("DELETE FROM dictionary_item WHERE id = 8113");
    let answer = run_with(&good.url(), data.path(), "--pool 2");
    assert_refused(
        &answer,
        5,
        &["the dictionary holds 8112 items, not 8113", "run `ingester rebuild`"],
        "a dictionary that lacks an item",
    );
}

#[test]
fn tables_that_hold_rows_are_refused() {
    let (database, data) = (Database::fresh(), generated(3, 3, &[39]));
    run(&database, data.path(), "--pool 2");
    let before = database.elements();
    let answer = run_with(&database.url(), data.path(), "--pool 2");
    assert_refused(&answer, 5, &["geo_record already holds rows", "run `ingester rebuild`"], "a second run");
    let answer = run_with(&database.url(), data.path(), "--pool 2 --phases data");
    assert_refused(&answer, 5, &["data_element already holds rows"], "a second data phase");
    assert_eq!(database.elements(), before);
}

#[test]
fn a_failed_run_prints_no_table() {
    let (database, data) = (Database::fresh(), generated(PLACES, PLACES, &[1]));
    with_line_21(data.path(), &line(9_999));
    let told = crate::support::ingester()
        .args(["run", "--pool", "2", "--dburl", &database.url(), "--data"])
        .arg(data.path())
        .assert()
        .code(4);
    assert!(told.get_output().stdout.is_empty());
    let stderr = String::from_utf8_lossy(&told.get_output().stderr);
    assert!(stderr.lines().last().unwrap().starts_with("ingester: ny00001_uf1.zip: line 21: LOGRECNO"), "{stderr}");
    assert!(!stderr.contains("verified"), "{stderr}");
}

#[test]
fn a_wrong_command_line_is_refused() {
    for flags in ["--scheme fibres", "--pool many", "--statement scan", "--commit never", "--segment 40"] {
        crate::support::ingester().args(["run", "--dburl", "postgresql://x"]).args(flags.split(' ')).assert().code(2);
    }
    crate::support::ingester().arg("run").assert().code(2);
    crate::support::ingester().assert().code(2);
}
