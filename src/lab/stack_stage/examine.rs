//! What an idle stack says of itself and of the machine, for `lab doctor`.

use super::super::doctor::Findings;
use super::StackStage;
use crate::db;
use crate::wire::conditions::CpuCheck;
use anyhow::Result;
use std::time::{SystemTime, UNIX_EPOCH};

/// Length of each spin, seconds.
const SPIN: f64 = 0.2;

impl StackStage {
    /// Looks at link, disk, clock and noise.
    pub(in crate::lab) async fn examine(&self, spins: usize) -> Result<Findings> {
        let mut works = Vec::new();
        let mut share = 0.0;
        for _ in 0..spins {
            let mut check = CpuCheck::default();
            check.take(&db::spin(&[&self.server().control], SPIN).await?);
            works.push(check.work);
            share += check.measured / spins as f64;
        }
        works.sort_by(f64::total_cmp);
        let (least, most) = (works.first().copied().unwrap_or(0.0), works.last().copied().unwrap_or(0.0));
        let median = works.get(works.len() / 2).copied().unwrap_or(1.0);
        Ok(Findings {
            link: self.link_status().await?,
            disk: self.free_disk().await?,
            clock: self.clock().await?,
            spread: (most - least) / median,
            share,
        })
    }

    pub(super) async fn free_disk(&self) -> Result<Option<u64>> {
        let (_, out, _) = self.stack.exec(&self.server().container, &["df", "-Pk", "/var/lib/postgresql/data"]).await?;
        let free = out.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
        Ok(free.map(|kilobytes| kilobytes * 1024))
    }

    /// How far the database's clock is ahead of the lab's, seconds; half the way there and back is taken off.
    async fn clock(&self) -> Result<f64> {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        let before = now();
        let theirs = db::clock(&self.server().control).await?;
        Ok(theirs - (before + now()) / 2.0)
    }
}
