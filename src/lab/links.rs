//! The link profiles that an experiment can name: those that come with the program, and a user's own.

use super::experiment::LONGEST;
use crate::model::link::LinkProfile;
use crate::model::profiles::{FILE, Profiles};
use crate::wire::bounded;
use std::path::Path;

/// All of them.
pub(super) fn profiles() -> Result<Profiles, String> {
    match bounded::text(Path::new(FILE), LONGEST) {
        Ok(text) => Profiles::shipped().with(&text).map_err(|error| format!("{FILE}: {error}")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Profiles::shipped()),
        Err(error) => Err(format!("the link profiles cannot be read: {error}")),
    }
}

/// The profile that a cell's word or settings mean.
pub(super) fn find(wanted: &str) -> Result<LinkProfile, String> {
    profiles()?.find(wanted)
}
