//! Which packets go into which queue: two rules of the packet filter, by whichever of its programs can do it.

use crate::link::iptables::{self, Chains, Variant};
use crate::link::nft;
use anyhow::Result;
use std::net::SocketAddr;

/// Our table of nftables.
const TABLE: &str = "ingest_lab_queue";

/// Our chain of iptables.
const FORWARD: Chains = Chains { table: "mangle", names: &[("INGEST_LAB_QUEUE", "FORWARD")] };

/// Our chain while trying, where this host's own packets pass.
const OUTPUT: Chains = Chains { table: "mangle", names: &[("INGEST_LAB_TRY", "OUTPUT")] };

/// A program that puts packets into queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    Nft,
    Iptables(Variant),
}

/// Packets that go into a queue. The queue is passed by where no program holds it (`bypass`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// Forwarded ones of the database's connections. Our own connections to it are not forwarded.
    Forwarded { database: SocketAddr, up: u16, down: u16 },
    /// Datagrams to a port of this host: for trying.
    Try { port: u16, queue: u16 },
}

impl Filter {
    /// The preferred first.
    pub(super) const ALL: [Self; 3] = [Self::Nft, Self::Iptables(Variant::Legacy), Self::Iptables(Variant::Default)];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nft => "nft",
            Self::Iptables(Variant::Legacy) => "iptables-legacy",
            Self::Iptables(Variant::Default) => "iptables",
        }
    }

    pub(super) async fn apply(self, rules: Rules) -> Result<()> {
        match self {
            Self::Nft => nft::load(&table(rules)).await,
            Self::Iptables(variant) => iptables::fill(variant, chains(rules), &lines(rules)).await,
        }
    }

    /// Takes away everything of ours, also what trying left. What isn't there is fine.
    pub(super) async fn clear(self) -> Result<()> {
        match self {
            Self::Nft => nft::load(&nft::clear(TABLE)).await,
            Self::Iptables(variant) => {
                iptables::clear(variant, OUTPUT).await?;
                iptables::clear(variant, FORWARD).await
            }
        }
    }
}

fn chains(rules: Rules) -> Chains {
    match rules {
        Rules::Forwarded { .. } => FORWARD,
        Rules::Try { .. } => OUTPUT,
    }
}

/// For iptables: a rule a call.
fn lines(rules: Rules) -> Vec<String> {
    match rules {
        Rules::Forwarded { database, up, down } => {
            let (address, port) = (database.ip(), database.port());
            vec![
                format!(
                    "-A INGEST_LAB_QUEUE -p tcp -d {address} --dport {port} -j NFQUEUE --queue-num {up} --queue-bypass"
                ),
                format!(
                    "-A INGEST_LAB_QUEUE -p tcp -s {address} --sport {port} -j NFQUEUE --queue-num {down} --queue-bypass"
                ),
            ]
        }
        Rules::Try { port, queue } => {
            vec![format!("-A INGEST_LAB_TRY -p udp --dport {port} -j NFQUEUE --queue-num {queue} --queue-bypass")]
        }
    }
}

/// For nftables: the whole table, in place of any earlier one.
fn table(rules: Rules) -> String {
    let (hook, rules) = match rules {
        Rules::Forwarded { database, up, down } => {
            let (address, port) = (database.ip(), database.port());
            let up = format!("ip daddr {address} tcp dport {port} queue num {up} bypass");
            ("forward", format!("{up}\n    ip saddr {address} tcp sport {port} queue num {down} bypass"))
        }
        Rules::Try { port, queue } => ("output", format!("udp dport {port} queue num {queue} bypass")),
    };
    format!(
        "{}table ip {TABLE} {{\n  chain {hook} {{\n    type filter hook {hook} priority -150; policy accept;\n    {rules}\n  }}\n}}\n",
        nft::clear(TABLE)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_programs_name_the_database_s_connections_and_let_them_pass_without_us() {
        let rules = Rules::Forwarded { database: "172.18.0.2:6432".parse().unwrap(), up: 1, down: 2 };
        insta::assert_snapshot!(table(rules) + &lines(rules).join("\n"), @r"
        add table ip ingest_lab_queue
        delete table ip ingest_lab_queue
        table ip ingest_lab_queue {
          chain forward {
            type filter hook forward priority -150; policy accept;
            ip daddr 172.18.0.2 tcp dport 6432 queue num 1 bypass
            ip saddr 172.18.0.2 tcp sport 6432 queue num 2 bypass
          }
        }
        -A INGEST_LAB_QUEUE -p tcp -d 172.18.0.2 --dport 6432 -j NFQUEUE --queue-num 1 --queue-bypass
        -A INGEST_LAB_QUEUE -p tcp -s 172.18.0.2 --sport 6432 -j NFQUEUE --queue-num 2 --queue-bypass
        ");
    }
}
