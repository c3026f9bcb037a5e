//! What a bundle must not tell: of the machine it was made on, and of whoever made it.

use super::unsound;
use anyhow::Result;
use std::io::Read;
use std::path::Path;
use zip::ZipArchive;

/// Where any of these words occurs in a bundle: in a file's contents or in its name, data and images left out, which are
/// nobody's own. Each is what it is and how it is written: `("the host's name", "ada")`. A word counts where no letter or digit
/// stands beside it, so that a short name is not found in others; empty ones are passed over.
pub fn traces(path: &Path, words: &[(&str, &str)]) -> Result<Vec<String>> {
    let file = fs_err::File::open(path)?;
    let mut archive = ZipArchive::new(file).map_err(|error| unsound(path, error))?;
    let mut found = Vec::new();
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).map_err(|error| unsound(path, error))?;
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        for (what, word) in words.iter().filter(|(_, word)| !word.is_empty()) {
            if holds(name.as_bytes(), word.as_bytes()) {
                found.push(format!("{what} is in the name {name}"));
            }
        }
        if name.contains("/data/") || name.ends_with("/images.tar") {
            continue;
        }
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents)?;
        let here = words.iter().filter(|(_, word)| !word.is_empty() && holds(&contents, word.as_bytes()));
        found.extend(here.map(|(what, _)| format!("{what} is in {name}")));
    }
    Ok(found)
}

fn holds(text: &[u8], word: &[u8]) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    memchr::memmem::find_iter(text, word).any(|at| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        let after = text.get(at + word.len());
        let goes_on_before = is_part(word.first()) && is_part(before);
        let goes_on_after = is_part(word.last()) && is_part(after);
        !goes_on_before && !goes_on_after
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_where_it_stands_alone() {
        assert!(holds(b"{\"host\":\"ada\"}", b"ada"));
        assert!(holds(b"/home/ada/lab", b"/home/ada"));
        assert!(!holds(b"adamant, canada", b"ada"));
    }
}
