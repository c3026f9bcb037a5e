//! What is tried of one scheme: every run, and the checks that it is part of.

use super::answer::{answer, only_refuses};
use super::clock::{clock, late};
use super::heard::{Heard, Told, error};
use super::{Check, Data, Wrong, ends, expected, wrong_in};
use crate::lab::stack_stage::{StackStage, Trial};
use crate::model::{Commit, Protocol, Scheme, Statement};
use crate::wire::exit::Exit;
use crate::wire::{Acknowledged, Job, SCHEMA};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::time::Duration;

/// Every statement kind, every transaction grain, and the main job's combination.
const COMBINATIONS: [(Statement, Commit); 6] = [
    (Statement::Row, Commit::Auto),
    (Statement::Row, Commit::Record),
    (Statement::Executemany, Commit::Record),
    (Statement::Multirow, Commit::Chunk),
    (Statement::Unnest, Commit::Chunk),
    (Statement::Copy, Commit::Chunk),
];

/// Geographic records and lines of a run that is limited: neither is a multiple of workers or chunk.
const LIMITS: (u64, u64) = (23, 11);

/// Lookups by single requests and by many in flight, with the chunks in which keys are handed out.
const LOOKUPS: [(Statement, usize); 2] = [(Statement::Row, 10), (Statement::Executemany, 100)];

/// Keys of a lookup to its end: more than the table has rows, and no multiple of workers or chunk …
const KEYS: u64 = 1_003;

/// … and of one that is stopped before it comes to them.
const MANY_KEYS: u64 = 10_000_000;

/// When a run is asked to stop, after its data phase began.
const STOP: Duration = Duration::from_secs(1);

/// Seconds of a run that ends by its own clock.
const SECONDS: f64 = 1.5;

/// The trials of one scheme.
pub(super) struct Trials<'a> {
    stage: &'a StackStage,
    image: &'a str,
    scheme: Scheme,
    few: &'a Data,
    many: &'a Data,
    /// What no sentence may repeat.
    secrets: Vec<String>,
    /// What was wrong with answers and clocks so far, of all runs.
    answer: Vec<Wrong>,
    clock: Vec<Wrong>,
    runs: usize,
    /// Runs that were made once more.
    again: usize,
    /// Whether any run gave a result: without one there is nothing to stop.
    came_through: bool,
    /// Why it said that it doesn't do something, the first time.
    refusal: Option<String>,
}

/// One run.
struct Ran {
    heard: Heard,
    told: Vec<Told>,
}

impl<'a> Trials<'a> {
    pub(super) fn new(stage: &'a StackStage, image: &'a str, scheme: Scheme, few: &'a Data, many: &'a Data) -> Self {
        let secrets = stage.secrets();
        let (answer, clock) = (Vec::new(), Vec::new());
        let (runs, again, came_through, refusal) = (0, 0, false, None);
        Self { stage, image, scheme, few, many, secrets, answer, clock, runs, again, came_through, refusal }
    }

    /// Makes all trials and prints their checks. Says how many failed; none where the scheme is not done.
    pub(super) async fn run(&mut self) -> Result<Option<usize>> {
        let (mut rows, done) = self.rows().await?;
        let Some(job) = done else {
            // Refusing wrongly is wrong even where all is refused.
            rows.wrong.append(&mut self.answer);
            return Ok((!rows.wrong.is_empty()).then(|| self.print(rows)));
        };
        if self.came_through {
            rows.wrong.extend(self.limits(&job).await?);
        }
        let mut failed = self.print(rows);
        if self.came_through {
            let stop = self.stop(&job).await?;
            let stops = stop.wrong.is_empty();
            failed += self.print(stop);
            let refusals = self.refusals(&job).await?;
            failed += self.print(refusals);
            let lookups = self.lookups(stops).await?;
            failed += self.print(lookups);
        } else {
            println!("  stop      left out, as refusals: no run came to a result");
        }
        let (answer, clock) = (std::mem::take(&mut self.answer), std::mem::take(&mut self.clock));
        let runs = format!("of {} runs", self.runs);
        failed += self.print(Check { name: "answer", tried: format!("lines and ends {runs}"), wrong: answer });
        let again = match self.again {
            0 => String::new(),
            again => format!(", {again} of them made once more: their lines came late"),
        };
        let tried = format!("clocks, counts, rates and CPU {runs}{again}");
        failed += self.print(Check { name: "clock", tried, wrong: clock });
        Ok(Some(failed))
    }

