//! A task's own time: when it was woken, when it ran. For workers that share threads, of whom the kernel knows nothing.

use super::Stages;
use crate::model::Stage;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

/// Runs a worker's future and measures each of its polls, and the delay from the first wake after one to the next.
pub async fn polled<F: Future>(stages: &Arc<Stages>, future: F) -> F::Output {
    if stages.of.is_none() {
        return future.await;
    }
    let mut seen: Option<(Arc<Wakes>, Waker)> = None;
    let mut future = pin!(future);
    poll_fn(|task| {
        // A runtime wakes a task by one waker as long as it lives. Should it come with another, another is made here.
        let (wakes, waker) = match &mut seen {
            Some(same) if same.0.task.will_wake(task.waker()) => same,
            other => {
                let woken = other.as_ref().is_some_and(|(before, _)| before.woken.load(Ordering::Acquire));
                other.insert(Wakes::of(stages, task.waker(), woken))
            }
        };
        if wakes.woken.swap(false, Ordering::AcqRel) {
            stages.end(Stage::Ready); // which begins the poll
        } else {
            stages.begin(Stage::Poll);
        }
        let output = future.as_mut().poll(&mut Context::from_waker(waker));
        stages.end(Stage::Poll);
        output
    })
    .await
}

/// Passes wakes on; the first since the last poll begins the stage `ready`.
struct Wakes {
    stages: Arc<Stages>,
    woken: AtomicBool,
    task: Waker,
}

impl Wakes {
    fn of(stages: &Arc<Stages>, task: &Waker, woken: bool) -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self { stages: Arc::clone(stages), woken: woken.into(), task: task.clone() });
        let waker = Waker::from(Arc::clone(&wakes));
        (wakes, waker)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.load(Ordering::Relaxed) {
            // Before `woken` is set: whoever sees it set may read the beginning. Two at once begin it twice, ns apart.
            self.stages.begin(Stage::Ready);
            self.woken.store(true, Ordering::Release);
        }
        self.task.wake_by_ref();
    }
}
