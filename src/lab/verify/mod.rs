//! `lab verify`: whether a bundle is what its makers sealed, and whether its report follows from its runs, and those
//! from what the ingesters said.
//!
//! ```text
//! file, archive, manifest, schemas (opening it) ─► data and images ─► runs beside plan ─► events ─► judged
//!                                        plain figures, whoever made the report ─► analysed anew, where it was this build
//! ```

mod events;
mod figures;
mod numbers;
mod report;
mod runs;

use super::PROGRAM;
use super::bundling::own_revision;
use super::standing::Standing;
use crate::model::{printable, units};
use crate::series::bundle::{Bundle, Kind, Manifest};
use crate::wire::exit::{Exit, Failure};
use crate::wire::setup::DIRTY;
use anyhow::Result;
use std::path::Path;

/// Sentences shown of one check.
const SHOWN: usize = 6;

/// One check, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Check {
    about: &'static str,
    /// What was compared, where nothing is wrong.
    said: String,
    /// What is wrong, a sentence each.
    wrong: Vec<String>,
    /// What could not be checked, a phrase each: no damage, and nothing that was found right.
    unchecked: Vec<String>,
}

impl Check {
    fn new(about: &'static str, said: impl Into<String>, wrong: Vec<String>) -> Self {
        Self { about, said: said.into(), wrong, unchecked: Vec::new() }
    }

    /// The same, with what could not be checked.
    fn leaving(self, unchecked: impl IntoIterator<Item = String>) -> Self {
        Self { unchecked: unchecked.into_iter().collect(), ..self }
    }

    /// A line, and one for each further sentence.
    fn lines(&self) -> Vec<String> {
        if self.wrong.is_empty() && self.unchecked.is_empty() {
            return vec![format!("  {:<11}{}", self.about, self.said)];
        }
        let head = |at: usize| if at == 0 { format!("! {:<11}", self.about) } else { " ".repeat(13) };
        let mut told: Vec<String> = self.wrong.iter().take(SHOWN).map(|wrong| printable(wrong).into_owned()).collect();
        if self.wrong.len() > SHOWN {
            told.push(format!("… and {} more", self.wrong.len() - SHOWN));
        }
        told.extend(self.unchecked.iter().map(|unchecked| format!("not checked: {}", printable(unchecked))));
        told.iter().enumerate().map(|(at, sentence)| format!("{}{sentence}", head(at))).collect()
    }
}

/// Checks a bundle and prints a line for each check; fails where one does. What could not be checked is marked, and fails
/// nothing: a series of an earlier lab may not have it. Needs no engine.
pub fn verify(file: &Path) -> Result<()> {
    let bundle = Bundle::open(file)?;
    let manifest = bundle.manifest();
    println!("{} · made by {}", manifest.series, maker(manifest));
    let checks = checks(&bundle, &own_revision())?;
    checks.iter().flat_map(Check::lines).for_each(|line| println!("{line}"));
    println!("sha256 {}", bundle.checksum());
    match checks.iter().filter(|check| !check.wrong.is_empty()).count() {
        0 => Ok(()),
        failed => {
            let message = format!("{}: {failed} of {} checks failed", file.display(), checks.len());
            Err(Failure::new(Exit::Bundle, message).into())
        }
    }
}

/// What the checks of a bundle say, a line each.
pub(crate) fn verified(bundle: &Bundle) -> Result<Vec<String>> {
    Ok(checks(bundle, &own_revision())?.iter().flat_map(Check::lines).collect())
}

fn maker(manifest: &Manifest) -> String {
    if manifest.revision.is_empty() {
        manifest.program.clone()
    } else {
        format!("{} ({})", manifest.program, manifest.revision)
    }
}

/// Whether the lab of this revision is surely the one that made the bundle's report: then it makes the same. Two builds
/// without a revision may be anything, and so may two of a tree with changes.
fn is_own(manifest: &Manifest, own: &str) -> bool {
    let is_known = !own.is_empty() && !own.ends_with(DIRTY);
    is_known && manifest.program == PROGRAM && manifest.revision == own
}

/// Every check of a bundle that could be opened, which is the first of them, by a lab of this revision.
fn checks(bundle: &Bundle, own: &str) -> Result<Vec<Check>> {
    let manifest = bundle.manifest();
    let own = is_own(manifest, own);
    let mut checks = vec![Check::new("file", "not a byte differs from what was sealed", Vec::new())];
    bundle.check_large()?;
    let said =
        format!("{} files, {}: each is what the manifest says", manifest.files.len(), units::bytes(manifest.bytes()));
    checks.push(Check::new("checksums", said, Vec::new()));
    let said = format!("{}, and {} of what is in it: known to this lab", manifest.schema, crate::wire::SCHEMA);
    checks.push(Check::new("schema", said, Vec::new()));
    let read = Standing::of(bundle.folder()).and_then(|standing| Ok((standing, bundle.folder().setup()?)));
    let (standing, setup) = match read {
        Ok(read) => read,
        Err(error) => {
            checks.push(Check::new("runs", "", vec![format!("{error:#}")]));
            return Ok(checks);
        }
    };
    checks.push(runs::check(manifest, &standing, &setup));
    checks.extend(data(manifest, &setup.data));
    checks.push(events::check(bundle, &standing.records)?);
    checks.push(runs::judged(manifest, &standing.records, own));
    checks.push(figures::check(bundle, &standing.records)?);
    checks.push(report::check(bundle, own)?);
    Ok(checks)
}

/// Whether the data in it is what the runs read.
fn data(manifest: &Manifest, wanted: &str) -> Option<Check> {
    let found = manifest.data_checksum()?;
    let count = manifest.of(Kind::Data).count();
    let wrong = (found != wanted).then(|| "the data files are not those that the runs read".to_owned());
    Some(Check::new("data", format!("{count} files, those that the runs read"), wrong.into_iter().collect()))
}

#[cfg(test)]
mod tests;
