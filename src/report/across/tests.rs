//! Comparisons as they come out of a lab, in every form.

use super::*;
use crate::analysis::Series;
use crate::model::cell::Cell;
use crate::model::{Part, Phase, Scheme};
use crate::report::Screen;
use crate::report::testing::{diagnosed, quick, quick_of, sweep};
use crate::report::tests::structure;
use crate::wire::record::{Outcome, RunRecord};
use crate::wire::setup::Setup;
use crate::wire::testing::setup;

const WIDE: Screen = Screen { columns: 120, colours: false };
const GATE: Gate = Gate { max_slowdown: 0.05, same_verdicts: true };

/// The same series another day: every run a little off, and the cells that are wanted by a factor.
fn another(records: &[RunRecord], wanted: impl Fn(&Cell) -> bool, times: f64) -> Vec<RunRecord> {
    let mut records = records.to_vec();
    for (number, record) in records.iter_mut().enumerate() {
        let off = [1.003, 0.996, 1.001, 0.999, 1.004, 0.997, 1.0][(number * 3) % 7];
        let times = if wanted(&record.cell) { times } else { 1.0 };
        let Outcome::Finished { result } = &mut record.outcome else { continue };
        for phase in result.phases.iter_mut().filter(|phase| phase.phase == Phase::Data) {
            let rates = &mut phase.rates;
            rates.whole = rates.whole.map(|rate| rate * times * off);
            rates.steady.iter_mut().for_each(|steady| steady.rate *= times * off);
        }
    }
    records
}

fn is_threads_nearby(cell: &Cell) -> bool {
    cell.scheme == Scheme::Threads && cell.link == "local"
}

fn is_executemany(cell: &Cell) -> bool {
    cell.statement == crate::model::Statement::Executemany
}

/// With other images.
fn rebuilt() -> Setup {
    let mut setup = setup();
    setup.images[2].id = "sha256:fedcba9876543210".into();
    setup
}

fn elsewhere() -> Setup {
    let mut setup = setup();
    (setup.engine.kernel, setup.engine.processors) = ("6.1.0".into(), 8);
    setup
}

