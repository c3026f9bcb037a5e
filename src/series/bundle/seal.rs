//! The seal: the archive's comment is the SHA-256 of every byte before the comment's text. Whatever changes in the
//! file, in a header as well as in contents, is found before anything of it is believed.

use super::Hashed;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// How the comment begins.
const PREFIX: &str = "sha256:";

/// Bytes of the comment.
const LENGTH: usize = PREFIX.len() + 64;

/// Bytes of the archive's last record before its comment.
const END: usize = 22;

/// How that record begins.
const SIGNATURE: &[u8] = b"PK\x05\x06";

/// Why a file is not believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// There is no seal at its end.
    #[error("is no bundle, or not all of one: copy it once more from where it was made")]
    NoSeal,
    /// Something in it is not as it was sealed.
    #[error("was changed after it was made: the checksum at its end is not that of its bytes; get it once more")]
    Changed,
    /// It cannot be read.
    #[error("cannot be read ({0})")]
    Unreadable(#[from] io::Error),
}

/// A comment as long as the seal, to be written over.
pub(super) fn placeholder() -> Box<[u8]> {
    let mut comment = PREFIX.as_bytes().to_vec();
    comment.resize(LENGTH, b'0');
    comment.into()
}

/// Seals an archive that ends with the placeholder. Returns its size and the SHA-256 of all of it.
pub(super) fn put(file: &mut (impl Read + Write + Seek)) -> io::Result<(u64, String)> {
    let (hashed, _) = hash(file)?;
    let comment = comment_of(&hashed);
    file.seek(SeekFrom::End(-(LENGTH as i64)))?;
    file.write_all(comment.as_bytes())?;
    let mut whole = hashed;
    whole.write_all(comment.as_bytes())?;
    Ok((whole.bytes, whole.hex()))
}

/// Seals a file as it is, as whoever changes a bundle on purpose does.
pub(crate) fn seal_anew(path: &std::path::Path) -> io::Result<()> {
    let mut file = std::fs::File::options().read(true).write(true).open(path)?;
    if file.metadata()?.len() < (END + LENGTH) as u64 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    put(&mut file).map(drop)
}

/// Whether nothing in a sealed file changed: the SHA-256 of all of it.
pub(super) fn check(file: &mut (impl Read + Seek)) -> Result<String, Broken> {
    let length = file.seek(SeekFrom::End(0))?;
    if length < (END + LENGTH) as u64 {
        return Err(Broken::NoSeal);
    }
    let mut end = [0; END];
    file.seek(SeekFrom::End(-((END + LENGTH) as i64)))?;
    file.read_exact(&mut end)?;
    let (hashed, comment) = hash(file)?;
    let is_sealed = comment == comment_of(&hashed).as_bytes();
    let is_an_end = end.starts_with(SIGNATURE) && end[END - 2..] == (LENGTH as u16).to_le_bytes();
    match (is_sealed, is_an_end) {
        (true, true) => {}
        _ if !is_an_end && !comment.starts_with(PREFIX.as_bytes()) => return Err(Broken::NoSeal),
        _ => return Err(Broken::Changed),
    }
    let mut whole = hashed;
    whole.write_all(&comment)?;
    Ok(whole.hex())
}

/// What precedes the comment's text, hashed; and the text.
fn hash(file: &mut (impl Read + Seek)) -> io::Result<(Hashed, Vec<u8>)> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let hashed = Hashed::of(&mut file.by_ref().take(length.saturating_sub(LENGTH as u64)))?;
    let mut comment = Vec::with_capacity(LENGTH);
    file.by_ref().take(LENGTH as u64).read_to_end(&mut comment)?;
    Ok((hashed, comment))
}

fn comment_of(hashed: &Hashed) -> String {
    format!("{PREFIX}{}", hashed.clone().hex())
}
