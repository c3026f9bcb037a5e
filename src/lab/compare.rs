//! `lab compare`: series side by side, each against the first; and the gate for CI. Needs no engine.

use super::reporting::{self, Form};
use super::standing::Standing;
use crate::analysis::{Across, Decision, Gate, Series};
use crate::report::{Compared, Screen};
use crate::series::bundle::Bundle;
use crate::series::{self, Folder, RESULTS};
use crate::wire::exit::{Exit, Failure};
use crate::wire::setup::Setup;
use anyhow::Result;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What stands behind the name of a bundle's series.
const BUNDLE: &str = " (bundle)";

/// What `lab compare` is told.
#[derive(Debug, Clone)]
pub struct CompareConfig {
    /// Series' names, folders or bundles; the first is what the others are compared with.
    pub series: Vec<String>,
    /// What it shall look like.
    pub form: Form,
    /// Where it goes; standard output unless said.
    pub output: Option<PathBuf>,
    /// What may not be, where the exit code shall say whether it is.
    pub gate: Option<Gate>,
    /// Whether series that are not finished are compared by what there is of them.
    pub partial: bool,
}

/// A series that is compared.
struct Side {
    /// What it is called here: its name, and where another has the same, that it is a bundle's.
    name: String,
    setup: Setup,
    standing: Standing,
}

impl Side {
    fn of(name: String, folder: &Folder) -> Result<Self> {
        Ok(Self { setup: folder.setup()?, standing: Standing::of(folder)?, name })
    }

    /// Refuses a series that is still at work: what it says now it may not say at its end.
    fn check_finished(&self) -> Result<()> {
        if self.standing.is_whole() {
            return Ok(());
        }
        let (name, done, planned) = (&self.name, self.standing.ended(), self.standing.planned());
        let message = format!(
            "{name} has {done} of {planned} runs, so it still runs or was cut short: wait for it, go on with it \
             (./lab run --resume {name}), or compare what there is (--partial)"
        );
        Err(Failure::new(Exit::NotComparable, message).into())
    }
}

/// Compares series and shows what came of it; where there is a gate, its decision is the exit code.
pub fn compare(config: &CompareConfig) -> Result<()> {
    let opened = open(Path::new(RESULTS), &config.series)?;
    if !config.partial {
        opened.iter().try_for_each(Side::check_finished)?;
    }
    let (text, decision) = told(&opened, config.gate, |compared| formed(compared, config.form))?;
    reporting::put(&text, config.form, config.output.as_deref())?;
    match decision {
        None | Some((Decision::Passed, _)) => Ok(()),
        Some((Decision::Failed, why)) => Err(Failure::new(Exit::Slower, why).into()),
        Some((Decision::Undecided, why)) => Err(Failure::new(Exit::Undecided, why).into()),
    }
}

/// A series beside the bundle it repeats, for a terminal: what `lab run` says at the end of a replay.
pub(super) fn after_replay(bundle: &Bundle, replayed: &Folder, screen: Screen) -> Result<String> {
    let sides = [Side::of(of_bundle(bundle), bundle.folder())?, Side::of(replayed.name().into(), replayed)?];
    Ok(told(&sides, None, |compared| compared.terminal(screen))?.0)
}

/// What a bundle's series is called beside one of this machine, which may have the same name.
fn of_bundle(bundle: &Bundle) -> String {
    format!("{}{BUNDLE}", bundle.folder().name())
}

/// The series by their names, folders or bundles.
fn open(results: &Path, wanted: &[String]) -> Result<Vec<Side>> {
    let mut places: BTreeSet<PathBuf> = BTreeSet::new();
    let mut opened = Vec::new();
    for word in wanted {
        let series = series::open(results, word)?;
        // A bundle is unpacked anew each time: it is the same where its checksum is.
        let place = series.bundle().map_or_else(|| series.path().into(), |bundle| bundle.checksum().into());
        if !places.insert(place) {
            let message = format!("{word} is named twice: a series is always like itself, name another");
            return Err(Failure::new(Exit::Usage, message).into());
        }
        let name = series.bundle().map_or_else(|| series.name().to_owned(), of_bundle);
        opened.push(Side::of(name, &series)?);
    }
    tell_apart(&mut opened);
    Ok(opened)
}

