//! Clients that only say what real ones say.

use super::*;
use crate::model::cell::Cell as Combination;
use crate::model::{Commit, Scheme, Statement};
use crate::wire::testing::result;
use crate::wire::{Interrupt, SCHEMA, Timeline};
use std::rc::Rc;
use std::time::Duration;

/// What happened, in order.
type Diary = Rc<RefCell<Vec<String>>>;

struct Fake {
    diary: Diary,
    does: Does,
    /// How long it takes to be ready for the phase data.
    slow: Duration,
}

#[derive(Clone, Copy, PartialEq)]
enum Does {
    Its,
    /// Its container is killed when it has begun the first phase.
    Dies,
    /// It ends in order before anything began, and without a word.
    SaysNothing,
    /// What it says cannot be read.
    Garbage,
    /// The engine that runs it goes away.
    EngineGone,
    /// Somebody stops it.
    Stopped,
    /// It does a record more than its share.
    AnotherJob,
}

impl Client for Fake {
    async fn ingest(
        self,
        job: Job,
        mut words: UnboundedReceiver<Begin>,
        stop: impl Future<Output = ()>,
        heard: &mut dyn FnMut(&Line),
    ) -> Result<Ended> {
        let client = job.share.client;
        let note = |text: String| self.diary.borrow_mut().push(text);
        note(format!("{client} gets {} of {}, barrier {}", job.share, job.limit_lines.unwrap_or(0), job.barrier));
        let mut seq = 0;
        let mut say = |event: Event| {
            heard(&Line { schema: SCHEMA, seq, at: 0.1, client: None, event });
            seq += 1;
        };
        let mut stop = std::pin::pin!(stop);
        let mut interrupted = None;
        match self.does {
            Does::SaysNothing => return Ok(Ended { code: 0, ..Ended::default() }),
            Does::Garbage => return Err(Failure::new(Exit::Failure, "the ingester's answer cannot be read").into()),
            Does::EngineGone => return Err(Failure::passing(Exit::Engine, "connection refused").into()),
            Does::Stopped => interrupted = Some(Interrupt::Signal),
            Does::Its | Does::Dies | Does::AnotherJob => {}
        }
        let mut moments = Vec::new();
        for phase in job.phases.clone() {
            if interrupted.is_some() {
                break;
            }
            if phase == Phase::Data {
                tokio::time::sleep(self.slow).await;
            }
            say(Event::Ready { phase });
            say(Event::Ready { phase });
            note(format!("{client} is ready for {phase}"));
            tokio::select! {
                word = words.recv() => {
                    let word = word.unwrap();
                    assert_eq!(word.begin, phase);
                    moments.push(word.at);
                    note(format!("{client} begins {phase}"));
                    say(Event::Phase { phase });
                }
                () = &mut stop => interrupted = Some(Interrupt::Signal),
            }
            if self.does == Does::Dies {
                return Ok(Ended { code: 137, ..Ended::default() });
            }
        }
        note(format!("{client} ends{}", if interrupted.is_some() { " early" } else { "" }));
        let cell = Combination::new(Scheme::Threads, Statement::Row, Commit::Record, 2);
        let mut result = result(&cell, 1.0);
        (result.job, result.interrupted, result.verification) = (job, interrupted, None);
        if self.does == Does::AnotherJob {
            result.job.limit_lines = Some(1);
        }
        // When it was told to begin shows as its processor time, for the test to read.
        result.cpu.user = moments.iter().sum();
        for phase in &mut result.phases {
            let line = Timeline::new(vec![10.0; 40], Some((0.0, 4.0)), None);
            (phase.rows, phase.records, phase.seconds, phase.timeline) = (400, 4, 4.0, Some(line));
        }
        Ok(Ended {
            code: if interrupted.is_some() { 130 } else { 0 },
            result: Some(Box::new(result)),
            ..Ended::default()
        })
    }
}

fn job() -> Job {
    let cell = Combination::new(Scheme::Threads, Statement::Row, Commit::Record, 2);
    Job { limit_lines: Some(100), ..result(&cell, 1.0).job }
}

/// What came of it, what happened, and what was heard: the line's number, whose, whether it is the word of a phase.
async fn run(does: &[Does]) -> (Result<Result<Box<RunResult>, Failure>>, Vec<String>, Vec<Line>) {
    run_until(does, &Stop::by_hand().1).await
}

