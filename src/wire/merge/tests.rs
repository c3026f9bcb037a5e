//! Parts of a run, and what they are together.

use super::*;
use crate::model::cell::Cell;
use crate::model::{Commit, Statement};
use crate::wire::metrics::Ledger;
use crate::wire::testing::result;
use proptest::prelude::*;

/// What a client of so many did: rows in each tenth of a second from its beginning to its end.
fn part(share: Share, rows: &[u64]) -> RunResult {
    let cell = Cell::new(Scheme::Threads, Statement::Row, Commit::Record, 2);
    let mut part = result(&cell, 1.0);
    (part.job.share, part.job.barrier, part.verification) = (share, true, None);
    let seconds = rows.len() as f64 * 0.1;
    for phase in &mut part.phases {
        let all: u64 = rows.iter().sum();
        let line = Timeline::new(rows.iter().map(|rows| *rows as f64).collect(), Some((0.0, seconds)), Some(0.05));
        (phase.rows, phase.records, phase.seconds) = (all, all, seconds);
        (phase.rates, phase.timeline) = (line.rates(all, seconds), Some(line));
    }
    part
}

fn parts(of: usize) -> Vec<RunResult> {
    Share::all(of).map(|share| part(share, &[10 * share.client as u64; 40])).collect()
}

#[test]
fn rows_rates_and_processor_time_of_all_clients_are_the_run_s() {
    let mut all = parts(3);
    all.iter_mut().for_each(|part| part.cpu = Cpu { user: 1.0, system: 0.25 });
    all.reverse();
    let merged = merge(all).unwrap();
    let data = merged.phase(Phase::Data).unwrap();
    assert_eq!((data.rows, data.records, data.timeline.clone()), (2_400, 2_400, None));
    assert!((data.rates.steady.unwrap().rate - 600.0).abs() < 1e-9, "{:?}", data.rates);
    assert!((data.rates.whole.unwrap() - 600.0).abs() < 1e-9);
    assert_eq!((merged.cpu.total(), merged.connections(), merged.job.share), (3.75, 6, Share::WHOLE));
    let rates: Vec<(usize, f64)> =
        merged.clients_in(Phase::Data).map(|(client, seen)| (client, seen.rate.unwrap().round())).collect();
    assert_eq!(rates, [(1, 100.0), (2, 200.0), (3, 300.0)]);
    assert_eq!(merged.slowest(Phase::Data).map(|(client, _)| client), Some(1));
}

#[test]
fn a_client_that_is_through_early_ends_the_time_in_which_all_are_busy() {
    let all = vec![part(Share { client: 1, of: 2 }, &[10; 40]), part(Share { client: 2, of: 2 }, &[10; 20])];
    let data = merge(all).unwrap().phases.remove(1);
    let steady = data.rates.steady.unwrap();
    assert!((steady.to - 2.0).abs() < 1e-9 && (steady.rate - 200.0).abs() < 1e-9, "{steady:?}");
    assert!((data.rates.whole.unwrap() - 150.0).abs() < 1e-9 && (data.seconds - 4.0).abs() < 1e-9);
}

#[test]
fn a_part_that_is_missing_double_or_of_another_job_is_told_and_gives_no_total() {
    let missing = parts(3).into_iter().skip(1).collect();
    assert!(merge(missing).unwrap_err().contains("2 results came, and they are not those of the run's 3 clients"));
    let mut doubled = parts(3);
    doubled[2] = doubled[1].clone();
    assert!(merge(doubled).is_err());
    let mut other = parts(3);
    other[1].job.pool = 5;
    assert!(merge(other).unwrap_err().starts_with("client 2 of 3 did another job"));
    let mut mute = parts(2);
    mute[1].phases[1].timeline = None;
    assert!(merge(mute).unwrap_err().contains("client 2 of 2 does not say its rows of phase data over time"));
    assert!(merge(Vec::new()).is_err());
}

#[test]
fn one_that_was_stopped_before_a_phase_leaves_no_steady_rate_of_all() {
    let mut all = parts(2);
    all[1].phases.pop();
    all[1].interrupted = Some(Interrupt::Signal);
    let merged = merge(all).unwrap();
    assert_eq!(merged.interrupted, Some(Interrupt::Signal));
    let data = merged.phase(Phase::Data).unwrap();
    assert!(data.rows == 400 && data.rates.steady.is_none());
    assert_eq!(merged.clients_in(Phase::Data).count(), 1);
}

