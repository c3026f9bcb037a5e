//! What a person sees while a series runs: a bar on a terminal, plain lines elsewhere. All of it on standard error.

use super::plan::Step;
use crate::model::{Phase, printable, units};
use crate::wire::record::RunRecord;
use crate::wire::{Event, Line};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Where progress goes.
#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines,
}

/// Follows a series.
#[derive(Debug)]
pub struct Progress {
    shown: Shown,
    /// What runs now.
    cell: String,
    /// The first run that was begun, and when: of a series that is gone on with not its first.
    first: Option<(usize, Instant)>,
    /// How far each of several clients is.
    clients: RefCell<BTreeMap<usize, Standing>>,
}

/// How far a client is: in which phase, its rows, rows a second now and on average.
type Standing = (Phase, u64, f64, f64);

impl Progress {
    /// A bar for so many runs where standard error is a terminal, else lines.
    pub fn for_people(runs: usize) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::on(Shown::Lines);
        }
        let bar = ProgressBar::new(runs as u64);
        let style = ProgressStyle::with_template("{bar:20} {pos}/{len} {elapsed}{prefix}  {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_secs(1));
        Self::on(Shown::Bar(bar))
    }

    fn on(shown: Shown) -> Self {
        Self { shown, cell: String::new(), first: None, clients: RefCell::default() }
    }

    /// Says nothing.
    #[cfg(test)]
    pub(super) fn silent() -> Self {
        Self::on(Shown::Bar(ProgressBar::hidden()))
    }

    /// A sentence that stays.
    pub fn say(&self, text: &str) {
        let text = printable(text);
        match &self.shown {
            Shown::Bar(bar) => bar.println(text),
            Shown::Lines => eprintln!("{text}"),
        }
    }

    /// A run begins.
    pub fn begins(&mut self, step: &Step, runs: usize) {
        self.cell = printable(&step.cell.to_string()).into_owned();
        self.clients.take();
        let (first, since) = *self.first.get_or_insert((step.run, Instant::now()));
        match &self.shown {
            // As many runs lie behind it as its number says, whatever was tried twice or done before.
            Shown::Bar(bar) => {
                bar.set_position(step.run as u64);
                bar.set_message(self.cell.clone());
                let left = left(since.elapsed(), step.run - first, runs + 1 - step.run);
                bar.set_prefix(left.map_or_else(String::new, |left| format!(" (left: {left})")));
            }
            _ if step.run == 0 => self.say(&format!("warm-up: {}", step.cell)),
            _ => self.say(&format!("run {} of {runs}, block {}: {}", step.run, step.block, step.cell)),
        }
    }

    /// The ingester said something.
    pub fn heard(&self, line: &Line) {
        let whose = line.client.map_or_else(String::new, |client| format!("client {client}: "));
        match &line.event {
            Event::WorkerLost { worker, error } => self.say(&format!("  {whose}worker {worker} is lost: {error}")),
            Event::ConnectionLost { worker, error } => {
                self.say(&format!("  {whose}worker {worker} lost its connection: {error}"));
            }
            Event::ConnectionBack { worker, seconds, .. } => {
                self.say(&format!("  {whose}worker {worker} is connected again after {} s", units::number(*seconds)));
            }
            _ => {}
        }
        let Event::Progress { phase, rows, current, average, .. } = &line.event else { return };
        let Some((rows, current, average)) = self.together(line.client, (*phase, *rows, *current, *average)) else {
            return;
        };
        let text = format!(
            "{phase}: {} rows, {} rows/s now, {} on average",
            units::number(rows as f64),
            units::number(current),
            units::number(average)
        );
        match &self.shown {
            Shown::Bar(bar) => bar.set_message(format!("{}, {text}", self.cell)),
            _ => self.say(&format!("  {text}")),
        }
    }

    /// How far all clients are that are in this phase; said when the first one speaks, not once for each.
    fn together(&self, client: Option<usize>, standing: Standing) -> Option<(u64, f64, f64)> {
        let (phase, rows, current, average) = standing;
        let Some(client) = client else { return Some((rows, current, average)) };
        let mut clients = self.clients.borrow_mut();
        clients.insert(client, standing);
        let of_phase = || clients.values().filter(|one| one.0 == phase);
        let rate = |of: fn(&Standing) -> f64| of_phase().map(of).sum();
        (client == 1).then(|| (of_phase().map(|one| one.1).sum(), rate(|one| one.2), rate(|one| one.3)))
    }

    /// A run is over and saved.
    pub fn ended(&self, record: &RunRecord) {
        let rates = record.result().and_then(|result| result.phase(Phase::Data)).map(|phase| phase.rates);
        let rate = rates.and_then(|rates| rates.steady.map(|steady| steady.rate).or(rates.whole));
        let verdict = if record.is_valid() { "verified".into() } else { record.invalid.join("; ") };
        let text = format!("run {}: {}: {} rows/s, {verdict}", record.run, record.cell, units::rows_a_second(rate));
        self.say(&text);
    }

    /// The series is over.
    pub fn finish(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

/// How long the runs ahead take if each takes as long as those that are done; unknown before one is. A bar's own guess goes by
/// its last steps, and grows while a run lasts.
fn left(since: Duration, done: usize, ahead: usize) -> Option<String> {
    let left = || Duration::from_secs((since.as_secs_f64() * ahead as f64 / done as f64).round() as u64);
    (done > 0).then(|| format!("{:#}", HumanDuration(left())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_as_long_a_run_as_what_is_done() {
        assert_eq!(left(Duration::from_secs(7), 0, 43), None);
        assert_eq!(left(Duration::from_secs(100), 10, 32).unwrap(), "5m");
        assert_eq!(left(Duration::from_secs(400), 40, 1).unwrap(), "10s");
    }
}
