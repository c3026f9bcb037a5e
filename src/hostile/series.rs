//! A series somebody passed on: as the files of a folder, as a bundle, and the images in one.

use super::sentence;
use crate::engine;
use crate::lab;
use crate::series::Folder;
use crate::series::bundle::{self, Bundle, Contents, Entry, Kind, Manifest};
use std::path::Path;

/// What a line begins with that says which file follows.
const FILE: &[u8] = b"=== ";

/// The series' name.
const NAME: &str = "2026-11-20-fuzz";

/// Files of a series, each behind a line `=== NAME`: read from its folder and reported in every form, compared with
/// itself, bundled, and verified.
pub fn series(bytes: &[u8]) {
    let files = files(bytes);
    let place = tempfile::tempdir().expect("there is room for small files");
    let results = place.path().join("results");
    let names = [NAME.to_owned(), format!("{NAME}-2")];
    for name in &names {
        let folder = results.join(name);
        std::fs::create_dir_all(&folder).expect("there is room for a folder");
        for (name, contents) in &files {
            std::fs::write(folder.join(name), contents).expect("there is room for small files");
        }
    }
    match Folder::open(&results, NAME).and_then(|folder| lab::every_form(&folder)) {
        // The first is for a terminal.
        Ok(forms) => assert!(!forms[0].contains('\x1b'), "a report that a terminal obeys: {:?}", forms[0]),
        Err(error) => sentence(&error),
    }
    if let Err(error) = lab::side_by_side(&results, &names) {
        sentence(&error);
    }
    bundled(&place.path().join("fuzz.zip"), &files);
}

/// The files by their names: those that a series can have, each once.
fn files(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let named = line.strip_prefix(FILE).map(|name| String::from_utf8_lossy(name).trim_end().to_owned());
        match (named, files.last_mut()) {
            (Some(name), _) => files.push((name, Vec::new())),
            (None, Some((_, contents))) => contents.extend_from_slice(line),
            (None, None) => {}
        }
    }
    files.retain(|(name, _)| Kind::of(name).is_some_and(|kind| !kind.is_large()));
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    files.dedup_by(|(a, _), (b, _)| a == b);
    files
}

/// The same as a bundle whose seal and checksums are right: what is left to find is in the documents.
fn bundled(path: &Path, files: &[(String, Vec<u8>)]) {
    let entry = |(name, contents): &(String, Vec<u8>)| Entry {
        name: name.clone(),
        contents: Contents::Bytes(contents.clone()),
    };
    let manifest = Manifest {
        schema: bundle::SCHEMA,
        program: "a stranger's lab".into(),
        revision: String::new(),
        series: NAME.into(),
        experiment: "fuzz".into(),
        planned: 1,
        ended: 1,
        images: Vec::new(),
        files: Vec::new(),
    };
    match bundle::write(path, manifest, files.iter().map(entry).collect()) {
        Ok(_) => verified(path),
        Err(error) => sentence(&error),
    }
}

fn verified(path: &Path) {
    match Bundle::open(path).and_then(|bundle| lab::verified(&bundle)) {
        Ok(lines) => assert!(!lines.iter().any(|line| line.contains('\x1b')), "{lines:?}"),
        Err(error) => sentence(&error),
    }
}

/// A bundle's bytes, sealed anew: archive, manifest and what follows are all a stranger's.
pub fn bundle(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("there is room for a small file");
    let path = folder.path().join("fuzz.zip");
    std::fs::write(&path, bytes).expect("there is room for a small file");
    verified(&path);
    if bundle::seal_anew(&path).is_ok() {
        verified(&path);
    }
}

/// The file of images that a bundle may hold: what is read of it before the engine loads it.
pub fn images(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("there is room for a small file");
    let path = folder.path().join("images.tar");
    std::fs::write(&path, bytes).expect("there is room for a small file");
    if let Err(error) = engine::names_in(&path) {
        sentence(&error);
    }
}
