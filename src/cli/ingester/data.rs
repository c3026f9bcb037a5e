//! The verbs that fill a data folder: `generate`, `geo-from`, `fetch`.

use crate::census::fetch::{BUREAU_URL, DEFAULT_TIMEOUT, FetchProgress, FetchSpec, Fetched, fetch};
use crate::census::generate::{GenerateSpec, generate};
use crate::census::geo_from::geo_from;
use crate::census::{Part, SEGMENTS};
use crate::model::units::{bytes, count};
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;

/// A segment's number, 1 to 39.
fn segment(text: &str) -> Result<u8, String> {
    text.parse()
        .ok()
        .filter(|number| (1..=SEGMENTS).contains(number))
        .ok_or_else(|| format!("segments are 01 to {SEGMENTS}"))
}

#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    /// A number: same seed, same bytes, on every machine
    #[arg(long, value_name = "NUMBER", default_value_t = GenerateSpec::default().seed)]
    seed: u64,
    /// Geographic records in the header file, 1 to 9999999
    #[arg(long, value_name = "RECORDS", default_value_t = GenerateSpec::default().geo_records)]
    geo_records: u32,
    /// Segments to write, 01 to 39, separated by commas
    #[arg(long = "segment", value_name = "NN", value_delimiter = ',', default_values = ["01"], value_parser = segment)]
    segments: Vec<u8>,
    /// Lines in each segment, at most as many as geographic records
    #[arg(long, value_name = "LINES", default_value_t = GenerateSpec::default().lines)]
    lines: u32,
    /// Folder to write to; made if it isn't there
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct GeoFromArgs {
    /// A segment's archive, for instance data/ny00001_uf1.zip
    segment: PathBuf,
    /// Where to write the header file [default: beside the segment]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct FetchArgs {
    /// A state's two letters or name: ny, "New York"
    state: String,
    /// Segments to fetch, 01 to 39, separated by commas
    #[arg(long = "segment", value_name = "NN", value_delimiter = ',', value_parser = segment, required_unless_present = "geo")]
    segments: Vec<u8>,
    /// Fetch only the geographic header (it always comes along with a segment)
    #[arg(long)]
    geo: bool,
    /// Folder to write to; made if it isn't there
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// A mirror of the Bureau's folder of states
    #[arg(long, value_name = "URL", default_value = BUREAU_URL)]
    base_url: String,
}

pub(super) fn generate_files(args: GenerateArgs) -> Result<Exit> {
    fs_err::create_dir_all(&args.data)?;
    let spec = GenerateSpec {
        seed: args.seed,
        geo_records: args.geo_records,
        segments: args.segments,
        lines: args.lines,
        ..GenerateSpec::default()
    };
    let written = generate(&spec, &args.data).map_err(|error| Failure::new(Exit::Data, error.to_string()))?;
    for file in written {
        println!("{}: {} records, {} of text", file.path.display(), count(file.records), bytes(file.text_bytes));
    }
    Ok(Exit::Ok)
}

pub(super) fn derive_header(args: &GeoFromArgs) -> Result<Exit> {
    let file =
        geo_from(&args.segment, args.out.as_deref()).map_err(|error| Failure::new(Exit::Data, error.to_string()))?;
    println!("{}: {} records derived from {}", file.path.display(), count(file.records), args.segment.display());
    Ok(Exit::Ok)
}

pub(super) fn fetch_files(args: FetchArgs) -> Result<Exit> {
    fs_err::create_dir_all(&args.data)?;
    let parts = std::iter::once(Part::Geo).chain(args.segments.into_iter().map(Part::Segment)).collect();
    let spec =
        FetchSpec { state: args.state, parts, base_url: args.base_url, dir: args.data, timeout: DEFAULT_TIMEOUT };
    let mut shown: Option<(String, ProgressBar)> = None;
    let fetched = fetch(&spec, &mut |progress| show(&mut shown, &progress));
    if let Some((_, bar)) = shown {
        bar.finish_and_clear();
    }
    let fetched = fetched.map_err(|error| Failure::new(Exit::Data, error.to_string())).context("fetch Census files")?;
    for file in fetched {
        let how = match file.how {
            Fetched::AlreadyThere => "already there, checksum right".to_owned(),
            Fetched::Downloaded { resumed_from: 0 } => "fetched".to_owned(),
            Fetched::Downloaded { resumed_from } => format!("fetched, resumed at {}", bytes(resumed_from)),
        };
        println!("{}: {how}, {}, sha256 {}", file.path.display(), bytes(file.bytes), file.sha256);
    }
    Ok(Exit::Ok)
}

/// One bar a file; indicatif shows none where standard error is no terminal.
fn show(shown: &mut Option<(String, ProgressBar)>, progress: &FetchProgress<'_>) {
    let current = shown.as_ref().is_some_and(|(file, _)| file == progress.file);
    if !current {
        eprintln!("fetching {}", progress.file);
        let style = ProgressStyle::with_template("{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left");
        let bar = ProgressBar::new(progress.total.unwrap_or(0))
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        *shown = Some((progress.file.to_owned(), bar));
    }
    if let Some((_, bar)) = shown {
        bar.set_position(progress.done);
    }
}
