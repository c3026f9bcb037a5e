//! A worker's one connection, whichever driver is behind it.
//!
//! The workload is written once, over this type. `threads` puts the `postgres` crate's blocking client behind it
//! for `row` (the driver a threaded program would use): its answers are there when the call returns, so the
//! futures never wait. Everything else is tokio-postgres with the connection's protocol work done *inside* the
//! waiting task: no second task, no hop between threads, the same CPU path a row for every scheme.

use super::driven::Driven;
use crate::db::command::{Command, Value};
use crate::db::{self, Address};
use crate::model::Protocol;
use crate::telemetry::Stages;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio_postgres::{Client, Error, Row};

/// How long a server that has no connection left, or just starts, is asked again …
const PATIENCE: Duration = Duration::from_secs(5);

/// … at first after this; after each time twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// One open connection.
pub enum Session {
    /// The `postgres` crate: blocks the thread while it waits.
    Blocking(Box<postgres::Client>),
    /// tokio-postgres, driven by whoever waits for it.
    Driven(Box<Driven>),
}

/// Which driver a connection is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// The `postgres` crate.
    Blocking,
    /// tokio-postgres.
    Driven,
}

impl Session {
    /// Opens a connection, at the first attempt or not at all; a blocking one not from inside a tokio runtime.
    pub async fn open(driver: Driver, address: &Address) -> Result<Self, Error> {
        match driver {
            Driver::Blocking => address.connect_blocking().map(|client| Self::Blocking(Box::new(client))),
            Driver::Driven => Driven::connect(address).await.map(|driven| Self::Driven(Box::new(driven))),
        }
    }

    /// Which driver it is behind.
    pub fn driver(&self) -> Driver {
        match self {
            Self::Blocking(_) => Driver::Blocking,
            Self::Driven(_) => Driver::Driven,
        }
    }

    /// Opens a blocking connection. Must not be called from inside a tokio runtime.
    pub fn blocking(address: &Address) -> Result<Self, Error> {
        let mut pauses = Pauses::default();
        loop {
            let error = match address.connect_blocking() {
                Ok(client) => return Ok(Self::Blocking(Box::new(client))),
                Err(error) => error,
            };
            let Some(pause) = pauses.next(&error) else { return Err(error) };
            std::thread::sleep(pause);
        }
    }

    /// Opens a connection on the current tokio runtime.
    pub async fn driven(address: &Address) -> Result<Self, Error> {
        let mut pauses = Pauses::default();
        loop {
            let error = match Driven::connect(address).await {
                Ok(driven) => return Ok(Self::Driven(Box::new(driven))),
                Err(error) => error,
            };
            let Some(pause) = pauses.next(&error) else { return Err(error) };
            tokio::time::sleep(pause).await;
        }
    }

    /// A statement as the protocol has it, parsed on the server where it is to be prepared.
    pub async fn command(&mut self, sql: &str, protocol: Protocol) -> Result<Command, Error> {
        if protocol != Protocol::Prepared {
            return Ok(Command::new(sql, None, protocol));
        }
        let statement = match self {
            Self::Blocking(client) => client.prepare(sql)?,
            Self::Driven(driven) => driven.with(|client| client.prepare(sql)).await?,
        };
        Ok(Command::new(sql, Some(statement), protocol))
    }

