//! Archives made by hand, each wrong in one way.

use super::*;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const SERIES: &str = "2026-11-20-test";

/// The manifest of these files, all small.
fn manifest(files: &[(&str, &[u8])]) -> Manifest {
    let mut filed: Vec<Filed> = files
        .iter()
        .map(|(name, contents)| {
            let hashed = Hashed::of(&mut &contents[..]).unwrap();
            Filed { name: (*name).into(), bytes: hashed.bytes, sha256: hashed.hex() }
        })
        .collect();
    filed.sort_by(|a, b| a.name.cmp(&b.name));
    Manifest {
        schema: SCHEMA,
        program: "ingest-lab test".into(),
        revision: String::new(),
        series: SERIES.into(),
        experiment: "test".into(),
        planned: 1,
        ended: 1,
        images: Vec::new(),
        files: filed,
    }
}

/// The least that a bundle holds.
const FILES: [(&str, &[u8]); 3] = [
    ("experiment.toml", b"question = \"Which?\"\n"),
    ("run-001.json", b"{ \"schema\": 1 }\n"),
    ("setup.json", b"{ \"schema\": 1 }\n"),
];

/// A folder that holds one archive and nothing else, and an archive in it that is being written by hand.
struct Hand {
    folder: tempfile::TempDir,
    archive: ZipWriter<std::fs::File>,
}

impl Hand {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file =
            std::fs::File::options().read(true).write(true).create_new(true).open(folder.path().join("hand.zip"));
        let archive = ZipWriter::new(file.unwrap());
        Self { folder, archive }
    }

    fn add(mut self, name: &str, contents: &[u8]) -> Self {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        self.archive.start_file(name, options).unwrap();
        self.archive.write_all(contents).unwrap();
        self
    }

    /// The least that a bundle holds, and this manifest.
    fn series(self, manifest: &Manifest) -> Self {
        let text = serde_json::to_vec(manifest).unwrap();
        let all =
            FILES.into_iter().fold(self, |hand, (name, contents)| hand.add(&format!("{SERIES}/{name}"), contents));
        all.add(&format!("{SERIES}/manifest.json"), &text)
    }

    /// Sealed: opening it gets past the checksum.
    fn seal(mut self) -> (tempfile::TempDir, PathBuf) {
        self.archive.set_raw_comment(seal::placeholder()).unwrap();
        let mut file = self.archive.finish().unwrap();
        seal::put(&mut file).unwrap();
        let path = self.folder.path().join("hand.zip");
        (self.folder, path)
    }

    /// Why it is refused. Nothing but the archive is in its folder afterwards, nor beside it.
    fn refusal(self) -> String {
        let (folder, path) = self.seal();
        let said = refused(&path);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was written there");
        said
    }
}

fn refused(path: &Path) -> String {
    let error = Bundle::open(path).expect_err("it is refused");
    assert_eq!(Failure::exit_of(&error), Exit::Bundle, "{error:#}");
    error.to_string().replace(&format!("{}: ", path.display()), "")
}

/// Changes bytes of a sealed archive, and seals it again: every place where `from` stands.
fn changed(path: &Path, from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let mut bytes = std::fs::read(path).unwrap();
    let places: Vec<usize> = memchr::memmem::find_iter(&bytes, from).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    std::fs::write(path, bytes).unwrap();
    reseal(path);
}

fn reseal(path: &Path) {
    let mut file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    seal::put(&mut file).unwrap();
}

