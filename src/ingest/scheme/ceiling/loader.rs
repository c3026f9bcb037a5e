//! Inserts the geographic records, which a tool's lines refer to: over one connection of the ingester's own, as
//! `executemany` does, whatever the job's statement kind is. How fast that is says nothing of the tool.

use crate::ingest::session::Session;
use crate::ingest::stats::{Live, PhaseLog};
use crate::ingest::worker::{Bench, Context, Message, ready, work};
use crate::model::{Phase, Protocol, Statement};
use crate::telemetry::{Stages, Telemetry};
use crate::wire::{Acknowledged, Job};
use anyhow::{Context as _, Result};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, mpsc};

/// A worker of the ingester's own, connected.
pub(super) struct Loader {
    context: Context,
    stages: Arc<Stages>,
    bench: Bench,
    messages: mpsc::Receiver<Message>,
}

impl Loader {
    /// Connects. What it says is heard here alone: its connection is none of the pool's.
    pub(super) async fn connect(of: &Context) -> Result<Self> {
        let (sender, messages) = mpsc::channel();
        let (_, held) = async_channel::bounded(1); // nobody holds it: it may leave when it is through
        let job = Job { statement: Statement::Executemany, protocol: Protocol::Prepared, ..of.job.clone() };
        let context = Context {
            job,
            address: of.address.clone(),
            phases: of.phases.iter().filter(|(phase, _)| *phase == Phase::Geo).cloned().collect(),
            live: vec![Live::default()],
            started: of.started,
            phase_began: Arc::clone(&of.phase_began),
            messages: sender,
            delivery: Default::default(),
            stop: Arc::clone(&of.stop),
            interrupt: Arc::clone(&of.interrupt),
            mark: None,
            earlier: None,
            telemetry: Telemetry::off(),
            hold: held,
            helpers: Mutex::default(),
        };
        let stages = context.telemetry.task(0);
        let bench = ready(&context, &stages, 0, Session::driven(&context.address)).await?;
        Ok(Self { context, stages, bench, messages })
    }

    /// Inserts all records of the phase, and leaves.
    pub(super) async fn load(self, of: &Context) -> Result<(Acknowledged, PhaseLog)> {
        let Self { context, stages, bench, messages } = self;
        let acks = work(&context, 0, &stages, &mut [bench]).await?;
        let (records, rows) = Live::sum(&context.live);
        of.live[0].records.store(records, Ordering::Relaxed);
        of.live[0].rows.store(rows, Ordering::Relaxed);
        let log = messages.try_iter().find_map(|message| match message {
            Message::PhaseDone(log) => Some(log),
            _ => None,
        });
        Ok((acks.into_acknowledged(), log.context("the loader is through without a word: this is a bug")?))
    }
}
