//! One run of a series as it is kept in a file: what was asked for, what came of it, what produced it.

pub use super::conditions::Conditions;
use super::exit::Failure;
use super::forecast::Forecast;
use super::{Interrupt, RunResult};
use crate::model::Part;
use crate::model::cell::Cell;
use serde::{Deserialize, Serialize};

/// The contents of a `run-NNN.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`super::SCHEMA`] of the program that wrote it.
    pub schema: u32,
    /// The series it belongs to: the name of the folder.
    pub series: String,
    /// The experiment's name.
    pub experiment: String,
    /// Its number within the series, from 1.
    pub run: usize,
    /// The block it belongs to, from 1: each block runs every cell once.
    pub block: usize,
    /// What it is in the series.
    #[serde(default)]
    pub part: Part,
    /// Which attempt at this run: 2 where the first was repeated.
    #[serde(default = "first")]
    pub attempt: u32,
    /// What was run.
    pub cell: Cell,
    /// What was expected of it before it ran, where it was the cell's first run and something was known to tell from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// What came of it.
    pub outcome: Outcome,
    /// Why the run counts for nothing, a sentence each; empty when it counts.
    pub invalid: Vec<String>,
    /// The conditions it ran under.
    pub conditions: Conditions,
}

fn first() -> u32 {
    1
}

/// How a reason begins that a run does not count for: processors of another speed than before …
pub const OFF_SPEED: &str = "the processor's speed";

/// … or that were somebody else's for a part of the time.
pub const TAKEN: &str = "the machine underneath took";

/// Whether the processors are all that was wrong with a run: then it is worth a second attempt.
pub fn only_processors(reasons: &[String]) -> bool {
    let is_one = |reason: &String| reason.starts_with(OFF_SPEED) || reason.starts_with(TAKEN);
    !reasons.is_empty() && reasons.iter().all(is_one)
}

impl RunRecord {
    /// Whether its figures may be used.
    pub fn is_valid(&self) -> bool {
        self.invalid.is_empty()
    }

    /// Whether somebody ended it before it was done.
    pub fn was_interrupted(&self) -> bool {
        self.result().is_some_and(|result| result.interrupted == Some(Interrupt::Signal))
    }

    /// The ingester's result, if it got that far.
    pub fn result(&self) -> Option<&RunResult> {
        match &self.outcome {
            Outcome::Finished { result } => Some(result),
            Outcome::Failed { .. } => None,
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ended", rename_all = "kebab-case")]
pub enum Outcome {
    /// With a result, verified against the database.
    Finished {
        /// Everything that was measured.
        result: Box<RunResult>,
    },
    /// With an error.
    Failed {
        /// One sentence.
        error: String,
        /// The exit code it leads to (see [`super::exit`]).
        code: u8,
    },
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        Self::Failed { error: failure.message, code: failure.exit.code() }
    }
}

impl Outcome {
    /// Why a run that ended like this counts for nothing; empty when it counts.
    pub fn invalid(&self) -> Vec<String> {
        let result = match self {
            Self::Failed { error, .. } => return vec![error.clone()],
            Self::Finished { result } => result,
        };
        let mut reasons = Vec::new();
        match &result.verification {
            None => reasons.push("its rows were not verified".into()),
            Some(verification) if !verification.verified => {
                reasons.push(format!("its rows don't verify: {}", verification.differences.join("; ")));
            }
            Some(_) => {}
        }
        if result.interrupted == Some(Interrupt::Signal) {
            reasons.push("it was interrupted".into());
        }
        reasons
    }
}
