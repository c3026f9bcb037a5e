//! Reports of series as they come out of a lab, and of those that came out of it half.

use super::testing::{
    as_in_2015, diagnosed, faults, limited, lookups, played, quick, quick_of, report, sweep, with_ceilings,
};
use super::*;
use crate::model::cell::Cell;
use crate::model::{Backend, Commit, Scheme, Statement, Workload};
use crate::wire::PhaseResult;
use crate::wire::emulation::Fidelity;
use crate::wire::external::External;
use crate::wire::record::Outcome;
use crate::wire::testing as wire;
use crate::wire::watched::Statements;

const WIDE: Screen = Screen { columns: 120, colours: false };

/// Every form of a report.
fn forms(report: &Report<'_>) -> [(&'static str, String); 6] {
    [
        ("80 columns", report.terminal(Screen::PLAIN)),
        ("120 columns", report.terminal(WIDE)),
        ("Markdown", report.markdown()),
        ("HTML", report.html()),
        ("CSV", report.csv()),
        ("JSON", report.json()),
    ]
}

#[test]
fn a_stranger_s_text_moves_no_cursor_and_the_report_s_own_styles_pass() {
    let coloured = Screen { columns: 80, colours: true };
    let text = "\u{1b}[1mA\u{1b}[0m \u{1b}[2J\u{1b}[31mb\u{202e}c\r\n";
    assert_eq!(coloured.shown(text), "\u{1b}[1mA\u{1b}[0m \u{fffd}[2J\u{fffd}[31mb\u{fffd}c\u{fffd}\n");
    assert_eq!(Screen::PLAIN.shown("\u{1b}[1mA"), "\u{fffd}[1mA");
}

#[test]
fn the_first_screen_opens_with_the_question_and_the_answer() {
    let records = quick();
    let report = report(&records);
    insta::assert_snapshot!("quick-80", report.terminal(Screen::PLAIN));
    insta::assert_snapshot!("quick-120", report.terminal(WIDE));
    insta::assert_snapshot!("quick-markdown", report.markdown());
}

#[test]
fn a_quota_that_held_a_side_back_is_told() {
    let records = limited();
    let report = report(&records);
    insta::assert_snapshot!("limits-80", report.terminal(Screen::PLAIN));
    insta::assert_snapshot!("limits-markdown", report.markdown());
}

#[test]
fn a_sweep_of_many_cells_is_told_in_few_sentences() {
    let records = sweep();
    let report = report(&records);
    insta::assert_snapshot!("sweep-80", report.terminal(Screen::PLAIN));
    insta::assert_snapshot!("sweep-120", report.terminal(WIDE));
}

#[test]
fn lookups_are_told_by_their_own_words_and_never_ranked_with_an_ingest() {
    let records = lookups();
    let report = report(&records);
    insta::assert_snapshot!("lookups-80", report.terminal(Screen::PLAIN));
    let analysis = Analysis::of(&records);
    assert!(!analysis.comparisons.is_empty());
    assert!(analysis.comparisons.iter().all(|one| one.base.workload == one.other.workload));
    let lookups = analysis.compared().filter(|cell| cell.cell.workload == Workload::Lookup);
    let trips: Vec<f64> = lookups.filter_map(|cell| cell.median(crate::analysis::round_trips)).collect();
    let expected = [1.0, 1.0, 1.0, 1.0, 0.01];
    assert!(
        trips.len() == 5 && trips.iter().zip(expected).all(|(found, told)| (found - told).abs() < 1e-4),
        "{trips:?}"
    );
}