/// Numbers those of one name, in the order they are named: two colleagues may send bundles of series that are called the
/// same.
fn tell_apart(sides: &mut [Side]) {
    let names: Vec<String> = sides.iter().map(|side| side.name.clone()).collect();
    for (at, (side, name)) in sides.iter_mut().zip(&names).enumerate() {
        let same = |names: &[String]| names.iter().filter(|other| *other == name).count();
        if same(&names) > 1 {
            let number = same(&names[..=at]);
            side.name = match name.strip_suffix(BUNDLE) {
                Some(series) => format!("{series} (bundle {number})"),
                None => format!("{name} ({number})"),
            };
        }
    }
}

/// What `tell` makes of the comparison, and what the gate decides.
fn told(
    opened: &[Side],
    gate: Option<Gate>,
    tell: impl FnOnce(&Compared<'_>) -> String,
) -> Result<(String, Option<(Decision, String)>)> {
    let series: Vec<Series<'_>> =
        opened.iter().map(|one| Series::of(&one.name, &one.setup, &one.standing.records)).collect();
    let Some((base, others)) = series.split_first() else {
        return Err(Failure::new(Exit::Usage, "no series is named: `lab list` shows them").into());
    };
    let mut all = Vec::new();
    for other in others {
        let Some(across) = Across::of(base, other) else {
            let message = format!(
                "{} and {} have no cell in common, so there is nothing to compare: name series of one experiment \
                 (`lab list` shows them)",
                base.name, other.name
            );
            return Err(Failure::new(Exit::NotComparable, message).into());
        };
        all.push(across);
    }
    let compared = Compared::of(&all, gate);
    Ok((tell(&compared), compared.decision()))
}

/// Series side by side as a terminal shows them, finished or not.
pub(crate) fn side_by_side(results: &Path, wanted: &[String]) -> Result<String> {
    Ok(told(&open(results, wanted)?, None, |compared| compared.terminal(Screen::PLAIN))?.0)
}

fn formed(compared: &Compared<'_>, form: Form) -> String {
    match form {
        Form::Terminal(screen) => compared.terminal(screen),
        Form::Html => compared.html(),
        Form::Markdown => compared.markdown(),
        Form::Csv => compared.csv(),
        Form::Json => compared.json(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::bundling::testing::{Place, SERIES, setup};
    use super::super::plan::plan;
    use super::super::testing::experiment;
    use super::*;
    use crate::model::cell::Cell;
    use crate::model::{Commit, Part, Scheme, Statement};
    use crate::wire::testing;

    /// A finished series of threads and async, six blocks; its rates times a factor.
    fn series(results: &Path, pool: usize, times: f64) -> String {
        let folder = Folder::create(results, "test", "2026-11-20").unwrap();
        let mut planned = experiment(6);
        planned.cells.iter_mut().for_each(|span| span.pool = vec![pool]);
        folder.save_experiment(&toml::to_string(&planned).unwrap()).unwrap();
        folder.save_setup(&testing::setup()).unwrap();
        for (run, step) in plan(&planned).into_iter().enumerate() {
            let scatter = if (run * 5) % 4 < 2 { 1.005 } else { 0.995 };
            folder.save(&testing::run_of(&step.cell, step.part, run, step.block, 9_000.0 * scatter * times)).unwrap();
        }
        folder.name().to_owned()
    }

    fn compared(results: &Path, names: &[&str], gate: Option<Gate>) -> Result<(String, Option<(Decision, String)>)> {
        let opened = open(results, &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
        opened.iter().try_for_each(Side::check_finished)?;
        told(&opened, gate, |compared| compared.terminal(Screen::PLAIN))
    }

    const GATE: Gate = Gate { max_slowdown: 0.05, same_verdicts: false };

    fn failure(result: Result<(String, Option<(Decision, String)>)>) -> (Exit, String) {
        let error = result.unwrap_err();
        (Failure::exit_of(&error), error.to_string())
    }

    #[test]
    fn a_series_against_a_slower_one_fails_the_gate_and_against_itself_once_more_does_not() {
        let results = tempfile::tempdir().unwrap();
        let names = [1.0, 1.0, 0.8].map(|times| series(results.path(), 15, times));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (text, decision) = compared(results.path(), &names[..2], Some(GATE)).unwrap();
        assert_eq!(decision.unwrap(), (Decision::Passed, "no cell lost more than 5.0 %".into()), "{text}");
        let (text, decision) = compared(results.path(), &names, Some(GATE)).unwrap();
        let (decision, why) = decision.unwrap();
        assert_eq!(decision, Decision::Failed, "{text}");
        assert!(
            why.starts_with("2026-11-20-test-3: the gate found what it forbids: ") && why.contains("slower by 20 %"),
            "{why}"
        );
        assert!(text.contains("Same: 2 of 2 cells") && text.contains("2 of 2 cells slower"), "{text}");
    }

    #[test]
    fn what_cannot_be_compared_says_so_with_an_exit_code_of_its_own() {
        let results = tempfile::tempdir().unwrap();
        let (one, other) = (series(results.path(), 15, 1.0), series(results.path(), 60, 1.0));
        let (exit, said) = failure(compared(results.path(), &[&one, &other], None));
        assert_eq!(exit, Exit::NotComparable);
        assert!(said.contains("have no cell in common, so there is nothing to compare"), "{said}");
        let running = Folder::create(results.path(), "test", "2026-11-20").unwrap();
        running.save_experiment(&toml::to_string(&experiment(6)).unwrap()).unwrap();
        running.save_setup(&testing::setup()).unwrap();
        let cell = Cell::new(Scheme::Threads, Statement::Row, Commit::Auto, 15);
        running.save(&testing::run_of(&cell, Part::Cell, 1, 1, 9_000.0)).unwrap();
        let (exit, said) = failure(compared(results.path(), &[&one, running.name()], None));
        assert_eq!(exit, Exit::NotComparable);
        assert!(
            said.starts_with("2026-11-20-test-3 has 1 of ") && said.contains("still runs or was cut short"),
            "{said}"
        );
        let (exit, said) = failure(compared(results.path(), &[&one, &one], None));
        assert_eq!((exit, said.contains("is named twice")), (Exit::Usage, true), "{said}");
        assert_eq!(failure(compared(results.path(), &[&one, "nothing"], None)).0, Exit::Usage);
    }

    #[test]
    fn bundles_of_one_name_are_told_apart_in_the_order_they_are_named() {
        let (one, other) = (Place::new(), Place::new());
        one.add(&setup(), false);
        other.add(&Setup { noise_floor: Some(0.01), ..setup() }, false);
        let [first, second] = [&one, &other].map(|place| place.bundle().display().to_string());
        let names = |words: &[&str]| -> Vec<String> {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            open(&one.here.results, &words).unwrap().into_iter().map(|side| side.name).collect()
        };
        let called = |how: &str| format!("{SERIES} ({how})");
        assert_eq!(names(&[first.as_str(), second.as_str()]), [called("bundle 1"), called("bundle 2")]);
        assert_eq!(names(&[first.as_str(), SERIES]), [called("bundle"), SERIES.to_owned()]);
        let (exit, said) = failure(compared(&one.here.results, &[&first, &first], None));
        assert_eq!((exit, said.contains("is named twice")), (Exit::Usage, true), "{said}");
    }

    #[test]
    fn a_series_and_its_own_folder_are_one_and_the_same() {
        let results = tempfile::tempdir().unwrap();
        let name = series(results.path(), 15, 1.0);
        let (exit, said) = failure(compared(results.path(), &[&name, &format!("results/{name}")], None));
        assert_eq!((exit, said.contains("is named twice")), (Exit::Usage, true), "{said}");
    }
}
