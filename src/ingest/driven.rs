//! tokio-postgres with its connection polled by whoever waits for an answer.
//!
//! The driver comes in two halves: a client that queues requests and a connection that moves bytes. The usual way
//! spawns the connection as a task of its own, which costs two wake-ups a request and, on a multi-thread runtime,
//! hops between threads. Here one future polls both:
//!
//! ```text
//! with(request): poll request ─► poll connection ─► answered? ─ no ─► sleep until the socket stirs
//! ```
//!
//! Both halves get a waker that swallows the wake-ups they cause each other while they are being polled here anyway;
//! only those from outside (the socket) reach the runtime.

use crate::db::{Address, Connection};
use crate::model::Stage;
use crate::telemetry::Stages;
use futures_util::task::AtomicWaker;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use tokio_postgres::{Client, Error};

/// A connection and the client that speaks through it.
pub struct Driven {
    client: Client,
    /// Absent once it has ended; requests then fail as closed.
    connection: Option<Connection>,
    gate: Arc<Gate>,
    waker: Waker,
}

impl Driven {
    /// Connects on the current tokio runtime.
    pub async fn connect(address: &Address) -> Result<Self, Error> {
        let (client, connection) = address.connect().await?;
        let gate = Arc::new(Gate::default());
        let waker = Waker::from(Arc::clone(&gate));
        Ok(Self { client, connection: Some(connection), gate, waker })
    }

    /// The client half.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Runs what `request` asks of the client to its end, moving bytes meanwhile.
    pub async fn with<'a, F, T, E>(&'a mut self, request: impl FnOnce(&'a Client) -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>> + 'a,
        E: From<Error>,
    {
        self.with_encoding(None, request).await
    }

    /// The same; measures the request's first poll, in which the driver encodes and queues all it is to send.
    pub async fn with_encoding<'a, F, T, E>(
        &'a mut self,
        encoding: Option<&Stages>,
        request: impl FnOnce(&'a Client) -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>> + 'a,
        E: From<Error>,
    {
        let Self { client, connection, gate, waker } = self;
        let mut request = pin!(request(client));
        let mut encoding = encoding;
        poll_fn(|task| {
            gate.open_to(task.waker());
            let mut inner = Context::from_waker(waker);
            if let Some(stages) = encoding.take() {
                gate.enter();
                stages.begin(Stage::Encode);
                let polled = request.as_mut().poll(&mut inner);
                stages.end(Stage::Encode);
                if polled.is_ready() {
                    return polled;
                }
            }
            loop {
                gate.enter();
                if let Poll::Ready(output) = request.as_mut().poll(&mut inner) {
                    return Poll::Ready(output);
                }
                if let Some(Poll::Ready(ended)) = connection.as_mut().map(|open| pin!(open).poll(&mut inner)) {
                    *connection = None; // fails what it still held
                    ended?;
                }
                if let Poll::Ready(output) = request.as_mut().poll(&mut inner) {
                    return Poll::Ready(output);
                }
                if gate.leave() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}

/// Swallows wake-ups while the halves are being polled, passes them on otherwise.
#[derive(Default)]
struct Gate {
    task: AtomicWaker,
    state: AtomicU8,
}

const ASLEEP: u8 = 0;
const POLLING: u8 = 1;
const STIRRED: u8 = 2;

impl Gate {
    fn open_to(&self, task: &Waker) {
        self.task.register(task);
    }

    fn enter(&self) {
        self.state.store(POLLING, Ordering::SeqCst);
    }

    /// True if nothing stirred since [`Gate::enter`]: the task may sleep.
    fn leave(&self) -> bool {
        self.state.compare_exchange(POLLING, ASLEEP, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let polling = self
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| (state != ASLEEP).then_some(STIRRED))
            .is_ok();
        if !polling {
            self.task.wake();
        }
    }
}
