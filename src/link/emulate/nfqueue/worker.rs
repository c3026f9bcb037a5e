//! One direction's thread: takes packets from its queue, lets each go at its time. Nothing is shared with the
//! other direction, so neither waits for the other.

use super::netlink::{Data, Packet, Queue, Verdict};
use crate::link::emulate::shape::Shape;
use crate::model::clock::Now;
use crate::model::link::OneWay;
use crate::wire::emulation::Counters;
use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::SigSet;
use nix::sys::time::TimeSpec;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What an Ethernet frame adds to an IP packet; netem's rates count it, so ours do.
const FRAME: u64 = 14;

/// A packet this close to its time may go: another sleep would make it later than it is early.
const CLOSE: Duration = Duration::from_micros(10);

/// The timer is set ahead of the time by no more than this, however late it usually is: waking too early costs CPU.
const MOST_AHEAD: Duration = Duration::from_micros(500);

/// What one wake-up changes of that at most: a single late one says little. The first ones say more: nothing is known.
const STEP: f64 = 10e-6;
const FIRST_STEP: f64 = 100e-6;

/// Wake-ups that the running average goes back.
const WAKE_UPS: u32 = 16;

/// Connections whose rounds are counted; beyond that all are forgotten, which counts a few rounds twice.
const FLOWS: usize = 10_000;

/// Rounds: packets of data whose sender had got something new since its last one. Of requests that are answered before
/// the next is sent that is one each; of many sent at once, one.
#[derive(Debug, Default)]
struct Rounds(HashMap<u64, u32>);

impl Rounds {
    /// Whether a packet begins a round.
    fn begins(&mut self, data: Data) -> bool {
        if self.0.len() >= FLOWS && !self.0.contains_key(&data.flow) {
            self.0.clear();
        }
        self.0.insert(data.flow, data.got) != Some(data.got)
    }
}

/// What a worker counts; it alone writes.
#[derive(Debug, Default)]
struct Counts {
    packets: AtomicU64,
    rounds: AtomicU64,
    bytes: AtomicU64,
    delayed: AtomicU64,
    lost: AtomicU64,
    late: AtomicU64,
    latest_us: AtomicU64,
}

/// A running worker.
#[derive(Debug)]
pub(super) struct Worker {
    number: u16,
    counts: Arc<Counts>,
    stop: UnixStream,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Binds queue `number` and handles its packets as `way` says; `mtu` is that of the way out.
    pub(super) fn start(number: u16, way: OneWay, seed: u64, mtu: u32) -> Result<Self> {
        // Each packet is lost on its own, also where the sender hands over many in one piece.
        let queue = Queue::bind(number, way.loss.is_none())?;
        let (stop, stopped) = UnixStream::pair().context("make a pipe to the worker")?;
        let counts = Arc::new(Counts::default());
        let mut direction = Direction {
            queue,
            shape: Shape::new(way, seed),
            rounds: Rounds::default(),
            held: BinaryHeap::new(),
            counts: counts.clone(),
            mtu: u64::from(mtu),
            ahead: Duration::ZERO,
            woken: 0,
        };
        let thread = std::thread::Builder::new()
            .name(format!("queue-{number}"))
            .spawn(move || {
                if let Err(error) = direction.run(&stopped) {
                    // The queue closes with the thread, and packets pass by it: the next measurement shows it.
                    tracing::error!(queue = number, "packets are no longer delayed: {error:#}");
                }
            })
            .context("start a worker")?;
        Ok(Self { number, counts, stop, thread })
    }

    /// Whether it still handles packets.
    pub(super) fn alive(&self) -> bool {
        !self.thread.is_finished()
    }

    /// What it did so far.
    pub(super) fn counters(&self) -> Counters {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counters {
            packets: read(&self.counts.packets),
            rounds: Some(read(&self.counts.rounds)),
            bytes: read(&self.counts.bytes),
            delayed: read(&self.counts.delayed),
            dropped_asked: read(&self.counts.lost),
            dropped_unasked: Some(Queue::overflowed(self.number)),
            late: read(&self.counts.late),
            latest_us: read(&self.counts.latest_us),
        }
    }

    /// Lets everything it holds go at once, and ends it. The rule has to be gone: nothing new may come in.
    pub(super) fn stop(self) {
        drop(self.stop);
        let _ = self.thread.join();
    }
}

/// What a worker's thread owns.
struct Direction {
    queue: Queue,
    shape: Shape,
    rounds: Rounds,
    /// Packets by the time they leave.
    held: BinaryHeap<Reverse<(Instant, u32)>>,
    counts: Arc<Counts>,
    mtu: u64,
    /// How much later than asked for this thread usually wakes: a running average. The timer is set ahead by it.
    ahead: Duration,
    /// Wake-ups so far, up to [`WAKE_UPS`].
    woken: u32,
}

