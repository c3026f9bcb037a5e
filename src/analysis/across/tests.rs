//! What is compared, and what is not.

use super::*;
use crate::model::{Commit, Scheme, Statement};
use crate::wire::conditions::{CpuCheck, Setting};
use crate::wire::external::Server;
use crate::wire::record::Outcome;
use crate::wire::testing;

fn cell(scheme: Scheme, pool: usize) -> Cell {
    Cell::new(scheme, Statement::Row, Commit::Auto, pool)
}

/// Threads and async, threads twice a block; a steady scatter of 1 %, and all rates times a factor.
fn series(blocks: usize, times: f64) -> Vec<RunRecord> {
    let cells = [
        (cell(Scheme::Threads, 15), Part::Cell, 9_000.0),
        (cell(Scheme::Threads, 15), Part::Twin, 9_000.0),
        (cell(Scheme::Async, 15), Part::Cell, 9_900.0),
    ];
    let mut records = Vec::new();
    for block in 1..=blocks {
        for (place, (cell, part, rate)) in cells.iter().enumerate() {
            let scatter = if (block * 5 + place * 3) % 4 < 2 { 1.01 } else { 0.99 };
            records.push(testing::run_of(cell, *part, records.len() + 1, block, rate * scatter * times));
        }
    }
    records
}

