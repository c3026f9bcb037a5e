//! Backend `relay`: the bytes of a connection wait in this process. It needs no privilege, and it imitates no
//! packet: the handshake is as fast as ever, nothing is lost, TCP's start is that of two short links.
//!
//! ```text
//! read ─► stamp with its time ─► at most BUFFER bytes wait ─► write when the time has come
//! ```
//! Reading goes on while earlier bytes wait, so that a delay is no bound on the rate.

use super::Shaping;
use super::alarm::Alarm;
use super::shape::Shape;
use crate::model::quantity::Delay;
use crate::wire::emulation::Counters;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};

/// What the relay adds by itself: two wake-ups each way.
pub(super) const FLOOR: Delay = Delay::from_nanos(300_000);

/// What a reader of the results has to know.
pub(super) const NOTE: &str =
    "bytes are delayed, not packets: the handshake is not, nothing can be lost, slow start is not that of the link";

/// Bytes of one direction of one connection that wait at most, as a window would bound them.
const BUFFER: usize = 4 << 20;

/// Bytes read at once.
const CHUNK: usize = 32 << 10;

/// One direction's state, shared by its connections as they would share a wire.
#[derive(Debug)]
pub(in crate::link) struct Direction {
    shape: Mutex<Shape>,
    alarm: Alarm,
    chunks: AtomicU64,
    bytes: AtomicU64,
    late: AtomicU64,
    latest_us: AtomicU64,
}

/// What connections accepted from now on are slowed by; empty: nothing. Copies share it.
#[derive(Debug, Clone, Default)]
pub(in crate::link) struct Pace(Arc<Mutex<Option<[Arc<Direction>; 2]>>>);

impl Pace {
    pub(super) fn apply(&self, shaping: &Shaping) -> io::Result<()> {
        let alarm = Alarm::start()?;
        let Shaping { profile, seed } = shaping;
        let both = [(profile.up, *seed), (profile.down, seed.wrapping_add(1))];
        self.replace(Some(both.map(|(way, seed)| {
            Arc::new(Direction {
                shape: Mutex::new(Shape::new(way, seed)),
                alarm: alarm.clone(),
                chunks: AtomicU64::new(0),
                bytes: AtomicU64::new(0),
                late: AtomicU64::new(0),
                latest_us: AtomicU64::new(0),
            })
        })));
        Ok(())
    }

    pub(super) fn clear(&self) {
        self.replace(None);
    }

    fn replace(&self, directions: Option<[Arc<Direction>; 2]>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = directions;
    }

    /// Both directions as they are now, up first.
    pub(in crate::link) fn now(&self) -> Option<[Arc<Direction>; 2]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn counters(&self) -> Option<[Counters; 2]> {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        self.now().map(|both| {
            both.map(|one| Counters {
                packets: read(&one.chunks),
                bytes: read(&one.bytes),
                delayed: read(&one.chunks),
                dropped_asked: 0,
                dropped_unasked: Some(0),
                late: read(&one.late),
                latest_us: read(&one.latest_us),
                rounds: None,
            })
        })
    }
}

impl Direction {
    fn leaves(&self, now: Instant, bytes: usize) -> Instant {
        self.chunks.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let mut shape = self.shape.lock().unwrap_or_else(PoisonError::into_inner);
        shape.leaves(now, bytes as u64).unwrap_or(now) // a profile with loss is refused before it gets here
    }

    async fn until(&self, time: Instant) {
        self.alarm.until(time).await;
        let late = time.elapsed().as_micros() as u64;
        self.late.fetch_add(u64::from(late > Counters::LATE_US), Ordering::Relaxed);
        self.latest_us.fetch_max(late, Ordering::Relaxed);
    }

    /// Copies a stream's bytes to its end, each at its time, and passes the end on.
    pub(in crate::link) async fn copy(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let (sender, mut receiver) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>(); // bounded by `room`, in bytes
        let room = Semaphore::new(BUFFER);
        let read = async {
            let sender = sender; // its end is the writer's
            let mut buffer = vec![0; CHUNK];
            loop {
                let permit = room.acquire_many(CHUNK as u32).await.map_err(io::Error::other)?;
                let length = from.read(&mut buffer).await?;
                permit.forget();
                room.add_permits(CHUNK - length);
                let leaves = self.leaves(Instant::now(), length);
                if sender.send((leaves, buffer[..length].to_vec())).is_err() || length == 0 {
                    return Ok::<_, io::Error>(());
                }
            }
        };
        let write = async {
            while let Some((leaves, chunk)) = receiver.recv().await {
                self.until(leaves).await;
                if chunk.is_empty() {
                    break;
                }
                to.write_all(&chunk).await?;
                room.add_permits(chunk.len());
            }
            to.shutdown().await
        };
        tokio::try_join!(read, write).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::link::LinkProfile;
    use std::time::Duration;

    async fn through(text: &str, bytes: usize) -> Duration {
        let pace = Pace::default();
        pace.apply(&Shaping { profile: text.parse::<LinkProfile>().unwrap(), seed: 1 }).unwrap();
        let [up, _] = pace.now().unwrap();
        let (mut writer, from) = tokio::io::duplex(1 << 16);
        let (to, mut reader) = tokio::io::duplex(1 << 16);
        let start = Instant::now();
        let sent = vec![7; bytes];
        let send = async move {
            writer.write_all(&sent).await?;
            writer.shutdown().await
        };
        let mut got = Vec::new();
        let (copied, sent, read) = tokio::join!(up.copy(from, to), send, reader.read_to_end(&mut got));
        copied.and(sent).and(read.map(drop)).unwrap();
        assert_eq!(got.len(), bytes);
        start.elapsed()
    }

    #[tokio::test]
    async fn bytes_wait_and_later_ones_wait_with_them() {
        // 30 chunks and more: one after the other they would take over a second.
        let took = through("delay_up=40ms", 1_000_000).await.as_secs_f64();
        assert!((0.040..0.25).contains(&took), "{took}");
    }

    #[tokio::test]
    async fn bytes_go_at_the_rate() {
        let took = through("up=80mbit", 2_000_000).await.as_secs_f64();
        assert!((0.2..0.3).contains(&took), "{took}");
    }
}
