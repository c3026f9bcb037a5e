//! The link profiles that an experiment can name: those that come with the program, and a user's own.

use crate::model::link::LinkProfile;
use crate::model::profiles::{FILE, Profiles};

/// All of them.
pub(super) fn profiles() -> Result<Profiles, String> {
    match fs_err::read_to_string(FILE) {
        Ok(text) => Profiles::shipped().with(&text).map_err(|error| format!("{FILE}: {error}")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Profiles::shipped()),
        Err(error) => Err(format!("the link profiles cannot be read: {error}")),
    }
}

/// The profile that a cell's word or settings mean.
pub(super) fn find(wanted: &str) -> Result<LinkProfile, String> {
    profiles()?.find(wanted)
}
