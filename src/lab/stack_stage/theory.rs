//! Links and limits set for their own sake, to be measured against theory: `lab doctor --calibrate`.

use super::StackStage;
use super::path::Effort;
use crate::engine::{Limits, Waiting};
use crate::model::limits::Cpus;
use crate::model::link::LinkProfile;
use crate::model::{Congestion, Placement, Program, clock};
use crate::wire::conditions::CpuCheck;
use crate::wire::measured::LinkMeasured;
use crate::wire::setup::LinkStatus;
use anyhow::Result;

impl StackStage {
    /// A client's container, which never gets a job. Client and database are apart where there are two processors.
    pub(in crate::lab) async fn bare_client(&self) -> Result<Waiting> {
        let limits = Limits { cpus: Cpus::UNLIMITED, cpuset: self.places(self.apart())?.client.to_string() };
        let spec = self.run_spec(Program::Ingester, 0, limits, Congestion::System)?;
        self.stack.start(&spec).await
    }

    /// Pinned where that can be had.
    fn apart(&self) -> Placement {
        if self.cores.count() < 2 { Placement::Shared } else { Placement::Pinned }
    }

    /// Sets a link, measures it with both directions' rates, and says what the link counted meanwhile.
    pub(in crate::lab) async fn try_link(
        &self,
        client: &Waiting,
        profile: &LinkProfile,
    ) -> Result<(LinkMeasured, LinkStatus)> {
        // Drawn anew: one sequence of lost packets that is off would be off each time.
        self.set_link(profile, clock::nanos()).await?;
        let rtt = profile.rtt().nanos() as f64 / 1e9;
        let exchanges = (3.0 / rtt.max(0.001)).clamp(20.0, 500.0) as usize;
        // A window doubles each round trip at the start; what comes after that is measured.
        let effort = Effort { exchanges, rates: Some((1.0 + 12.0 * rtt, 1.5)) };
        self.at_responder(async { Ok((self.probe(client, &effort).await?, self.link_status().await?)) }).await
    }

    /// Limits client and database to so much and measures both; none where a side has fewer processors.
    pub(in crate::lab) async fn try_cpus(&mut self, client: &Waiting, asked: Cpus) -> Result<[Option<CpuCheck>; 2]> {
        let places = self.places(self.apart())?;
        let fits = |count: usize| asked.count().is_none_or(|asked| asked <= count as f64);
        let mut checks = [None, None];
        if fits(places.client.count()) {
            let limits = Limits { cpus: asked, cpuset: places.client.to_string() };
            self.stack.set_limits(client.container(), &limits).await?;
            checks[0] = Some(self.check_client(client, &limits, &places.client).await?);
        }
        if fits(places.database.count()) {
            checks[1] = Some(self.limit_database(asked, &places.database).await?);
        }
        Ok(checks)
    }
}