#[test]
fn workers_are_numbered_through_and_a_thread_is_busy_only_where_each_client_has_one() {
    let mut all = parts(2);
    for (part, share) in all.iter_mut().zip([0.99, 0.4]) {
        let ledger = |worker| Ledger {
            worker,
            wall: 4.0,
            on_cpu: 1.0,
            run_queue: None,
            ready: None,
            records: 0.0,
            database: 3.0,
            connecting: 0.0,
            unexplained: 0.0,
        };
        let process = ProcessUse {
            run_queue: Some(0.5),
            busiest: Some(Busiest { name: "reader".into(), share }),
            ..ProcessUse::default()
        };
        let workers = (0..2).map(ledger).collect();
        part.phases[1].metrics = Some(Box::new(PhaseMetrics { workers, process, ..PhaseMetrics::default() }));
    }
    let metrics = merge(all).unwrap().phases.remove(1).metrics.unwrap();
    assert_eq!(metrics.workers.iter().map(|ledger| ledger.worker).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(metrics.process.run_queue, Some(1.0));
    assert_eq!(metrics.process.busiest, Some(Busiest { name: "client 2: reader".into(), share: 0.4 }));
}

#[test]
fn durations_of_which_a_part_is_not_told_in_full_give_no_percentiles() {
    let summary = StageSummary {
        stage: Stage::Execute,
        count: 1,
        mean: 5.0,
        p50: 5,
        p90: 5,
        p99: 5,
        max: 5,
        total: 5,
        stalled: 0,
    };
    let full = Histogram { stage: Stage::Execute, max: 5, total: 5, counts: vec![(5, 1)] };
    let of = |histograms: Vec<Histogram>| {
        let mut all = parts(2);
        for (part, histograms) in all.iter_mut().zip([vec![full.clone()], histograms]) {
            let metrics = PhaseMetrics { stages: vec![summary], histograms, ..PhaseMetrics::default() };
            part.phases[1].metrics = Some(Box::new(metrics));
        }
        merge(all).unwrap().phases.remove(1).metrics.unwrap().stages
    };
    assert_eq!(of(vec![full.clone()])[0].count, 2);
    assert!(of(Vec::new()).is_empty());
}

proptest! {
    /// Records dealt out to clients: whatever a record holds, all of them together hold what one client would.
    #[test]
    fn what_was_acknowledged_is_the_same_however_a_run_is_split(
        of in 1_usize..6, together in 1_u64..20, values in proptest::collection::vec((0_i64..1_000, 0_u64..1 << 60), 0..200)
    ) {
        let acknowledged = |share: Share| {
            let mut all = Acknowledged::default();
            let mut items = BTreeMap::<i32, Tally>::new();
            for (number, (value, digest)) in (0..).zip(&values).filter(|(number, _)| share.holds(*number, together)) {
                all.geo_rows += 1;
                all.geo_digest = modulo(all.geo_digest.wrapping_add(*digest));
                all.lines += 1;
                for item in [7, 3] {
                    items.entry(item).or_default().add(number as u32, item, *value);
                }
            }
            all.items = items.into_iter().map(|(item, tally)| ItemTally { item, tally }).collect();
            all
        };
        prop_assert_eq!(Acknowledged::together(Share::all(of).map(acknowledged)), acknowledged(Share::WHOLE));
    }

    /// Rows of one client, each tenth of a second split among several.
    #[test]
    fn the_rate_of_a_run_is_the_same_however_its_rows_are_split(
        rows in proptest::collection::vec((0_u64..500, 0_u64..500, 0_u64..500), 6..100)
    ) {
        let whole: Vec<u64> = rows.iter().map(|(a, b, c)| a + b + c).collect();
        let whole = merge(vec![part(Share::WHOLE, &whole)]).unwrap();
        let split = [|row: &(u64, u64, u64)| row.0, |row: &(u64, u64, u64)| row.1, |row: &(u64, u64, u64)| row.2];
        let split = Share::all(3).zip(split).map(|(share, of)| part(share, &rows.iter().map(of).collect::<Vec<_>>()));
        let merged = merge(split.collect()).unwrap();
        let near = |a: Option<f64>, b: Option<f64>| a.zip(b).map_or(a == b, |(a, b)| (a - b).abs() < 1e-6);
        for (one, other) in merged.phases.iter().zip(&whole.phases) {
            prop_assert_eq!(one.rows, other.rows);
            prop_assert!(near(one.rates.whole, other.rates.whole));
            prop_assert!(near(one.rates.steady.map(|it| it.rate), other.rates.steady.map(|it| it.rate)));
            prop_assert!(near(one.rates.after, other.rates.after));
        }
    }
}
