//! Making good whatever a fault left, by looking at the stack: after each run that had one, however it ended; and when a
//! lab takes a stack that another left broken.

use super::super::server::service;
use super::super::{PATIENCE, StackStage};
use crate::db;
use crate::engine::{Container, Stack, Standing};
use crate::model::Storage;
use crate::model::link::LinkProfile;
use crate::wire::setup::LinkStatus;
use anyhow::Result;
use std::time::{Duration, Instant};

/// How long a database may be away that another lab broke and is about to make good: a fault lasts 10 s at most.
const OTHERS: Duration = Duration::from_secs(15);

/// How long that lab may take to hold its lock again.
const LOCKED: Duration = Duration::from_secs(5);

/// How long the link's agent may take to find a database that was started.
const FOUND: Duration = Duration::from_secs(10);

/// How often a database that is away is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How long a connection that is whole takes to answer, at most.
const ANSWER: Duration = Duration::from_secs(5);

/// What a program that was killed leaves, and one that was told to end: the faults' doing. With any other code a database
/// ended by itself, which is a finding.
const BY_FAULT: [i64; 2] = [0, 137];

impl StackStage {
    /// Memory of the engine's machine, bytes.
    pub(super) fn memory(&self) -> u64 {
        u64::try_from(self.conditions.engine.memory).unwrap_or(0)
    }

    /// Makes link and database whole again and connects to it anew. Says whether a database in memory had ended: its
    /// tables are there again, its rows are not.
    pub(super) async fn mend(&mut self, profile: &LinkProfile, seed: u64) -> Result<bool> {
        self.ask_link(&["break"]).await?;
        let container = self.server().container.clone();
        let standing = self.stack.bring_back(&container).await?;
        self.lift_memory(&container).await?;
        self.reconnect().await?;
        // What connections that broke still hold would keep the tables from being emptied.
        db::progress::fence(&self.server().control, None).await?;
        if !profile.is_direct() && self.link_settled().await?.emulation.profile != *profile {
            self.set_link(profile, seed).await?;
        }
        let gone = self.at > 0 && matches!(standing, Standing::Ended { .. });
        if gone {
            db::rebuild(&mut self.server_mut().control).await?;
        }
        Ok(gone)
    }

    /// Takes a limit on memory away. Says whether there was one.
    pub(in crate::lab::stack_stage) async fn lift_memory(&self, container: &Container) -> Result<bool> {
        let limited = self.stack.memory_limit(container, self.memory()).await?.is_some();
        if limited {
            self.stack.free_memory(container, self.memory()).await?;
        }
        Ok(limited)
    }

    /// What the link says of itself, once it has found the database again: one that was started may have another address,
    /// which the agent looks up every two seconds.
    async fn link_settled(&self) -> Result<LinkStatus> {
        let deadline = Instant::now() + FOUND;
        loop {
            match self.link_status().await {
                Err(_) if Instant::now() < deadline => tokio::time::sleep(LOOK_AGAIN).await,
                answer => return answer,
            }
        }
    }

    /// The lab's own connections to the current database, new where they broke with it; the stack's lock with them.
    async fn reconnect(&mut self) -> Result<()> {
        let healthy = self.stack.healthy(service(self.server().storage()), PATIENCE).await?;
        let answers = tokio::time::timeout(ANSWER, db::clock(&self.server().control)).await;
        if answers.is_ok_and(|answer| answer.is_ok()) {
            self.server_mut().spinners.retain(|spinner| !spinner.is_closed());
            return Ok(());
        }
        self.connect_again(&healthy).await
    }

    /// Brings a stack's database back where a fault left it paused or ended, and says what was done. Without the database
    /// there is no lock: unless nobody else can have done it, one that another lab broke comes back by itself, which is
    /// waited for.
    pub(in crate::lab) async fn revive(stack: &Stack, by_others: bool) -> Result<Vec<String>> {
        let Some(container) = stack.find_any(service(Storage::Volume)).await? else { return Ok(Vec::new()) };
        let away = |standing: Standing| match standing {
            Standing::Running => false,
            Standing::Paused => true,
            Standing::Ended { code } => BY_FAULT.contains(&code),
        };
        if !away(stack.standing(&container).await?) {
            return Ok(Vec::new());
        }
        let deadline = Instant::now() + if by_others { OTHERS } else { Duration::ZERO };
        while Instant::now() < deadline {
            tokio::time::sleep(LOOK_AGAIN).await;
            if !away(stack.standing(&container).await?) {
                tokio::time::sleep(LOCKED).await;
                return Ok(Vec::new());
            }
        }
        Ok(match stack.bring_back(&container).await? {
            Standing::Running => Vec::new(),
            Standing::Paused => vec!["the database, which stood still".into()],
            Standing::Ended { .. } => vec!["the database, which had ended".into()],
        })
    }
}
