//! What is different where client and database are on different hosts: two engines, two sets of processors, two clocks.

use super::{PATIENCE, StackStage};
use crate::db;
use crate::engine::{Container, Stack};
use crate::lab::experiment::Experiment;
use crate::lab::placement::Cores;
use crate::model::Storage;
use crate::wire::clocks::{Ahead, Clocks, MOST_APART};
use crate::wire::exit::{Exit, Failure};
use crate::wire::setup::EngineFacts;
use crate::wire::watched::Observed;
use anyhow::Result;

/// The client's host: its engine, and its processors, which are all the client's.
pub(super) async fn client_host(stack: &Stack) -> Result<Option<(EngineFacts, Cores)>> {
    let all = stack.client_facts().await?;
    let Some(first) = all.first() else { return Ok(None) };
    if let Some(other) = all.iter().find(|other| (other.processors, &other.cgroup) != (first.processors, &first.cgroup))
    {
        let message = format!(
            "the hosts of clients differ ({} processors and cgroup version {}, {} and {}): their runs would not be \
             comparable; label hosts that are alike",
            first.processors, first.cgroup, other.processors, other.cgroup
        );
        return Err(Failure::new(Exit::Engine, message).into());
    }
    let processors = usize::try_from(first.processors).unwrap_or(1).max(1);
    Ok(Some((first.clone(), Cores::parse("", processors))))
}

/// What was seen on the database's host, on the lab's clock.
pub(super) fn on_one_clock(observed: &mut Observed, clocks: Option<&Clocks>) {
    let Some(clocks) = clocks else { return };
    for look in &mut observed.looks {
        look.at -= clocks.database.steady;
        look.accounted -= clocks.database.steady;
    }
}

/// Refuses clocks that nobody keeps in time.
fn near(side: &str, ahead: Ahead) -> Result<Ahead> {
    if ahead.is_near() {
        return Ok(ahead);
    }
    let message = format!(
        "the clock of the {side}'s host is {:.3} s ahead of the lab's (± {:.3} s), at most {MOST_APART} s will do: keep both \
         in time (`timedatectl set-ntp true`, or chrony)",
        ahead.wall, ahead.error
    );
    Err(Failure::new(Exit::Engine, message).into())
}

impl StackStage {
    /// How far the clocks of both hosts are from the lab's: of the link's host, which is the database's, and of a waiting
    /// client's. None on one machine.
    pub(super) async fn ask_clocks(&self, client: &Container) -> Result<Option<Clocks>> {
        if !self.stack.is_on_swarm() {
            return Ok(None);
        }
        let database = near("database", self.stack.clocks(self.link.container(), "/usr/local/bin/link").await?)?;
        let client = self.ask_client(client).await?;
        Ok(Some(Clocks { database, client, more_clients: Vec::new() }))
    }

    /// How far the clocks of a waiting client's host are from the lab's.
    async fn ask_client(&self, client: &Container) -> Result<Ahead> {
        near("client", self.stack.clocks(client, "ingester").await?)
    }

    /// The same of one client more, on a host that may be another one. Nothing to do on one machine.
    pub(super) async fn ask_further(&self, client: &Container, clocks: &mut Option<Clocks>) -> Result<()> {
        if let Some(clocks) = clocks {
            clocks.more_clients.push(self.ask_client(client).await?);
        }
        Ok(())
    }

    /// Refuses what a stack on a swarm cannot do, before anything is changed.
    pub(in crate::lab) fn check_hosts(&self, experiment: &Experiment) -> Result<()> {
        if !self.stack.is_on_swarm() {
            return Ok(());
        }
        let refuse = |what: String, why: &str| {
            let message = format!("{what} is not for --engine swarm: {why}; run it on one machine, or leave it out");
            Err(Failure::new(Exit::NotSupported, message).into())
        };
        if experiment.database.is_some() {
            return refuse("[database]".into(), "the nodes reach each other, nothing outside");
        }
        for cell in experiment.cells() {
            if cell.storage != Storage::Volume {
                return refuse(
                    format!("storage = \"{}\"", cell.storage),
                    "the stack there has one database, on a volume",
                );
            }
            if !cell.fault.is_none() {
                return refuse(
                    format!("fault {}", cell.fault),
                    "the swarm would take what is broken for its own to mend",
                );
            }
        }
        Ok(())
    }

    /// After a node's engine was away: the swarm may have given up what ran there, so all of the stack is made anew.
    pub(super) async fn raise_again(
        &mut self,
        was_there: bool,
        error: &anyhow::Error,
        say: &dyn Fn(&str),
    ) -> Result<Option<String>> {
        let happened = match (was_there, Failure::passes(error)) {
            (false, _) => "the container engine of a node was away while it ran",
            (true, true) => "a connection to the container engine of a node broke while it ran",
            (true, false) => return Ok(None),
        };
        say(&format!("{happened}: the stack is made anew"));
        self.at = 0;
        self.servers.truncate(1);
        self.stack.lower().await?;
        self.stack.raise().await?;
        let db = self.stack.healthy("db", PATIENCE).await?;
        self.link = self.stack.healthy("link", PATIENCE).await?;
        self.network = self.stack.network("client").await?;
        self.beyond = self.stack.network("database").await?;
        self.connect_again(&db).await?;
        db::rebuild(&mut self.server_mut().control).await?;
        self.settle_in().await?;
        Ok(Some(happened.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::watched::Look;

    #[test]
    fn what_the_database_s_host_saw_is_moved_to_the_lab_s_clock_and_what_one_machine_saw_is_not() {
        let seen = || Observed {
            data_began: Some(7.0),
            looks: vec![Look { at: 108.0, accounted: 108.5, ..Default::default() }],
            ..Default::default()
        };
        let mut there = seen();
        let database = Ahead { steady: 100.0, wall: 0.2, error: 0.001 };
        on_one_clock(&mut there, Some(&Clocks { database, ..Default::default() }));
        assert_eq!((there.looks[0].at, there.looks[0].accounted, there.data_began), (8.0, 8.5, Some(7.0)));
        let mut here = seen();
        on_one_clock(&mut here, None);
        assert_eq!(here, seen());
    }

    #[test]
    fn clocks_that_nobody_keeps_in_time_are_refused_with_the_remedy() {
        let error = near("client", Ahead { wall: -3.5, error: 0.002, ..Default::default() }).unwrap_err().to_string();
        assert!(error.contains("the client's host is -3.500 s ahead of the lab's (± 0.002 s)"), "{error}");
        assert!(error.contains("timedatectl"), "{error}");
        assert!(near("client", Ahead { wall: 0.5, ..Default::default() }).is_ok());
    }
}