    /// Why the scheme is not done, in the image's words.
    pub(super) fn refusal(&self) -> String {
        self.discreet(self.refusal.as_deref().unwrap_or("(it doesn't say why)"))
    }

    /// Prints a check. 1 where it failed.
    fn print(&self, check: Check) -> usize {
        let discreet = |(run, sentence): &Wrong| (run.clone(), self.discreet(sentence));
        let wrong: Vec<Wrong> = check.wrong.iter().map(discreet).collect();
        let failed = usize::from(!wrong.is_empty());
        Check { wrong, ..check }.lines().iter().for_each(|line| println!("{line}"));
        failed
    }

    /// A sentence without the password that it may quote, on one line.
    fn discreet(&self, sentence: &str) -> String {
        let hidden = self.secrets.iter().fold(sentence.to_owned(), |text, secret| text.replace(secret, "***"));
        hidden.replace('\n', " ")
    }

    /// One run; what is wrong with its answer and its clock is kept for their checks.
    ///
    /// Where lines came late it is made once more, and that one counts: a program that holds its lines back does so
    /// again, an engine or a machine that stood still for a second hardly does.
    async fn ran(&mut self, name: &str, job: &Job, data: &Data, stop: Option<Duration>) -> Result<Ran> {
        let bytes = serde_json::to_vec(job).context("write the job")?;
        let mut ran = self.ran_with(name, job, bytes.clone(), data, stop).await?;
        if late(&ran.told).is_some() {
            ran = self.ran_with(name, job, bytes, data, stop).await?;
            self.again += 1;
        }
        let clock = clock(&ran.told, job, self.stage.processors());
        self.clock.extend(wrong_in(name, clock));
        Ok(ran)
    }

    async fn ran_with(
        &mut self,
        name: &str,
        job: &Job,
        bytes: Vec<u8>,
        data: &Data,
        stop: Option<Duration>,
    ) -> Result<Ran> {
        let trial = Trial { image: self.image, data: &data.volume, job: bytes, stop };
        let heard = self.stage.attempt(trial).await?;
        let mut wrong = answer(&heard, job, &self.secrets);
        if let (None, Some(asked)) = (stop, heard.asked) {
            wrong.push(format!("it was still at it after {asked:.0} s, and was asked to stop"));
        }
        self.answer.extend(wrong_in(name, wrong));
        self.runs += 1;
        let (told, _) = heard.read();
        Ok(Ran { heard, told })
    }

    /// All rows of a small data set in every combination; and the first combination that is done.
    async fn rows(&mut self) -> Result<(Check, Option<Job>)> {
        let (mut done, mut not_done, mut wrong, mut first) = (Vec::new(), Vec::new(), Vec::new(), None);
        for (statement, commit) in COMBINATIONS {
            let name = format!("{statement}/{commit}");
            // A scheme that sends rows one by one in no protocol is hardly done in another way in a rare one.
            let likely = if done.is_empty() && not_done.len() >= 2 { 1 } else { Protocol::ALL.len() };
            match self.combination(&name, statement, commit, &Protocol::ALL[..likely], &mut wrong).await? {
                Some((job, came_through)) => {
                    done.push(format!("{name} {}", job.protocol));
                    // What comes next is tried with the first that works.
                    if first.is_none() || (came_through && !self.came_through) {
                        first = Some(job);
                    }
                    self.came_through |= came_through;
                }
                None => not_done.push(name),
            }
        }
        let mut tried = done.join(", ");
        if !not_done.is_empty() {
            tried += &format!("; not done: {}", not_done.join(", "));
        }
        Ok((Check { name: "rows", tried, wrong }, first))
    }

