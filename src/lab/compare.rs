//! `lab compare`: series side by side, each against the first; and the gate for CI. Needs no engine.

use super::experiment::Experiment;
use super::plan::plan;
use super::reporting::{self, Form};
use crate::analysis::{Across, Decision, Gate, Series};
use crate::report::{Compared, Screen};
use crate::series::{Folder, RESULTS};
use crate::wire::exit::{Exit, Failure};
use crate::wire::record::RunRecord;
use crate::wire::setup::Setup;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// What `lab compare` is told.
#[derive(Debug, Clone)]
pub struct CompareConfig {
    /// Series' names or folders; the first is what the others are compared with.
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

/// A series that was opened, for a comparison.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Its name.
    pub name: String,
    /// What produced it.
    pub setup: Setup,
    /// Its runs so far.
    pub records: Vec<RunRecord>,
    /// How many runs were planned; none where the experiment can't be read any more.
    pub planned: Option<usize>,
}

impl Opened {
    /// A series by its folder.
    pub fn of(folder: &Folder) -> Result<Self> {
        let name = folder.name().to_owned();
        let experiment = folder.experiment().ok().and_then(|text| Experiment::parse(&name, &text).ok());
        let planned = experiment.map(|experiment| plan(&experiment).len() - 1);
        Ok(Self { setup: folder.setup()?, records: folder.runs()?, planned, name })
    }

    /// Refuses a series that is still at work: what it says now it may not say at its end.
    fn check_finished(&self) -> Result<()> {
        let done = self.records.iter().map(|run| run.run).max().unwrap_or(0);
        let Some(planned) = self.planned.filter(|planned| done < *planned) else { return Ok(()) };
        let name = &self.name;
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
        opened.iter().try_for_each(Opened::check_finished)?;
    }
    let (text, decision) = told(&opened, config.gate, |compared| formed(compared, config.form))?;
    reporting::put(&text, config.output.as_deref())?;
    match decision {
        None | Some((Decision::Passed, _)) => Ok(()),
        Some((Decision::Failed, why)) => Err(Failure::new(Exit::Slower, why).into()),
        Some((Decision::Undecided, why)) => Err(Failure::new(Exit::Undecided, why).into()),
    }
}

/// A series beside the one it repeats, for a terminal: what `lab run` says at the end of a replay.
pub fn compare_after_replay(base: Opened, replayed: Opened, screen: Screen) -> Result<String> {
    Ok(told(&[base, replayed], None, |compared| compared.terminal(screen))?.0)
}

/// The series by their names, or folders.
fn open(results: &Path, wanted: &[String]) -> Result<Vec<Opened>> {
    let mut opened: Vec<Opened> = Vec::new();
    for name in wanted {
        let one = Opened::of(&Folder::open(results, name)?)?;
        if opened.iter().any(|other| other.name == one.name) {
            let message = format!("{} is named twice: a series is always like itself, name another", one.name);
            return Err(Failure::new(Exit::Usage, message).into());
        }
        opened.push(one);
    }
    Ok(opened)
}

/// What `tell` makes of the comparison, and what the gate decides.
fn told(
    opened: &[Opened],
    gate: Option<Gate>,
    tell: impl FnOnce(&Compared<'_>) -> String,
) -> Result<(String, Option<(Decision, String)>)> {
    let series: Vec<Series<'_>> = opened.iter().map(|one| Series::of(&one.name, &one.setup, &one.records)).collect();
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
        opened.iter().try_for_each(Opened::check_finished)?;
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
    fn a_replay_is_compared_with_what_it_repeats() {
        let results = tempfile::tempdir().unwrap();
        let names = [series(results.path(), 15, 1.0), series(results.path(), 15, 1.0)];
        let [base, replayed] = names.map(|name| Opened::of(&Folder::open(results.path(), &name).unwrap()).unwrap());
        let text = compare_after_replay(base, replayed, Screen::PLAIN).unwrap();
        assert!(text.starts_with("COMPARE: 2026-11-20-test-2 against 2026-11-20-test\n"), "{text}");
        assert!(!text.contains("May it pass"), "{text}");
    }
}
