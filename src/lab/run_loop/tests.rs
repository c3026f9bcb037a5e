//! The run loop on a fake stage.

use super::super::pace;
use super::super::plan::plan;
use super::super::stop::Asked;
use super::super::testing::experiment;
use super::*;
use crate::model::Part;
use crate::wire::conditions::CpuCheck;
use crate::wire::testing::{result, wrong};
use crate::wire::watched::Observed;
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
    /// That run's processors are slow, so many times in a row.
    Slow(usize),
    /// The engine goes while it runs, so many times in a row.
    EngineGone(usize),
    /// The ingester of that run dies with the engine, and has said so.
    EngineRestarts,
    /// The engine goes and doesn't come back.
    GoneForGood,
}

impl Fake {
    fn special(&self, run: usize) -> Option<Special> {
        self.special.clone().filter(|(number, _)| *number == run).map(|(_, special)| special)
    }
}

impl Stage for Fake {
    fn keep_pace(&mut self, pace: Pace, _stop: &Stop) {
        let known = if pace.off(pace::CLIENT, 2e-5).is_some() { "known" } else { "unknown" };
        note(&self.diary, format!("pace {known}"));
    }

    async fn prepare(&mut self, step: &Step, conditions: &mut Conditions) -> Result<()> {
        note(&self.diary, format!("prepare {}", step.cell.scheme));
        if matches!(self.special, Some((0, Special::CannotPrepare))) {
            return Err(Failure::new(Exit::Database, "the database is gone").into());
        }
        let mut client = CpuCheck { work: 1e-5, ..Default::default() };
        if let Some(Special::Slow(times)) = self.special(step.run) {
            client.work = 2e-5;
            self.special = (times > 1).then_some((step.run, Special::Slow(times - 1)));
        }
        conditions.client = Some(client);
        Ok(())
    }

