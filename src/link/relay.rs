//! Forwarding without the kernel's help: this process accepts and copies. It works anywhere; what it costs
//! and what it cannot imitate (the handshake, packets) is why the kernel goes first.

use super::Route;
use super::emulate::pace::Pace;
use crate::model::LinkFault;
use anyhow::{Context, Result};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Bytes held for one direction of one connection: with the sockets' own buffers that is all there is.
const BUFFER: usize = 64 * 1024;

/// A pause when accepting fails, so that a shortage of descriptors doesn't spin.
const PAUSE: Duration = Duration::from_millis(50);

/// A relay at work.
#[derive(Debug)]
pub(super) struct Relay {
    target: watch::Sender<SocketAddr>,
    pace: Pace,
    fault: watch::Sender<Option<LinkFault>>,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// Starts to accept connections.
    pub(super) async fn start(route: Route) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, route.listen))
            .await
            .with_context(|| format!("listen on port {}", route.listen))?;
        let (target, targets) = watch::channel(route.target);
        let pace = Pace::default();
        let (fault, faults) = watch::channel(None);
        let accepting = tokio::spawn(accept(listener, targets, pace.clone(), faults));
        Ok(Self { target, pace, fault, accepting })
    }

    /// What slows connections that are accepted from now on.
    pub(super) fn pace(&self) -> Pace {
        self.pace.clone()
    }

    /// Sends connections accepted from now on to another address.
    pub(super) fn point(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }

    /// Breaks every connection so, or lets them go on.
    pub(super) fn breaks(&self, fault: Option<LinkFault>) {
        self.fault.send_replace(fault);
    }

    /// Ends the relay with its connections.
    pub(super) async fn stop(&mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }
}

/// Owns the connections: when this task ends, they do.
async fn accept(
    listener: TcpListener,
    target: watch::Receiver<SocketAddr>,
    pace: Pace,
    fault: watch::Receiver<Option<LinkFault>>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, from)) => {
                    let (target, pace, fault) = (*target.borrow(), pace.clone(), fault.clone());
                    connections.spawn(async move {
                        if let Err(error) = unless_broken(pass_on(client, target, &pace), fault).await {
                            tracing::debug!(%from, %target, %error, "a relayed connection ended");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the relay cannot accept");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Copies while nothing is broken. In a black hole nobody copies: what is sent waits in the sockets. After a reset the
/// connection is over; one that begins meanwhile is, too.
async fn unless_broken(
    copying: impl Future<Output = io::Result<()>>,
    mut fault: watch::Receiver<Option<LinkFault>>,
) -> io::Result<()> {
    let mut copying = std::pin::pin!(copying);
    loop {
        let now = *fault.borrow_and_update();
        let changed = tokio::select! {
            changed = fault.changed() => changed,
            () = std::future::ready(()), if now == Some(LinkFault::Reset) => {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            done = &mut copying, if now.is_none() => return done,
        };
        if changed.is_err() {
            return Err(io::ErrorKind::ConnectionAborted.into()); // the relay is gone
        }
    }
}

/// Copies both directions. The end of one is passed on as a half-close; the other goes on until it ends, too.
async fn pass_on(mut client: TcpStream, target: SocketAddr, pace: &Pace) -> io::Result<()> {
    let mut server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let Some([up, down]) = pace.now() else {
        return copy_bidirectional_with_sizes(&mut client, &mut server, BUFFER, BUFFER).await.map(drop);
    };
    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
    tokio::try_join!(up.copy(from_client, to_server), down.copy(from_server, to_client)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn relay_to(target: SocketAddr) -> (Relay, SocketAddr) {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let relay = Relay::start(Route { listen: free.port(), target }).await.unwrap();
        (relay, free)
    }

    /// Answers each connection, after the client's end of stream, with `mark` and the number of bytes it got.
    async fn counting_server(mark: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut got = Vec::new();
                stream.read_to_end(&mut got).await.unwrap();
                stream.write_all(format!("{mark}{}", got.len()).as_bytes()).await.unwrap();
            }
        });
        address
    }

    async fn ask(address: SocketAddr, bytes: usize) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&vec![7; bytes]).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn an_answer_after_the_client_s_half_close_still_arrives() {
        let (mut relay, address) = relay_to(counting_server("").await).await;
        assert_eq!(ask(address, 1_000_000).await, "1000000");
        relay.stop().await;
    }

    #[tokio::test]
    async fn a_database_that_moves_is_found_by_the_next_connection() {
        let (mut relay, address) = relay_to(counting_server("old ").await).await;
        assert_eq!(ask(address, 3).await, "old 3");
        relay.point(counting_server("new ").await);
        assert_eq!(ask(address, 3).await, "new 3");
        relay.stop().await;
    }

    #[tokio::test]
    async fn what_is_sent_into_a_black_hole_arrives_when_it_is_gone_and_a_reset_ends_connections() {
        let (mut relay, address) = relay_to(counting_server("").await).await;
        relay.breaks(Some(LinkFault::BlackHole));
        let mut asking = std::pin::pin!(ask(address, 3));
        assert!(tokio::time::timeout(Duration::from_millis(200), &mut asking).await.is_err(), "nothing passes");
        relay.breaks(None);
        assert_eq!(asking.await, "3");
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"before").await.unwrap();
        relay.breaks(Some(LinkFault::Reset));
        let mut rest = Vec::new();
        assert!(stream.read_to_end(&mut rest).await.is_err() || rest.is_empty(), "it is over without an answer");
        relay.breaks(None);
        assert_eq!(ask(address, 5).await, "5");
        relay.stop().await;
    }

    #[tokio::test]
    async fn a_stopped_relay_frees_its_port() {
        let (mut relay, address) = relay_to(counting_server("").await).await;
        relay.stop().await;
        assert!(TcpStream::connect(address).await.is_err());
    }
}
