//! How much of anything a bundle may hold. Generous: a series of 6,000 runs fits; what lies beyond is no series.

/// Bytes of what is read piece by piece: what an ingester said in a day has some 200 MB. And of a difference of sources.
pub(in crate::series) const DOCUMENT: u64 = 256 << 20;

/// Bytes of a record, a setup or a forecast, which are read whole: a run's record has some hundred thousand, one with
/// every item and the looks of an hour some million.
pub(in crate::series) const RECORD: u64 = 32 << 20;

/// Bytes of a report, which is read whole: one of some thousand runs has a few million.
pub(in crate::series) const REPORT: u64 = 64 << 20;

/// Bytes of the experiment: a person wrote it.
pub(in crate::series) const EXPERIMENT: u64 = 1 << 20;

/// Bytes of a data file, or of all images.
pub(in crate::series) const LARGE: u64 = 64 << 30;

/// Bytes of the manifest.
pub(in crate::series) const MANIFEST: u64 = 16 << 20;

/// Bytes of everything but data and images.
pub(in crate::series) const TOGETHER: u64 = 4 << 30;

/// Bytes of data and images together: all of SF1 has some ten gigabytes, images have a few.
pub(in crate::series) const TOGETHER_LARGE: u64 = 64 << 30;

/// Files.
pub(in crate::series) const FILES: usize = 20_000;

/// How many times larger than in the bundle a file may be. Figures and text deflate to a tenth or a twentieth; one that
/// becomes a thousandth holds nothing.
pub(in crate::series) const RATIO: u64 = 250;

/// Files up to this size are not asked for their ratio: an empty disk block deflates well, too.
pub(in crate::series) const SMALL: u64 = 1 << 20;

/// The same of a data file: an archive, which is packed already. One whose members are not packed grows to ten times.
pub(in crate::series) const RATIO_DATA: u64 = 20;

/// The same of the images: programs deflate to a third, runs of zeros between them to nothing.
pub(in crate::series) const RATIO_IMAGES: u64 = 100;
