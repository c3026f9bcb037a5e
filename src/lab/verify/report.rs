//! Whether the report follows from the runs: analysed anew, and compared number by number.

use super::numbers::compare;
use super::{Check, maker};
use crate::lab::reporting;
use crate::model::units;
use crate::series::bundle::{Bundle, REPORTS};
use anyhow::{Context, Result};

/// The bundle's report beside one that is made now. Another build than the `own` may tell it otherwise.
pub(super) fn check(bundle: &Bundle, own: bool) -> Result<Check> {
    let (html, json, markdown) =
        reporting::told(bundle.folder(), |report| (report.html(), report.json(), report.markdown()))?;
    let mut differs = Vec::new();
    let mut numbers = 0;
    for (name, now) in REPORTS.into_iter().zip([html, json, markdown]) {
        let Some(then) = bundle.text(name)? else {
            return Ok(Check::new("report", "", vec![format!("there is no {name}")]));
        };
        if !name.ends_with(".json") {
            differs.extend((then != now).then(|| format!("{name} is not what the runs give")));
            continue;
        }
        let Ok(then) = serde_json::from_str(&then) else {
            return Ok(Check::new("report", "", vec![format!("{name} cannot be read")]));
        };
        let found = compare(&then, &serde_json::from_str(&now).context("read the report made now")?);
        numbers = found.numbers;
        differs.extend(found.apart.into_iter().map(|apart| format!("{name}: {apart}")));
    }
    let numbers = units::count(numbers as u64);
    if own || differs.is_empty() {
        return Ok(Check::new("report", format!("analysed anew: all {numbers} numbers are the same"), differs));
    }
    let maker = maker(bundle.manifest());
    let unchecked = format!(
        "{} things that {maker}, it may be another build, tells otherwise: `lab report --reanalyze` shows what the runs give",
        differs.len()
    );
    Ok(Check::new("report", "", Vec::new()).leaving([unchecked]))
}