    /// Runs a statement for what it does. `encoding`, where given, measures how long it takes to encode the parameters;
    /// the blocking driver doesn't let that be seen.
    pub async fn execute(
        &mut self,
        command: &Command,
        values: &[Value<'_>],
        encoding: Option<&Stages>,
    ) -> Result<(), Error> {
        match self {
            Self::Blocking(client) => command.execute_blocking(client, values),
            Self::Driven(driven) => driven.with_encoding(encoding, |client| command.execute(client, values)).await,
        }
    }

    /// Runs a statement for the ids it finds.
    pub async fn ids(&mut self, command: &Command, values: &[Value<'_>]) -> Result<Vec<i32>, Error> {
        match self {
            Self::Blocking(client) => command.ids_blocking(client, values),
            Self::Driven(driven) => driven.with(|client| command.ids(client, values)).await,
        }
    }

    /// Runs a statement for the rows it finds.
    pub async fn rows(&mut self, command: &Command, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        match self {
            Self::Blocking(client) => command.rows_blocking(client, values),
            Self::Driven(driven) => driven.with(|client| command.rows(client, values)).await,
        }
    }

    /// Runs a statement without parameters or rows, such as BEGIN.
    pub async fn simple(&mut self, sql: &str) -> Result<(), Error> {
        match self {
            Self::Blocking(client) => client.batch_execute(sql),
            Self::Driven(driven) => driven.with(|client| client.batch_execute(sql)).await,
        }
    }

    /// Does nothing for so long; the thread under a blocking driver, only the task elsewhere.
    pub async fn sleep(&mut self, time: Duration) {
        match self {
            Self::Blocking(_) => std::thread::sleep(time),
            Self::Driven(_) => finely(time).await,
        }
    }

    /// The pipelining client, for statement kinds that send before they wait.
    /// Absent behind the blocking driver, which answers one request at a time.
    pub fn pipelined(&mut self) -> Option<&mut Driven> {
        match self {
            Self::Blocking(_) => None,
            Self::Driven(driven) => Some(driven),
        }
    }

    /// The tokio-postgres client, when there is one.
    pub fn client(&self) -> Option<&Client> {
        match self {
            Self::Blocking(_) => None,
            Self::Driven(driven) => Some(driven.client()),
        }
    }
}

/// When many connect at once, slots of connections that have just ended may not be free yet: how long to wait before
/// each attempt but the first.
#[derive(Debug, Default)]
struct Pauses {
    waited: Duration,
    last: Duration,
}

impl Pauses {
    /// None where another attempt would not help, or there were enough.
    fn next(&mut self, error: &Error) -> Option<Duration> {
        if !db::is_passing(error) || self.waited >= PATIENCE {
            return None;
        }
        self.last = (self.last * 2).max(FIRST_PAUSE);
        self.waited += self.last;
        tracing::debug!(%error, pause = ?self.last, "connecting once more");
        Some(self.last)
    }
}

/// Sleeps as long as it is told. The runtime's own timers count whole milliseconds and end late, up to a fifth of 5 ms:
/// they stand in only where the kernel gives no other.
async fn finely(time: Duration) {
    if time.is_zero() {
        return;
    }
    let Ok(timer) = timer(time) else { return tokio::time::sleep(time).await };
    if timer.readable().await.is_err() {
        tracing::warn!("a timer of the kernel broke: a sleep was cut short");
    }
}

// What replaces it wants a promise, in unsafe code, that the descriptor stays the same and open: an OwnedFd's does.
#[allow(deprecated)]
fn timer(time: Duration) -> std::io::Result<AsyncFd<OwnedFd>> {
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
    timer.set(Expiration::OneShot(TimeSpec::from_duration(time)), TimerSetTimeFlags::empty())?;
    AsyncFd::new(OwnedFd::from(timer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[tokio::test]
    async fn a_task_sleeps_as_long_as_a_thread_does_and_not_a_millisecond_more() {
        let time = Duration::from_micros(5_100);
        let (mut task, mut thread) = (Duration::MAX, Duration::MAX);
        // The best of many: others may have the processor. The runtime's timer would take 6 ms at least.
        for _ in 0..40 {
            let begun = Instant::now();
            finely(time).await;
            task = task.min(begun.elapsed());
            let begun = Instant::now();
            std::thread::sleep(time);
            thread = thread.min(begun.elapsed());
        }
        assert!(task >= time && task < thread + Duration::from_micros(700), "{task:?}, a thread {thread:?}");
        finely(Duration::ZERO).await; // ends
    }
}