#[test]
fn a_ceiling_ranks_with_nobody_and_the_distance_to_it_is_told() {
    let records = with_ceilings();
    let report = report(&records);
    insta::assert_snapshot!("ceilings-80", report.terminal(Screen::PLAIN));
    insta::assert_snapshot!("ceilings-markdown", report.markdown());
    for said in ["How far from the ceiling?", "of pgbench", "of psql-copy"] {
        for (form, text) in forms(&report).iter().filter(|(form, _)| ["Markdown", "HTML", "JSON"].contains(form)) {
            assert!(text.contains(said), "{form}: {said}");
        }
    }
    let analysis = Analysis::of(&records);
    let schemes: Vec<_> = analysis.of_factor(crate::model::Factor::Scheme).collect();
    assert!(schemes.iter().all(|one| !one.base.scheme.is_ceiling() && !one.other.scheme.is_ceiling()));
}

#[test]
fn what_sends_a_row_a_round_trip_ranks_with_what_does_the_same() {
    let records = with_ceilings();
    let analysis = Analysis::of(&records);
    let ranked: Vec<String> = analysis
        .of_factor(crate::model::Factor::Scheme)
        .map(|one| format!("{} {} / {} {}", one.other.scheme, one.other.statement, one.base.scheme, one.base.statement))
        .collect();
    assert_eq!(ranked, ["async row / threads row", "py-threads executemany / threads row"]);
}

#[test]
fn tables_of_2015_stand_beside_what_was_measured() {
    let records = as_in_2015();
    let report = report(&records);
    insta::assert_snapshot!("scheme-2015-80", report.terminal(Screen::PLAIN));
    let [markdown, html] = [report.markdown(), report.html()];
    for said in ["2015: threads, Python 2", "from one to the other over a network, pool 120", "py-asyncio"] {
        assert!(markdown.contains(said) && html.contains(said), "{said}");
    }
    let quick = quick();
    assert!(!testing::report(&quick).markdown().contains("2015, and now"), "only where 2015's job was run");
}

#[test]
fn a_diagnosis_calls_cells_by_what_was_changed() {
    let records = diagnosed();
    let report = report(&records);
    insta::assert_snapshot!("diagnosed-80", report.terminal(Screen::PLAIN));
}

#[test]
fn what_a_fault_cost_is_told_first_and_no_rate_of_a_broken_run_is() {
    let records = faults();
    let report = report(&records);
    insta::assert_snapshot!("faults-80", report.terminal(Screen::PLAIN));
    insta::assert_snapshot!("faults-markdown", report.markdown());
    let html = report.html();
    insta::assert_snapshot!("faults-html", structure(&html));
    let broken: Vec<RunRecord> = records.into_iter().filter(|run| !run.cell.fault.is_none()).collect();
    let text = testing::report(&broken).terminal(Screen::PLAIN);
    assert!(text.contains("Database killed") && !text.contains("no run is valid"), "{text}");
}

#[test]
fn no_line_is_wider_than_the_screen() {
    for records in [faults(), quick(), quick_of(3), limited(), diagnosed(), sweep(), as_in_2015(), with_ceilings()] {
        let report = report(&records);
        for (columns, screen) in [(80, Screen::PLAIN), (120, WIDE)] {
            for line in report.terminal(screen).lines() {
                assert!(line.chars().count() <= columns, "{columns}: {line}");
            }
        }
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let records = quick();
    let report = report(&records);
    let coloured = report.terminal(Screen { columns: 80, colours: true });
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, code)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = code.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, report.terminal(Screen::PLAIN));
}

