//! `lab doctor --peer IMAGE`: whether an image keeps docs/peer-contract.md, tried on the running stack.
//!
//! ```text
//! samples (generated) ─► volumes ─► trials, a fresh container each ─► Heard: lines with their arrival, its end
//!     └─► expected: what they add up to ─┐                                │
//!                          tables ───────┴─► rows, stop, refusals ◄───────┴─► answer, clock
//! ```
//! What is wrong is told by pure functions over what was heard; only `trials` and this file touch the stack.

mod answer;
mod clock;
mod ends;
mod expected;
mod heard;
#[cfg(test)]
mod testing;
mod trials;

pub(crate) use heard::heard;
pub(in crate::lab) use heard::{Heard, Recorder};

use super::StackConfig;
use super::stack_stage::StackStage;
use super::stage::Stage;
use super::stop::Stop;
use crate::census::{GenerateSpec, generate};
use crate::engine::{DataSet, DataVolume, Stack};
use crate::model::{Scheme, printable};
use crate::wire::Acknowledged;
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use std::time::Duration;
use trials::Trials;

/// Seed of the generated data: another than a series', so that removing it takes nothing from one.
const SEED: u64 = 1907;

/// Lines for a run to its end: long enough for a rate row by row, short enough for every combination.
const FEW: u32 = 60;

/// Lines for a run that is ended before its end: more than anybody does, row by row, in the second before it is asked to
/// stop and the half minute that it is waited for, so that one that goes on is seen to.
const MANY: u32 = 5_000;

/// Sentences a check shows before the rest is only counted.
const SHOWN: usize = 6;

/// What `lab doctor --peer` is told.
#[derive(Debug, Clone)]
pub struct PeerConfig {
    /// The stack to try it on.
    pub stack: StackConfig,
    /// The image, by name or id.
    pub image: String,
    /// Schemes to ask for.
    pub schemes: Vec<Scheme>,
}

/// Generated data, and what it adds up to.
struct Sample {
    files: DataSet,
    expected: Acknowledged,
    /// Keeps the files for as long as they are needed.
    _folder: tempfile::TempDir,
}

impl Sample {
    fn make(lines: u32) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for generated data")?;
        let spec = GenerateSpec { seed: SEED, geo_records: lines, lines, ..Default::default() };
        let files = generate(&spec, folder.path()).context("generate data")?;
        let files = DataSet::of(files.into_iter().map(|file| file.path).collect())?;
        Ok(Self { files, expected: expected::of(folder.path())?, _folder: folder })
    }

    async fn send(&self, stack: &Stack) -> Result<Data> {
        let (volume, _) = stack.ensure_data(&self.files).await?;
        Ok(Data { volume, expected: self.expected.clone() })
    }
}

/// A sample where containers can read it.
#[derive(Debug)]
struct Data {
    volume: DataVolume,
    expected: Acknowledged,
}

/// Something that is wrong: in which run, and the sentence.
type Wrong = (String, String);

/// One check of the contract, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Check {
    name: &'static str,
    /// What was tried, where nothing is wrong.
    tried: String,
    wrong: Vec<Wrong>,
}

impl Check {
    /// A line, and one for each further sentence. What is wrong in several runs is said once.
    fn lines(&self) -> Vec<String> {
        let mut sentences: Vec<(Vec<&str>, &str)> = Vec::new();
        for (run, sentence) in &self.wrong {
            match sentences.iter_mut().find(|(_, said)| said == sentence) {
                Some((runs, _)) => runs.push(run),
                None => sentences.push((vec![run], sentence)),
            }
        }
        let mut lines: Vec<String> = Vec::new();
        for (runs, sentence) in sentences.iter().take(SHOWN) {
            let head = if lines.is_empty() { format!("! {:<10}", self.name) } else { " ".repeat(12) };
            lines.push(format!("{head}{}: {}", runs.join(", "), printable(sentence)));
        }
        if sentences.len() > SHOWN {
            lines.push(format!("            … and {} more", sentences.len() - SHOWN));
        }
        if lines.is_empty() {
            lines.push(format!("  {:<10}{}", self.name, self.tried));
        }
        lines
    }
}