/// What is said of two series with these setups.
fn between<T>(
    (first, one): (&[RunRecord], Setup),
    (second, two): (&[RunRecord], Setup),
    tell: impl FnOnce(&Across<'_>) -> T,
) -> T {
    let (base, other) = (Series::of("first", &one, first), Series::of("second", &two, second));
    tell(&Across::of(&base, &other).unwrap())
}

fn alike<T>(first: &[RunRecord], second: &[RunRecord], tell: impl FnOnce(&Across<'_>) -> T) -> T {
    between((first, testing::setup()), (second, testing::setup()), tell)
}

fn why(change: &Change) -> &str {
    match change {
        Change::Incomparable { why, .. } => why,
        Change::Measured { .. } => panic!("{change:?}"),
    }
}

#[test]
fn cells_of_one_series_only_are_listed_and_without_a_common_cell_there_is_no_comparison() {
    let first = series(6, 1.0);
    let mut second = first.clone();
    second.iter_mut().filter(|run| run.cell.scheme == Scheme::Async).for_each(|run| run.cell.pool = 60);
    alike(&first, &second, |across| {
        assert_eq!(across.cells.len(), 1);
        assert_eq!(across.only_base, [&cell(Scheme::Async, 15)]);
        assert_eq!(across.only_other, [&cell(Scheme::Async, 60)]);
        assert!(across.ratios.is_empty(), "of one cell there is nothing to compare");
    });
    let setup = testing::setup();
    second.iter_mut().for_each(|run| run.cell.pool = 60);
    let (base, other) = (Series::of("first", &setup, &first), Series::of("second", &setup, &second));
    assert!(Across::of(&base, &other).is_none());
}

#[test]
fn a_machine_half_as_fast_leaves_the_ratios_and_no_rate_is_compared() {
    let (first, second) = (series(12, 1.0), series(12, 0.5));
    let mut elsewhere = testing::setup();
    elsewhere.engine.kernel = "6.1.0".into();
    between((&first, testing::setup()), (&second, elsewhere), |across| {
        assert!(!across.setups.same_machine && !across.setups.absolute());
        assert_eq!(across.setups.differences, ["the kernel was 6.12.0, is 6.1.0"]);
        assert!(across.cells.iter().all(|cell| why(&cell.rate).contains("two machines")));
        assert_eq!(across.ratios.len(), 1);
        let Change::Measured { ratio, means, .. } = across.ratios[0].change else { panic!("{:?}", across.ratios) };
        assert_eq!(means, Means::Same);
        assert!((ratio.ratio - 1.0).abs() < 0.001 && ratio.high - ratio.low < 0.15, "{ratio}");
    });
    alike(&first, &second, |across| {
        assert!(across.cells.iter().all(|cell| cell.rate.means() == Some(Means::Slower)));
        assert!(!across.ratios[0].change.differs());
    });
}

#[test]
fn other_images_on_one_machine_are_what_is_compared_and_other_data_are_not() {
    let runs = series(6, 1.0);
    let change = |change: fn(&mut Setup)| {
        let mut setup = testing::setup();
        change(&mut setup);
        between((&runs, testing::setup()), (&runs, setup), |across| across.setups.clone())
    };
    let images = change(|setup| setup.images[2].id = "sha256:fedcba9876543210".into());
    assert!(images.absolute() && images.differences.len() == 1, "{images:?}");
    let data = change(|setup| setup.data = "sha256:aa".into());
    assert_eq!((data.same_machine, data.against), (true, vec!["they ingest different data"]));
    let way = change(|setup| setup.backend = None);
    assert!(way.against[0].contains("way to the database"), "{way:?}");
    let architecture = change(|setup| setup.engine.architecture = "aarch64".into());
    assert_eq!(architecture.differences, ["the architecture was x86_64, is aarch64"]);
    let outside = change(|setup| setup.server = Some(Server { version: "17.2".into(), place: "sha256:aa".into() }));
    assert!(!outside.same_machine && outside.against.len() == 1, "{outside:?}");
    assert!(
        outside.against[0].contains("two servers") && outside.differences[0].contains("the lab's own"),
        "{outside:?}"
    );
}

#[test]
fn fewer_than_six_runs_of_either_carry_no_claim_but_a_range() {
    let (first, second) = (series(6, 1.0), series(5, 0.5));
    alike(&first, &second, |across| {
        for cell in &across.cells {
            let Change::Incomparable { why, range: Some((least, most)) } = &cell.rate else {
                panic!("{:?}", cell.rate)
            };
            assert_eq!(why, "6 and 5 valid runs: 6 of each carry an interval");
            assert!(*least < 0.5 && 0.5 < *most && *most < 0.6, "{least} {most}");
        }
        assert!(why(&across.ratios[0].change).contains("6 and 5 blocks"), "{:?}", across.ratios);
        assert!(!across.differs());
        let ruling = Gate { max_slowdown: 0.9, same_verdicts: false }.rules(across);
        assert_eq!((ruling.decision, ruling.reasons.len()), (Decision::Undecided, 2));
    });
}

#[test]
fn a_gate_cannot_tell_of_a_cell_that_only_the_base_has_and_names_it() {
    let first = series(12, 1.0);
    let second: Vec<RunRecord> = first.iter().filter(|run| run.cell.scheme != Scheme::Async).cloned().collect();
    let gate = Gate { max_slowdown: 0.2, same_verdicts: false };
    alike(&first, &second, |across| {
        let ruling = gate.rules(across);
        assert_eq!((ruling.decision, ruling.would_decide), (Decision::Undecided, None));
        assert_eq!(ruling.reasons.len(), 1, "{:?}", ruling.reasons);
        assert_eq!(ruling.reasons[0].cell, Some(&cell(Scheme::Async, 15)));
        assert_eq!(ruling.reasons[0].why, "second has no run of it");
    });
    // What is new has nothing that it could have lost.
    alike(&second, &first, |across| assert_eq!(gate.rules(across).decision, Decision::Passed));
}

#[test]
fn a_gate_for_verdicts_cannot_tell_where_nobody_looked_and_passes_where_some_cells_are_undetermined_in_both() {
    let runs = series(12, 1.0);
    let gate = Gate { max_slowdown: 0.2, same_verdicts: true };
    alike(&runs, &runs, |across| {
        let ruling = gate.rules(across);
        assert_eq!((ruling.decision, ruling.unsaid), (Decision::Undecided, 2));
        assert!(ruling.reasons[0].why.contains("neither series says of any cell"), "{:?}", ruling.reasons);
        let any = Gate { same_verdicts: false, ..gate }.rules(across);
        assert_eq!((any.decision, any.unsaid), (Decision::Passed, 0));
        let mut some = across.clone();
        some.cells[0].verdict = VerdictChange::Kept(Bound::RoundTrips);
        let ruling = gate.rules(&some);
        assert_eq!((ruling.decision, ruling.unsaid), (Decision::Passed, 1));
        some.cells[1].verdict = VerdictChange::NotSaid { said: [true, false], why: "in the first only".into() };
        assert_eq!(gate.rules(&some).decision, Decision::Undecided);
    });
}

#[test]
fn invalid_runs_are_never_used() {
    let first = series(7, 1.0);
    let mut second = first.clone();
    for run in second.iter_mut().filter(|run| run.block == 7) {
        run.invalid = vec!["the clock jumped".into()];
        let Outcome::Finished { result } = &mut run.outcome else { panic!() };
        result.phases.iter_mut().for_each(|phase| phase.rates.whole = Some(1.0));
    }
    alike(&first, &second, |across| assert!(!across.differs()));
}

#[test]
fn what_ran_under_other_conditions_is_not_compared() {
    let first = series(6, 1.0);
    let under = |change: fn(&mut RunRecord)| {
        let [mut was, mut is] = [first.clone(), first.clone()];
        for run in was.iter_mut().chain(&mut is) {
            run.conditions.link_asked = Some("rtt=20ms".parse().unwrap());
            let on = Setting { name: "synchronous_commit".into(), asked: "on".into(), found: "on".into() };
            run.conditions.settings = vec![on];
            run.conditions.client = Some(CpuCheck { work: 1e-5, ..Default::default() });
        }
        is.iter_mut().for_each(change);
        alike(&was, &is, |across| match &across.cells[0].rate {
            Change::Incomparable { why, .. } => why.clone(),
            Change::Measured { .. } => "compared".into(),
        })
    };
    assert_eq!(under(|_| ()), "compared");
    let link = under(|run| run.conditions.link_asked = Some("rtt=30ms".parse().unwrap()));
    assert!(link.contains("its link was asked to be rtt=20ms, is asked to be rtt=30ms"), "{link}");
    assert_eq!(under(|run| run.conditions.settings[0].found = "off".into()), "synchronous commit was on, is off");
    let slow = under(|run| run.conditions.client = Some(CpuCheck { work: 1.25e-5, ..Default::default() }));
    assert_eq!(slow, "the client's processor was 0.80x as fast: that alone makes it 0.80x");
    let long = under(|run| {
        let Outcome::Finished { result } = &mut run.outcome else { panic!() };
        result.phases.iter_mut().for_each(|phase| phase.seconds = 3.0);
    });
    assert_eq!(long, "its runs took 1.00 s, take 3.00 s");
}

#[test]
fn intervals_share_one_in_twenty_out_and_families_without_any_leave_theirs() {
    let total = |counts: [usize; 3]| -> f64 {
        alphas(counts).iter().zip(counts).map(|(alpha, count)| alpha * count as f64).sum()
    };
    for counts in [[6, 2, 4], [0, 2, 4], [0, 0, 1], [7, 0, 0]] {
        assert!((total(counts) - 0.05).abs() < 1e-12, "{counts:?}");
    }
    assert!((alphas([6, 2, 4])[1] - 0.01).abs() < 1e-12);
}
