//! Lines over a logarithmic x. Rows a second are logarithmic, too, where they span more than a factor of 20.

use super::{Anchor, Canvas, WIDTH, escaped, ticks};
use crate::model::units;

/// Styles of lines that tell each other apart without colour, too.
const STYLES: usize = 6;

/// From this span on rates are drawn on a logarithmic scale.
const LOGARITHMIC: f64 = 20.0;

const HEIGHT: f64 = 320.0;
const LEFT: f64 = 60.0;
/// At the right, where no line has a name at its end; else what the longest name takes, a character this much.
const RIGHT: f64 = 26.0;
const CHARACTER: f64 = 7.6;
/// Names at the lines' ends keep so far apart.
const APART: f64 = 15.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 44.0;

/// A point of a line.
#[derive(Debug, Clone)]
pub struct Point {
    /// Where it lies; above zero.
    pub x: f64,
    /// Rows a second.
    pub y: f64,
    /// Interval or range.
    pub spread: (f64, f64),
    /// What is shown on hover.
    pub title: String,
}

/// A line of points.
#[derive(Debug, Clone)]
pub struct Line {
    /// Which sign of the legend it has.
    pub style: usize,
    /// What is written at its end; lines of the same name share it.
    pub end: String,
    /// In the order of x.
    pub points: Vec<Point>,
}

impl Point {
    fn is_usable(&self) -> bool {
        self.x > 0.0 && self.x.is_finite() && self.y > 0.0 && self.spread.1.is_finite()
    }
}

/// Where figures lie on the chart.
struct Scale {
    x: (f64, f64),
    y: (f64, f64),
    logarithmic: bool,
    /// Where the chart ends and names begin.
    right: f64,
}

