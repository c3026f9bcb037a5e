//! What is done to a worker lands where it belongs.

use super::*;
use crate::wire::metrics::{Ledger, PhaseMetrics, StageSummary};
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(5);

/// Runs a phase of one worker; gives its metrics and how long the work took.
fn phase(telemetry: &Telemetry, work: impl FnOnce()) -> (PhaseMetrics, f64) {
    let mut collector = Collector::new(telemetry, false);
    collector.phase_begins();
    let begun = Instant::now();
    work();
    let seconds = begun.elapsed().as_secs_f64();
    (collector.phase_ends(1).unwrap(), seconds)
}

fn spin(length: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < length {
        std::hint::spin_loop();
    }
}

fn stage(metrics: &PhaseMetrics, stage: Stage) -> StageSummary {
    *metrics.stages.iter().find(|summary| summary.stage == stage).unwrap()
}

fn ledger(metrics: &PhaseMetrics) -> Ledger {
    let [ledger] = metrics.workers[..] else { panic!("one worker, one ledger: {:?}", metrics.workers) };
    let states = [ledger.on_cpu, ledger.records, ledger.database, ledger.connecting, ledger.unexplained];
    let sum = states.iter().sum::<f64>() + ledger.run_queue.unwrap_or(0.0) + ledger.ready.unwrap_or(0.0);
    assert!((sum - ledger.wall).abs() < 1e-6, "{ledger:?}");
    ledger
}

fn busy(ledger: &Ledger) -> f64 {
    ledger.on_cpu + ledger.run_queue.unwrap_or(0.0)
}

#[test]
fn a_pause_of_5_ms_in_execute_lands_in_execute() {
    let telemetry = Telemetry::on(1, false);
    let stages = telemetry.thread(0);
    let mut slept = 0.0;
    let (metrics, _) = phase(&telemetry, || {
        for _ in 0..50 {
            stages.begin(Stage::Queue);
            stages.end(Stage::Queue);
            stages.begin(Stage::Execute);
            let begun = Instant::now();
            std::thread::sleep(PAUSE);
            slept += begun.elapsed().as_secs_f64();
            stages.end(Stage::Execute);
        }
        stages.phase_ends(false);
    });
    let execute = stage(&metrics, Stage::Execute);
    assert_eq!((execute.count, stage(&metrics, Stage::Queue).count), (50, 50));
    assert!((execute.total as f64 / 1e9 / slept - 1.0).abs() < 0.1, "{execute:?}, slept {slept}");
    assert!(execute.p50 as f64 > PAUSE.as_nanos() as f64 * 0.99, "{execute:?}");
    let ledger = ledger(&metrics);
    // On a busy machine some of the pause is waiting for a processor at its end.
    assert!(ledger.database > 0.225 && ledger.database < 1.1 * slept, "{ledger:?}, slept {slept}");
    assert!((ledger.database + busy(&ledger)) / slept > 0.9, "{ledger:?}, slept {slept}");
    assert!(ledger.unexplained.abs() < 0.1 * ledger.wall, "{ledger:?}");
}

/// More operations than there is room for notes of, so that they are added up on the way.
const MANY: u64 = 30_000;

#[test]
fn a_threads_operations_count_beyond_the_room_for_notes() {
    let telemetry = Telemetry::on(1, false);
    let stages = telemetry.thread(0);
    stages.settled();
    let (metrics, seconds) = phase(&telemetry, || {
        for _ in 0..MANY {
            stages.begin(Stage::Execute);
            stages.end(Stage::Execute);
        }
        stages.phase_ends(false);
    });
    let execute = stage(&metrics, Stage::Execute);
    assert_eq!(execute.count, MANY);
    assert!(execute.total as f64 / 1e9 <= seconds && execute.total >= MANY * execute.p50 / 2, "{execute:?}, {seconds}");
    let ledger = ledger(&metrics);
    assert!(ledger.database <= execute.total as f64 / 1e9, "{ledger:?}, {execute:?}");
}

#[test]
fn a_tasks_polls_count_beyond_the_room_for_notes_and_its_ledger_has_them_all() {
    let telemetry = Telemetry::on(1, false);
    let stages = telemetry.task(0);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (metrics, _) = phase(&telemetry, || {
        runtime.block_on(polled(&stages, async {
            for _ in 0..MANY {
                stages.begin(Stage::Execute);
                tokio::task::yield_now().await;
                stages.end(Stage::Execute);
            }
            stages.phase_ends(false);
        }));
    });
    let [execute, ready, poll] = [Stage::Execute, Stage::Ready, Stage::Poll].map(|one| stage(&metrics, one));
    assert_eq!([execute.count, ready.count, poll.count], [MANY, MANY, MANY + 1]);
    let ledger = ledger(&metrics);
    assert!((ledger.ready.unwrap() - ready.total as f64 / 1e9).abs() < 1e-6, "{ledger:?}, {ready:?}");
    // The phase ends within the last poll: what follows of it is in no ledger.
    let polled = (poll.total - poll.max) as f64 / 1e9..=poll.total as f64 / 1e9;
    assert!(polled.contains(&ledger.on_cpu), "{ledger:?}, {poll:?}");
    assert!(ledger.unexplained.abs() < 0.02 * ledger.wall, "{ledger:?}");
}