#[test]
fn what_is_made_by_hand_and_right_opens() {
    let (_folder, path) = Hand::new().series(&manifest(&FILES)).seal();
    let bundle = Bundle::open(&path).unwrap();
    assert_eq!(bundle.folder().name(), SERIES);
    assert_eq!(bundle.text("experiment.toml").unwrap().as_deref(), Some("question = \"Which?\"\n"));
    assert_eq!(bundle.text("manifest.json").unwrap(), None, "only files of the series are handed out");
    let mut whole = Hashed::default();
    whole.write_all(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(bundle.checksum(), whole.hex(), "as sha256sum prints it");
    let unpacked = bundle.folder().path().to_owned();
    assert!(unpacked.is_dir());
    drop(bundle);
    assert!(!unpacked.exists(), "what was unpacked goes with it");
}

#[test]
fn a_bundle_that_is_cut_short_or_longer_or_something_else_is_refused() {
    let (folder, path) = Hand::new().series(&manifest(&FILES)).seal();
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 1, 50, 93, whole.len() / 2, whole.len() - 71, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let said = refused(&path);
        assert!(said.starts_with("is no bundle, or not all of one"), "{length} bytes: {said}");
    }
    std::fs::write(&path, [&whole[..], b"\n"].concat()).unwrap();
    refused(&path);
    std::fs::write(&path, [b"#!/bin/sh\n", &whole[..]].concat()).unwrap();
    assert!(refused(&path).starts_with("was changed after it was made"));
    reseal(&path);
    assert!(refused(&path).starts_with("holds something before its first file"), "{}", refused(&path));
    assert!(refused(folder.path()).contains("is no file"));
    let missing = Bundle::open(&folder.path().join("no.zip")).unwrap_err();
    assert_eq!(Failure::exit_of(&missing), Exit::Usage);
}

#[test]
fn an_archive_without_the_manifest_of_one_series_is_refused() {
    let said = Hand::new().add("experiment.toml", b"").refusal();
    assert!(said.starts_with("holds no manifest.json of one series"), "{said}");
    let said = Hand::new().series(&manifest(&FILES)).add("other/manifest.json", b"{}").refusal();
    assert!(said.starts_with("holds no manifest.json of one series"), "{said}");
    let mut elsewhere = manifest(&FILES);
    elsewhere.series = "2026-11-21-test".into();
    let said = Hand::new().series(&elsewhere).refusal();
    assert!(said.contains("its manifest is of \"2026-11-21-test\""), "{said}");
}

#[test]
fn schemas_that_this_lab_does_not_know_are_refused_with_the_remedy() {
    let of = |schema: u32| {
        let mut other = manifest(&FILES);
        other.schema = schema;
        Hand::new().series(&other).refusal()
    };
    assert_eq!(of(2), "manifest.json has schema 2, this lab knows up to 1: update the lab");
    assert_eq!(of(0), "manifest.json has schema 0, which no lab has ever written");
    let run = |text: &'static [u8]| {
        let files = [FILES[0], ("run-001.json", text), FILES[2]];
        let hand = [FILES[0], ("run-001.json", text), FILES[2]]
            .into_iter()
            .fold(Hand::new(), |hand, (name, contents)| hand.add(&format!("{SERIES}/{name}"), contents));
        hand.add(&format!("{SERIES}/manifest.json"), &serde_json::to_vec(&manifest(&files)).unwrap()).refusal()
    };
    assert_eq!(run(b"{ \"schema\": 7 }"), "run-001.json has schema 7, this lab knows up to 1: update the lab");
    assert!(run(b"{}").starts_with("run-001.json says no schema"));
    let newer = String::from_utf8(serde_json::to_vec(&manifest(&FILES)).unwrap()).unwrap();
    let newer = newer.replace("\"schema\":1,", "\"schema\":2,\"compressed_with\":\"zstd\",");
    let said = Hand::new().add(&format!("{SERIES}/manifest.json"), newer.as_bytes()).refusal();
    assert!(said.ends_with("update the lab"), "what is new in it is not complained about: {said}");
}

#[test]
fn names_that_lead_elsewhere_are_refused_in_the_archive_and_in_the_manifest() {
    for name in
        ["../evil.json", "/etc/evil", "2026-11-20-test/../evil", "2026-11-20-test\\evil", "2026-11-20-test/notes.txt"]
    {
        let said = Hand::new().series(&manifest(&FILES)).add(name, b"evil").refusal();
        assert!(said.ends_with("which its manifest does not list"), "{name}: {said}");
    }
    for name in ["../evil.json", "/etc/evil", "data/../../evil", "data\\evil", "run-001.json/evil", "notes.txt", ""] {
        let mut other = manifest(&[FILES[0], FILES[1], FILES[2], (name, b"evil")]);
        let said = Hand::new().series(&other).add(&format!("{SERIES}/{name}"), b"evil").refusal();
        assert!(said.ends_with("which is no file of a series"), "{name}: {said}");
        other.files.retain(|filed| filed.name != name);
        other.series = "../evil".into();
        let said = Hand::new().series(&other).refusal();
        assert!(said.ends_with("could not be a file's"), "{said}");
    }
}

