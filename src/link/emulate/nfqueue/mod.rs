//! Backend `nfqueue`: the kernel hands every forwarded packet of the database's connections to this process,
//! which lets it go when its time has come.
//!
//! ```text
//! forwarded packet ─► rule ─► queue 7101 (up)   ─► worker: rate, delay, jitter, loss ─► verdict ─► goes on
//!                        └──► queue 7102 (down) ─► worker
//! ```

mod netlink;
mod rules;
mod worker;

pub(crate) use netlink::packets_in;

use super::{Path, Shaping};
use crate::model::link::{LinkProfile, OneWay};
use crate::model::quantity::Delay;
use crate::wire::emulation::Counters;
use anyhow::{Context, Result, bail, ensure};
use rules::{Filter, Rules};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use worker::Worker;

/// Queue numbers: a network namespace has its own.
const UP: u16 = 7101;
const DOWN: u16 = 7102;
const TRY: u16 = 7103;

/// Datagrams sent to learn the floor.
const TRIES: usize = 40;

/// How long one of them may take: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(2);

/// The backend, found to work.
#[derive(Debug)]
pub(in crate::link) struct Nfqueue {
    filter: Filter,
    floor: Delay,
    workers: Option<[Worker; 2]>,
}

impl Nfqueue {
    /// Tries each program: sends this host datagrams through a queue that delays them.
    pub(super) async fn find() -> Result<Self> {
        let mut reasons = Vec::new();
        for filter in Filter::ALL {
            match try_out(filter).await {
                Ok(floor) => return Ok(Self { filter, floor, workers: None }),
                Err(error) => reasons.push(format!("{}: {error:#}", filter.name())),
            }
        }
        bail!("{}", reasons.join("; "))
    }

    /// The program whose rules it uses.
    pub(super) fn note(&self) -> String {
        format!("packets are queued by {}'s rules", self.filter.name())
    }

    /// Round-trip time it adds by itself, measured over the loopback when it was tried.
    pub(super) fn floor(&self) -> Delay {
        self.floor
    }

    /// Starts to delay the database's connections.
    pub(super) async fn apply(&mut self, path: Path, shaping: &Shaping) -> Result<()> {
        let Shaping { profile, seed } = shaping;
        let up = Worker::start(UP, profile.up, *seed, path.mtu)?;
        let down = Worker::start(DOWN, profile.down, seed.wrapping_add(1), path.mtu)?;
        self.workers = Some([up, down]);
        self.point(path).await
    }

    /// Follows the database to another address.
    pub(super) async fn point(&self, path: Path) -> Result<()> {
        ensure!(path.database.is_ipv4(), "the database's address {} is not IPv4", path.database.ip());
        self.filter.apply(Rules::Forwarded { database: path.database, up: UP, down: DOWN }).await
    }

    /// Takes the rules away, then lets go of every packet that waits.
    pub(super) async fn clear(&mut self) -> Result<()> {
        let cleared = self.filter.clear().await;
        if let Some(workers) = self.workers.take() {
            workers.into_iter().for_each(Worker::stop);
        }
        cleared
    }

    /// What both directions did.
    pub(super) fn counters(&self) -> Result<Option<[Counters; 2]>> {
        let Some([up, down]) = &self.workers else { return Ok(None) };
        ensure!(up.alive() && down.alive(), "a worker ended: packets pass undelayed; set the profile again");
        Ok(Some([up.counters(), down.counters()]))
    }
}

/// Takes away what an agent that was killed in this namespace left.
pub(super) async fn sweep() {
    for filter in Filter::ALL {
        let _ = filter.clear().await; // a program that isn't there has left nothing
    }
}

/// Sends datagrams to ourselves, first freely, then through a queue without delay, then with one.
async fn try_out(filter: Filter) -> Result<Delay> {
    let receiver = UdpSocket::bind("127.0.0.1:0").await.context("open a socket to try with")?;
    let port = receiver.local_addr().context("open a socket to try with")?.port();
    let tried = async {
        let free = quick_trip(&receiver, port).await?;
        filter.apply(Rules::Try { port, queue: TRY }).await?;
        let through = queued_trip(&receiver, port, OneWay::default()).await?;
        let delayed: LinkProfile = "delay_up=2ms".parse().map_err(anyhow::Error::msg)?;
        let slow = queued_trip(&receiver, port, delayed.up).await?;
        ensure!(slow >= Duration::from_millis(2), "packets pass by the queue");
        // There and back.
        Ok(Delay::from_nanos((through.saturating_sub(free) * 2).as_nanos() as u64))
    }
    .await;
    let cleared = filter.clear().await;
    let floor = tried?;
    cleared?;
    Ok(floor)
}

async fn queued_trip(receiver: &UdpSocket, port: u16, way: OneWay) -> Result<Duration> {
    let worker = Worker::start(TRY, way, 0, u32::MAX)?;
    let trip = quick_trip(receiver, port).await;
    worker.stop();
    trip
}

/// Time from sending a datagram to having it, the fastest tenth's of several: a machine that is busy just now
/// must not raise the floor for good.
async fn quick_trip(receiver: &UdpSocket, port: u16) -> Result<Duration> {
    let sender = UdpSocket::bind("127.0.0.1:0").await.context("open a socket to try with")?;
    let mut trips = Vec::with_capacity(TRIES);
    for _ in 0..TRIES {
        let start = Instant::now();
        sender.send_to(&[1], ("127.0.0.1", port)).await.context("send a datagram to ourselves")?;
        let mut buffer = [0];
        tokio::time::timeout(PATIENCE, receiver.recv_from(&mut buffer))
            .await
            .context("a datagram that went into the queue never came out")?
            .context("receive our own datagram")?;
        trips.push(start.elapsed());
    }
    trips.sort();
    Ok(trips[TRIES / 10])
}