/// What is told of series, each against the first.
fn of<T>(series: &[(&str, Setup, Vec<RunRecord>)], gate: Option<Gate>, tell: impl FnOnce(&Compared<'_>) -> T) -> T {
    let series: Vec<Series<'_>> = series.iter().map(|(name, setup, runs)| Series::of(name, setup, runs)).collect();
    let all: Vec<_> = series[1..].iter().filter_map(|other| Across::of(&series[0], other)).collect();
    tell(&Compared::of(&all, gate))
}

/// Threads nearby became 12 % slower with another image.
fn slower() -> [(&'static str, Setup, Vec<RunRecord>); 2] {
    let first = quick();
    let second = another(&first, is_threads_nearby, 0.88);
    [("2026-11-20-quick", setup(), first), ("2026-11-21-quick", rebuilt(), second)]
}

fn moved() -> [(&'static str, Setup, Vec<RunRecord>); 2] {
    let first = quick_of(12);
    let second = another(&first, |_| true, 2.4);
    [("2026-11-20-quick", setup(), first), ("2026-11-21-quick", elsewhere(), second)]
}

/// A comparison's page.
pub(in crate::report) fn page() -> String {
    of(&slower(), Some(GATE), |compared| compared.html())
}

#[test]
fn a_comparison_opens_with_the_answer_and_every_form_has_all_of_it() {
    of(&slower(), Some(GATE), |compared| {
        insta::assert_snapshot!("slower-80", compared.terminal(Screen::PLAIN));
        insta::assert_snapshot!("slower-120", compared.terminal(WIDE));
        insta::assert_snapshot!("slower-markdown", compared.markdown());
        insta::assert_snapshot!("slower-html", structure(&compared.html()));
        insta::assert_snapshot!("slower-csv", compared.csv());
    });
}

#[test]
fn another_machine_leaves_ratios_and_verdicts_and_the_gate_refuses() {
    of(&moved(), Some(GATE), |compared| {
        insta::assert_snapshot!("moved-80", compared.terminal(Screen::PLAIN));
        assert_eq!(compared.decision().unwrap().0, Decision::Undecided);
    });
}

#[test]
fn several_series_are_each_told_against_the_first() {
    let [first, second] = slower();
    let third = ("2026-11-22-quick", setup(), another(&first.2, is_executemany, 1.3));
    of(&[first, second, third], Some(Gate { same_verdicts: false, ..GATE }), |compared| {
        let text = compared.terminal(Screen::PLAIN);
        assert!(text.starts_with("COMPARE: 2026-11-21-quick, 2026-11-22-quick against 2026-11-20-quick\n"), "{text}");
        assert!(text.contains("cells slower") && text.contains("cells faster"), "{text}");
        let (decision, why) = compared.decision().unwrap();
        assert_eq!(decision, Decision::Failed);
        assert!(why.contains("2026-11-21-quick: the gate found") && !why.contains("2026-11-22"), "{why}");
    });
}

#[test]
fn a_verdict_that_flipped_is_told_and_fails_a_gate_that_asks_for_the_same() {
    let first = quick();
    let mut second = another(&first, |_| false, 1.0);
    // As if nearby runs waited for the link as far ones do.
    for at in 0..second.len() {
        if !is_threads_nearby(&second[at].cell) || second[at].part != Part::Cell {
            continue;
        }
        let far = |run: &&RunRecord| run.block == second[at].block && run.cell.link == "near-region";
        let Some(far) = second.iter().find(far).cloned() else { continue };
        second[at].conditions.observed = far.conditions.observed;
        second[at].conditions.link_measured = far.conditions.link_measured;
        second[at].outcome = far.outcome;
    }
    of(&[("2026-11-20-quick", setup(), first), ("2026-11-21-quick", setup(), second)], Some(GATE), |compared| {
        let text = compared.terminal(WIDE);
        assert!(text.contains("1 of 6 verdicts flipped"), "{text}");
        let (decision, why) = compared.decision().unwrap();
        assert_eq!(decision, Decision::Failed, "{text}");
        assert!(why.contains("bounded by round trips instead of"), "{why}");
    });
}

#[test]
fn no_line_is_wider_than_the_screen_and_no_figure_is_none() {
    let invalid: Vec<RunRecord> = quick()
        .into_iter()
        .map(|mut record| {
            record.invalid = vec!["the clock jumped".into()];
            record
        })
        .collect();
    let pairs = [
        (quick(), another(&quick(), is_threads_nearby, 0.88)),
        (quick_of(3), quick()),
        (sweep(), another(&sweep(), |_| true, 0.5)),
        (diagnosed(), another(&diagnosed(), |_| false, 1.0)),
        (quick(), invalid.clone()),
        (invalid.clone(), invalid),
    ];
    for (first, second) in pairs {
        let long = "2026-11-20-a-name-that-is-longer-than-its-column-by-far-21";
        of(&[(long, setup(), first), ("2026-11-21-other", rebuilt(), second)], Some(GATE), |compared| {
            for (columns, screen) in [(80, Screen::PLAIN), (120, WIDE)] {
                for line in compared.terminal(screen).lines() {
                    // A name that no line has room for has one of its own.
                    assert!(line.chars().count() <= columns || line.contains(long), "{columns}: {line}");
                }
            }
            for text in [compared.terminal(WIDE), compared.markdown(), compared.html(), compared.csv(), compared.json()]
            {
                for wrong in ["NaN", "inf ", "-inf", "inf\""] {
                    assert!(!text.contains(wrong), "{wrong} in {text}");
                }
            }
        });
    }
}

#[test]
fn the_page_asks_nobody_for_anything_and_escapes_what_it_is_told() {
    let [first, (_, setup, second)] = slower();
    of(&[first, ("<script>alert(1)</script>", setup, second)], None, |compared| {
        let html = compared.html();
        assert!(html.contains("&lt;script&gt;alert(1)") && !html.contains("<script"), "{html}");
        for outside in ["http://", "https://", "src=", "@import", "url(", "href=\"/"] {
            assert!(!html.contains(outside), "{outside}");
        }
        assert!(html.contains("--accent") && html.contains("<svg"), "the report's style, and a chart");
    });
}

#[test]
fn programs_read_what_people_read() {
    of(&slower(), Some(GATE), |compared| {
        let value: serde_json::Value = serde_json::from_str(&compared.json()).unwrap();
        assert_eq!(value["base"], "2026-11-20-quick");
        assert_eq!(value["gate"]["decision"], "failed");
        let cells = value["series"][0]["cells"].as_array().unwrap();
        let slower = cells.iter().find(|cell| cell["name"] == "threads row local").unwrap();
        assert_eq!((&slower["means"], &slower["rate"]["measured"]["means"]), (&"slower".into(), &"slower".into()));
        let lines = compared.csv();
        assert_eq!(lines.lines().count(), 1 + cells.len());
        assert!(lines.lines().all(|line| line.split(',').count() == 11), "{lines}");
    });
}
