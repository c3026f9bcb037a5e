//! The run loop on a fake stage.

use super::super::plan::plan;
use super::super::stop::Asked;
use super::super::testing::experiment;
use super::*;
use crate::model::Part;
use crate::wire::conditions::{Conditions, CpuCheck};
use crate::wire::testing::{result, wrong};
use crate::wire::{Event, Interrupt, Line};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// What happened, in order; shared by the fake stage and the fake folder.
type Diary = Arc<Mutex<Vec<String>>>;

fn note(diary: &Diary, text: impl Into<String>) {
    diary.lock().unwrap().push(text.into());
}

struct Fake {
    diary: Diary,
    /// What the run of that number does instead of succeeding.
    special: Option<(usize, Special)>,
    ask: watch::Sender<Asked>,
}

#[derive(Clone)]
enum Special {
    Unverified,
    NotSupported,
    Breaks,
    CannotPrepare,
    CtrlC,
    SlowOnce,
}

impl Fake {
    fn special(&self, run: usize) -> Option<Special> {
        self.special.clone().filter(|(number, _)| *number == run).map(|(_, special)| special)
    }
}

impl Stage for Fake {
    async fn prepare(&mut self, step: &Step) -> Result<Conditions> {
        note(&self.diary, format!("prepare {}", step.cell.scheme));
        if matches!(self.special, Some((0, Special::CannotPrepare))) {
            return Err(Failure::new(Exit::Database, "the database is gone").into());
        }
        let mut client = CpuCheck { work: 1e-5, ..Default::default() };
        if matches!(self.special(step.run), Some(Special::SlowOnce)) {
            client.work = 2e-5;
            self.special = None;
        }
        Ok(Conditions { client: Some(client), ..Default::default() })
    }

    async fn ingest(
        &mut self,
        step: &Step,
        _conditions: &mut Conditions,
        stop: &Stop,
        heard: &mut dyn FnMut(&Line),
    ) -> Result<Outcome> {
        note(&self.diary, format!("ingest {}", step.run));
        heard(&Line { schema: SCHEMA, seq: 0, at: 0.0, event: Event::Started { program: "ingester test".into() } });
        let failed = |exit: Exit| Outcome::Failed { error: format!("run {} failed", step.run), code: exit.code() };
        Ok(match self.special(step.run) {
            Some(Special::NotSupported) => failed(Exit::NotSupported),
            Some(Special::Breaks) => failed(Exit::Database),
            Some(Special::Unverified) => {
                let mut result = result(&step.cell, 9_000.0);
                result.verification = Some(wrong());
                Outcome::Finished { result: Box::new(result) }
            }
            Some(Special::CtrlC) => {
                self.ask.send(Asked::Orderly).unwrap();
                stop.asked().await;
                let mut result = result(&step.cell, 9_000.0);
                result.interrupted = Some(Interrupt::Signal);
                Outcome::Finished { result: Box::new(result) }
            }
            _ => Outcome::Finished { result: Box::new(result(&step.cell, 9_000.0)) },
        })
    }

    async fn restore(&mut self) -> Result<()> {
        note(&self.diary, "restore");
        Ok(())
    }
}

struct Shelf(Diary);

impl Keep for Shelf {
    fn keep(&mut self, record: &RunRecord) -> Result<()> {
        note(&self.0, format!("save {}", record.run));
        Ok(())
    }

    fn hear(&mut self, run: usize, attempt: u32, lines: &[Line]) -> Result<()> {
        note(&self.0, format!("hear {run}, attempt {attempt}: {}", lines.len()));
        Ok(())
    }

    fn foretell(&mut self, run: usize, _forecast: &Forecast) -> Result<()> {
        note(&self.0, format!("foretell {run}"));
        Ok(())
    }
}

async fn play_with(special: Option<(usize, Special)>) -> (Played, Vec<String>) {
    play_on(special, Vec::new()).await
}

/// Plays two blocks of two cells and a twin, after what an earlier session has done.
async fn play_on(special: Option<(usize, Special)>, earlier: Vec<RunRecord>) -> (Played, Vec<String>) {
    play_changed(special, earlier, |_| {}).await
}

/// The same with some of its steps changed.
async fn play_changed(
    special: Option<(usize, Special)>,
    earlier: Vec<RunRecord>,
    change: impl FnOnce(&mut Vec<Step>),
) -> (Played, Vec<String>) {
    let diary = Diary::default();
    let (ask, stop) = Stop::by_hand();
    let mut stage = Fake { diary: diary.clone(), special, ask };
    let names = Names { series: "2026-11-20-test".into(), experiment: "test".into() };
    let mut steps = plan(&experiment(2));
    change(&mut steps);
    let mut keep = Shelf(diary.clone());
    let mut progress = Progress::silent();
    let mut player = Player {
        stage: &mut stage,
        keep: &mut keep,
        names: &names,
        progress: &mut progress,
        stop: &stop,
        budget: None,
        links: &Profiles::shipped(),
    };
    let played = player.play(&steps, earlier).await;
    let written = diary.lock().unwrap().clone();
    (played, written)
}

