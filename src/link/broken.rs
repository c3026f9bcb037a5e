//! What is broken of the path on purpose, by the packet filter that forwards: rules of our own, which are there only
//! while it is broken. The relay breaks its own sockets.

use super::Route;
use super::iptables::{self, Chains, Variant};
use super::nft;
use crate::model::LinkFault;
use anyhow::Result;

/// Our table of nftables.
const TABLE: &str = "ingest_lab_fault";

/// Our chain of iptables: only `filter` may reject.
const FORWARD: Chains = Chains { table: "filter", names: &[("INGEST_LAB_FAULT", "FORWARD")] };

/// Breaks the path so, or makes it whole, by nftables.
pub(super) async fn by_nft(route: Route, fault: Option<LinkFault>) -> Result<()> {
    nft::load(&fault.map_or_else(|| nft::clear(TABLE), |fault| table(route, fault))).await
}

/// The same by iptables.
pub(super) async fn by_iptables(variant: Variant, route: Route, fault: Option<LinkFault>) -> Result<()> {
    match fault {
        Some(fault) => iptables::fill(variant, FORWARD, &lines(route, fault)).await,
        None => iptables::clear(variant, FORWARD).await,
    }
}

/// Takes away what an agent that was killed in this namespace left.
pub(super) async fn sweep() {
    let _ = nft::load(&nft::clear(TABLE)).await; // a program that isn't there has left nothing
    for variant in [Variant::Legacy, Variant::Default] {
        let _ = iptables::clear(variant, FORWARD).await;
    }
}

/// A reset goes to the database, whose packet it answers, and that packet is lost: the client sends on, and the
/// database's kernel, which knows the connection no more, resets the other end. New connections may begin.
fn table(route: Route, fault: LinkFault) -> String {
    let (address, port) = (route.target.ip(), route.target.port());
    let (up, down) = (format!("ip daddr {address} tcp dport {port}"), format!("ip saddr {address} tcp sport {port}"));
    let rules = match fault {
        LinkFault::BlackHole => format!("{up} drop\n    {down} drop"),
        LinkFault::Reset => format!("{down} tcp flags & (syn | rst) == 0 reject with tcp reset"),
    };
    format!(
        "{}table ip {TABLE} {{\n  chain forward {{\n    type filter hook forward priority 0; policy accept;\n    {rules}\n  }}\n}}\n",
        nft::clear(TABLE)
    )
}

/// For iptables: a rule a call.
fn lines(route: Route, fault: LinkFault) -> Vec<String> {
    let (address, port) = (route.target.ip(), route.target.port());
    let up = format!("-A INGEST_LAB_FAULT -p tcp -d {address} --dport {port}");
    let down = format!("-A INGEST_LAB_FAULT -p tcp -s {address} --sport {port}");
    match fault {
        LinkFault::BlackHole => vec![format!("{up} -j DROP"), format!("{down} -j DROP")],
        LinkFault::Reset => vec![format!("{down} --tcp-flags SYN,RST NONE -j REJECT --reject-with tcp-reset")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_programs_break_the_database_s_connections_and_no_others() {
        let route = Route { listen: 5432, target: "172.18.0.2:6432".parse().unwrap() };
        let both = |fault| table(route, fault) + &lines(route, fault).join("\n");
        insta::assert_snapshot!(both(LinkFault::BlackHole), @r"
        add table ip ingest_lab_fault
        delete table ip ingest_lab_fault
        table ip ingest_lab_fault {
          chain forward {
            type filter hook forward priority 0; policy accept;
            ip daddr 172.18.0.2 tcp dport 6432 drop
            ip saddr 172.18.0.2 tcp sport 6432 drop
          }
        }
        -A INGEST_LAB_FAULT -p tcp -d 172.18.0.2 --dport 6432 -j DROP
        -A INGEST_LAB_FAULT -p tcp -s 172.18.0.2 --sport 6432 -j DROP
        ");
        insta::assert_snapshot!(both(LinkFault::Reset), @r"
        add table ip ingest_lab_fault
        delete table ip ingest_lab_fault
        table ip ingest_lab_fault {
          chain forward {
            type filter hook forward priority 0; policy accept;
            ip saddr 172.18.0.2 tcp sport 6432 tcp flags & (syn | rst) == 0 reject with tcp reset
          }
        }
        -A INGEST_LAB_FAULT -p tcp -s 172.18.0.2 --sport 6432 --tcp-flags SYN,RST NONE -j REJECT --reject-with tcp-reset
        ");
    }
}