impl Direction {
    fn run(&mut self, stopped: &UnixStream) -> Result<()> {
        // A thread's timers are 50 µs late unless it asks otherwise.
        nix::sys::prctl::set_timerslack(1).context("ask for exact timers")?;
        loop {
            let alarm = self.held.peek().map(|Reverse((leaves, _))| *leaves - self.ahead);
            let ended = self.wait(stopped, alarm)?;
            self.receive()?;
            self.release(if ended { None } else { Some(Instant::now()) })?;
            if ended {
                return Ok(());
            }
        }
    }

    /// Waits for a packet, the time, or the end; says whether it is the end.
    fn wait(&mut self, stopped: &UnixStream, alarm: Option<Instant>) -> Result<bool> {
        let mut events =
            [PollFd::new(self.queue.as_fd(), PollFlags::POLLIN), PollFd::new(stopped.as_fd(), PollFlags::POLLIN)];
        let wait = alarm.map(|alarm| alarm.saturating_duration_since(Instant::now()));
        let woken = match ppoll(&mut events, wait.map(TimeSpec::from_duration), Some(SigSet::all())) {
            Ok(woken) => woken,
            Err(Errno::EINTR) => return Ok(false),
            Err(error) => return Err(error).context("wait for packets"),
        };
        let ended = events[1].any().unwrap_or(false);
        if let Some(alarm) = alarm.filter(|_| woken == 0 && wait.is_some_and(|wait| !wait.is_zero())) {
            let (late, ahead) = (alarm.elapsed().as_secs_f64(), self.ahead.as_secs_f64());
            let most = if self.woken < WAKE_UPS { FIRST_STEP } else { STEP };
            self.woken = (self.woken + 1).min(WAKE_UPS);
            let moved = ahead + ((late - ahead) / f64::from(self.woken)).clamp(-most, most);
            self.ahead = Duration::from_secs_f64(moved.max(0.0)).min(MOST_AHEAD);
        }
        Ok(ended)
    }

    fn receive(&mut self) -> Result<()> {
        let Self { queue, shape, rounds, held, counts, mtu, .. } = self;
        let mut lost = Vec::new();
        queue.receive(|packet| {
            let now = Now::read();
            let arrived = now.instant - packet.age(&now);
            let bytes = on_the_wire(packet, *mtu);
            add(&counts.packets, 1);
            add(&counts.rounds, u64::from(packet.data.is_some_and(|data| rounds.begins(data))));
            // What the rate is measured in, as netem counts them: a full link of small packets would look idle else.
            add(&counts.bytes, bytes);
            match shape.leaves(arrived, bytes) {
                Some(leaves) => {
                    add(&counts.delayed, u64::from(leaves > arrived));
                    held.push(Reverse((leaves, packet.id)));
                }
                None => lost.push(packet.id),
            }
        })?;
        add(&counts.lost, lost.len() as u64);
        for id in lost {
            queue.decide(id, Verdict::Drop);
        }
        Ok(())
    }

    /// Lets go what is due at `now`, or everything.
    fn release(&mut self, now: Option<Instant>) -> Result<()> {
        while let Some(&Reverse((leaves, id))) = self.held.peek() {
            if now.is_some_and(|now| leaves > now + CLOSE) {
                break;
            }
            self.held.pop();
            self.queue.decide(id, Verdict::Accept);
            let late = now.map_or(0, |now| now.saturating_duration_since(leaves).as_micros() as u64);
            add(&self.counts.late, u64::from(late > Counters::LATE_US));
            self.counts.latest_us.fetch_max(late, Ordering::Relaxed);
        }
        self.queue.flush()
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

/// The bytes a packet takes on Ethernet, every piece with headers of its own.
fn on_the_wire(packet: Packet, mtu: u64) -> u64 {
    let (bytes, headers) = (u64::from(packet.bytes), u64::from(packet.headers));
    if bytes <= mtu || headers == 0 || headers >= mtu {
        return bytes + FRAME;
    }
    let data = bytes.saturating_sub(headers);
    data + data.div_ceil(mtu - headers) * (headers + FRAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_begins_where_the_sender_has_got_something_new() {
        let mut rounds = Rounds::default();
        let mut count = |packets: &[(u64, u32)]| {
            packets.iter().filter(|(flow, got)| rounds.begins(Data { flow: *flow, got: *got })).count()
        };
        assert_eq!(count(&[(1, 10), (1, 20), (1, 30)]), 3, "asked and answered");
        assert_eq!(count(&[(1, 40), (1, 40), (1, 40), (1, 50)]), 2, "three sent at once are one");
        assert_eq!(count(&[(2, 50), (1, 60), (2, 50)]), 2, "connections apart");
    }

    #[test]
    fn a_large_packet_takes_the_wire_as_long_as_its_pieces_do() {
        let packet = |bytes, headers| Packet { id: 0, bytes, headers, data: None, arrived: None };
        assert_eq!(on_the_wire(packet(1_500, 52), 1_500), 1_514);
        assert_eq!(on_the_wire(packet(52 + 10 * 1_448, 52), 1_500), 10 * 1_514);
        assert_eq!(on_the_wire(packet(52 + 1_449, 52), 1_500), 1_449 + 2 * 66);
    }
}
