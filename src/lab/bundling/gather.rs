//! What goes into a bundle: the series' own files, the report made now, and what was asked for besides.

use super::Here;
use crate::engine::Stack;
use crate::lab::standing::Standing;
use crate::lab::{data, reporting};
use crate::model::hex;
use crate::series::bundle::{Contents, Entry, Kind};
use crate::series::{Folder, stem};
use crate::wire::bounded;
use crate::wire::exit::{Exit, Failure};
use crate::wire::setup::{SavedImage, Setup};
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Enough of a checksum to tell it from another, characters.
const ENOUGH: usize = 12;

/// A series that may be bundled, and what goes in.
#[derive(Debug)]
pub(super) struct Ready {
    pub folder: Folder,
    pub standing: Standing,
    setup: Setup,
    pub entries: Vec<Entry>,
    pub images: Vec<SavedImage>,
}

impl Ready {
    /// The files of the series that a bundle always has.
    pub fn of(folder: Folder, standing: Standing) -> Result<Self> {
        let there = folder.names()?;
        let mut names = vec!["experiment.toml".to_owned(), "setup.json".to_owned()];
        for stem in standing.records.iter().map(stem) {
            names.push(format!("{stem}.json"));
            names.extend(Some(format!("{stem}.events.jsonl")).filter(|events| there.contains(events)));
        }
        names.extend(there.into_iter().filter(|name| Kind::of(name) == Some(Kind::Forecast)));
        let own = names.into_iter().map(|name| {
            let contents = Contents::File(folder.path().join(&name));
            Entry { name, contents }
        });
        let mut entries: Vec<Entry> = own.collect();
        entries.extend(reporting::told(&folder, |report| {
            let forms =
                [("report.html", report.html()), ("report.json", report.json()), ("report.md", report.markdown())];
            forms.map(|(name, text)| Entry { name: name.into(), contents: Contents::Bytes(text.into_bytes()) })
        })?);
        let setup = folder.setup()?;
        Ok(Self { folder, standing, setup, entries, images: Vec::new() })
    }

    /// How many runs there are, in words.
    pub fn runs(&self) -> String {
        let (ended, planned) = (self.standing.ended(), self.standing.planned());
        if self.standing.is_whole() { format!("{planned} runs") } else { format!("{ended} of {planned} runs: a part") }
    }

    /// Where the series ran on changes that no revision holds: nothing without them.
    pub fn take_diff(&mut self, here: &Here, wanted: bool) -> Result<()> {
        let (revision, dirty) = self.setup.sources();
        if !dirty {
            return Ok(());
        }
        let name = self.folder.name();
        let known = if revision.is_empty() { "a revision nobody noted" } else { &revision };
        let refuse = |message| Err(Failure::new(Exit::Bundle, message).into());
        if !wanted {
            return refuse(format!(
                "{name} ran on {known} with changes that it does not hold: nobody else can build that. Commit them and run \
                 it anew, or pass them on with --include-diff"
            ));
        }
        let own = here.revision.strip_suffix("-dirty").unwrap_or(&here.revision);
        if !revision.is_empty() && !own.is_empty() && own != revision {
            return refuse(format!(
                "{name} ran on {known}, this lab was built from {own}: the changes at hand are not its"
            ));
        }
        if !here.diff.is_file() {
            return refuse(format!(
                "{name} ran on changes, which this lab's image does not hold: `make images` puts them there"
            ));
        }
        let diff =
            bounded::bytes(&here.diff, Kind::Diff.limit()).context("read the changes that go into the bundle")?;
        let changes = self.setup.changes();
        if changes.is_empty() {
            return refuse(format!(
                "{name} ran on changes of which its images don't say which: nobody can tell whether those at hand are \
                 they. Commit them and run it anew"
            ));
        }
        if hex(&Sha256::digest(&diff)) != changes {
            return refuse(format!(
                "{name} ran on other changes than those that this lab's image was built from: go back to them and \
                 `make images`, or commit what there is now and run it anew"
            ));
        }
        self.entries.push(Entry { name: "tree.diff".into(), contents: Contents::Bytes(diff) });
        Ok(())
    }

    /// The data files, if they are still those that the series ran on.
    pub fn take_data(&mut self, folder: &Path, scratch: &Path) -> Result<()> {
        let wanted = &self.setup.data;
        let found = data::with_checksum(folder, scratch, wanted)?.ok_or_else(|| {
            let short: String = wanted.chars().take(ENOUGH).collect();
            let message = format!(
                "the data that {} ran on (checksum {short}) is not in {}/ any more, and is not what is generated: put it \
                 back, or leave out --with-data",
                self.folder.name(),
                folder.display()
            );
            Failure::new(Exit::Data, message)
        })?;
        for path in found.files {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.entries.push(Entry { name: format!("data/{file}"), contents: Contents::File(path) });
        }
        Ok(())
    }

    /// The images that the series ran on, and the lab's own, as the engine saves them.
    pub async fn take_images(&mut self, stack: &Stack, scratch: &Path) -> Result<()> {
        let mut images = self.setup.images.clone();
        if !images.iter().any(|image| image.role == "lab") {
            // What runs them: there where the lab itself runs in a container.
            images.extend(stack.image_facts("lab", &stack.image("lab")).await.ok());
        }
        let file = scratch.join("images.tar");
        self.images = stack.save_images(&images, self.folder.name(), &file).await.context("save the images")?;
        self.entries.push(Entry { name: "images.tar".into(), contents: Contents::File(file) });
        Ok(())
    }
}
