//! Ratios with their intervals about 1, and the band in which identical cells lie.

use super::{Anchor, Canvas, MARGIN, WIDTH};
use crate::model::units;

/// Height of a comparison's row, and of what stands above the first.
const ROW: f64 = 42.0;
const HEAD: f64 = 22.0;

/// Pairs of ticks, the widest that fits is drawn.
const TICKS: [(f64, f64); 9] = [
    (0.98, 1.02),
    (0.95, 1.05),
    (0.9, 1.1),
    (0.8, 1.25),
    (0.67, 1.5),
    (0.5, 2.0),
    (0.2, 5.0),
    (0.1, 10.0),
    (0.01, 100.0),
];

/// A ratio with its interval.
#[derive(Debug, Clone)]
pub struct Multiple {
    /// What is compared.
    pub name: String,
    /// The ratio.
    pub value: f64,
    /// Its interval.
    pub interval: (f64, f64),
    /// What is shown on hover.
    pub title: String,
    /// Whether it is a difference.
    pub strong: bool,
}

/// The chart; `floor` is what identical cells may differ by, as a part. Empty where there is nothing to draw.
pub fn multiples(rows: &[Multiple], floor: Option<f64>) -> String {
    let finite = |row: &&Multiple| row.interval.0 > 0.0 && row.interval.1.is_finite();
    let rows: Vec<&Multiple> = rows.iter().filter(finite).collect();
    if rows.is_empty() {
        return String::new();
    }
    let ends = rows.iter().flat_map(|row| [row.interval.0.ln().abs(), row.interval.1.ln().abs()]);
    let extent = ends.chain(floor.map(|floor| (1.0 + floor).ln())).fold(0.05_f64, f64::max) * 1.12;
    let half = WIDTH / 2.0 - 16.0;
    let at = |value: f64| WIDTH / 2.0 + (value.ln() / extent).clamp(-1.0, 1.0) * half;
    let height = HEAD + ROW * rows.len() as f64 + 26.0;
    let bottom = height - 22.0;
    let mut canvas = Canvas::default();
    if let Some(floor) = floor {
        let (left, right) = (at(1.0 / (1.0 + floor)), at(1.0 + floor));
        let title = format!("identical cells may differ by up to {}", units::percent(floor));
        canvas.group(&title, |canvas| canvas.rect("band", (left, HEAD), (right - left, bottom - HEAD)));
    }
    let within = |step: &&(f64, f64)| step.0.ln().abs().max(step.1.ln()) <= extent * 0.95;
    let (less, more) = TICKS.iter().rfind(within).copied().unwrap_or(TICKS[0]);
    for (tick, class) in [(less, "grid"), (1.0, "grid one"), (more, "grid")] {
        canvas.line(class, (at(tick), HEAD), (at(tick), bottom));
        canvas.text("tick", (at(tick), height - 6.0), Anchor::Middle, &format!("{}x", units::multiple(tick)));
    }
    canvas.text("tick", (MARGIN, 14.0), Anchor::Start, "← slower");
    canvas.text("tick", (WIDTH - MARGIN, 14.0), Anchor::End, "faster →");
    for (index, one) in rows.iter().enumerate() {
        canvas.group(&one.title, |canvas| draw(canvas, one, HEAD + ROW * index as f64, at));
    }
    canvas.svg(height, "Ratios with their intervals")
}

fn draw(canvas: &mut Canvas, one: &Multiple, top: f64, at: impl Fn(f64) -> f64) {
    canvas.rect("hit", (0.0, top), (WIDTH, ROW));
    canvas.line("grid", (0.0, top), (WIDTH, top));
    canvas.text("name", (MARGIN, top + 15.0), Anchor::Start, &one.name);
    let value = format!("{}x ({})", units::multiple(one.value), units::between(one.interval, units::multiple));
    canvas.text("value", (WIDTH - MARGIN, top + 15.0), Anchor::End, &value);
    canvas.whisker("interval", at(one.interval.0), at(one.interval.1), top + 29.0);
    canvas.dot(if one.strong { "dot strong" } else { "dot" }, (at(one.value), top + 29.0), 5.0);
}
