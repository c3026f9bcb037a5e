//! Throughput over time, a panel a fault: each run a line, the time in which something was broken shaded, with an upright
//! line where it came and one where it was made good.

use super::{Anchor, Canvas, WIDTH, ticks};
use crate::model::units;

/// Styles of lines that tell each other apart without colour, too.
const STYLES: usize = 6;

const LEFT: f64 = 60.0;
const RIGHT: f64 = 12.0;
/// Of a panel: what stands above its drawing, the drawing, and what is between two.
const HEAD: f64 = 24.0;
const DRAWING: f64 = 76.0;
const BETWEEN: f64 = 16.0;
/// The ticks of the time.
const BOTTOM: f64 = 40.0;

/// A panel.
#[derive(Debug, Clone)]
pub struct Panel {
    /// The fault.
    pub name: String,
    /// What it cost, in a few words.
    pub value: String,
    /// Its runs.
    pub runs: Vec<Run>,
}

/// A run of a panel.
#[derive(Debug, Clone)]
pub struct Run {
    /// Where each piece of time begins and ends, seconds into the data phase, and rows a second in it.
    pub pieces: Vec<(f64, f64, f64)>,
    /// When the fault came and when it was made good, seconds.
    pub broken: (f64, f64),
    /// What is shown on hover.
    pub title: String,
}

/// The chart. Empty where there is nothing to draw.
pub fn timelines(panels: &[Panel]) -> String {
    let pieces = || panels.iter().flat_map(|panel| &panel.runs).flat_map(|run| &run.pieces);
    let most = |figures: &mut dyn Iterator<Item = f64>| figures.filter(|one| one.is_finite()).fold(0.0_f64, f64::max);
    let (end, top) = (most(&mut pieces().map(|piece| piece.1)), most(&mut pieces().map(|piece| piece.2)));
    if end <= 0.0 || top <= 0.0 {
        return String::new();
    }
    let x = |seconds: f64| LEFT + (seconds / end).clamp(0.0, 1.0) * (WIDTH - RIGHT - LEFT);
    let each = HEAD + DRAWING + BETWEEN;
    let height = each * panels.len() as f64 + BOTTOM;
    let mut canvas = Canvas::default();
    for (index, panel) in panels.iter().enumerate() {
        let floor = each * index as f64 + HEAD + DRAWING;
        let y = |rate: f64| floor - (rate / top).clamp(0.0, 1.0) * DRAWING;
        draw(&mut canvas, panel, floor, top, &x, &y);
    }
    let bottom = height - BOTTOM;
    for tick in ticks(end) {
        canvas.line("grid", (x(tick), bottom), (x(tick), bottom + 4.0));
        canvas.text("tick", (x(tick), bottom + 18.0), Anchor::Middle, &format!("{tick}"));
    }
    canvas.text("tick", (WIDTH - RIGHT, height - 6.0), Anchor::End, "seconds into the data phase");
    canvas.svg(height, "Rows a second over time, with what was broken")
}

fn draw(canvas: &mut Canvas, panel: &Panel, floor: f64, top: f64, x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64) {
    canvas.text("name", (6.0, floor - DRAWING - 8.0), Anchor::Start, &panel.name);
    canvas.text("value", (WIDTH - RIGHT, floor - DRAWING - 8.0), Anchor::End, &panel.value);
    let round = ticks(top);
    for tick in [Some(0.0), round.last().copied()].into_iter().flatten() {
        canvas.line("grid", (LEFT, y(tick)), (WIDTH - RIGHT, y(tick)));
        canvas.text("tick", (LEFT - 8.0, y(tick) + 4.0), Anchor::End, &units::rate(tick).replace("0.00", "0"));
    }
    for run in &panel.runs {
        let (from, to) = (x(run.broken.0), x(run.broken.1));
        canvas.rect("band", (from, floor - DRAWING), ((to - from).max(1.0), DRAWING));
        for at in [from, to] {
            canvas.line("grid one", (at, floor - DRAWING), (at, floor));
        }
    }
    for (index, run) in panel.runs.iter().enumerate() {
        let points: Vec<String> = steps(run).map(|(at, rate)| format!("{:.1},{:.1}", x(at), y(rate))).collect();
        canvas.mark(format_args!("<g class=\"s{}\">", index % STYLES));
        canvas.group(&run.title, |canvas| {
            canvas.mark(format_args!("<polyline points=\"{}\"/>", points.join(" ")));
        });
        canvas.mark(format_args!("</g>"));
    }
}

/// A piece's rate in its middle; nothing in a gap between two, where no ingester ran.
fn steps(run: &Run) -> impl Iterator<Item = (f64, f64)> + '_ {
    const GAP: f64 = 0.05;
    let finite = run.pieces.iter().filter(|(from, to, rate)| from.is_finite() && to > from && rate.is_finite());
    let mut last = None;
    finite.flat_map(move |(from, to, rate)| {
        let gap = last.filter(|last| from - last > GAP).map(|last| [(last, 0.0), (*from, 0.0)]);
        last = Some(*to);
        gap.into_iter().flatten().chain([(f64::midpoint(*from, *to), *rate)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_drawn_as_nothing_and_what_is_not_finite_is_left_out() {
        let pieces = vec![(0.0, 1.0, 500.0), (1.0, 2.0, f64::NAN), (3.0, 4.0, 400.0)];
        let run = Run { pieces, broken: (1.0, 3.0), title: "run 1 & more".into() };
        let points: Vec<_> = steps(&run).collect();
        assert_eq!(points, [(0.5, 500.0), (1.0, 0.0), (3.0, 0.0), (3.5, 400.0)]);
        let drawn = timelines(&[Panel { name: "db-kill".into(), value: String::new(), runs: vec![run] }]);
        assert!(drawn.contains("class=\"band\"") && drawn.contains("run 1 &amp; more"), "{drawn}");
        assert!(!drawn.contains("NaN"), "{drawn}");
        assert_eq!(timelines(&[]), "");
    }
}
