//! A bar a cell: its median, how far that is sure, and each run.

use super::{Anchor, Canvas, MARGIN, WIDTH, ticks};
use crate::model::units;

/// Height of a cell's row.
const ROW: f64 = 48.0;

/// A cell's rate.
#[derive(Debug, Clone)]
pub struct Bar {
    /// The cell.
    pub name: String,
    /// Its median, rows a second.
    pub value: f64,
    /// Interval or range.
    pub spread: (f64, f64),
    /// Each run.
    pub runs: Vec<f64>,
    /// What is shown on hover.
    pub title: String,
    /// Drawn lighter: the cell that ran again.
    pub light: bool,
}

/// The chart. Empty where there is nothing to draw.
pub fn bars(bars: &[Bar]) -> String {
    let most = bars.iter().map(|bar| bar.spread.1.max(bar.value)).filter(|most| most.is_finite()).fold(0.0, f64::max);
    if most <= 0.0 {
        return String::new();
    }
    let height = ROW * bars.len() as f64 + 24.0;
    let at = |value: f64| MARGIN + (value / most).clamp(0.0, 1.0) * (WIDTH - 2.0 * MARGIN);
    let mut canvas = Canvas::default();
    for tick in ticks(most) {
        let x = at(tick);
        let anchor = match x {
            _ if x < 30.0 => Anchor::Start,
            _ if x > WIDTH - 30.0 => Anchor::End,
            _ => Anchor::Middle,
        };
        canvas.line("grid", (x, 0.0), (x, height - 20.0));
        canvas.text("tick", (x, height - 5.0), anchor, &units::rate(tick).replace("0.00", "0"));
    }
    for (index, bar) in bars.iter().enumerate().filter(|(_, bar)| bar.value.is_finite()) {
        canvas.group(&bar.title, |canvas| draw(canvas, bar, ROW * index as f64, at));
    }
    canvas.svg(height, "Rows a second by cell")
}

fn draw(canvas: &mut Canvas, bar: &Bar, top: f64, at: impl Fn(f64) -> f64) {
    canvas.rect("hit", (0.0, top), (WIDTH, ROW));
    canvas.text("name", (MARGIN, top + 15.0), Anchor::Start, &bar.name);
    canvas.text("value", (WIDTH - MARGIN, top + 15.0), Anchor::End, &units::rate(bar.value));
    let class = if bar.light { "bar light" } else { "bar" };
    canvas.rect(class, (MARGIN, top + 22.0), (at(bar.value) - MARGIN, 13.0));
    if bar.runs.len() > 1 {
        canvas.whisker("whisker", at(bar.spread.0), at(bar.spread.1), top + 28.5);
        for run in bar.runs.iter().filter(|run| run.is_finite()) {
            canvas.dot("run", (at(*run), top + 40.0), 2.0);
        }
    }
}
