//! One claim for each kind of bad archive: a clear error that names the file, and nothing taken from
//! it for good.

use super::testing::{directory, line, zip};
use super::{ArchiveError, GeoReader, Line, SegmentReader};
use std::fs;
use std::path::Path;

const NAME: &str = "ny00001_uf1.zip";

/// Reads an archive of segment 1 to its end.
fn read(path: &Path) -> Result<u64, ArchiveError> {
    let mut reader = SegmentReader::open(path, 1)?;
    let mut record = Line::default();
    let mut records = 0;
    while reader.next_record(&mut record)?.is_some() {
        records += 1;
    }
    Ok(records)
}

fn member(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = directory();
    let path = zip(dir.path(), NAME, &[("ny00001.uf1", text.as_bytes())]);
    (dir, path)
}

/// The error's text, which has to name the file.
fn refused(path: &Path) -> String {
    let message = read(path).unwrap_err().to_string();
    assert!(message.starts_with(&path.display().to_string()), "{message}");
    message[path.display().to_string().len()..].to_owned()
}

fn many_lines() -> String {
    (1..=3000).map(|n| line(n, &(n % 97).to_string())).collect()
}

/// Replaces the first occurrence of `from` at or after `start`.
fn patch(bytes: &mut [u8], start: usize, from: &[u8], to: &[u8]) {
    let at = start + bytes[start..].windows(from.len()).position(|w| w == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
}

/// Where the archive's directory, which the reader trusts, begins.
fn directory_start(bytes: &[u8]) -> usize {
    bytes.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap()
}

#[test]
fn a_good_archive_is_read_whole() {
    assert_eq!(read(&member(&many_lines()).1).unwrap(), 3000);
    assert_eq!(read(&member("").1).unwrap(), 0);
}

#[test]
fn a_last_line_without_an_end_counts() {
    let text = line(1, "1") + line(2, "2").trim_end();
    assert_eq!(read(&member(&text).1).unwrap(), 2);
}

#[test]
fn windows_line_ends_are_accepted() {
    let (_dir, path) = member(&many_lines().replace('\n', "\r\n"));
    assert_eq!(read(&path).unwrap(), 3000);
}

#[test]
fn a_missing_file_is_named() {
    assert!(refused(Path::new("/nowhere/ny00001_uf1.zip")).starts_with(": cannot be read"));
}

#[test]
fn a_file_that_is_no_zip_is_refused() {
    let dir = directory();
    let path = dir.path().join(NAME);
    for content in ["", "404 Not Found", &line(1, "1")] {
        fs::write(&path, content).unwrap();
        assert!(refused(&path).starts_with(": not a complete zip file"));
    }
    assert!(refused(dir.path()).contains("cannot be read") || refused(dir.path()).contains("zip file"));
}

#[test]
fn a_truncated_zip_is_refused_wherever_it_is_cut() {
    let (_dir, path) = member(&many_lines());
    let whole = fs::read(&path).unwrap();
    for keep in [1, 30, whole.len() / 2, directory_start(&whole), whole.len() - 1] {
        fs::write(&path, &whole[..keep]).unwrap();
        assert!(refused(&path).starts_with(": not a complete zip file"), "{keep} bytes");
    }
}

#[test]
fn a_zip_with_no_or_several_members_is_refused() {
    let dir = directory();
    assert!(refused(&zip(dir.path(), NAME, &[])).starts_with(": the archive is empty"));
    let two: &[(&str, &[u8])] = &[("ny00001.uf1", b""), ("ny00002.uf1", b"")];
    assert!(refused(&zip(dir.path(), NAME, two)).starts_with(": 2 members where"));
}

#[test]
fn a_wrong_member_is_refused() {
    let dir = directory();
    for wrong in ["ny00002.uf1", "nygeo.uf1", "nj00001.uf1", "readme.txt", "../ny00001.uf1"] {
        let message = refused(&zip(dir.path(), NAME, &[(wrong, b"")]));
        assert!(message.starts_with(&format!(": holds {wrong:?}, expected ny00001.uf1")), "{message}");
    }
    let renamed = zip(dir.path(), "other.zip", &[("nj00002.uf1", b"")]);
    assert!(refused(&renamed).contains("expected a state's two letters and 00001.uf1"));
}

#[test]
fn the_bureaus_upper_case_and_additions_are_accepted() {
    let dir = directory();
    let text = line(1, "1");
    for name in ["NY00001.UF1", "ny00001.truncated.uf1"] {
        assert_eq!(read(&zip(dir.path(), "NY00001_UF1.ZIP", &[(name, text.as_bytes())])).unwrap(), 1);
    }
}

#[test]
fn a_member_that_lies_about_its_size_is_refused() {
    let text = many_lines();
    for (claim, found) in [
        (text.len() as u32 - 1, "has at least"),
        (text.len() as u32 + 1, "has "),
        (1, "has at least"),
        (16 << 20, "has "),
    ] {
        let (_dir, path) = member(&text);
        let mut bytes = fs::read(&path).unwrap();
        let start = directory_start(&bytes);
        patch(&mut bytes, start, &(text.len() as u32).to_le_bytes(), &claim.to_le_bytes());
        fs::write(&path, bytes).unwrap();
        let message = refused(&path);
        assert!(message.starts_with(&format!(": its member declares {claim} bytes but {found}")), "{message}");
    }
}

#[test]
fn a_member_of_damaged_data_is_refused() {
    let (_dir, path) = member(&many_lines());
    let whole = fs::read(&path).unwrap();
    let start = directory_start(&whole);
    let mut wrong_checksum = whole.clone();
    wrong_checksum[start + 16] ^= 1;
    fs::write(&path, wrong_checksum).unwrap();
    assert!(refused(&path).contains("its checksum does not match"));
    let mut wrong_data = whole.clone();
    for byte in &mut wrong_data[start / 2..start / 2 + 64] {
        *byte ^= 0x55;
    }
    fs::write(&path, wrong_data).unwrap();
    refused(&path);
    let mut short_data = whole;
    let compressed = u32::from_le_bytes(short_data[start + 20..start + 24].try_into().unwrap());
    short_data[start + 20..start + 24].copy_from_slice(&(compressed - 9).to_le_bytes());
    fs::write(&path, short_data).unwrap();
    assert!(refused(&path).contains("damaged: it is cut short"), "{}", refused(&path));
}

#[test]
fn a_line_without_end_is_refused_before_it_fills_the_memory() {
    let endless = line(1, "1") + &"0,".repeat(2_000_000);
    assert!(refused(&member(&endless).1).starts_with(": line 2: longer than 16384 bytes"));
}

#[test]
fn a_member_that_would_grow_beyond_all_measure_is_refused_before_it_is_inflated() {
    let text = many_lines();
    let (_dir, path) = member(&text);
    let mut bytes = fs::read(&path).unwrap();
    let start = directory_start(&bytes);
    patch(&mut bytes, start, &(text.len() as u32).to_le_bytes(), &(u32::MAX - 1).to_le_bytes());
    fs::write(&path, bytes).unwrap();
    assert!(
        refused(&path).starts_with(": its member would grow more than 250 times, to 4294967294 bytes: it holds no")
    );
}

#[test]
fn a_bad_line_is_named_with_file_and_number() {
    let short = "uSF1,NY,000,01,0000002,1,2\n".to_owned();
    for (second, expected) in [
        (short, ": line 2: 2 items, but the dictionary has 222"),
        (line(2, "1").replace('\n', ",7\n"), ": line 2: 223 items, but the dictionary has 222"),
        (line(2, "ä"), ": line 2: item 1 is not ASCII: \"ä\""),
        (line(2, "many"), ": line 2: item 1 is not a number with at most two decimals: \"many\""),
        (line(2, ""), ": line 2: item 1 is empty"),
        ("\n".to_owned(), ": line 2: FILEID is \"\", not 1 to 6 ASCII characters"),
        (line(2, "1").replace(",01,", ",02,"), ": line 2: CIFSN is \"02\", not 01"),
        (line(2, "1").replace("NY", "NJ"), ": line 2: STUSAB is \"NJ\", not NY"),
    ] {
        assert_eq!(refused(&member(&(line(1, "1") + &second)).1), expected);
    }
}

#[test]
fn a_bad_geographic_record_is_named_with_file_and_number() {
    let dir = directory();
    let path = zip(dir.path(), "nygeo_uf1.zip", &[("nygeo.uf1", b"uSF1  NY\n")]);
    let message = GeoReader::open(&path).unwrap().next_record().unwrap_err().to_string();
    assert!(message.ends_with("line 1: 8 characters, but a geographic record has 400"), "{message}");
    let segment = zip(dir.path(), NAME, &[("ny00001.uf1", b"")]);
    assert!(matches!(GeoReader::open(&segment), Err(ArchiveError::WrongMember { .. })));
}