#[test]
fn a_pause_outside_every_stage_stays_unexplained_and_a_spin_is_processor_time() {
    let telemetry = Telemetry::on(1, false);
    let stages = telemetry.thread(0);
    stages.settled();
    let mut slept = 0.0;
    let (metrics, seconds) = phase(&telemetry, || {
        for _ in 0..40 {
            stages.begin(Stage::Execute);
            spin(PAUSE / 5);
            std::thread::sleep(PAUSE);
            stages.end(Stage::Execute);
            let begun = Instant::now();
            std::thread::sleep(PAUSE / 5);
            slept += begun.elapsed().as_secs_f64();
            spin(PAUSE / 5);
        }
        stages.phase_ends(false);
    });
    let ledger = ledger(&metrics);
    assert!(ledger.unexplained > 0.03 && ledger.unexplained < slept + 0.1 * seconds, "{ledger:?}, slept {slept}");
    let spun = 0.08; // on a busy machine a spin of a millisecond gets less than that
    assert!(ledger.on_cpu > 0.1 * spun && ledger.on_cpu < 2.0 * spun, "{ledger:?}");
    assert!(ledger.database > 0.18, "{ledger:?}");
}

#[test]
fn waiting_before_the_phase_does_not_count_and_waiting_for_its_end_does() {
    let telemetry = Telemetry::on(1, false);
    let stages = telemetry.thread(0);
    stages.begin(Stage::Queue);
    std::thread::sleep(10 * PAUSE);
    let (metrics, seconds) = phase(&telemetry, || {
        stages.end(Stage::Queue);
        stages.begin(Stage::Queue);
        std::thread::sleep(4 * PAUSE);
        stages.phase_ends(false);
    });
    assert_eq!(stage(&metrics, Stage::Queue).count, 1, "the last wait got no record");
    let ledger = ledger(&metrics);
    assert!(ledger.wall <= seconds && ledger.records + busy(&ledger) > 0.9 * ledger.wall, "{ledger:?}");
    assert!(ledger.records > 0.01, "half of it and more: {ledger:?}");
}

#[test]
fn a_childs_phase_goes_from_its_first_record_to_its_last() {
    let telemetry = Telemetry::on(1, false);
    let stages = telemetry.thread(0);
    let (metrics, seconds) = phase(&telemetry, || {
        stages.begin(Stage::Queue);
        std::thread::sleep(10 * PAUSE);
        stages.phase_begins();
        stages.end(Stage::Queue);
        stages.begin(Stage::Execute);
        std::thread::sleep(PAUSE);
        stages.end(Stage::Execute);
        stages.begin(Stage::Queue);
        std::thread::sleep(10 * PAUSE);
        stages.phase_ends(true);
    });
    let ledger = ledger(&metrics);
    assert!(ledger.wall < seconds - 0.09 && ledger.database > 0.0045, "{ledger:?}");
    assert!(ledger.records < 0.001 && stage(&metrics, Stage::Queue).max < 40_000_000, "{metrics:?}");
}

