//! Files that are read whole, up to a length: what is longer is no such file, whoever wrote it, and is not held.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

/// All bytes of a file that has `most` at most.
pub fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs_err::File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_long(path.display(), most));
    }
    Ok(bytes)
}

/// The text of a file that has `most` bytes at most.
pub fn text(path: &Path, most: u64) -> io::Result<String> {
    let no_text = |_| io::Error::new(io::ErrorKind::InvalidData, format!("{} is not UTF-8 text", path.display()));
    String::from_utf8(bytes(path, most)?).map_err(no_text)
}

/// The error about what is longer.
pub fn too_long(what: impl fmt::Display, most: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("{what} has more than {most} bytes, the most that are read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_length_and_not_a_byte_further() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), "12345").unwrap();
        assert_eq!(text(file.path(), 5).unwrap(), "12345");
        let error = text(file.path(), 4).unwrap_err().to_string();
        assert!(error.ends_with(" has more than 4 bytes, the most that are read"), "{error}");
        // Endless, and of a size that says nothing.
        assert!(bytes(Path::new("/dev/zero"), 1_000).is_err());
        fs_err::write(file.path(), [0xff]).unwrap();
        assert!(text(file.path(), 4).unwrap_err().to_string().ends_with("is not UTF-8 text"));
    }
}
