//! The path to the database: the link set as a cell asks, and how long a round trip through it takes.

use super::StackStage;
use super::fault::lossy;
use crate::engine::{OUTER, Waiting};
use crate::lab::Experiment;
use crate::model::Backend;
use crate::model::fault::Kind;
use crate::model::link::LinkProfile;
use crate::model::profiles::Profiles;
use crate::model::quantity::Delay;
use crate::wire::emulation::refusal;
use crate::wire::exit::{Exit, Failure};
use crate::wire::measured::LinkMeasured;
use crate::wire::setup::LinkStatus;
use anyhow::{Context, Result};
use std::future::Future;

/// The agent's program in the link's container.
const AGENT: &str = "/usr/local/bin/link";

impl StackStage {
    /// Knows from now on what the experiment's links mean; refuses those that the backend here cannot make, before
    /// anything is changed.
    pub(in crate::lab) async fn use_links(&mut self, experiment: &Experiment, links: &Profiles) -> Result<()> {
        self.links = links.clone();
        let emulation = self.link_status().await?.emulation;
        for cell in experiment.cells() {
            let profile = self.profile(&cell.link)?;
            if profile.is_direct() {
                continue;
            }
            if let Some(reason) = refusal(emulation.backend, &profile) {
                return Err(Failure::new(Exit::Usage, format!("link {}: {reason}", cell.link)).into());
            }
            if let Kind::LossBurst(share, _) = cell.fault.kind
                && let Some(reason) = refusal(emulation.backend, &lossy(&profile, share))
            {
                return Err(Failure::new(Exit::Usage, format!("fault {}: {reason}", cell.fault)).into());
            }
            let (rtt, floor) = (profile.rtt(), emulation.floor.unwrap_or_default());
            if !rtt.is_zero() && rtt < floor {
                let message = format!(
                    "link {}: a round trip of {rtt} is less than the {floor} that {} takes by itself: ask for more, or for local",
                    cell.link, emulation.backend
                );
                return Err(Failure::new(Exit::Usage, message).into());
            }
        }
        Ok(())
    }

    /// The profile that a cell's word means.
    pub(super) fn profile(&self, wanted: &str) -> Result<LinkProfile> {
        self.links.find(wanted).map_err(|error| Failure::new(Exit::Usage, error).into())
    }

    /// What the link says of itself.
    pub(super) async fn link_status(&self) -> Result<LinkStatus> {
        self.ask_link(&["status"]).await
    }

    /// The least round trip that can be had here.
    pub(in crate::lab) async fn floor(&self) -> Result<Delay> {
        Ok(self.link_status().await?.emulation.floor.unwrap_or_default())
    }

    /// Makes the link so. Returns what it says of itself then.
    pub(super) async fn set_link(&self, profile: &LinkProfile, seed: u64) -> Result<LinkStatus> {
        self.set_link_with(profile, seed, None).await
    }

    /// The same, by another backend from now on.
    pub(super) async fn set_link_with(
        &self,
        profile: &LinkProfile,
        seed: u64,
        backend: Option<Backend>,
    ) -> Result<LinkStatus> {
        // While rows go past it, it has nothing to add.
        let local = LinkProfile::local();
        let profile = if profile.is_direct() { &local } else { profile };
        let (profile, seed) = (serde_json::to_string(profile).context("write the profile")?, seed.to_string());
        let mut words = vec!["set", &profile, "--seed", &seed];
        words.extend(backend.into_iter().flat_map(|backend| ["--backend", backend.word()]));
        self.ask_link(&words).await
    }

    /// Uses the backend that the experiment asks for, if it asks for one.
    pub(in crate::lab) async fn use_backend(&self, experiment: &Experiment) -> Result<()> {
        if experiment.backend.is_some() {
            self.set_link_with(&LinkProfile::local(), 0, experiment.backend).await?;
        }
        Ok(())
    }