#[test]
fn a_task_sleeps_waits_for_its_thread_and_runs() {
    let telemetry = Telemetry::on(1, false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (metrics, seconds) = phase(&telemetry, || {
        runtime.block_on(async {
            let stages = telemetry.task(0);
            let worker = async {
                for _ in 0..10 {
                    stages.time(Stage::Execute, tokio::time::sleep(4 * PAUSE)).await;
                    spin(PAUSE);
                }
                stages.phase_ends(false);
            };
            // Every other poll of the runtime belongs to somebody else, who takes his time.
            let other = tokio::spawn(async {
                loop {
                    spin(PAUSE);
                    tokio::time::sleep(PAUSE).await;
                }
            });
            polled(&stages, worker).await;
            other.abort();
        });
    });
    let ledger = ledger(&metrics);
    assert_eq!(ledger.run_queue, None, "the kernel doesn't know tasks");
    assert!((0.04..1.0).contains(&ledger.on_cpu), "{ledger:?}");
    assert!((0.15..1.0).contains(&ledger.database), "{ledger:?}");
    assert!(ledger.ready.unwrap() > 0.0 && stage(&metrics, Stage::Ready).count >= 10, "{ledger:?}");
    assert!(ledger.unexplained.abs() < 0.1 * seconds, "{ledger:?} of {seconds}");
}

#[test]
fn a_second_tells_what_happened_since_the_last_and_the_phase_all_of_it() {
    let telemetry = Telemetry::on(2, false);
    let (one, other) = (telemetry.thread(0), telemetry.thread(1));
    let mut collector = Collector::new(&telemetry, false);
    collector.phase_begins();
    let execute = |stages: &Stages, times: usize| {
        for _ in 0..times {
            stages.begin(Stage::Execute);
            stages.end(Stage::Execute);
        }
    };
    execute(&one, 3);
    assert_eq!(collector.second(|| (1, 3)), None, "no second is over");
    std::thread::sleep(Duration::from_millis(1_050));
    execute(&other, 4);
    let second = collector.second(|| (2, 7)).unwrap();
    assert_eq!((second.records, second.rows, second.stages[0].count), (2, 7, 7));
    assert!((second.rate - 7.0 / second.seconds).abs() < 1e-9 && second.histograms.is_empty());
    execute(&one, 5);
    let metrics = collector.phase_ends(1).unwrap();
    assert_eq!(stage(&metrics, Stage::Execute).count, 12);
}

#[test]
fn children_add_up_to_one_phase_on_their_parents_clock() {
    let child = |worker| {
        let telemetry = Telemetry::on(1, false);
        let stages = telemetry.thread(0);
        let (metrics, seconds) = phase(&telemetry, || {
            stages.begin(Stage::Execute);
            std::thread::sleep(4 * PAUSE);
            stages.end(Stage::Execute);
            stages.begin(Stage::Read);
            stages.end(Stage::Read);
            stages.phase_ends(true);
        });
        Child { worker, busy: Some((0.1, 0.1 + seconds)), metrics }
    };
    let parent = Telemetry::on(2, false);
    let reader = parent.reader();
    let (mut metrics, _) = phase(&parent, || {
        reader.begin(Stage::Read);
        reader.end(Stage::Read);
    });
    with_children(&mut metrics, &[child(1), child(0)], 1.0, false);
    assert_eq!(stage(&metrics, Stage::Execute).count, 2);
    assert_eq!(stage(&metrics, Stage::Read).count, 1, "children read from a pipe");
    assert_eq!(metrics.workers.iter().map(|ledger| ledger.worker).collect::<Vec<_>>(), [0, 1]);
    for ledger in &metrics.workers {
        // It began 0.1 s into the phase and was through with it 0.02 s later; nothing counts after that.
        assert!((ledger.wall - 0.12).abs() < 0.05 && (ledger.records - 0.1).abs() < 0.01, "{ledger:?}");
        assert!(ledger.unexplained.abs() < 0.05, "{ledger:?}");
    }
    assert!(metrics.histograms.is_empty());
}

#[test]
fn a_worker_that_is_told_once_more_that_the_phase_is_over_keeps_its_ledger() {
    let telemetry = Telemetry::on(1, false);
    let stages = telemetry.thread(0);
    let (metrics, _) = phase(&telemetry, || {
        stages.begin(Stage::Execute);
        std::thread::sleep(4 * PAUSE);
        stages.end(Stage::Execute);
        stages.phase_ends(false);
        std::thread::sleep(4 * PAUSE);
        stages.phase_ends(false);
    });
    let ledger = ledger(&metrics);
    assert!(ledger.database > 0.015 && ledger.unexplained < 0.005, "{ledger:?}");
}

#[test]
fn a_spans_number_is_the_one_it_is_begun_by() {
    let stages = Telemetry::on(3, false).task(2);
    let numbers: Vec<_> = stages._spans.iter().map(Span::id).collect();
    assert_eq!(numbers, Stage::ALL.iter().map(|stage| Some(layer::id(2, *stage))).collect::<Vec<_>>());
}

/// Counts how often it is woken.
#[derive(Default)]
struct Counts(std::sync::atomic::AtomicUsize);

impl std::task::Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn a_task_that_is_polled_with_another_waker_is_woken_by_that_and_its_delay_counts() {
    use std::task::{Context, Poll, Waker};
    let telemetry = Telemetry::on(1, false);
    let stages = telemetry.task(0);
    let (metrics, _) = phase(&telemetry, || {
        let last = Arc::new(Mutex::new(Waker::noop().clone()));
        let kept = Arc::clone(&last);
        let mut task = Box::pin(polled(&stages, async {
            stages.begin(Stage::Execute);
            std::future::poll_fn(|inner| {
                *kept.lock().unwrap() = inner.waker().clone();
                Poll::<()>::Pending
            })
            .await;
        }));
        let counts = [Arc::new(Counts::default()), Arc::new(Counts::default())];
        for one in &counts {
            assert!(task.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(one)))).is_pending());
            let waker = last.lock().unwrap().clone();
            waker.wake();
        }
        assert_eq!(counts.map(|one| one.0.load(std::sync::atomic::Ordering::Relaxed)), [1, 1]);
    });
    assert_eq!((stage(&metrics, Stage::Poll).count, stage(&metrics, Stage::Ready).count), (2, 1));
}

#[test]
fn a_run_without_metrics_measures_nothing() {
    let telemetry = Telemetry::off();
    let stages = telemetry.thread(3);
    stages.begin(Stage::Execute);
    stages.end(Stage::Execute);
    stages.phase_ends(false);
    let mut collector = Collector::new(&telemetry, false);
    collector.phase_begins();
    assert_eq!((collector.next(), collector.second(|| (1, 1)), collector.phase_ends(1)), (None, None, None));
    assert_eq!(collector.run(&[], false), None);
}