/// What is wrong in one run.
fn wrong_in(run: &str, sentences: impl IntoIterator<Item = String>) -> Vec<Wrong> {
    sentences.into_iter().map(|sentence| (run.to_owned(), sentence)).collect()
}

/// Tries an image, prints a line a check, and puts everything back. Fails where it does not keep the contract.
pub async fn check_peer(config: &PeerConfig) -> Result<()> {
    let stop = Stop::on_signals()?;
    let samples = [Sample::make(FEW)?, Sample::make(MANY)?];
    let stack = config.stack.connect().await?;
    let mut stage = StackStage::take_within(stack.clone(), Duration::ZERO).await?;
    let outcome = tokio::select! {
        outcome = all(&mut stage, &stack, config, &samples) => outcome,
        () = stop.asked() => Err(Failure::new(Exit::Interrupted, "interrupted; everything is put back").into()),
    };
    let restored = stage.restore().await;
    let removed = remove(&stack, &samples).await;
    let wrong = outcome?;
    restored?;
    removed?;
    let image = &config.image;
    if wrong == 0 {
        println!("{image} keeps the contract");
        return Ok(());
    }
    let checks = if wrong == 1 { "check" } else { "checks" };
    let message = format!("{image} does not keep the contract: {wrong} {checks} failed");
    Err(Failure::new(Exit::Failure, message).into())
}

/// How many checks failed.
async fn all(stage: &mut StackStage, stack: &Stack, config: &PeerConfig, samples: &[Sample; 2]) -> Result<usize> {
    stage.begin_trials().await?;
    let [few, many] = samples;
    let (few, many) = (few.send(stack).await?, many.send(stack).await?);
    let (mut wrong, mut done) = (0, 0);
    for scheme in &config.schemes {
        println!("scheme {scheme}");
        let mut trials = Trials::new(stage, &config.image, *scheme, &few, &many);
        match trials.run().await? {
            Some(failed) => {
                done += 1;
                wrong += failed;
            }
            None => println!("  not done  {}", trials.refusal()),
        }
    }
    if done == 0 {
        println!("! scheme    it does none of the schemes asked for: a peer does one at least");
        wrong += 1;
    }
    Ok(wrong)
}

/// Removes the samples' volumes. Whatever was using them is gone by then.
async fn remove(stack: &Stack, samples: &[Sample]) -> Result<()> {
    for volume in stack.data_volumes().await? {
        if samples.iter().any(|sample| sample.files.checksum == volume.checksum) {
            stack.remove_data(&volume).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_a_line_marked_where_something_is_wrong() {
        let check = |wrong: usize| Check {
            name: "rows",
            tried: "row/auto".into(),
            wrong: (0..wrong).map(|number| ("a".to_owned(), format!("wrong {number}"))).collect(),
        };
        assert_eq!(check(0).lines(), ["  rows      row/auto"]);
        assert_eq!(check(2).lines(), ["! rows      a: wrong 0", "            a: wrong 1"]);
        let mut twice = check(2);
        twice.wrong.push(("b".into(), "wrong 0".into()));
        assert_eq!(twice.lines(), ["! rows      a, b: wrong 0", "            a: wrong 1"]);
        let many = check(9).lines();
        assert_eq!((many.len(), many[SHOWN].as_str()), (SHOWN + 1, "            … and 3 more"));
    }

    #[test]
    fn samples_are_the_same_each_time_and_not_a_series_data() {
        let (one, again) = (Sample::make(FEW).unwrap(), Sample::make(FEW).unwrap());
        assert_eq!((&one.files.checksum, &one.expected), (&again.files.checksum, &again.expected));
        assert_eq!((one.expected.geo_rows, one.expected.lines), (60, 60));
        assert_ne!(SEED, GenerateSpec::default().seed);
    }
}
