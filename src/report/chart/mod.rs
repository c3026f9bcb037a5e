//! Charts as inline SVG: no script, no outside font or image; colours come from the page (`var(--…)`), so they follow
//! light and dark. Every mark has a `<title>`, which browsers show on hover. Figures that are not finite are left out.

mod bars;
mod lines;
mod multiples;
mod stacks;
mod timeline;

pub use bars::{Bar, bars};
pub use lines::{Line, Point, lines, swatch};
pub use multiples::{Multiple, multiples};
pub use stacks::{HATCHED, Side, Stack, patch, stacks};
pub use timeline::{Panel, Run, timelines};

use std::fmt::Write;

/// Width of every chart in its own units; on a page it scales. Chosen so that text stays readable at 350 pixels.
const WIDTH: f64 = 520.0;

/// What a chart keeps clear at both sides.
const MARGIN: f64 = 6.0;

/// Which end of a text is where it is put.
#[derive(Debug, Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

/// What is drawn so far.
#[derive(Debug, Default)]
struct Canvas(String);

impl Canvas {
    fn mark(&mut self, mark: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.0, "{mark}");
    }

    fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        self.mark(format_args!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\"{anchor}>{}</text>", escaped(text)));
    }

    fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.mark(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    fn rect(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        self.mark(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        ));
    }

    fn dot(&mut self, class: &str, (x, y): (f64, f64), radius: f64) {
        self.mark(format_args!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>"));
    }

    /// From `low` to `high`, with an end at each.
    fn whisker(&mut self, class: &str, low: f64, high: f64, y: f64) {
        let top = y - 4.0;
        self.mark(format_args!(
            "<path class=\"{class}\" d=\"M{low:.1} {y:.1}H{high:.1}M{low:.1} {top:.1}v8M{high:.1} {top:.1}v8\"/>"
        ));
    }

    /// What belongs together, and what is shown when a pointer is over it.
    fn group(&mut self, title: &str, draw: impl FnOnce(&mut Self)) {
        self.mark(format_args!("<g><title>{}</title>", escaped(title)));
        draw(self);
        self.mark(format_args!("</g>"));
    }

    fn svg(self, height: f64, label: &str) -> String {
        let (label, marks) = (escaped(label), self.0);
        format!("<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{label}\">\n{marks}</svg>\n")
    }
}

/// Text that means nothing to XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Round figures from 0 to `most`, four to six of them.
fn ticks(most: f64) -> Vec<f64> {
    let rough = most / 5.0;
    let unit = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * unit).find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(unit * 10.0);
    (0..=8).map(|number| f64::from(number) * step).take_while(|tick| *tick <= most * 1.001).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_end_where_the_figures_do() {
        assert_eq!(ticks(9_400.0), [0.0, 2_000.0, 4_000.0, 6_000.0, 8_000.0]);
        assert_eq!(ticks(500.0), [0.0, 100.0, 200.0, 300.0, 400.0, 500.0]);
    }

    #[test]
    fn nothing_to_draw_is_no_chart_and_what_is_not_finite_is_left_out() {
        let bar = |value: f64| Bar {
            name: "a < b".into(),
            value,
            spread: (value, value),
            runs: vec![value],
            title: "a & b".into(),
            light: false,
        };
        assert_eq!((bars(&[]), bars(&[bar(0.0)])), (String::new(), String::new()));
        let drawn = bars(&[bar(5.0), bar(f64::NAN)]);
        assert!(drawn.contains("a &lt; b") && drawn.contains("<title>a &amp; b") && !drawn.contains("NaN"), "{drawn}");
        assert_eq!(multiples(&[], Some(0.1)), "");
        let point = |x: f64| Point { x, y: 5.0, spread: (4.0, 6.0), title: String::new() };
        let line = |points| Line { style: 0, end: "local".into(), points };
        assert_eq!(lines(&[line(vec![point(3.0)])], "pool", &[]), "", "one x is no line");
        let drawn = lines(&[line(vec![point(1.0), point(3.0), point(0.0)])], "pool", &[]);
        assert!(drawn.contains("<polyline") && !drawn.contains("inf") && !drawn.contains("NaN"), "{drawn}");
    }
}
