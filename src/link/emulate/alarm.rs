//! Wakes tasks at exact times: tokio's timers know milliseconds only. One thread sleeps for all.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Instant;
use tokio::sync::oneshot;

/// Someone who waits.
#[derive(Debug)]
struct Call {
    time: Instant,
    wake: oneshot::Sender<()>,
}

/// The thread's end for those who wait; it ends with the last of these.
#[derive(Debug, Clone)]
pub(super) struct Alarm(Sender<Call>);

impl Alarm {
    pub(super) fn start() -> io::Result<Self> {
        let (sender, receiver) = channel();
        std::thread::Builder::new().name("alarm".into()).spawn(move || run(&receiver))?;
        Ok(Self(sender))
    }

    /// Returns at the time, or at once if it has passed.
    pub(super) async fn until(&self, time: Instant) {
        if time <= Instant::now() {
            return;
        }
        let (wake, woken) = oneshot::channel();
        if self.0.send(Call { time, wake }).is_ok() {
            let _ = woken.await; // the thread ends with us only
        }
    }
}

fn run(calls: &Receiver<Call>) {
    // A thread's timers are 50 µs late unless it asks otherwise.
    if let Err(error) = nix::sys::prctl::set_timerslack(1) {
        tracing::warn!(%error, "timers will not be exact");
    }
    let mut waiting = BinaryHeap::new();
    loop {
        let next: Option<&Call> = waiting.peek();
        let called = match next {
            Some(next) => calls.recv_timeout(next.time.saturating_duration_since(Instant::now())),
            None => calls.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match called {
            Ok(call) => waiting.push(call),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = Instant::now();
        while waiting.peek().is_some_and(|call| call.time <= now) {
            if let Some(call) = waiting.pop() {
                let _ = call.wake.send(()); // its connection may have ended
            }
        }
    }
}

/// The earliest is the greatest: it comes out of the heap first.
impl Ord for Call {
    fn cmp(&self, other: &Self) -> Ordering {
        other.time.cmp(&self.time)
    }
}

impl PartialOrd for Call {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.time == other.time
    }
}

impl Eq for Call {}
