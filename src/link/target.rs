//! Where the database is: a name and a port, resolved again and again because a restart may move it.

use anyhow::{Context, Result};
use std::net::SocketAddr;

/// Looks a `host:port` up. IPv4 is preferred: the kernel kinds of forwarding know nothing else.
pub(super) async fn resolve(target: &str) -> Result<SocketAddr> {
    let found: Vec<SocketAddr> =
        tokio::net::lookup_host(target).await.with_context(|| format!("look up {target}"))?.collect();
    found
        .iter()
        .find(|address| address.is_ipv4())
        .or(found.first())
        .copied()
        .with_context(|| format!("{target} has no address"))
}