impl Scale {
    /// None where there are fewer than two places to draw a line between.
    fn of(lines: &[Line]) -> Option<Self> {
        let points: Vec<&Point> =
            lines.iter().flat_map(|line| &line.points).filter(|point| point.is_usable()).collect();
        let longest = lines.iter().map(|line| line.end.chars().count()).max().unwrap_or(0);
        let right = WIDTH - if longest == 0 { RIGHT } else { 16.0 + CHARACTER * longest as f64 };
        let ends = |figures: &mut dyn Iterator<Item = f64>| {
            figures.fold((f64::INFINITY, 0.0_f64), |(least, most), figure| (least.min(figure), most.max(figure)))
        };
        let x = ends(&mut points.iter().map(|point| point.x));
        let y = ends(&mut points.iter().flat_map(|point| [point.spread.0, point.spread.1]));
        let logarithmic = y.0 > 0.0 && y.1 / y.0 > LOGARITHMIC;
        let y = if logarithmic { (y.0 / 1.15, y.1 * 1.15) } else { (0.0, y.1 * 1.04) };
        (x.1 > x.0).then_some(Self { x, y, logarithmic, right })
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + (value / self.x.0).ln() / (self.x.1 / self.x.0).ln() * (self.right - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        let (least, most) = self.y;
        let part = if self.logarithmic { (value / least).ln() / (most / least).ln() } else { value / most };
        HEIGHT - BOTTOM - part.clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
    }

    fn ticks(&self) -> Vec<f64> {
        if self.logarithmic { decades(self.y.0, self.y.1) } else { ticks(self.y.1) }
    }
}

/// The chart. Empty where there is nothing to draw.
pub fn lines(lines: &[Line], x_name: &str, x_ticks: &[(f64, String)]) -> String {
    let Some(scale) = Scale::of(lines) else { return String::new() };
    let mut canvas = Canvas::default();
    for tick in scale.ticks() {
        let y = scale.y(tick);
        canvas.line("grid", (LEFT, y), (scale.right, y));
        canvas.text("tick", (LEFT - 8.0, y + 4.0), Anchor::End, &units::rate(tick).replace("0.00", "0"));
    }
    below(&mut canvas, &scale, x_ticks);
    // Long names at the lines' ends leave the drawing narrower than this one.
    let fits = LEFT + CHARACTER * x_name.chars().count() as f64;
    canvas.text("tick", (scale.right.max(fits), HEIGHT - 8.0), Anchor::End, x_name);
    let unit = if scale.logarithmic { "rows/s, logarithmic" } else { "rows/s" };
    canvas.text("tick", (6.0, 14.0), Anchor::Start, unit);
    for one in lines {
        let points: Vec<&Point> = one.points.iter().filter(|point| point.is_usable()).collect();
        line(&mut canvas, &scale, one.style % STYLES, &points);
    }
    ends(&mut canvas, &scale, lines);
    canvas.svg(HEIGHT, &format!("Rows a second by {x_name}"))
}

/// The ticks of x; one that would overlap the one before is left out.
fn below(canvas: &mut Canvas, scale: &Scale, x_ticks: &[(f64, String)]) {
    let mut free = f64::NEG_INFINITY;
    for (value, text) in x_ticks.iter().filter(|(value, _)| *value > 0.0) {
        let at = scale.x(*value);
        let half = text.chars().count() as f64 * 4.2 + 4.0;
        if at - half >= free {
            free = at + half;
            canvas.line("grid", (at, HEIGHT - BOTTOM), (at, HEIGHT - BOTTOM + 4.0));
            canvas.text("tick", (at, HEIGHT - BOTTOM + 19.0), Anchor::Middle, text);
        }
    }
}

/// The lines' names at their ends: one for all lines of that name, halfway between them, none upon another.
fn ends(canvas: &mut Canvas, scale: &Scale, lines: &[Line]) {
    let mut names: Vec<(&str, Vec<f64>)> = Vec::new();
    for line in lines {
        let Some(last) = line.points.iter().rfind(|point| point.is_usable()) else { continue };
        match names.iter_mut().find(|(name, _)| *name == line.end) {
            Some((_, ends)) => ends.push(scale.y(last.y)),
            None => names.push((&line.end, vec![scale.y(last.y)])),
        }
    }
    let middle = |ends: &[f64]| ends.iter().sum::<f64>() / ends.len() as f64;
    let mut placed: Vec<(&str, f64)> = names.iter().map(|(name, ends)| (*name, middle(ends))).collect();
    // From the lowest up, so that none is pushed out at the bottom.
    placed.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut free = f64::INFINITY;
    for (name, y) in placed {
        let y = y.min(free);
        free = y - APART;
        canvas.text("tick", (scale.right + 10.0, y + 4.0), Anchor::Start, name);
    }
}

fn line(canvas: &mut Canvas, scale: &Scale, style: usize, points: &[&Point]) {
    let path = points.iter().map(|point| format!("{:.1},{:.1}", scale.x(point.x), scale.y(point.y)));
    let path = path.collect::<Vec<_>>().join(" ");
    canvas.mark(format_args!("<g class=\"s{style}\"><polyline points=\"{path}\"/>"));
    for point in points {
        let (x, y) = (scale.x(point.x), scale.y(point.y));
        canvas.group(&point.title, |canvas| {
            canvas.line("bars", (x, scale.y(point.spread.0)), (x, scale.y(point.spread.1)));
            canvas.mark(format_args!("{}", marker(style, x, y)));
            canvas.dot("hit", (x, y), 12.0);
        });
    }
    canvas.mark(format_args!("</g>"));
}

/// What stands for a line in a chart and in its legend.
fn marker(style: usize, x: f64, y: f64) -> String {
    match style % 3 {
        0 => format!("<circle class=\"mark\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"),
        1 => format!("<rect class=\"mark\" x=\"{:.1}\" y=\"{:.1}\" width=\"7.5\" height=\"7.5\"/>", x - 3.75, y - 3.75),
        _ => format!("<path class=\"mark\" d=\"M{x:.1} {:.1}l5 9h-10z\"/>", y - 5.5),
    }
}

/// The legend's sign for the line of this number, with its name for those who don't see it.
pub fn swatch(index: usize, name: &str) -> String {
    let (style, name) = (index % STYLES, escaped(name));
    let marker = marker(style, 15.0, 6.0);
    format!(
        "<svg class=\"swatch\" viewBox=\"0 0 30 12\" role=\"img\" aria-label=\"{name}\"><g class=\"s{style}\">\
         <polyline points=\"1,6 29,6\"/>{marker}</g></svg>"
    )
}

/// 1, 2 and 5 of every power of ten between.
fn decades(least: f64, most: f64) -> Vec<f64> {
    let first = least.log10().floor() as i32;
    let all = (first..first + 12).flat_map(|power| [1.0, 2.0, 5.0].map(|times| times * 10_f64.powi(power)));
    all.filter(|tick| (least..=most).contains(tick)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logarithmic_scale_has_round_ticks() {
        assert_eq!(decades(600.0, 11_000.0), [1_000.0, 2_000.0, 5_000.0, 10_000.0]);
    }
}
