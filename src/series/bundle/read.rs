//! Opening a bundle: everything is checked before anything is believed, and nothing is written outside a temporary
//! folder of its own.

use super::manifest::{Filed, Manifest, document_is_known};
use super::{Hashed, Kind, MANIFEST, limits, seal, unsound};
use crate::model::units;
use crate::series::Folder;
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use zip::read::ZipFile;
use zip::{CompressionMethod, ZipArchive};

/// The bits of a mode that say what a file is; and those of a plain one.
const TYPE: u32 = 0o170_000;
const PLAIN: u32 = 0o100_000;

/// A bundle that was found sound, its documents unpacked.
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    file: File,
    manifest: Manifest,
    checksum: String,
    folder: Folder,
    /// Removes what was unpacked.
    _scratch: TempDir,
}

impl Bundle {
    /// Checks a bundle and unpacks what the series consists of. Data and images stay where they are.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = fs_err::File::open(path).map(|file| file.into_parts().0).map_err(|error| {
            Failure::new(
                Exit::Usage,
                format!("the bundle cannot be opened ({error}): name a file that `lab bundle` made"),
            )
        })?;
        if !file.metadata().is_ok_and(|found| found.is_file()) {
            return Err(unsound(path, "is no file"));
        }
        let checksum = seal::check(&mut file).map_err(|broken| unsound(path, broken))?;
        let mut archive = archive(&file).map_err(|wrong| unsound(path, wrong))?;
        let manifest = manifest(&mut archive).map_err(|wrong| unsound(path, wrong))?;
        entries(&mut archive, &manifest).map_err(|wrong| unsound(path, wrong))?;
        let scratch = tempfile::tempdir().context("make a folder to unpack the bundle in")?;
        let place = scratch.path().join(&manifest.series);
        fs_err::create_dir(&place).context("make a folder to unpack the bundle in")?;
        for filed in manifest.files.iter().filter(|filed| filed.kind().is_some_and(|kind| !kind.is_large())) {
            unpack(&mut archive, &manifest.series, filed, Some(&place)).map_err(|wrong| unsound(path, wrong))?;
            schema(&place, filed).map_err(|wrong| unsound(path, wrong))?;
        }
        let folder = Folder { path: place, name: manifest.series.clone() };
        Ok(Self { path: path.into(), file, manifest, checksum, folder, _scratch: scratch })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SHA-256 of the file, as `sha256sum` prints it.
    pub fn checksum(&self) -> &str {
        &self.checksum
    }

    /// What it holds.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The series, unpacked: there for as long as this is.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// A document of it; none where it has none of that name.
    pub fn text(&self, name: &str) -> Result<Option<String>> {
        let found = self.manifest.file(name).filter(|filed| filed.kind().is_some_and(|kind| !kind.is_large()));
        found.map(|_| fs_err::read_to_string(self.folder.path().join(name)).context("read the bundle")).transpose()
    }

    /// Compares data and images with their checksums: what [`Bundle::open`] left out.
    pub fn check_large(&self) -> Result<()> {
        self.large(None, |filed| filed.kind().is_some_and(Kind::is_large)).map(drop)
    }

    /// Unpacks the data files, or the images, into a folder. Returns where each is.
    pub fn unpack_large(&self, kind: Kind, to: &Path) -> Result<Vec<PathBuf>> {
        room(to, self.manifest.of(kind).map(|filed| filed.bytes).sum())?;
        if kind == Kind::Data {
            fs_err::create_dir_all(to.join("data")).context("make a folder for the bundle's data")?;
        }
        self.large(Some(to), |filed| filed.is(kind))
    }

    fn large(&self, to: Option<&Path>, wanted: impl Fn(&Filed) -> bool) -> Result<Vec<PathBuf>> {
        let mut archive = archive(&self.file).map_err(|wrong| unsound(&self.path, wrong))?;
        let mut places = Vec::new();
        for filed in self.manifest.files.iter().filter(|filed| wanted(filed)) {
            unpack(&mut archive, &self.manifest.series, filed, to).map_err(|wrong| unsound(&self.path, wrong))?;
            places.extend(to.map(|to| to.join(&filed.name)));
        }
        Ok(places)
    }
}

