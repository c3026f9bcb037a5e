//! Two bars a cell, one for each side: the parts of its time, one behind the other.

use super::{Anchor, Canvas, MARGIN, WIDTH, escaped};
use crate::model::units;

/// The style of what nothing explains: hatched, no colour. Those below it are colours of the page.
pub const HATCHED: usize = 8;

/// What a cell's name takes, what a bar takes with the room below it, how high a bar is, what keeps cells apart.
const NAME: f64 = 22.0;
const STEP: f64 = 23.0;
const BAR: f64 = 17.0;
const APART: f64 = 10.0;

/// Where bars begin, the side's name to their left.
const LEFT: f64 = 84.0;

/// From this width on a part has its figure written on it.
const ROOM: f64 = 50.0;

/// A cell.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The cell.
    pub name: String,
    /// Its bars.
    pub sides: Vec<Side>,
}

/// A side's time.
#[derive(Debug, Clone)]
pub struct Side {
    /// Which side.
    pub name: &'static str,
    /// Styles with their parts of the time; 1 is all of it. What is not above zero is not drawn.
    pub parts: Vec<(usize, f64)>,
    /// What is shown on hover.
    pub title: String,
}

impl Side {
    fn drawn(&self) -> impl Iterator<Item = (usize, f64)> {
        self.parts.iter().copied().filter(|(_, part)| *part > 0.0 && part.is_finite())
    }
}

/// The chart. Empty where there is nothing to draw.
pub fn stacks(stacks: &[Stack]) -> String {
    let drawn = |stack: &&Stack| stack.sides.iter().any(|side| side.drawn().next().is_some());
    let stacks: Vec<&Stack> = stacks.iter().filter(drawn).collect();
    if stacks.is_empty() {
        return String::new();
    }
    let high = |stack: &&Stack| NAME + STEP * stack.sides.len() as f64 + APART;
    let height = stacks.iter().map(high).sum::<f64>() + 20.0;
    let mut canvas = Canvas::default();
    for quarter in 0..=4_u8 {
        let (x, anchor) = (at(f64::from(quarter) / 4.0), if quarter == 4 { Anchor::End } else { Anchor::Middle });
        canvas.line("grid", (x, NAME), (x, height - 20.0));
        canvas.text("tick", (x, height - 5.0), anchor, &format!("{} %", quarter * 25));
    }
    let mut top = 0.0;
    for stack in stacks {
        canvas.text("name", (MARGIN, top + 15.0), Anchor::Start, &stack.name);
        for (index, one) in stack.sides.iter().enumerate() {
            canvas.group(&one.title, |canvas| side(canvas, one, top + NAME + STEP * index as f64));
        }
        top += high(&stack);
    }
    canvas.svg(height, "Parts of connection time by cell")
}

/// Where a part of the time lies.
fn at(part: f64) -> f64 {
    LEFT + part * (WIDTH - MARGIN - LEFT)
}

fn side(canvas: &mut Canvas, side: &Side, top: f64) {
    canvas.rect("hit", (0.0, top - (STEP - BAR) / 2.0), (WIDTH, STEP));
    canvas.text("tick", (LEFT - 10.0, top + 13.0), Anchor::End, side.name);
    // Parts that overlap are more than the whole: they share the bar then.
    let whole = side.drawn().map(|(_, part)| part).sum::<f64>().max(1.0);
    let mut before = 0.0;
    for (style, part) in side.drawn() {
        let (from, to) = (at(before / whole), at((before + part) / whole));
        before += part;
        if style >= HATCHED {
            hatched(canvas, (from, top), (to - from, BAR));
            continue;
        }
        canvas.rect(&format!("part c{style}"), (from, top), (to - from, BAR));
        if to - from >= ROOM {
            canvas.text("on", ((from + to) / 2.0, top + 13.0), Anchor::Middle, &units::percent(part));
        }
    }
}

/// Upright strokes in a frame: a pattern would need an address, which a page that asks nobody does without.
fn hatched(canvas: &mut Canvas, (left, top): (f64, f64), (width, height): (f64, f64)) {
    let (middle, right) = (top + height / 2.0, left + width);
    canvas.mark(format_args!(
        "<line class=\"hatch\" x1=\"{left:.1}\" y1=\"{middle:.1}\" x2=\"{right:.1}\" y2=\"{middle:.1}\" \
         stroke-width=\"{height:.1}\"/>"
    ));
    canvas.rect("rest", (left, top), (width, height));
}

/// The legend's sign for a style, with its name for those who don't see it.
pub fn patch(style: usize, name: &str) -> String {
    let mut canvas = Canvas::default();
    if style >= HATCHED {
        hatched(&mut canvas, (1.0, 0.5), (28.0, 11.0));
    } else {
        canvas.rect(&format!("c{style}"), (0.0, 0.0), (30.0, 12.0));
    }
    let (name, marks) = (escaped(name), canvas.0.replace('\n', ""));
    format!("<svg class=\"swatch\" viewBox=\"0 0 30 12\" role=\"img\" aria-label=\"{name}\">{marks}</svg>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(parts: &[(usize, f64)]) -> String {
        let side = Side { name: "workers", parts: parts.to_vec(), title: "a & b".into() };
        stacks(&[Stack { name: "a < b".into(), sides: vec![side] }])
    }

    #[test]
    fn what_is_not_above_zero_or_no_number_is_not_drawn() {
        assert_eq!((stacks(&[]), drawn(&[(0, 0.0), (HATCHED, -0.1)])), (String::new(), String::new()));
        let one = drawn(&[(0, 0.7), (1, f64::NAN), (2, f64::INFINITY), (HATCHED, -0.1)]);
        assert_eq!(one.matches("class=\"part").count(), 1);
        assert!(!one.contains("hatch") && !one.contains("NaN") && !one.contains("inf"), "{one}");
        assert!(one.contains("a &lt; b") && one.contains("<title>a &amp; b") && one.contains("70 %"), "{one}");
    }

    #[test]
    fn what_nothing_explains_is_hatched_and_parts_that_overlap_stay_on_the_chart() {
        let rest = drawn(&[(0, 0.9), (HATCHED, 0.1)]);
        assert!(rest.contains("class=\"hatch\"") && rest.contains("class=\"rest\""), "{rest}");
        let overlap = drawn(&[(0, 0.9), (1, 0.3), (HATCHED, -0.2)]);
        let ends = overlap.lines().filter(|line| line.contains("class=\"part")).map(|line| {
            let figure = |name: &str| -> f64 {
                line.split_once(&format!(" {name}=\"")).unwrap().1.split('"').next().unwrap().parse().unwrap()
            };
            figure("x") + figure("width")
        });
        assert!((ends.fold(0.0, f64::max) - (WIDTH - MARGIN)).abs() < 0.2, "{overlap}");
    }
}
