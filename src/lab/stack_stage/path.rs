//! The path to the database: the link set as a cell asks, and how long a round trip through it takes.

use super::StackStage;
use crate::engine::Waiting;
use crate::lab::{Experiment, links};
use crate::model::link::LinkProfile;
use crate::wire::emulation::refusal;
use crate::wire::exit::{Exit, Failure};
use crate::wire::measured::Quantiles;
use crate::wire::setup::LinkStatus;
use anyhow::{Context, Result};

/// The agent's program in the link's container.
const AGENT: &str = "/usr/local/bin/link";

/// Connections that a round trip is told from.
const CONNECTS: &str = "20";

impl StackStage {
    /// Refuses links that the backend here cannot make, before anything is changed.
    pub(in crate::lab) async fn check_links(&self, experiment: &Experiment) -> Result<()> {
        let emulation = self.link_status().await?.emulation;
        for cell in experiment.cells() {
            let profile = self.profile(&cell.link)?;
            if let Some(reason) = refusal(emulation.backend, &profile) {
                return Err(Failure::new(Exit::Usage, format!("link {}: {reason}", cell.link)).into());
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
        links::find(wanted).map_err(|error| Failure::new(Exit::Usage, error).into())
    }

    /// What the link says of itself.
    pub(super) async fn link_status(&self) -> Result<LinkStatus> {
        self.ask_link(&["status"]).await
    }

    /// Makes the link so. Returns what it says of itself then.
    pub(super) async fn set_link(&self, profile: &LinkProfile, seed: u64) -> Result<LinkStatus> {
        let profile = serde_json::to_string(profile).context("write the profile")?;
        self.ask_link(&["set", &profile, "--seed", &seed.to_string()]).await
    }

    async fn ask_link(&self, words: &[&str]) -> Result<LinkStatus> {
        let command: Vec<&str> = std::iter::once(AGENT).chain(words.iter().copied()).collect();
        let (code, out, err) = self.stack.exec(&self.link, &command).await?;
        if code != 0 {
            let said = err.trim().trim_start_matches("link: ");
            return Err(Failure::new(Exit::Engine, format!("the link did not {}: {said}", words[0])).into());
        }
        serde_json::from_str(&out).context("read what the link says of itself")
    }

    /// Opens connections through the link, as the ingester will.
    pub(super) async fn connects(&self, waiting: &Waiting) -> Result<Option<Quantiles>> {
        let command = ["ingester", "connects", "link:5432", "--count", CONNECTS];
        let (code, out, err) = self.stack.exec(waiting.container(), &command).await?;
        if code != 0 {
            let message = format!("the link cannot be measured: {}", err.trim());
            return Err(Failure::new(Exit::Engine, message).into());
        }
        serde_json::from_str(&out).context("read how long connections took")
    }
}
