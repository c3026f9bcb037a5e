//! Forwarding by nftables: one table of our own, replaced as a whole in one transaction.

use super::{Route, tool};
use anyhow::{Result, ensure};

/// Our table. Docker's own rules for its name server live in others.
const TABLE: &str = "ingest_lab";

/// Takes a table away: adding it first makes the deletion succeed whether or not it was there.
pub(super) fn clear(table: &str) -> String {
    format!("add table ip {table}\ndelete table ip {table}\n")
}

/// The whole table for a route.
pub(super) fn rules(route: Route) -> String {
    let Route { listen, target } = route;
    let (address, port) = (target.ip(), target.port());
    format!(
        "{clear}table ip {TABLE} {{
  chain prerouting {{
    type nat hook prerouting priority -100; policy accept;
    tcp dport {listen} dnat to {address}:{port}
  }}
  chain postrouting {{
    type nat hook postrouting priority 100; policy accept;
    ip daddr {address} tcp dport {port} masquerade
  }}
}}
",
        clear = clear(TABLE)
    )
}

/// Puts the route's table in place of any earlier one.
pub(super) async fn apply(route: Route) -> Result<()> {
    ensure!(route.target.is_ipv4(), "the database's address {} is not IPv4", route.target.ip());
    load(&rules(route)).await
}

/// Takes the table away.
pub(super) async fn remove() -> Result<()> {
    load(&clear(TABLE)).await
}

/// Loads a text of rules: all of it or nothing.
pub(super) async fn load(text: &str) -> Result<()> {
    tool::run("nft", &["-f", "-"], text).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_the_port_the_target_and_replaces_itself() {
        let text = rules(Route { listen: 5432, target: "172.18.0.2:6432".parse().unwrap() });
        insta::assert_snapshot!(text, @r"
        add table ip ingest_lab
        delete table ip ingest_lab
        table ip ingest_lab {
          chain prerouting {
            type nat hook prerouting priority -100; policy accept;
            tcp dport 5432 dnat to 172.18.0.2:6432
          }
          chain postrouting {
            type nat hook postrouting priority 100; policy accept;
            ip daddr 172.18.0.2 tcp dport 6432 masquerade
          }
        }
        ");
    }
}
