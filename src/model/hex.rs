//! Digests as they are written down and compared.

use sha2::{Digest, Sha256};

/// Two digits a byte, in small letters, as `sha256sum` prints.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What stands behind the last @ of an image's name in a registry: without who keeps it, and under which account.
pub fn digest_of(name: &str) -> &str {
    name.rsplit_once('@').map_or(name, |(_, digest)| digest)
}

/// One SHA-256 of files that belong together, from each one's name and its own.
pub fn digest_of_files(files: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>) -> String {
    let mut all = Sha256::new();
    for (name, digest) in files {
        all.update(format!("{}\n{}\n", name.as_ref(), digest.as_ref()));
    }
    hex(&all.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_does_not_tell_whose_registry_it_came_from() {
        assert_eq!(digest_of("registry.example.org:5000/ada/ingest-lab-db@sha256:d1"), "sha256:d1");
        assert_eq!(digest_of("sha256:d1"), "sha256:d1");
    }

    #[test]
    fn a_byte_has_two_digits() {
        assert_eq!(hex(&[0, 10, 255]), "000aff");
    }
}
