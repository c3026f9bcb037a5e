//! `lab report`: a series' folder as a report. And what a run leaves in the folder at its end.

use super::PROGRAM;
use super::experiment::Experiment;
use crate::model::printable;
use crate::report::{Report, Screen, Source};
use crate::series::{self, Folder, RESULTS};
use crate::wire::exit::{Exit, Failure};
use crate::wire::record::RunRecord;
use anyhow::Result;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// What a report looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The first screen.
    Terminal(Screen),
    /// One file with charts.
    Html,
    /// For a wiki or a pull request.
    Markdown,
    /// A line a run.
    Csv,
    /// Answers, figures and every run.
    Json,
}

impl Form {
    /// The file of a bundle that is this form's report; none where it always is made anew.
    fn file(self) -> Option<&'static str> {
        match self {
            Self::Html => Some("report.html"),
            Self::Markdown => Some("report.md"),
            Self::Json => Some("report.json"),
            Self::Terminal(_) | Self::Csv => None,
        }
    }
}

/// What `lab report` is told.
#[derive(Debug, Clone)]
pub struct ReportConfig {
    /// A series' name or folder, or a bundle.
    pub series: String,
    /// Whether a bundle's runs are analysed anew, instead of showing the report that was bundled with them.
    pub reanalyze: bool,
    /// What it shall look like.
    pub form: Form,
    /// Where it goes; standard output unless said.
    pub output: Option<PathBuf>,
}

/// Reports a series from its folder or a bundle; needs no engine.
pub fn report(config: &ReportConfig) -> Result<()> {
    put(&text(Path::new(RESULTS), config)?, config.form, config.output.as_deref())
}

/// Where a report goes: to a file, or to standard output.
pub(super) fn put(text: &str, form: Form, output: Option<&Path>) -> Result<()> {
    match output {
        Some(file) => fs_err::write(file, text).map_err(|error| {
            let message = format!("the report cannot be written ({error}): name a file in a folder that is there");
            Failure::new(Exit::Usage, message).into()
        }),
        // Files and pipes get a form as it is; a person looks at it.
        None if std::io::stdout().is_terminal() && !matches!(form, Form::Terminal(_)) => print(&printable(text)),
        None => print(text),
    }
}

/// A reader who has seen enough (`| head`) is no failure.
pub fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn text(results: &Path, config: &ReportConfig) -> Result<String> {
    let opened = series::open(results, &config.series)?;
    if let Some(bundle) = opened.bundle() {
        let maker = &bundle.manifest().program;
        let kept = config.form.file().filter(|_| !config.reanalyze);
        if let Some(text) = kept.map(|name| bundle.text(name)).transpose()?.flatten() {
            eprintln!("the report as {maker} made it with the bundle (--reanalyze makes it anew)");
            return Ok(text);
        }
        eprintln!("analysed anew by {PROGRAM}, over the runs that {maker} bundled");
    }
    told(&opened, |report| formed(report, config.form))
}

/// What `tell` makes of a series' report, from what is in its folder.
pub(super) fn told<T>(folder: &Folder, tell: impl FnOnce(&Report<'_>) -> T) -> Result<T> {
    let runs = folder.runs()?;
    let experiment = runs.first().map_or_else(|| folder.name().to_owned(), |run| run.experiment.clone());
    // An experiment that this version cannot read any more still has runs to report.
    let question = folder.experiment().ok().and_then(|text| Experiment::parse(&experiment, &text).ok());
    let question = question.map_or_else(|| experiment.clone(), |experiment| experiment.question);
    Ok(view(folder, &experiment, &question, &runs, tell))
}

/// A series in every form, the terminal's first.
pub(crate) fn every_form(folder: &Folder) -> Result<Vec<String>> {
    let forms = [Form::Terminal(Screen::PLAIN), Form::Html, Form::Markdown, Form::Csv, Form::Json];
    told(folder, |report| forms.map(|form| formed(report, form)).into())
}

fn formed(report: &Report<'_>, form: Form) -> String {
    match form {
        Form::Terminal(screen) => report.terminal(screen),
        Form::Html => report.html(),
        Form::Markdown => report.markdown(),
        Form::Csv => report.csv(),
        Form::Json => report.json(),
    }
}

/// What `tell` makes of a series' report.
fn view<T>(
    folder: &Folder,
    experiment: &str,
    question: &str,
    records: &[RunRecord],
    tell: impl FnOnce(&Report<'_>) -> T,
) -> T {
    let path = series::place(folder.name());
    tell(&Report::of(Source { series: folder.name(), experiment, question, records, path: &path }))
}

/// At a series' end: the first screen, and the report's files beside the runs. Files that cannot be written cost a
/// word of warning, not the series: it is saved, and `lab report` makes them again.
pub fn leave(folder: &Folder, experiment: &Experiment, records: &[RunRecord], screen: Screen) -> String {
    view(folder, &experiment.name, &experiment.question, records, |report| {
        let mut text = report.terminal(screen);
        let files = [("report.html", report.html()), ("report.md", report.markdown())];
        for (name, contents) in files {
            match folder.save_report(name, &contents) {
                Ok(path) => text.push_str(&format!("  {:<9}  {}\n", "report", path.display())),
                Err(error) => eprintln!("{name} could not be written: {error:#}"),
            }
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::experiment;
    use super::*;
    use crate::model::Scheme;
    use crate::wire::testing::record;

    fn folder(results: &Path, runs: usize) -> Folder {
        let folder = Folder::create(results, "test", "2026-11-20").unwrap();
        folder.save_experiment(&toml::to_string(&experiment(6)).unwrap()).unwrap();
        for run in 1..=runs {
            folder.save(&record(run, Scheme::Threads, 9_000.0)).unwrap();
        }
        folder
    }

    fn of(results: &Path, form: Form) -> Result<String> {
        let config = ReportConfig { series: "results/2026-11-20-test".into(), form, output: None, reanalyze: false };
        text(results, &config)
    }

    #[test]
    fn a_series_is_reported_from_its_folder_in_every_form() {
        let results = tempfile::tempdir().unwrap();
        folder(results.path(), 3);
        for (form, expected) in [
            (Form::Terminal(Screen::PLAIN), "Which?"),
            (Form::Html, "<h1>Which?</h1>"),
            (Form::Markdown, "# Which?"),
            (Form::Csv, "2026-11-20-test,3,1,"),
            (Form::Json, "\"question\": \"Which?\""),
        ] {
            let text = of(results.path(), form).unwrap();
            assert!(text.contains(expected), "{form:?}: {text}");
        }
    }

    #[test]
    fn a_series_that_is_not_there_or_has_no_run_is_no_panic() {
        let results = tempfile::tempdir().unwrap();
        let error = of(results.path(), Form::Csv).unwrap_err();
        assert!(error.to_string().contains("there is no series"), "{error}");
        folder(results.path(), 0);
        let text = of(results.path(), Form::Terminal(Screen::PLAIN)).unwrap();
        assert!(text.contains("no run is valid"), "{text}");
    }

    #[test]
    fn a_run_leaves_its_report_beside_its_runs() {
        let results = tempfile::tempdir().unwrap();
        let folder = folder(results.path(), 2);
        let said = leave(&folder, &experiment(6), &folder.runs().unwrap(), Screen::PLAIN);
        assert!(said.contains("report.html") && said.contains("report.md"), "{said}");
        for name in ["report.html", "report.md"] {
            assert!(fs_err::read_to_string(folder.path().join(name)).unwrap().contains("Which?"));
        }
        assert_eq!(folder.runs().unwrap().len(), 2, "a report is no run");
    }
}