/// Whether so many bytes have room there, before the first of them is written. Where the file system doesn't say, writing
/// will.
pub(super) fn room(place: &Path, bytes: u64) -> Result<()> {
    let Ok(found) = nix::sys::statvfs::statvfs(place) else { return Ok(()) };
    let free = found.blocks_available().saturating_mul(found.fragment_size());
    if bytes <= free {
        return Ok(());
    }
    let [bytes, free] = [bytes, free].map(units::bytes);
    let message = format!(
        "what the bundle holds takes {bytes} when unpacked, and {} has {free} left: make room, or set TMPDIR to a folder \
         that has it",
        place.display()
    );
    Err(Failure::new(Exit::Failure, message).into())
}

/// Whether an archive that was just written would be opened again, as far as that hangs on sizes and names.
pub(super) fn readable(file: &File) -> Result<(), String> {
    let mut archive = archive(file)?;
    let manifest = manifest(&mut archive)?;
    entries(&mut archive, &manifest)
}

/// What a library says of a file that it cannot read.
#[expect(clippy::needless_pass_by_value, reason = "what map_err gives")]
fn not_an_archive(error: zip::result::ZipError) -> String {
    format!("is no archive that a lab wrote ({error})")
}

/// The archive, if it is plainly built: nothing before it, nothing twice, nothing that two entries share.
fn archive(file: &File) -> Result<ZipArchive<File>, String> {
    let file = file.try_clone().map_err(|error| format!("cannot be read ({error})"))?;
    let mut archive = ZipArchive::new(file).map_err(not_an_archive)?;
    if archive.has_duplicate_names() {
        return Err("holds two files of one name".into());
    }
    // One more than in the manifest's list: itself.
    if archive.len() > limits::FILES + 1 {
        return Err(format!("holds {} files, more than any series has", archive.len()));
    }
    if archive.offset() != 0 {
        return Err("holds something before its first file".into());
    }
    archive.validate_header_consistency().map_err(not_an_archive)?;
    match archive.has_overlapping_entries() {
        Ok(false) => Ok(archive),
        Ok(true) => Err("holds files that share their bytes".into()),
        Err(error) => Err(not_an_archive(error)),
    }
}

/// Finds and reads the manifest: the one file of that name, one folder deep.
fn manifest(archive: &mut ZipArchive<File>) -> Result<Manifest, String> {
    let is_manifest = |name: &[u8]| {
        let name = std::str::from_utf8(name).ok();
        name.and_then(|name| name.split_once('/')).is_some_and(|(_, rest)| rest == MANIFEST)
    };
    let found: Vec<usize> =
        archive.file_names_raw().enumerate().filter(|(_, name)| is_manifest(name)).map(|(at, _)| at).collect();
    let [at] = found[..] else {
        return Err("holds no manifest.json of one series: `lab bundle` writes one".into());
    };
    let entry = archive.by_index(at).map_err(not_an_archive)?;
    plain(&entry, MANIFEST, limits::MANIFEST)?;
    let folder = String::from_utf8_lossy(entry.name_raw()).trim_end_matches(&format!("/{MANIFEST}")).to_owned();
    let declared = entry.size();
    let mut text = Vec::new();
    entry
        .take(declared + 1)
        .read_to_end(&mut text)
        .map_err(|error| format!("{MANIFEST} cannot be unpacked ({error})"))?;
    if text.len() as u64 != declared {
        return Err(format!("{MANIFEST} is not as long as it is said to be"));
    }
    let manifest = Manifest::parse(&text)?;
    if manifest.series != folder {
        return Err(format!("holds the folder {folder:?}, and its manifest is of {:?}", manifest.series));
    }
    Ok(manifest)
}

