//! Ctrl-C and SIGTERM: the first asks for an orderly end, the second for an end now.

use anyhow::{Context, Result};
use std::future::Future;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// What was asked for so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// Nothing: go on.
    Nothing,
    /// End in order: the run at its next record, then save and restore.
    Orderly,
    /// End at once.
    Now,
}

/// Tells long-running work when to end.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<Asked>);

impl Stop {
    /// Listens for the signals from now on.
    pub fn on_signals() -> Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt()).context("listen for Ctrl-C")?;
        let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        let (sender, stop) = Self::by_hand();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                let now = *sender.borrow() != Asked::Nothing;
                eprintln!("{}", if now { "ending now" } else { "ending in order; once more ends at once" });
                if sender.send(if now { Asked::Now } else { Asked::Orderly }).is_err() {
                    return;
                }
            }
        });
        Ok(stop)
    }

    /// One that is asked by the program itself.
    pub fn by_hand() -> (watch::Sender<Asked>, Self) {
        let (sender, receiver) = watch::channel(Asked::Nothing);
        (sender, Self(receiver))
    }

    /// Whether an end was asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow() != Asked::Nothing
    }

    /// Whether an end at once was asked for.
    pub fn is_now(&self) -> bool {
        *self.0.borrow() == Asked::Now
    }

    /// Returns when an orderly end, or one at once, is asked for.
    pub fn asked(&self) -> impl Future<Output = ()> + use<> {
        self.reaches(Asked::Orderly)
    }

    /// Returns when an end at once is asked for.
    pub fn now(&self) -> impl Future<Output = ()> + use<> {
        self.reaches(Asked::Now)
    }

    fn reaches(&self, least: Asked) -> impl Future<Output = ()> + use<> {
        let mut receiver = self.0.clone();
        async move {
            if receiver.wait_for(|asked| *asked >= least).await.is_err() {
                std::future::pending::<()>().await; // nobody can ask any more
            }
        }
    }
}