    /// One combination in the first protocol that it is done in, and whether there was a result; none where it is
    /// refused in all.
    async fn combination(
        &mut self,
        name: &str,
        statement: Statement,
        commit: Commit,
        protocols: &[Protocol],
        wrong: &mut Vec<Wrong>,
    ) -> Result<Option<(Job, bool)>> {
        for protocol in protocols {
            let job = Job { protocol: *protocol, ..self.stage.trial_job(self.scheme, statement, commit)? };
            let ran = self.ran(name, &job, self.few, None).await?;
            if ran.heard.code != i64::from(Exit::NotSupported.code()) {
                let sentences = self.verified(&ran, |said| expected::differences(&self.few.expected, said)).await?;
                wrong.extend(wrong_in(name, sentences));
                return Ok(Some((job, ends::finished(&ran.heard, &ran.told).is_ok())));
            }
            wrong.extend(wrong_in(name, late_refusal(&ran)));
            if let Some(sentence) = self.written().await? {
                wrong.extend(wrong_in(name, [format!("exit code 3, and yet {sentence}")]));
            }
            if self.refusal.is_none() {
                self.refusal = error(&ran.told).map(str::to_owned);
            }
        }
        Ok(None)
    }

    /// What is wrong with the rows of a run that was to end well: those in the tables beside those acknowledged, and
    /// those acknowledged beside those there are.
    async fn verified(&self, ran: &Ran, beside: impl Fn(&Acknowledged) -> Vec<String>) -> Result<Vec<String>> {
        let result = match ends::finished(&ran.heard, &ran.told) {
            Ok(result) => result,
            Err(sentence) => return Ok(vec![sentence]),
        };
        let said = &result.acknowledged;
        let found = self.stage.found(said).await?;
        let mut wrong: Vec<String> = expected::disagreement(&found, said).into_iter().collect();
        wrong.extend(beside(said));
        Ok(wrong)
    }

    /// What is in the tables where nothing is to be.
    async fn written(&self) -> Result<Option<String>> {
        let found = self.stage.found(&Acknowledged::default()).await?;
        let rows = found.geo_rows + found.elements.rows;
        Ok((rows > 0).then(|| format!("it wrote {rows} rows")))
    }

    /// Limits are kept exactly.
    async fn limits(&mut self, job: &Job) -> Result<Vec<Wrong>> {
        let (geo, lines) = LIMITS;
        let job = Job { limit_geo: Some(geo), limit_lines: Some(lines), ..job.clone() };
        let name = format!("limit_geo {geo}, limit_lines {lines}");
        let ran = self.ran(&name, &job, self.few, None).await?;
        let sentences = self.verified(&ran, |said| expected::counts(geo, lines, said)).await?;
        Ok(wrong_in(&name, sentences))
    }

    /// A signal, and the job's own end.
    async fn stop(&mut self, job: &Job) -> Result<Check> {
        let lines = self.many.expected.lines;
        let ran = self.ran("SIGTERM", job, self.many, Some(STOP)).await?;
        let mut wrong = ends::stopped(&ran.heard, &ran.told, lines);
        if wrong.is_empty() {
            wrong.extend(self.verified(&ran, |_| Vec::new()).await?);
        }
        let mut wrong = wrong_in("SIGTERM", wrong);
        let job = Job { seconds: Some(SECONDS), ..job.clone() };
        let name = format!("seconds {SECONDS}");
        let ran = self.ran(&name, &job, self.many, None).await?;
        let mut timed = ends::timed(&ran.heard, &ran.told, lines, SECONDS);
        if timed.is_empty() {
            timed.extend(self.verified(&ran, |_| Vec::new()).await?);
        }
        wrong.extend(wrong_in(&name, timed));
        Ok(Check { name: "stop", tried: format!("SIGTERM and {name} are followed in order"), wrong })
    }

