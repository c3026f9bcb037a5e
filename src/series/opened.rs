//! A series from wherever it is: its folder, or a bundle that somebody passed on.

use super::bundle::{Bundle, is_bundle};
use super::{Folder, RESULTS};
use anyhow::Result;
use std::ops::Deref;
use std::path::Path;

/// A series that can be read. A bundle's is unpacked for as long as this is there.
#[derive(Debug)]
pub struct Opened {
    from: From,
}

#[derive(Debug)]
enum From {
    Folder(Folder),
    Bundle(Box<Bundle>),
}

/// Opens a series by its name, by its folder, or, where the word ends in `.zip`, from a bundle, which is checked first.
pub fn open(results: &Path, wanted: &str) -> Result<Opened> {
    let from = if is_bundle(wanted) {
        From::Bundle(Box::new(Bundle::open(Path::new(wanted))?))
    } else {
        From::Folder(Folder::open(results, wanted)?)
    };
    Ok(Opened { from })
}

impl Opened {
    /// The bundle it comes from, if it does.
    pub fn bundle(&self) -> Option<&Bundle> {
        match &self.from {
            From::Bundle(bundle) => Some(bundle),
            From::Folder(_) => None,
        }
    }
}

impl Deref for Opened {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        match &self.from {
            From::Folder(folder) => folder,
            From::Bundle(bundle) => bundle.folder(),
        }
    }
}

/// Where a series of this name is kept, as reports say it: never where this machine happens to have it.
pub fn place(name: &str) -> String {
    format!("{RESULTS}/{name}")
}