fn exit(played: &Played) -> Option<Exit> {
    played.error.as_ref().map(Failure::exit_of)
}

fn saved(diary: &[String]) -> Vec<&str> {
    diary.iter().filter_map(|entry| entry.strip_prefix("save ")).collect()
}

#[tokio::test]
async fn each_run_is_prepared_ingested_and_saved_before_the_next_and_restored_once_at_the_end() {
    let (played, diary) = play_with(None).await;
    assert!(played.error.is_none());
    assert!(played.records.iter().all(|record| record.is_valid() == (record.part != Part::WarmUp)));
    let kinds: Vec<&str> = diary.iter().map(|entry| entry.split(' ').next().unwrap()).collect();
    assert_eq!(kinds.join(" "), ["prepare ingest hear save"; 7].join(" ") + " restore");
    assert_eq!(saved(&diary), ["0", "1", "2", "3", "4", "5", "6"]);
}

#[tokio::test]
async fn ctrl_c_saves_the_run_that_it_cuts_marks_it_and_restores() {
    let (played, diary) = play_with(Some((2, Special::CtrlC))).await;
    assert_eq!(exit(&played), Some(Exit::Interrupted));
    assert_eq!(played.records.len(), 3);
    assert_eq!(played.records[2].invalid, ["it was interrupted"]);
    assert_eq!(diary[diary.len() - 2..], ["save 2", "restore"]);
}

#[tokio::test]
async fn a_resumed_series_does_what_is_left_and_what_was_cut_short_once_more() {
    let (first, _) = play_with(Some((2, Special::CtrlC))).await;
    let (second, diary) = play_on(None, first.records).await;
    assert!(second.error.is_none());
    assert_eq!(saved(&diary), ["2", "3", "4", "5", "6"]);
    let attempts: Vec<(usize, u32)> = second.records.iter().map(|record| (record.run, record.attempt)).collect();
    assert_eq!(attempts, [(0, 1), (1, 1), (2, 1), (2, 2), (3, 1), (4, 1), (5, 1), (6, 1)]);
    let (_, nothing) = play_on(None, second.records).await;
    assert_eq!(nothing, ["restore"]);
}

#[tokio::test]
async fn a_run_on_a_processor_of_another_speed_is_repeated_once_and_both_are_kept() {
    let (played, diary) = play_with(Some((4, Special::SlowOnce))).await;
    assert_eq!(saved(&diary), ["0", "1", "2", "3", "4", "4", "5", "6"]);
    assert!(diary.contains(&"hear 4, attempt 2: 1".to_owned()), "{diary:?}");
    let fourth: Vec<_> = played.records.iter().filter(|record| record.run == 4).collect();
    assert_eq!((fourth[0].is_valid(), fourth[1].is_valid(), fourth[1].attempt), (false, true, 2));
}

#[tokio::test]
async fn a_run_whose_rows_do_not_verify_is_kept_and_does_not_count() {
    let (played, diary) = play_with(Some((2, Special::Unverified))).await;
    assert!(played.error.is_none(), "the others go on");
    assert_eq!(played.records.iter().filter(|record| record.is_valid()).count(), 5);
    assert!(played.records[2].invalid[0].starts_with("its rows don't verify: "), "{:?}", played.records[2].invalid);
    assert!(diary.contains(&"save 2".to_owned()));
}

#[tokio::test]
async fn a_combination_that_is_not_supported_is_kept_and_the_others_go_on() {
    let (played, _) = play_with(Some((1, Special::NotSupported))).await;
    assert!(played.error.is_none());
    assert_eq!(played.records.len(), 7);
    assert!(!played.records[1].is_valid());
}

#[tokio::test]
async fn a_run_that_breaks_is_saved_and_ends_the_series_with_its_exit_code() {
    let (played, diary) = play_with(Some((2, Special::Breaks))).await;
    assert_eq!(exit(&played), Some(Exit::Database));
    assert_eq!(diary[diary.len() - 2..], ["save 2", "restore"]);
}

#[tokio::test]
async fn a_run_that_fails_for_its_fault_is_saved_and_the_series_goes_on() {
    let broken = |steps: &mut Vec<Step>| steps[2].cell.fault = "db-kill".parse().unwrap();
    let (played, diary) = play_changed(Some((2, Special::Breaks)), Vec::new(), broken).await;
    assert_eq!((exit(&played), played.records.len()), (None, 7));
    assert!(!played.records[2].is_valid() && saved(&diary).len() == 7);
}

#[tokio::test]
async fn what_cannot_be_prepared_is_restored_all_the_same() {
    let (played, diary) = play_with(Some((0, Special::CannotPrepare))).await;
    assert_eq!(exit(&played), Some(Exit::Database));
    assert!(played.records.is_empty());
    assert_eq!(diary.last().unwrap(), "restore");
}
