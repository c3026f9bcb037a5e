//! How much of anything a bundle may hold. Generous: a series of 6,000 runs fits; what lies beyond is no series.

/// Bytes of a file of text: a run's record is some hundred thousand.
pub(super) const DOCUMENT: u64 = 256 << 20;

/// Bytes of the experiment: a person wrote it.
pub(super) const EXPERIMENT: u64 = 1 << 20;

/// Bytes of a data file, or of all images.
pub(super) const LARGE: u64 = 64 << 30;

/// Bytes of the manifest.
pub(super) const MANIFEST: u64 = 16 << 20;

/// Bytes of everything but data and images.
pub(super) const TOGETHER: u64 = 4 << 30;

/// Files.
pub(super) const FILES: usize = 20_000;

/// How many times larger than in the bundle a file may be. Figures and text deflate to a tenth or a twentieth; one that
/// becomes a thousandth holds nothing.
pub(super) const RATIO: u64 = 250;

/// Files up to this size are not asked for their ratio: an empty disk block deflates well, too.
pub(super) const SMALL: u64 = 1 << 20;

/// The same for what the images hold in the large: unused room of a file system may be long runs of zeros.
pub(super) const RATIO_LARGE: u64 = 1_000;
