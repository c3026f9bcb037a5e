//! What a person sees while a series runs: a bar on a terminal, plain lines elsewhere. All of it on standard error.

use super::plan::Step;
use crate::model::{Phase, printable, units};
use crate::wire::record::RunRecord;
use crate::wire::{Event, Line};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

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
}

impl Progress {
    /// A bar for so many runs where standard error is a terminal, else lines.
    pub fn for_people(runs: usize) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { shown: Shown::Lines, cell: String::new() };
        }
        let bar = ProgressBar::new(runs as u64);
        let style = ProgressStyle::with_template("{bar:20} {pos}/{len} {elapsed} (left: {eta})  {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(std::time::Duration::from_secs(1));
        Self { shown: Shown::Bar(bar), cell: String::new() }
    }

    /// Says nothing.
    #[cfg(test)]
    pub(super) fn silent() -> Self {
        Self { shown: Shown::Bar(ProgressBar::hidden()), cell: String::new() }
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
        match &self.shown {
            Shown::Bar(bar) => bar.set_message(self.cell.clone()),
            _ if step.run == 0 => self.say(&format!("warm-up: {}", step.cell)),
            _ => self.say(&format!("run {} of {runs}, block {}: {}", step.run, step.block, step.cell)),
        }
    }

    /// A run was done before.
    pub fn skips(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.inc(1);
        }
    }

    /// The ingester said something.
    pub fn heard(&self, line: &Line) {
        match &line.event {
            Event::WorkerLost { worker, error } => self.say(&format!("  worker {worker} is lost: {error}")),
            Event::ConnectionLost { worker, error } => {
                self.say(&format!("  worker {worker} lost its connection: {error}"));
            }
            Event::ConnectionBack { worker, seconds, .. } => {
                self.say(&format!("  worker {worker} is connected again after {} s", units::number(*seconds)));
            }
            _ => {}
        }
        let Event::Progress { phase, rows, current, average, .. } = &line.event else { return };
        let text = format!(
            "{phase}: {} rows, {} rows/s now, {} on average",
            units::number(*rows as f64),
            units::number(*current),
            units::number(*average)
        );
        match &self.shown {
            Shown::Bar(bar) => bar.set_message(format!("{}, {text}", self.cell)),
            _ => self.say(&format!("  {text}")),
        }
    }

    /// A run is over and saved.
    pub fn ended(&self, record: &RunRecord) {
        let rates = record.result().and_then(|result| result.phase(Phase::Data)).map(|phase| phase.rates);
        let rate = rates.and_then(|rates| rates.steady.map(|steady| steady.rate).or(rates.whole));
        let verdict = if record.is_valid() { "verified".into() } else { record.invalid.join("; ") };
        let text = format!("run {}: {}: {} rows/s, {verdict}", record.run, record.cell, units::rows_a_second(rate));
        self.say(&text);
        if let Shown::Bar(bar) = &self.shown {
            bar.inc(1);
        }
    }

    /// The series is over.
    pub fn finish(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}
