//! What a file of a bundle is, by its name: nothing else is put in, and nothing else is taken out.

use super::is_plain;
use super::limits;

/// What a file of a bundle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `experiment.toml`: the experiment as it was run.
    Experiment,
    /// `setup.json`: what all runs have in common.
    Setup,
    /// `run-NNN.json`: a run's record.
    Run,
    /// `run-NNN.events.jsonl`: what its ingester said, line by line.
    Events,
    /// `forecast-NNN.json`: what was expected of a run.
    Forecast,
    /// `report.html`, `report.md`, `report.json`: as the bundle's makers saw it.
    Report,
    /// `tree.diff`: how the sources differed from their revision.
    Diff,
    /// `data/NAME`: a data file.
    Data,
    /// `images.tar`: the images, as the engine saves them.
    Images,
}

/// The report's files, in the order of their names.
pub const REPORTS: [&str; 3] = ["report.html", "report.json", "report.md"];

impl Kind {
    /// What a file of this name is; none where a bundle has no such file.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "experiment.toml" => return Some(Self::Experiment),
            "setup.json" => return Some(Self::Setup),
            "tree.diff" => return Some(Self::Diff),
            "images.tar" => return Some(Self::Images),
            report if REPORTS.contains(&report) => return Some(Self::Report),
            _ => {}
        }
        if let Some(file) = name.strip_prefix("data/") {
            return is_plain(file).then_some(Self::Data);
        }
        let numbered = |prefix: &str, end: &str| {
            name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(end)).is_some_and(is_number)
        };
        match () {
            () if numbered("run-", ".events.jsonl") => Some(Self::Events),
            () if numbered("run-", ".json") => Some(Self::Run),
            () if numbered("forecast-", ".json") => Some(Self::Forecast),
            () => None,
        }
    }

    /// Whether it may be far larger than what a series consists of: such files are unpacked only where they are
    /// needed.
    pub fn is_large(self) -> bool {
        matches!(self, Self::Data | Self::Images)
    }

    /// What a bundle without any would lack.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Experiment => "experiment.toml",
            Self::Setup => "setup.json",
            Self::Run => "run",
            _ => "such file",
        }
    }

    /// The most bytes that such a file may have.
    pub fn limit(self) -> u64 {
        match self {
            Self::Experiment => limits::EXPERIMENT,
            Self::Data | Self::Images => limits::LARGE,
            Self::Setup | Self::Run | Self::Forecast => limits::RECORD,
            Self::Report => limits::REPORT,
            Self::Events | Self::Diff => limits::DOCUMENT,
        }
    }

    /// How many times larger than in the bundle it may be.
    pub(super) fn ratio(self) -> u64 {
        match self {
            Self::Data => limits::RATIO_DATA,
            Self::Images => limits::RATIO_IMAGES,
            _ => limits::RATIO,
        }
    }
}

/// `007` or, of a second attempt, `007-2`.
fn is_number(text: &str) -> bool {
    let digits = |part: &str| (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('-') {
        Some((run, attempt)) => digits(run) && digits(attempt),
        None => digits(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_series_consists_of_has_a_kind() {
        for (name, kind) in [
            ("experiment.toml", Kind::Experiment),
            ("run-007.json", Kind::Run),
            ("run-1000-2.json", Kind::Run),
            ("run-007-2.events.jsonl", Kind::Events),
            ("forecast-007.json", Kind::Forecast),
            ("report.html", Kind::Report),
            ("data/ny00001_uf1.zip", Kind::Data),
            ("images.tar", Kind::Images),
        ] {
            assert_eq!(Kind::of(name), Some(kind), "{name}");
        }
        for name in [
            "",
            "notes.txt",
            "run-.json",
            "run-007.json~",
            "run-00a.json",
            "run-1/2.json",
            "../setup.json",
            "/setup.json",
            "data/../setup.json",
            "data/.hidden",
            "data/",
            "data/a/b",
            "data\\a",
            "Setup.json",
            "manifest.json",
        ] {
            assert_eq!(Kind::of(name), None, "{name}");
        }
    }
}
