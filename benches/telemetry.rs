//! What measuring costs a row: the stages of one row begun and ended, with metrics on and off, as a thread does it
//! and as a task does it. `cargo bench --bench telemetry`; a row takes the client about 25 µs.

#![allow(clippy::unwrap_used)] // a panic with its line is the message

use ingest_lab::model::Stage;
use ingest_lab::telemetry::{Collector, Stages, Telemetry, polled};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const ROWS: u32 = 1_000_000;
/// Rows of a line of segment 01.
const LINE: u32 = 222;
const ROUNDS: usize = 7;

fn main() {
    // The first run of a fresh process warms caches and clock.
    for (name, one) in [("thread", thread as fn(&Telemetry) -> f64), ("task", task)] {
        let median = |telemetry: fn() -> Telemetry| {
            let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| one(&telemetry())).collect();
            rounds.sort_by(f64::total_cmp);
            rounds[ROUNDS / 2]
        };
        let (off, on) = (median(Telemetry::off), median(|| Telemetry::on(15, false)));
        let share = (on - off) / 25_000.0 * 100.0;
        println!("{name:<7} {off:6.1} ns a row off, {on:6.1} ns on: {share:.2} % of 25 µs");
    }
}

/// A line's stages but its rows', which are `execute`.
fn line(stages: &Stages) {
    for stage in [Stage::Queue, Stage::Select, Stage::Select, Stage::Encode] {
        stages.begin(stage);
        stages.end(stage);
    }
}

fn thread(telemetry: &Telemetry) -> f64 {
    let stages = telemetry.thread(0);
    Collector::new(telemetry, false).phase_begins();
    let begun = Instant::now();
    for row in 0..ROWS {
        if row % LINE == 0 {
            line(&stages);
        }
        stages.begin(Stage::Execute);
        black_box(row);
        stages.end(Stage::Execute);
    }
    begun.elapsed().as_nanos() as f64 / f64::from(ROWS)
}

/// Each row one poll, as with an answer that is awaited. What the runtime itself takes is in both figures.
fn task(telemetry: &Telemetry) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    Collector::new(telemetry, false).phase_begins();
    let stages: Arc<Stages> = telemetry.task(0);
    let begun = Instant::now();
    let work = async {
        for row in 0..ROWS {
            if row % LINE == 0 {
                line(&stages);
            }
            stages.begin(Stage::Execute);
            once().await;
            stages.end(Stage::Execute);
        }
    };
    runtime.block_on(polled(&stages, work));
    begun.elapsed().as_nanos() as f64 / f64::from(ROWS)
}

/// Is woken, and ready at the second poll.
async fn once() {
    let mut asked = false;
    std::future::poll_fn(|task| {
        if std::mem::replace(&mut asked, true) {
            return std::task::Poll::Ready(());
        }
        task.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