    pub(super) async fn ask_link(&self, words: &[&str]) -> Result<LinkStatus> {
        let command: Vec<&str> = std::iter::once(AGENT).chain(words.iter().copied()).collect();
        let (code, out, err) = self.stack.exec(self.link.container(), &command).await?;
        if code != 0 {
            let said = err.trim().trim_start_matches("link: ");
            return Err(Failure::new(Exit::Engine, format!("the link did not {}: {said}", words[0])).into());
        }
        let status: LinkStatus = serde_json::from_str(&out).context("read what the link says of itself")?;
        // Nothing here asks for the database's address, and whoever reads a record need not know this machine's networks.
        Ok(LinkStatus { address: String::new(), ..status })
    }

    /// Measures the link, or the way past it, from the ingester's container against a responder in the database's
    /// place, and leaves the link as it was set, its counters at zero.
    pub(super) async fn measure_link(
        &self,
        waiting: &Waiting,
        profile: &LinkProfile,
        seed: u64,
    ) -> Result<(LinkMeasured, LinkStatus)> {
        let effort = Effort::of(profile);
        let measured = match profile.is_direct() {
            true => self.probe_at(waiting, self.responder()?, &effort).await?,
            false => self.at_responder(self.probe(waiting, &effort)).await?,
        };
        Ok((measured, self.set_link(profile, seed).await?))
    }

    /// Does some work while the link leads to the responder; then it leads to the database again, however that went.
    pub(super) async fn at_responder<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.ask_link(&["point", self.responder()?]).await?;
        let done = work.await;
        self.ask_link(&["point", &self.target()]).await?;
        done
    }

    fn responder(&self) -> Result<&str> {
        Ok(&self.series()?.responder.as_ref().context("nothing answers measurements here")?.address)
    }

    pub(super) async fn probe(&self, waiting: &Waiting, effort: &Effort) -> Result<LinkMeasured> {
        let link = if self.outside.is_some() { OUTER } else { "link" };
        self.probe_at(waiting, &format!("{link}:5432"), effort).await
    }

    async fn probe_at(&self, waiting: &Waiting, target: &str, effort: &Effort) -> Result<LinkMeasured> {
        let exchanges = effort.exchanges.to_string();
        let mut command = vec!["ingester", "probe", target, "--exchanges", &exchanges];
        let rates = effort.rates.map(|(warm_up, time)| (warm_up.to_string(), time.to_string()));
        if let Some((warm_up, time)) = &rates {
            command.extend(["--warm-up", warm_up, "--rate-seconds", time]);
        }
        let (code, out, err) = self.stack.exec(waiting.container(), &command).await?;
        if code != 0 {
            let message = format!("the link cannot be measured: {}", err.trim());
            return Err(Failure::new(Exit::Engine, message).into());
        }
        serde_json::from_str(&out).context("read what was measured of the link")
    }
}

/// How much of a link is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Effort {
    /// Connections opened one after the other, and exchanges on one of them.
    pub exchanges: usize,
    /// Each direction's rate: seconds left out first, seconds measured.
    pub rates: Option<(f64, f64)>,
}

impl Effort {
    /// Exchanges for half a second, and rates where one is set: a run must not wait long for them. Of the way past the
    /// link nothing else tells its rate.
    fn of(profile: &LinkProfile) -> Self {
        if profile.is_direct() {
            return Self { exchanges: 50, rates: Some((0.3, 0.5)) };
        }
        let rtt = profile.rtt().nanos() as f64 / 1e9;
        let exchanges = (0.5 / rtt.max(0.01)).clamp(5.0, 50.0) as usize;
        let limited = [profile.up.rate, profile.down.rate].iter().any(|rate| rate.bits_per_second().is_some());
        // Slow start doubles a window each round trip: ten of them reach any window that is fixed here.
        Self { exchanges, rates: limited.then_some((f64::max(0.5, 10.0 * rtt), 1.0)) }
    }
}
