//! The lab's own way to a database whose network no host reaches: through the engine's API, which needs no other port.
//!
//! ```text
//! lab ── 127.0.0.1:port ── this task ── engine's API ── stdin and stdout of `link pipe` ── db:5432
//! ```
//! A container a connection, beside the link and not in it: what makes the path slow, or breaks it, never meets it. It
//! ends with its standard input, also when the lab is killed.

use super::super::confined::{confined, spoken_to};
use super::super::{Engine, Network, Stack, label, refused};
use anyhow::{Context, Result};
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::models::HostConfig;
use futures_util::StreamExt;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;

/// Bytes of a piece on its way to the database.
const PIECE: usize = 64 * 1024;

/// Where it begins, once somebody asked. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Tunnel {
    address: Arc<OnceCell<SocketAddr>>,
}

impl Stack {
    /// An address of this machine that leads to the service `db`, for as long as this program runs. None where the stack
    /// is on one machine: its networks are reached as they are.
    pub async fn way_to_database(&self) -> Result<Option<SocketAddr>> {
        let Some(swarm) = &self.swarm else { return Ok(None) };
        let begun = swarm.tunnel.address.get_or_try_init(|| async {
            let listener = TcpListener::bind("127.0.0.1:0").await.context("listen on this machine")?;
            let address = listener.local_addr().context("listen on this machine")?;
            tokio::spawn(accept(self.clone(), listener));
            Ok::<_, anyhow::Error>(address)
        });
        Ok(Some(*begun.await?))
    }

    /// Takes one connection to the database, to its end.
    async fn pass_on(&self, near: TcpStream) -> Result<()> {
        let network = self.network("database").await?;
        let engine = &self.engine;
        let id = engine.create(self.pipe(&network), "make the control connection's container").await?;
        let far = engine.attach_and_start(&id, "control connection").await;
        let passed = match far {
            Ok(far) => carry(near, far).await,
            Err(error) => Err(error),
        };
        engine.remove(&id).await?;
        passed
    }

    fn pipe(&self, network: &Network) -> bollard::models::ContainerCreateBody {
        let labels = [(label::STACK, self.project.clone()), (label::CONTROL, "database".into())];
        let host = HostConfig { network_mode: Some(network.id.clone()), auto_remove: Some(true), ..Default::default() };
        spoken_to(confined(self.image("link"), &["pipe", "db:5432"], &labels, host))
    }
}

async fn accept(stack: Stack, listener: TcpListener) {
    while let Ok((near, _)) = listener.accept().await {
        let stack = stack.clone();
        tokio::spawn(async move {
            if let Err(error) = stack.pass_on(near).await {
                tracing::warn!("the lab's connection to the database through the engine broke: {error:#}");
            }
        });
    }
}

/// Carries bytes both ways until one side ends.
async fn carry(near: TcpStream, far: AttachContainerResults) -> Result<()> {
    near.set_nodelay(true).context("pass on at once")?;
    let AttachContainerResults { mut output, mut input } = far;
    let (mut from_lab, mut to_lab) = near.into_split();
    let up = async {
        let mut piece = vec![0; PIECE];
        loop {
            match from_lab.read(&mut piece).await {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    if input.write_all(&piece[..count]).await.and(input.flush().await).is_err() {
                        break;
                    }
                }
            }
        }
        let _ = input.shutdown().await; // it may be gone
        std::future::pending::<()>().await;
    };
    let down = async {
        while let Some(piece) = output.next().await {
            match piece.map_err(refused("pass on the control connection"))? {
                LogOutput::StdErr { message } => anyhow::bail!("{}", String::from_utf8_lossy(&message).trim()),
                other => {
                    if to_lab.write_all(&other.into_bytes()).await.is_err() {
                        break;
                    }
                }
            }
        }
        Ok::<(), anyhow::Error>(())
    };
    tokio::select! {
        ended = down => ended,
        () = up => Ok(()),
    }
}

impl Engine {
    /// Removes every container of a stack, whoever made it.
    pub(super) async fn remove_all(&self, project: &str) -> Result<usize> {
        let mut removed = 0;
        for id in self.list(&[format!("{}={project}", label::STACK)]).await?.into_iter().filter_map(|one| one.id) {
            self.remove(&id).await?;
            removed += 1;
        }
        Ok(removed)
    }
}