async fn run_until(does: &[Does], stop: &Stop) -> (Result<Result<Box<RunResult>, Failure>>, Vec<String>, Vec<Line>) {
    let diary = Diary::default();
    let fake = |(at, does): (usize, &Does)| {
        let slow = Duration::from_millis(20 * (at as u64 % 2));
        Fake { diary: Rc::clone(&diary), does: *does, slow }
    };
    let clients = does.iter().enumerate().map(fake).collect();
    let mut lines = Vec::new();
    let outcome = together(clients, &job(), stop, &mut |line| lines.push(line.clone())).await;
    (outcome, diary.take(), lines)
}

fn at(diary: &[String], entry: &str) -> usize {
    diary.iter().position(|written| written == entry).unwrap_or_else(|| panic!("{entry}: {diary:?}"))
}

#[tokio::test]
async fn each_client_gets_its_share_and_no_phase_begins_before_all_are_ready_for_it() {
    let (outcome, diary, lines) = run(&[Does::Its; 3]).await;
    let merged = outcome.unwrap().unwrap();
    for client in 1..=3 {
        at(&diary, &format!("{client} gets client {client} of 3 of 100, barrier true"));
        for phase in ["geo", "data"] {
            for other in 1..=3 {
                assert!(
                    at(&diary, &format!("{client} is ready for {phase}"))
                        < at(&diary, &format!("{other} begins {phase}"))
                );
            }
        }
        assert!(at(&diary, &format!("{client} begins geo")) < at(&diary, &format!("{client} is ready for data")));
    }
    assert_eq!(
        (merged.acknowledged.lines, merged.phase(Phase::Data).unwrap().rows, merged.clients.len()),
        (120, 1_200, 3)
    );
    let told: BTreeSet<u64> = merged.clients.iter().map(|client| client.cpu.user.to_bits()).collect();
    assert_eq!(told.len(), 1, "one moment for all");
    assert_eq!((merged.job.share, merged.job.barrier), (Share::WHOLE, false));
    assert!((0..).zip(&lines).all(|(number, line)| line.seq == number && line.client.is_some()), "numbered through");
    assert_eq!(lines.len(), 3 * 2 * 3);
}

#[tokio::test]
async fn a_client_that_dies_fails_the_run_by_its_name_and_the_others_are_stopped() {
    let (outcome, diary, _) = run(&[Does::Its, Does::Dies, Does::Its, Does::Its]).await;
    let failure = outcome.unwrap().unwrap_err();
    let said = "client 2 of 4 is lost, and the run with it: the ingester ended with code 137 and without a result";
    assert_eq!((failure.message.as_str(), failure.exit), (said, Exit::Failure));
    for other in [1, 3, 4] {
        at(&diary, &format!("{other} ends early"));
    }
    assert!(!diary.iter().any(|entry| entry.ends_with("begins data")), "{diary:?}");
}

#[tokio::test]
async fn however_a_client_is_lost_there_is_no_smaller_total() {
    for (does, said) in [
        (
            Does::SaysNothing,
            "client 3 of 3 is lost, and the run with it: the ingester ended with code 0 and without a result",
        ),
        (Does::Garbage, "client 3 of 3 is lost, and the run with it: the ingester's answer cannot be read"),
        (Does::Stopped, "client 3 of 3 is lost, and the run with it: it was stopped by somebody else before its share"),
        (Does::AnotherJob, "what the clients did is no run together: client 3 of 3 did another job than client 1"),
    ] {
        let (outcome, ..) = run(&[Does::Its, Does::Its, does]).await;
        let failure = outcome.unwrap().unwrap_err();
        assert!(failure.message.starts_with(said), "{}", failure.message);
    }
}

#[tokio::test]
async fn an_engine_that_went_from_under_a_client_may_come_back() {
    let (outcome, ..) = run(&[Does::EngineGone, Does::Its]).await;
    let error = outcome.unwrap_err();
    assert!(Failure::passes(&error) && format!("{error:#}") == "client 1 of 2: connection refused", "{error:#}");
}

#[tokio::test]
async fn ctrl_c_stops_all_and_what_they_did_until_then_is_one_result() {
    let (ask, stop) = Stop::by_hand();
    ask.send_replace(Asked::Orderly);
    let (outcome, ..) = run_until(&[Does::Its, Does::Its], &stop).await;
    assert_eq!(outcome.unwrap().unwrap().interrupted, Some(Interrupt::Signal));
}
