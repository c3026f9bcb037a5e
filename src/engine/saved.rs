//! The file that an engine saves images into: a tar with the layers, and lists of the images beside them.

use serde_json::Value;
use std::io::{self, Read, Seek, Write};
use std::path::{Component, Path, PathBuf};

/// The lists of images: of every engine, and of those that save as an OCI layout, too.
const LISTS: [&str; 2] = ["manifest.json", "index.json"];

/// The most bytes a list has.
const LONGEST: u64 = 4 << 20;

/// The most bytes of an entry that names another, longer than its own header could: a path has some thousand at most.
const LONGEST_NAME: u64 = 64 << 10;

/// What engines put before the name of an image that is of no registry.
const NOWHERE: &str = "docker.io/library/";

/// The lists in a file, and where each begins. An engine would follow a link to another list, and take other names where
/// there is none: such files are refused.
fn lists(saved: &Path) -> io::Result<Vec<(u64, Vec<u8>)>> {
    short_names(saved)?;
    let mut archive = tar::Archive::new(fs_err::File::open(saved)?);
    let mut lists = Vec::new();
    let mut has_names = false;
    for entry in archive.entries()? {
        let entry = entry?;
        let name: PathBuf = entry.path()?.components().filter(|part| *part != Component::CurDir).collect();
        if name.components().any(|part| !matches!(part, Component::Normal(_))) {
            return Err(not_saved("a name in it leads elsewhere"));
        }
        if !LISTS.iter().any(|list| name == Path::new(list)) {
            continue;
        }
        if !entry.header().entry_type().is_file() {
            return Err(not_saved("its list of images is a link"));
        }
        has_names |= name == Path::new(LISTS[0]);
        let at = entry.raw_file_position();
        let mut text = Vec::new();
        entry.take(LONGEST).read_to_end(&mut text)?;
        lists.push((at, text));
    }
    if has_names { Ok(lists) } else { Err(not_saved("it has no list of images")) }
}

/// Refuses names that are held whole and have no end: they are entries of their own, before the one that they name.
fn short_names(saved: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(fs_err::File::open(saved)?);
    for entry in archive.entries_with_seek()?.raw(true) {
        let header = entry?.header().clone();
        let kind = header.entry_type();
        let names = kind.is_gnu_longname() || kind.is_gnu_longlink() || kind.is_pax_local_extensions();
        if (names || kind.is_pax_global_extensions()) && header.entry_size()? > LONGEST_NAME {
            return Err(not_saved("a name in it is longer than any"));
        }
    }
    Ok(())
}

fn not_saved(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no engine saved this file: {why}"))
}

/// Engines list the images in a file in an order of chance, once in each of these. Put in order where they stand, so
/// that the same images are the same bytes.
pub(super) fn in_order(saved: &Path) -> io::Result<()> {
    let lists = lists(saved)?;
    let mut file = fs_err::File::options().write(true).open(saved)?;
    for (at, text) in lists {
        if let Some(text) = sorted(&text) {
            file.seek(io::SeekFrom::Start(at))?;
            file.write_all(&text)?;
        }
    }
    Ok(())
}

/// A list of images in an order of its own; none where that would take another number of bytes.
fn sorted(text: &[u8]) -> Option<Vec<u8>> {
    let trimmed = text.trim_ascii_end();
    let mut document: Value = serde_json::from_slice(trimmed).ok()?;
    let list = match &mut document {
        Value::Array(list) => list,
        other => other.get_mut("manifests")?.as_array_mut()?,
    };
    list.sort_by_cached_key(ToString::to_string);
    let mut sorted = serde_json::to_vec(&document).ok()?;
    (sorted.len() == trimmed.len()).then(|| {
        sorted.extend_from_slice(&text[trimmed.len()..]);
        sorted
    })
}

/// Every name that loading the file would give an image.
pub(crate) fn names(saved: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for (_, text) in lists(saved)? {
        let list: Value = serde_json::from_slice(&text)?;
        let images = list.as_array().or_else(|| list.get("manifests")?.as_array());
        for image in images.into_iter().flatten() {
            names.extend(
                image["RepoTags"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned),
            );
            names.extend(image["annotations"]["io.containerd.image.name"].as_str().map(str::to_owned));
        }
    }
    Ok(names.into_iter().map(|name| name.strip_prefix(NOWHERE).map_or(name.clone(), str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_images_in_another_order_become_the_same_bytes() {
        let [one, other] = [
            r#"[{"Config":"b","RepoTags":["b:1"]},{"Config":"a"}]"#,
            r#"[{"Config":"a"},{"Config":"b","RepoTags":["b:1"]}]"#,
        ]
        .map(|list| {
            let file = tempfile::NamedTempFile::new().unwrap();
            let mut archive = tar::Builder::new(file.reopen().unwrap());
            for (name, text) in
                [("layer.tar", "[2,1]"), ("manifest.json", list), ("index.json", "{\"manifests\":[2,1]}\n")]
            {
                let mut header = tar::Header::new_gnu();
                header.set_size(text.len() as u64);
                archive.append_data(&mut header, name, text.as_bytes()).unwrap();
            }
            archive.finish().unwrap();
            in_order(file.path()).unwrap();
            fs_err::read(file.path()).unwrap()
        });
        assert_eq!(one, other);
        let text = String::from_utf8_lossy(&one);
        assert!(text.contains(r#"[{"Config":"a"},{"Config":"b","RepoTags":["b:1"]}]"#), "{text}");
        assert!(text.contains("[2,1]") && text.contains("{\"manifests\":[1,2]}\n"), "{text}");
    }

    #[test]
    fn every_name_that_a_file_would_give_is_known() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut archive = tar::Builder::new(file.reopen().unwrap());
        for (name, text) in [
            ("./manifest.json", r#"[{"Config":"a","RepoTags":["ingest-lab-db:x","postgres:17"]},{"RepoTags":null}]"#),
            ("index.json", r#"{"manifests":[{"annotations":{"io.containerd.image.name":"docker.io/library/db:y"}}]}"#),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            archive.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        archive.finish().unwrap();
        assert_eq!(names(file.path()).unwrap(), ["ingest-lab-db:x", "postgres:17", "db:y"]);
    }

    #[test]
    fn a_file_whose_names_cannot_be_known_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut archive = tar::Builder::new(file.reopen().unwrap());
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        archive.append_link(&mut link, "manifest.json", "other.json").unwrap();
        archive.finish().unwrap();
        assert!(names(file.path()).unwrap_err().to_string().contains("its list of images is a link"));
        let empty = tempfile::NamedTempFile::new().unwrap();
        tar::Builder::new(empty.reopen().unwrap()).finish().unwrap();
        assert!(names(empty.path()).unwrap_err().to_string().contains("it has no list of images"));
    }
}
