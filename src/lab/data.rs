//! The data of a series: what is in `data/`, else generated, the same bytes everywhere.

use crate::census::{DataDir, DataDirError, GenerateSpec, generate};
use crate::engine::DataSet;
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use std::path::Path;

/// Where people drop real files.
pub const DATA: &str = "data";

/// Enough for a time-limited run at any rate measured so far, and generated in a second.
const RECORDS: u32 = 20_000;

/// The data set, and a sentence on where it comes from. Generated files go into `scratch`.
pub fn find(folder: &Path, scratch: &Path) -> Result<(DataSet, String)> {
    let found = match DataDir::scan(folder) {
        Ok(found) => found,
        Err(DataDirError::Empty { .. }) => return generated(scratch),
        Err(DataDirError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return generated(scratch);
        }
        Err(error) => return Err(Failure::new(Exit::Data, error.to_string()).into()),
    };
    let mut files: Vec<_> = found.segments().map(|segment| segment.path.clone()).collect();
    if files.is_empty() {
        let message = format!("{}: a geographic header and no segment: `ingester fetch` gets one", folder.display());
        return Err(Failure::new(Exit::Data, message).into());
    }
    files.extend(found.states.iter().map(|state| state.geo.clone()));
    let said = format!("data: {} files in {}", files.len(), folder.display());
    Ok((DataSet::of(files)?, said))
}

/// The data set of this checksum, if it is at hand: what is in `folder`, else what would be generated.
pub fn with_checksum(folder: &Path, scratch: &Path, checksum: &str) -> Result<Option<DataSet>> {
    // What is in the folder may be in no order: then it is not the data of any series.
    let here = find(folder, scratch).ok().map(|(data, _)| data).filter(|data| data.checksum == checksum);
    if here.is_some() {
        return Ok(here);
    }
    let (data, _) = generated(scratch)?;
    Ok(Some(data).filter(|data| data.checksum == checksum))
}

fn generated(scratch: &Path) -> Result<(DataSet, String)> {
    let spec = GenerateSpec { geo_records: RECORDS, lines: RECORDS, ..Default::default() };
    let files = generate(&spec, scratch).context("generate the default data")?;
    let said = format!("data: generated (seed {}, {} lines), as {DATA}/ holds none", spec.seed, spec.lines);
    Ok((DataSet::of(files.into_iter().map(|file| file.path).collect())?, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_folder_means_generated_data_which_is_the_same_each_time() {
        let checksum = || {
            let (folder, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let (data, said) = find(folder.path(), scratch.path()).unwrap();
            assert!(said.contains("generated"), "{said}");
            assert_eq!(data.files.len(), 2);
            data.checksum
        };
        assert_eq!(checksum(), checksum());
    }
}