/// Whether the archive holds exactly what the manifest lists.
fn entries(archive: &mut ZipArchive<File>, manifest: &Manifest) -> Result<(), String> {
    for at in 0..archive.len() {
        let entry = archive.by_index_raw(at).map_err(not_an_archive)?;
        let whole = std::str::from_utf8(entry.name_raw()).map_err(|_| "holds a name that is no text".to_owned())?;
        let name = whole.strip_prefix(&manifest.series).and_then(|rest| rest.strip_prefix('/'));
        let filed = name.and_then(|name| manifest.file(name));
        match (name, filed) {
            (Some(MANIFEST), _) => {}
            (_, None) => return Err(format!("holds {whole:?}, which its manifest does not list")),
            (_, Some(filed)) => {
                let limit = filed.kind().map_or(0, Kind::limit);
                plain(&entry, &filed.name, limit)?;
                if entry.size() != filed.bytes {
                    let (has, said) = (entry.size(), filed.bytes);
                    return Err(format!("{} has {has} bytes, its manifest says {said}", filed.name));
                }
            }
        }
    }
    let is_there = |filed: &Filed| archive.index_for_name(&format!("{}/{}", manifest.series, filed.name)).is_some();
    match manifest.files.iter().find(|filed| !is_there(filed)) {
        Some(missing) => Err(format!("lacks {}, which its manifest lists", missing.name)),
        None => Ok(()),
    }
}

/// Whether an entry is a plain file of a size that can be meant.
fn plain<R: Read>(entry: &ZipFile<'_, R>, name: &str, limit: u64) -> Result<(), String> {
    if entry.encrypted() {
        return Err(format!("{name} is encrypted: a bundle is not"));
    }
    let is_plain = entry.unix_mode().is_none_or(|mode| mode & TYPE == PLAIN || mode & TYPE == 0);
    if !is_plain || entry.is_dir() || entry.is_symlink() {
        return Err(format!("{name} is a link or a folder: a bundle holds plain files only"));
    }
    if !matches!(entry.compression(), CompressionMethod::Deflated | CompressionMethod::Stored) {
        return Err(format!("{name} is packed in a way that no lab packs"));
    }
    if entry.size() > limit {
        return Err(format!("{name} has {} bytes, more than such a file has", entry.size()));
    }
    let ratio = Kind::of(name).map_or(limits::RATIO, Kind::ratio);
    if entry.size() > limits::SMALL && entry.size() / ratio > entry.compressed_size() {
        return Err(format!("{name} would grow more than {ratio} times when unpacked: it holds nothing"));
    }
    Ok(())
}

/// Reads one file to its end, compares it with the manifest, and writes it below `to` if asked.
fn unpack(archive: &mut ZipArchive<File>, series: &str, filed: &Filed, to: Option<&Path>) -> Result<(), String> {
    let name = &filed.name;
    let entry = archive.by_name(&format!("{series}/{name}")).map_err(not_an_archive)?;
    let mut into = to.map(|to| File::create_new(to.join(name))).transpose().map_err(cannot_unpack(name))?;
    let mut hashed = Hashed::default();
    // One byte more than declared is enough to see that there is more.
    let mut contents = entry.take(filed.bytes + 1);
    let mut piece = vec![0; 128 * 1024];
    loop {
        let count = contents.read(&mut piece).map_err(|error| format!("{name} is damaged ({error})"))?;
        if count == 0 {
            break;
        }
        hashed.write_all(&piece[..count]).map_err(cannot_unpack(name))?;
        if let Some(file) = &mut into {
            file.write_all(&piece[..count]).map_err(cannot_unpack(name))?;
        }
    }
    if hashed.bytes != filed.bytes {
        return Err(format!("{name} is not as long as its manifest says"));
    }
    if hashed.hex() != filed.sha256 {
        return Err(format!("{name} is not what its manifest says: the SHA-256 is another"));
    }
    Ok(())
}

fn cannot_unpack(name: &str) -> impl Fn(std::io::Error) -> String {
    move |error| format!("{name} could not be unpacked ({error}): make room for temporary files")
}

/// Whether this lab knows the schema of a document that was unpacked.
fn schema(place: &Path, filed: &Filed) -> Result<(), String> {
    let has_one = matches!(filed.kind(), Some(Kind::Setup | Kind::Run)) || filed.name == "report.json";
    if !has_one {
        return Ok(());
    }
    let text = fs_err::read(place.join(&filed.name)).map_err(|error| format!("cannot be read back ({error})"))?;
    document_is_known(&text).map_err(|wrong| format!("{} {wrong}", filed.name))
}
