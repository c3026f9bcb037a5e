//! Real files from the Bureau's server, with resume and a checksum kept beside each.

use super::download::Download;
pub use super::download::{FetchProgress, Fetched, FetchedFile};
pub use super::fetch_error::FetchError;
use super::field::Field;
use super::names::{Part, SourceName};
use super::states::State;
use std::path::PathBuf;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// Where the Bureau keeps SF1: a folder for each state.
pub const BUREAU_URL: &str = "https://www2.census.gov/census_2000/datasets/Summary_File_1/";

/// How long a server may take to be found, to accept, and to say something.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// The Bureau's server redirects once at most.
const MAX_REDIRECTS: u32 = 5;

/// What to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchSpec {
    /// A state's two letters or name.
    pub state: String,
    /// Which of its files.
    pub parts: Vec<Part>,
    /// The folder of the states' folders; [`BUREAU_URL`] unless there is a mirror.
    pub base_url: String,
    /// The directory to put them in, which has to exist.
    pub dir: PathBuf,
    /// How long to wait for a connection, for an answer, and for each further piece.
    pub timeout: Duration,
}

/// Fetches the parts one after the other, telling `progress` about each piece. Parts that are there
/// are checked, not fetched again. A proxy and the system's certificates are honoured
/// (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`).
///
/// # Errors
/// A [`FetchError`] about the first part that failed; the ones before it are complete.
pub fn fetch(spec: &FetchSpec, progress: &mut dyn FnMut(FetchProgress<'_>)) -> Result<Vec<FetchedFile>, FetchError> {
    let unknown = || FetchError::UnknownState(spec.state.clone());
    let state = State::find(&spec.state).ok_or_else(unknown)?;
    let letters = Field::new(state.letters.as_bytes()).ok_or_else(unknown)?;
    let agent = agent(spec);
    let fetch_part = |part: &Part| {
        let name = SourceName { state: letters, part: *part };
        let url = format!("{}/{}/{}", spec.base_url.trim_end_matches('/'), state.folder, name.archive());
        Download { agent: &agent, url, name, target: spec.dir.join(name.archive()) }.run(progress)
    };
    spec.parts.iter().map(fetch_part).collect()
}

fn agent(spec: &FetchSpec) -> Agent {
    let host = spec.base_url.split_once("://").map_or("", |(_, rest)| rest);
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .https_only(spec.base_url.starts_with("https://"))
        .max_redirects(MAX_REDIRECTS)
        .timeout_resolve(Some(spec.timeout))
        .timeout_connect(Some(spec.timeout))
        .timeout_recv_response(Some(spec.timeout))
        .timeout_per_read(Some(spec.timeout))
        .user_agent(concat!("ingest-lab/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build());
    if ["localhost", "127.", "[::1]"].iter().any(|this_host| host.starts_with(this_host)) {
        // A proxy elsewhere cannot reach this host's own server.
        config = config.proxy(None);
    }
    config.build().new_agent()
}