    async fn ingest(
        &mut self,
        step: &Step,
        _conditions: &mut Conditions,
        stop: &Stop,
        heard: &mut dyn FnMut(&Line),
    ) -> Result<Outcome> {
        note(&self.diary, format!("ingest {}", step.run));
        heard(&Line {
            schema: SCHEMA,
            seq: 0,
            at: 0.0,
            client: None,
            event: Event::Started { program: "ingester test".into() },
        });
        let failed = |exit: Exit| Outcome::Failed { error: format!("run {} failed", step.run), code: exit.code() };
        Ok(match self.special(step.run) {
            Some(Special::NotSupported) => failed(Exit::NotSupported),
            Some(Special::Breaks) => failed(Exit::Database),
            Some(Special::EngineRestarts) => failed(Exit::Database),
            Some(Special::EngineGone(_) | Special::GoneForGood) => {
                return Err(Failure::passing(Exit::Engine, "connection refused").into());
            }
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

    async fn recover(&mut self, error: &anyhow::Error, _stop: &Stop, _say: &dyn Fn(&str)) -> Result<Option<String>> {
        note(&self.diary, format!("recover from {error}"));
        let (run, again) = match self.special.take() {
            Some((run, Special::EngineGone(times))) => (run, times - 1),
            Some((_, Special::EngineRestarts)) => return Ok(Some("the engine restarted".into())),
            Some((_, Special::GoneForGood)) => return Err(Failure::new(Exit::Engine, "it did not come back").into()),
            other => {
                self.special = other;
                return Ok(None);
            }
        };
        self.special = (again > 0).then_some((run, Special::EngineGone(again)));
        Ok(Some("the engine was away".into()))
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
    assert_eq!(kinds.join(" "), ["pace prepare ingest hear save"; 7].join(" ") + " restore");
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
async fn a_run_on_processors_of_another_speed_is_repeated_until_it_counts_or_is_given_up_and_all_attempts_are_kept() {
    let (_, diary) = play_with(Some((4, Special::Slow(1)))).await;
    assert_eq!(saved(&diary), ["0", "1", "2", "3", "4", "4", "5", "6"]);
    assert!(diary.contains(&"hear 4, attempt 2: 1".to_owned()), "{diary:?}");
    let attempts = async |times| {
        let (played, diary) = play_with(Some((4, Special::Slow(times)))).await;
        assert!(saved(&diary).ends_with(&["6"]), "the series goes on: {diary:?}");
        let fourth = played.records.into_iter().filter(|record| record.run == 4);
        fourth.map(|record| (record.attempt, record.is_valid())).collect::<Vec<_>>()
    };
    assert_eq!(attempts(1).await, [(1, false), (2, true)]);
    assert_eq!(attempts(3).await, [(1, false), (2, false), (3, false), (4, true)]);
    assert_eq!(attempts(9).await, [(1, false), (2, false), (3, false), (4, false)]);
}

#[tokio::test]
async fn a_stage_is_told_how_fast_the_processors_were_once_three_runs_tell() {
    let (_, diary) = play_with(None).await;
    let told: Vec<&str> = diary.iter().filter_map(|line| line.strip_prefix("pace ")).collect();
    assert_eq!(told, [["unknown"; 3].as_slice(), &["known"; 4]].concat());
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
async fn a_run_that_loses_one_of_its_clients_is_saved_the_series_goes_on_and_a_resumed_one_does_it_again() {
    let of_four = |steps: &mut Vec<Step>| steps[2].cell.clients = 4;
    let (played, diary) = play_changed(Some((2, Special::Breaks)), Vec::new(), of_four).await;
    assert_eq!((exit(&played), played.records.len(), saved(&diary).len()), (None, 7, 7));
    assert_eq!(played.records[2].invalid, ["run 2 failed"]);
    assert!(diary.contains(&"recover from run 2 failed".to_owned()), "its engine may have gone: {diary:?}");
    let (again, diary) = play_changed(None, played.records, of_four).await;
    assert!(again.error.is_none() && saved(&diary) == ["2"], "{diary:?}");
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

#[tokio::test]
async fn a_run_whose_engine_goes_is_kept_does_not_count_and_is_done_once_more() {
    let (played, diary) = play_with(Some((3, Special::EngineGone(1)))).await;
    assert!(played.error.is_none(), "{:?}", played.error);
    assert_eq!(saved(&diary), ["0", "1", "2", "3", "3", "4", "5", "6"]);
    let third: Vec<_> = played.records.iter().filter(|record| record.run == 3).collect();
    assert_eq!(third[0].invalid, ["the engine was away (connection refused)"]);
    assert!(third[0].conditions.client.is_some(), "what was found until then is kept");
    assert_eq!((third[1].attempt, third[1].is_valid()), (2, true));
    assert!(diary.contains(&"hear 3, attempt 1: 1".to_owned()), "what it had said is kept: {diary:?}");
}

#[tokio::test]
async fn a_run_whose_engine_goes_twice_is_left_and_the_series_goes_on() {
    let (played, diary) = play_with(Some((3, Special::EngineGone(2)))).await;
    assert!(played.error.is_none(), "{:?}", played.error);
    assert_eq!(saved(&diary), ["0", "1", "2", "3", "3", "4", "5", "6"]);
    assert_eq!(played.records.iter().filter(|record| record.is_valid()).count(), 5);
    let (second, diary) = play_on(None, played.records).await;
    assert!(second.error.is_none());
    assert_eq!(saved(&diary), ["3"], "a resumed series does it");
}

#[tokio::test]
async fn an_ingester_that_fails_because_its_engine_restarts_is_no_failure_of_its_own() {
    let (played, _) = play_with(Some((3, Special::EngineRestarts))).await;
    assert!(played.error.is_none(), "{:?}", played.error);
    assert_eq!(played.records[3].invalid, ["the engine restarted (run 3 failed)"]);
    assert!(played.records[4].is_valid());
}

#[tokio::test]
async fn an_engine_that_is_gone_for_good_ends_the_series_with_what_it_has() {
    let (played, diary) = play_with(Some((3, Special::GoneForGood))).await;
    assert_eq!(exit(&played), Some(Exit::Engine));
    assert_eq!(played.error.unwrap().to_string(), "it did not come back");
    assert_eq!(diary[diary.len() - 2..], ["save 3", "restore"]);
    assert_eq!(played.records[3].invalid, ["connection refused"]);
}

#[tokio::test]
async fn of_runs_that_are_saved_only_what_later_ones_need_stays_in_memory() {
    let (played, _) = play_with(None).await;
    let items = |record: &RunRecord| record.result().unwrap().acknowledged.items.len();
    assert!(played.records.iter().all(|record| items(record) == 0 && record.conditions.observed.is_none()));
    assert!(played.records.iter().all(|record| record.conditions.client.is_some()), "its speed is asked for");
}

#[test]
fn of_a_single_block_few_looks_stay_for_the_forecasts_until_every_cell_has_run() {
    let steps = plan(&experiment(1));
    let kept_after = |step: &Step, all: usize| {
        let mut run = crate::wire::testing::record(1, crate::model::Scheme::Threads, 1.0);
        run.conditions.observed = Some(Observed { looks: vec![Look::default(); all], ..Observed::default() });
        let mut records = [run];
        forget(&steps, step, &mut records);
        records[0].conditions.observed.as_ref().map(|observed| observed.looks.len())
    };
    let (last, before) = steps.split_last().unwrap();
    let first = before.last().unwrap();
    assert_eq!(kept_after(first, 150), Some(150));
    assert!(kept_after(first, 5_000).is_some_and(|kept| (100..=FEW_LOOKS).contains(&kept)));
    assert_eq!(kept_after(last, 150), None);
}