#[test]
fn links_folders_and_encrypted_files_are_refused() {
    let mut hand = Hand::new();
    hand.archive.add_symlink(format!("{SERIES}/setup.json"), "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let text = serde_json::to_vec(&manifest(&FILES)).unwrap();
    let hand = hand.add(&format!("{SERIES}/manifest.json"), &text);
    let said = FILES[..2]
        .iter()
        .fold(hand, |hand, (name, contents)| hand.add(&format!("{SERIES}/{name}"), contents))
        .refusal();
    assert_eq!(said, "setup.json is a link or a folder: a bundle holds plain files only");
    let mut hand = Hand::new().series(&manifest(&FILES));
    hand.archive.add_directory(format!("{SERIES}/data"), SimpleFileOptions::default()).unwrap();
    assert!(hand.refusal().ends_with("which its manifest does not list"));
    // The flag of an encrypted file, in both of its headers (signature, versions, flags).
    let (_folder, path) = Hand::new().series(&manifest(&FILES)).seal();
    changed(&path, b"PK\x03\x04\x14\x00\x00\x00", b"PK\x03\x04\x14\x00\x01\x00");
    refused(&path);
}

#[test]
fn a_file_twice_too_many_or_missing_is_refused() {
    let (_folder, path) = Hand::new().series(&manifest(&FILES)).add(&format!("{SERIES}/setup.jsan"), b"{}").seal();
    changed(&path, b"setup.jsan", b"setup.json");
    assert_eq!(refused(&path), "holds two files of one name");
    let said = Hand::new().series(&manifest(&FILES)).add(&format!("{SERIES}/forecast-001.json"), b"{}").refusal();
    assert_eq!(said, "holds \"2026-11-20-test/forecast-001.json\", which its manifest does not list");
    let more = manifest(&[FILES[0], FILES[1], FILES[2], ("forecast-001.json", b"{}")]);
    let said = Hand::new().series(&more).refusal();
    assert_eq!(said, "lacks forecast-001.json, which its manifest lists");
    let mut twice = manifest(&FILES);
    twice.files.insert(1, twice.files[0].clone());
    assert!(Hand::new().series(&twice).refusal().starts_with("its manifest names a file twice"));
    let few = manifest(&FILES[..1]);
    assert_eq!(Hand::new().series(&few).refusal(), "it holds no setup.json");
}

#[test]
fn contents_that_are_not_those_of_the_manifest_are_refused() {
    let mut other = manifest(&FILES);
    other.files[0].sha256 = "0".repeat(64);
    assert!(Hand::new().series(&other).refusal().starts_with("experiment.toml is not what its manifest says"));
    let mut longer = manifest(&FILES);
    longer.files[0].bytes += 1;
    assert_eq!(Hand::new().series(&longer).refusal(), "experiment.toml has 20 bytes, its manifest says 21");
}

#[test]
fn absurd_sizes_and_bombs_are_refused_before_they_are_unpacked() {
    let mut huge = manifest(&FILES);
    huge.files[1].bytes = u64::MAX;
    let said = Hand::new().series(&huge).refusal();
    assert!(said.ends_with("more than such a file has"), "{said}");
    let mut many = manifest(&FILES);
    let filed = |number: usize| Filed {
        name: format!("run-{number:06}.events.jsonl"),
        bytes: 200 << 20,
        sha256: String::new(),
    };
    many.files = [vec![many.files[0].clone()], (0..30).map(filed).collect(), many.files[1..].to_vec()].concat();
    assert!(Hand::new().series(&many).refusal().contains("bytes together"));
    many.files = [vec![many.files[0].clone()], (0..30_000).map(filed).collect(), many.files[1..].to_vec()].concat();
    assert!(Hand::new().series(&many).refusal().contains("more than any series has"));
    // 64 MB of zeros in some kilobytes.
    let zeros = vec![0; 64 << 20];
    let bomb = manifest(&[FILES[0], FILES[1], FILES[2], ("tree.diff", &zeros)]);
    let said = Hand::new().series(&bomb).add(&format!("{SERIES}/tree.diff"), &zeros).refusal();
    assert_eq!(said, "tree.diff would grow more than 250 times when unpacked: it holds nothing");
}

#[test]
fn data_and_images_may_grow_far_less_and_count_together() {
    let zeros = vec![0; 8 << 20];
    for (name, ratio) in [("data/ny00001_uf1.zip", 20), ("images.tar", 100)] {
        let bomb = manifest(&[FILES[0], FILES[1], FILES[2], (name, &zeros)]);
        let said = Hand::new().series(&bomb).add(&format!("{SERIES}/{name}"), &zeros).refusal();
        assert_eq!(said, format!("{name} would grow more than {ratio} times when unpacked: it holds nothing"));
    }
    let mut many = manifest(&FILES);
    let filed =
        |number: usize| Filed { name: format!("data/ny{number:05}_uf1.zip"), bytes: 33 << 30, sha256: String::new() };
    many.files.extend((0..2).map(filed));
    many.files.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(Hand::new().series(&many).refusal().contains("its data and images are said to have"));
    let folder = tempfile::tempdir().unwrap();
    assert!(read::room(folder.path(), 1).is_ok());
    let error = read::room(folder.path(), u64::MAX).unwrap_err();
    assert!(error.to_string().contains("make room, or set TMPDIR"), "{error}");
}

#[test]
fn the_data_of_a_manifest_has_the_checksum_that_setups_name() {
    assert_eq!(manifest(&FILES).data_checksum(), None);
    let files: [(&str, &[u8]); 2] = [("data/ny00001_uf1.zip", b"segment"), ("data/nygeo_uf1.zip", b"header")];
    let hashed = files.map(|(name, contents)| {
        let name = name.trim_start_matches("data/");
        format!("{name}\n{}\n", Hashed::of(&mut &contents[..]).unwrap().hex())
    });
    let together = Hashed::of(&mut hashed.concat().as_bytes()).unwrap().hex();
    assert_eq!(manifest(&files).data_checksum(), Some(together));
}

#[test]
fn a_size_that_both_headers_lie_about_stops_at_what_was_said() {
    // Its headers and its manifest say 20 bytes, and it unpacks to a thousand times as many.
    let long: Vec<u8> = FILES[0].1.iter().copied().cycle().take(20_000).collect();
    let text = serde_json::to_vec(&manifest(&FILES)).unwrap();
    let hand = Hand::new().add(&format!("{SERIES}/experiment.toml"), &long);
    let hand = FILES[1..].iter().fold(hand, |hand, (name, contents)| hand.add(&format!("{SERIES}/{name}"), contents));
    let (folder, path) = hand.add(&format!("{SERIES}/manifest.json"), &text).seal();
    changed(&path, &20_000_u32.to_le_bytes(), &20_u32.to_le_bytes());
    let said = refused(&path);
    assert!(said.contains("experiment.toml"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("test.zip");
    let entry = |name: &str| Entry { name: name.into(), contents: Contents::Bytes(b"{ \"schema\": 1 }".to_vec()) };
    let error = write(&to, manifest(&[]), vec![entry("setup.json"), entry("../run-001.json")]).unwrap_err();
    assert_eq!(Failure::exit_of(&error), Exit::Bundle);
    assert!(!to.exists());
    let least = || vec![entry("setup.json"), entry("run-001.json"), entry("experiment.toml")];
    let zeros = Entry { name: "data/ny00001_uf1.zip".into(), contents: Contents::Bytes(vec![0; 8 << 20]) };
    let error = write(&to, manifest(&[]), least().into_iter().chain([zeros]).collect()).unwrap_err();
    assert!(error.to_string().contains("would grow more than 20 times"), "{error}");
    assert!(!to.exists());
    let written = write(&to, manifest(&[]), least()).unwrap();
    let mut file = std::fs::File::open(&to).unwrap();
    assert_eq!((written.files, written.bytes), (3, file.seek(SeekFrom::End(0)).unwrap()));
    assert_eq!(Bundle::open(&to).unwrap().checksum(), written.checksum);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
}
