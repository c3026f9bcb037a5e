//! `lab verify`: whether a bundle is what its makers sealed, and whether its report follows from its runs, and those
//! from what the ingesters said.
//!
//! ```text
//! file, archive, manifest, schemas (opening it) ─► data and images ─► runs beside plan ─► events ─► judged, analysed anew
//! ```

mod events;
mod numbers;
mod report;
mod runs;

use super::PROGRAM;
use super::bundling::own_revision;
use super::standing::Standing;
use crate::model::{printable, units};
use crate::series::bundle::{Bundle, Kind, Manifest};
use crate::wire::exit::{Exit, Failure};
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
}

impl Check {
    fn new(about: &'static str, said: impl Into<String>, wrong: Vec<String>) -> Self {
        Self { about, said: said.into(), wrong }
    }

    /// A line, and one for each further sentence.
    fn lines(&self) -> Vec<String> {
        if self.wrong.is_empty() {
            return vec![format!("  {:<11}{}", self.about, self.said)];
        }
        let head = |at: usize| if at == 0 { format!("! {:<11}", self.about) } else { " ".repeat(13) };
        let wrong = self.wrong.iter().map(|sentence| printable(sentence));
        let shown = wrong.take(SHOWN).enumerate();
        let mut lines: Vec<String> = shown.map(|(at, sentence)| format!("{}{sentence}", head(at))).collect();
        if self.wrong.len() > SHOWN {
            lines.push(format!("{}… and {} more", head(1), self.wrong.len() - SHOWN));
        }
        lines
    }
}

/// Checks a bundle and prints a line for each check; fails where one does. Needs no engine.
pub fn verify(file: &Path) -> Result<()> {
    let bundle = Bundle::open(file)?;
    let manifest = bundle.manifest();
    println!("{} · made by {}", manifest.series, maker(manifest));
    let checks = checks(&bundle)?;
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
    Ok(checks(bundle)?.iter().flat_map(Check::lines).collect())
}

fn maker(manifest: &Manifest) -> String {
    if manifest.revision.is_empty() {
        manifest.program.clone()
    } else {
        format!("{} ({})", manifest.program, manifest.revision)
    }
}

/// Whether this lab is the one that made the bundle's report: then it makes the same.
fn is_own(manifest: &Manifest) -> bool {
    manifest.program == PROGRAM && manifest.revision == own_revision()
}

/// Every check of a bundle that could be opened, which is the first of them.
fn checks(bundle: &Bundle) -> Result<Vec<Check>> {
    let manifest = bundle.manifest();
    let mut checks = vec![Check::new("file", "not a byte differs from what was sealed", Vec::new())];
    bundle.check_large()?;
    let said =
        format!("{} files, {}: each is what the manifest says", manifest.files.len(), units::bytes(manifest.bytes()));
    checks.push(Check::new("checksums", said, Vec::new()));
    let said = format!("{}, and {} of what is in it: known to this lab", manifest.schema, crate::wire::SCHEMA);
    checks.push(Check::new("schema", said, Vec::new()));
    let standing = match Standing::of(bundle.folder()) {
        Ok(standing) => standing,
        Err(error) => {
            checks.push(Check::new("runs", "", vec![format!("{error:#}")]));
            return Ok(checks);
        }
    };
    let setup = bundle.folder().setup()?;
    checks.push(runs::check(manifest, &standing, &setup));
    checks.extend(data(manifest, &setup.data));
    checks.push(events::check(bundle, &standing.records)?);
    checks.push(runs::judged(manifest, &standing.records));
    checks.push(report::check(bundle)?);
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