    /// Wide rows by key, in the order of the keys. And a stop, where a program follows that in an ingest: how one doesn't
    /// has been told.
    async fn lookups(&mut self, stops: bool) -> Result<Check> {
        let (mut done, mut wrong) = (Vec::new(), Vec::new());
        for (statement, chunk) in LOOKUPS {
            let name = format!("{statement} by {chunk}");
            if let Some(job) = self.lookup(&name, statement, chunk, &mut wrong).await? {
                done.push(format!("{name} {}", job.protocol));
                if stops {
                    wrong.extend(self.stopped_lookup(&name, job).await?);
                }
            }
        }
        let tried = match done.is_empty() {
            true => "not done".to_owned(),
            false => format!("{KEYS} keys{}: {}", if stops { " and a stop" } else { "" }, done.join(", ")),
        };
        Ok(Check { name: "lookups", tried, wrong })
    }

    /// One way of looking up in the first protocol that it is done in; none where it is refused in all.
    async fn lookup(
        &mut self,
        name: &str,
        statement: Statement,
        chunk: usize,
        wrong: &mut Vec<Wrong>,
    ) -> Result<Option<Job>> {
        for protocol in Protocol::ALL {
            let job = Job { protocol: *protocol, ..self.stage.trial_lookup(self.scheme, statement, chunk, KEYS)? };
            let ran = self.ran(name, &job, self.few, None).await?;
            if ran.heard.code != i64::from(Exit::NotSupported.code()) {
                wrong.extend(wrong_in(name, self.delivered(&ran, &job).await?));
                return Ok(Some(job));
            }
            wrong.extend(wrong_in(name, late_refusal(&ran)));
        }
        Ok(None)
    }

    /// The same with more keys than anybody comes to, and a signal.
    async fn stopped_lookup(&mut self, name: &str, job: Job) -> Result<Vec<Wrong>> {
        let (name, job) = (format!("{name} and SIGTERM"), Job { limit_lines: Some(MANY_KEYS), ..job });
        let ran = self.ran(&name, &job, self.few, Some(STOP)).await?;
        let mut wrong = ends::stopped(&ran.heard, &ran.told, MANY_KEYS);
        if wrong.is_empty() {
            wrong.extend(self.delivered(&ran, &job).await?);
        }
        Ok(wrong_in(&name, wrong))
    }

    /// What is wrong with the rows that a lookup delivered.
    async fn delivered(&self, ran: &Ran, job: &Job) -> Result<Vec<String>> {
        match ends::finished(&ran.heard, &ran.told) {
            Ok(result) => Ok(self.stage.delivered(job, result).await?.differences),
            Err(sentence) => Ok(vec![sentence]),
        }
    }

    /// Jobs that no peer may begin.
    async fn refusals(&mut self, job: &Job) -> Result<Check> {
        let elsewhere = job.dburl.0.replace("link:5432", "link:5");
        let cases: [(&str, Exit, &str, Value); 4] = [
            ("a newer schema", Exit::Usage, "schema", json!(SCHEMA + 1)),
            ("an unknown field", Exit::Usage, "turbo", json!(true)),
            ("no data", Exit::Data, "data", json!("/nowhere")),
            ("no database", Exit::Database, "dburl", json!(elsewhere)),
        ];
        let mut wrong = Vec::new();
        for (name, exit, field, value) in &cases {
            let mut asked = serde_json::to_value(job).context("write the job")?;
            asked[*field] = value.clone();
            let bytes = serde_json::to_vec(&asked).context("write the job")?;
            let ran = self.ran_with(name, job, bytes, self.few, None).await?;
            let mut found = ends::refused(&ran.heard, &ran.told, i64::from(exit.code()));
            found.extend(self.written().await?);
            wrong.extend(wrong_in(name, found));
        }
        let tried: Vec<String> = cases.iter().map(|(name, exit, ..)| format!("{name} {}", exit.code())).collect();
        Ok(Check { name: "refusals", tried: format!("exit codes: {}", tried.join(", ")), wrong })
    }
}

/// What a program that refuses says too late.
fn late_refusal(ran: &Ran) -> Option<String> {
    let sentence = "exit code 3 after more than `started`: it is said before anything is done";
    (!only_refuses(&ran.told)).then(|| sentence.to_owned())
}