/// The elements of a page with what tells them apart, and its text; not its styles, nor where a chart has its marks.
pub(super) fn structure(html: &str) -> String {
    let (_, body) = html.split_once("</head>").unwrap();
    let mut text = String::new();
    let mut depth = 0_usize;
    for piece in body.split('<').skip(1) {
        let (tag, after) = piece.split_once('>').unwrap();
        let name = tag.split([' ', '\n']).next().unwrap();
        if name.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if !matches!(name, "rect" | "line" | "path" | "circle" | "polyline") {
            let kept: Vec<&str> =
                tag.split(' ').filter(|part| part.starts_with("class=") || part.starts_with("id=")).collect();
            text.push_str(
                &format!("{}{name} {} {}\n", "  ".repeat(depth), kept.join(" "), after.trim()).replace("  \n", "\n"),
            );
            depth += 1;
        } else if !tag.ends_with('/') {
            depth += 1;
        }
    }
    text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_page_has_every_part_of_the_report() {
    let records = quick();
    let html = report(&records).html();
    insta::assert_snapshot!("quick-html", structure(&html));
    let records = sweep();
    let html = report(&records).html();
    for absent in ["id=\"latency\"", "id=\"waits\"", "Where connection time went"] {
        assert!(!html.contains(absent), "nobody measured, but {absent}");
    }
    for title in ["async, as a multiple of threads", "by number of connections", "by distance", "cell by cell"] {
        assert!(html.contains(title), "{title}");
    }
}

#[test]
fn the_page_asks_nobody_for_anything_and_escapes_what_it_is_told() {
    let mut records = quick();
    for record in &mut records {
        record.invalid = vec!["<script>alert(1)</script> & \"more\"".into()];
    }
    let html = report(&records).html();
    assert!(html.contains("&lt;script&gt;alert(1)") && !html.contains("<script"), "{html}");
    let records = sweep();
    let html = report(&records).html();
    for outside in ["http://", "https://", "src=", "@import", "url(", "<script", "href=\"/"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(include_str!("template.html").lines().count() < 300, "a template one can still read");
}

/// Series that say little or nothing: what each form must still manage.
fn poor() -> Vec<(&'static str, Vec<RunRecord>)> {
    let threads = |pool| Cell::new(Scheme::Threads, Statement::Row, Commit::Auto, pool);
    let invalid = quick().into_iter().map(|mut record| {
        record.invalid = vec!["the link lost 3 packets that nobody asked it to lose".into()];
        record
    });
    let failed = quick().into_iter().map(|mut record| {
        record.outcome = Outcome::Failed { error: "the database refused".into(), code: 5 };
        record.invalid = record.outcome.invalid();
        record
    });
    let mut without_phases = quick_of(1);
    for record in &mut without_phases {
        if let Outcome::Finished { result } = &mut record.outcome {
            result.phases.clear();
        }
    }
    let nothing_done = (1..=6).map(|run| wire::run_of(&threads(1), Part::Cell, run, run, 0.0));
    let not_a_number = (1..=6).map(|run| wire::run_of(&threads(1), Part::Cell, run, run, f64::NAN));
    let of_data = |spoil: fn(&mut PhaseResult)| {
        let mut records = quick();
        for record in &mut records {
            let Outcome::Finished { result } = &mut record.outcome else { continue };
            result.phases.iter_mut().filter(|phase| phase.metrics.is_some()).for_each(spoil);
        }
        records
    };
    let empty_metrics = of_data(|phase| phase.metrics = Some(Box::default()));
    let no_time = of_data(|phase| {
        phase.seconds = 0.0;
        let metrics = phase.metrics.as_mut().unwrap();
        metrics.workers.iter_mut().for_each(|worker| worker.wall = 0.0);
        metrics.stages.iter_mut().for_each(|stage| (stage.count, stage.total) = (0, 0));
    });
    let mut without_looks = quick();
    let mut empty_looks = quick();
    for (without, empty) in without_looks.iter_mut().zip(&mut empty_looks) {
        without.conditions.observed.as_mut().unwrap().looks.clear();
        let seen = empty.conditions.observed.as_mut().unwrap();
        seen.looks.iter_mut().for_each(|look| look.backends.clear());
        seen.client.truncate(1);
        seen.database.clear();
    }
    let mut unseen = faults();
    unseen.iter_mut().for_each(|run| run.conditions.fault = None);
    vec![
        ("no run", Vec::new()),
        ("only the warm-up", vec![wire::run_of(&threads(1), Part::WarmUp, 0, 0, 9_000.0)]),
        ("no valid run", invalid.collect()),
        ("every run failed", failed.collect()),
        ("one run", vec![wire::record(1, Scheme::Threads, 9_000.0)]),
        ("one block", quick_of(1)),
        ("one scheme", played("one", &[(threads(1), Part::Cell, 900.0), (threads(15), Part::Cell, 9_000.0)], 6, 1)),
        (
            "one cell and its twin",
            played("one", &[(threads(1), Part::Cell, 900.0), (threads(1), Part::Twin, 900.0)], 6, 1),
        ),
        ("runs without phases", without_phases),
        ("runs whose metrics are empty", empty_metrics),
        ("phases that took no time", no_time),
        ("runs nobody looked at", without_looks),
        ("looks that saw nobody", empty_looks),
        ("one run with everything", quick().into_iter().filter(|record| record.run == 1).collect()),
        ("faults of which nothing was seen", unseen),
        ("no row a second", nothing_done.collect()),
        ("rates that are no number", not_a_number.collect()),
    ]
}

#[test]
fn a_series_that_says_little_is_reported_without_panic_or_nan() {
    for (what, records) in poor() {
        let report = report(&records);
        for (form, text) in forms(&report) {
            for wrong in ["NaN", "inf ", "inf\"", "-inf", " -0 ", " -0.0 "] {
                assert!(!text.contains(wrong), "{what}, {form}: {wrong} in {text}");
            }
        }
    }
}

#[test]
fn a_series_that_says_little_says_what_cannot_be_said() {
    let expected = [
        ("no run", "no run is valid"),
        ("only the warm-up", "no run is valid"),
        ("no valid run", "no run is valid"),
        ("every run failed", "the database refused"),
        ("one run", "every cell of this series runs threads"),
        ("one block", "1 block has both, 6 are needed"),
        ("one scheme", "every cell of this series runs threads"),
        ("one cell and its twin", "every cell of this series runs threads"),
        ("runs without phases", "0 blocks have both, 6 are needed"),
    ];
    let poor = poor();
    for (what, sentence) in expected {
        let (_, records) = poor.iter().find(|(name, _)| *name == what).unwrap();
        let text = report(records).terminal(WIDE);
        assert!(text.contains(sentence), "{what}: {text}");
        assert!(!text.contains("is faster") && !text.contains("is slower"), "{what}: {text}");
    }
}

#[test]
fn what_weakens_a_series_is_on_its_first_screen() {
    let mut records = quick();
    for record in &mut records {
        record.conditions.images[0].base = "stand-in".into();
        let link = record.conditions.link.as_mut().unwrap();
        (link.emulation.backend, link.emulation.fidelity) = (Backend::Relay, Fidelity::Stream);
    }
    let report = report(&records);
    for (form, text) in [("terminal", report.terminal(WIDE)), ("HTML", report.html())] {
        assert!(text.contains("stand-ins made from Debian packages: db"), "{form}");
        assert!(text.contains("emulation by relay: bytes wait, not packets"), "{form}");
        assert!(text.contains("2 checkpoints began while it ran"), "{form}");
    }
}

#[test]
fn the_way_past_the_link_is_told_as_measured_and_what_nobody_counted_as_not_seen() {
    let mut records = quick();
    for record in records.iter_mut().filter(|record| record.cell.link == "local") {
        record.cell.link = "direct".into();
        record.conditions.link = None;
        record.conditions.link_asked.iter_mut().for_each(|asked| asked.name = "direct".into());
        record.conditions.observed.iter_mut().for_each(|observed| observed.link_at_data = None);
        record.conditions.link_measured.iter_mut().for_each(|found| found.up = Some(2_000_000_000));
    }
    let report = report(&records);
    let words = report.terminal(WIDE).split_whitespace().collect::<Vec<_>>().join(" ");
    for part in
        ["link direct past the link, measured 0.0", "jitter", "rate up 2,000 Mbit/s, down not measured", "not seen"]
    {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert!(report.csv().lines().any(|line| line.contains(",direct,") && line.contains(",,0.0")), "no RTT asked for");
}

#[test]
fn a_database_that_is_not_the_lab_s_is_told_with_what_could_not_be_seen() {
    let mut records = quick();
    for record in &mut records {
        let external = External {
            unseen: vec!["its processors".into()],
            statements: Some(Statements { calls: 1_000.0, seconds: 0.2 }),
            ..Default::default()
        };
        (record.conditions.external, record.conditions.database) = (Some(external), None);
        // An older record: its statements are the server's alone.
        record.conditions.observed.iter_mut().for_each(|observed| {
            observed.database.clear();
            observed.counted = None;
        });
    }
    let words = report(&records).terminal(WIDE).split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "outside the lab, its settings as they are. Not seen: its processors",
        "the server's processors could not be seen",
        "200 us each in the server",
        "o no wait event",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert!(!words.contains("Database CPU") && !words.contains("Database I/O"), "{words}");
}

#[test]
fn a_run_whose_rows_do_not_verify_is_named_and_not_counted() {
    let records = [wire::record(1, Scheme::Threads, 9_000.0), wire::unverified(2, Scheme::Threads)];
    let text = report(&records).terminal(WIDE);
    assert!(text.contains("1 of 2 runs valid · the rows of 1 runs verified"), "{text}");
    assert!(text.contains("run 2, threads row: its rows don't verify: data_element holds 4 rows"), "{text}");
    assert!(text.contains(" 1/2\n"), "{text}");
}

#[test]
fn csv_has_a_line_a_run_and_as_many_fields_in_each() {
    let mut records = quick();
    records[3].invalid = vec!["a, \"b\"".into()];
    let text = report(&records).csv();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + records.len());
    let fields = lines[0].split(',').count();
    assert!(lines.iter().all(|line| line.split(',').count() == fields || line.contains("\"a, \"\"b\"\"\"")), "{text}");
    assert!(lines[1].contains(",warm-up,false,it was the warm-up,"), "{}", lines[1]);
}

#[test]
fn json_holds_every_run_as_it_is_kept() {
    let records = quick();
    let value: serde_json::Value = serde_json::from_str(&report(&records).json()).unwrap();
    let runs: Vec<RunRecord> = serde_json::from_value(value["runs"].clone()).unwrap();
    // Text has a float's shortest digits: what is read may differ in the last bit.
    let kept = |runs: &[RunRecord]| {
        runs.iter().map(|run| (run.run, run.cell.clone(), run.invalid.clone())).collect::<Vec<_>>()
    };
    assert_eq!(kept(&runs), kept(&records));
    assert_eq!(value["comparisons"].as_array().unwrap().len(), 2 + 2 + 3);
    assert!(value["noise"]["floor"].as_f64().unwrap() > 0.0);
    assert_eq!(value["waits"][0]["waits"][0]["event"], "LWLock:WALWrite");
    assert!(value["latency"][0]["stages"][0]["p99_ms"].as_f64().unwrap() > 0.0);
    assert!(value["connection_time"][0]["workers"]["on CPU"].as_f64().unwrap() > 0.0);
}

/// A colour's relative luminance. Source: WCAG 2.2, "relative luminance".
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

#[test]
fn every_colour_of_a_state_bears_text_in_the_cards_colour_light_and_dark() {
    let template = include_str!("template.html");
    let all =
        |name: &str| -> Vec<&str> { template.split(&format!("--{name}: ")).skip(1).map(|rest| &rest[..7]).collect() };
    let cards = all("card");
    assert_eq!(cards.len(), 2, "light and dark");
    for name in (0..chart::HATCHED).map(|style| format!("c{style}")).chain(["muted".into()]) {
        let colours = all(&name);
        assert_eq!(colours.len(), 2, "{name}");
        for (colour, card) in colours.iter().zip(&cards) {
            let (one, other) = (luminance(colour), luminance(card));
            let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
            assert!(contrast >= 4.5, "{name}: {contrast:.1} between {colour} and {card}");
        }
    }
}
