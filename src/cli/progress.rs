//! Progress for people, on standard error: a bar on a terminal, plain lines elsewhere.

use crate::model::printable;
use crate::model::units::{count, number, rows_a_second};
use crate::wire::Event;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// Shows a run's events.
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A bar if standard error is a terminal.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}");
            ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        Self { bar }
    }

    /// Shows one event.
    pub fn show(&self, event: &Event) {
        let text = match event {
            Event::Connected { connections, seconds } => {
                format!("{connections} connections in {} s", number(*seconds))
            }
            Event::Ready { phase } => format!("ready for {phase}: waiting for the word to begin"),
            Event::Phase { phase } => format!("{phase} begins"),
            Event::QueueFilled { phase } => format!("{phase}: everything is read"),
            Event::Progress { phase, records, rows, current, average } => format!(
                "{phase}: {} records, {} rows, now {} rows/s, on average {} rows/s",
                count(*records),
                count(*rows),
                rows_a_second(Some(*current)),
                rows_a_second(Some(*average))
            ),
            Event::ConnectionLost { worker, error } => format!("worker {worker} lost its connection: {error}"),
            Event::ConnectionBack { worker, seconds, .. } => {
                format!("worker {worker} is connected again after {} s", number(*seconds))
            }
            Event::WorkerLost { worker, error } => format!("worker {worker} is lost: {error}"),
            Event::Started { .. } | Event::Finished { .. } | Event::Failed { .. } => return,
            Event::Done { .. } | Event::Rows { .. } => return, // for parents
            Event::Second { .. } | Event::Measured { .. } => return, // for programs
        };
        match &self.bar {
            Some(bar) => {
                bar.set_message(text);
                bar.tick();
            }
            None => eprintln!("{}", printable(&text)),
        }
    }

    /// Takes the bar off the screen.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
