//! Rules by iptables, in either of its two forms: chains of our own, hooked into the built-in ones.

use super::{Route, tool};
use anyhow::{Result, ensure};

/// Chains of one table: (ours, the built-in one that jumps to it).
#[derive(Debug, Clone, Copy)]
pub(super) struct Chains {
    /// The table they are in.
    pub table: &'static str,
    /// Their names.
    pub names: &'static [(&'static str, &'static str)],
}

/// Those that forward.
const NAT: Chains =
    Chains { table: "nat", names: &[("INGEST_LAB_IN", "PREROUTING"), ("INGEST_LAB_OUT", "POSTROUTING")] };

/// Which of the two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    /// `iptables-legacy`: the kernel's old x_tables interface.
    Legacy,
    /// `iptables`: on current systems a front end of nftables.
    Default,
}

impl Variant {
    fn program(self) -> &'static str {
        match self {
            Self::Legacy => "iptables-legacy",
            Self::Default => "iptables",
        }
    }
}

/// The rules of a route, as arguments of one call each.
pub(super) fn rules(route: Route) -> Vec<String> {
    let Route { listen, target } = route;
    let (address, port) = (target.ip(), target.port());
    vec![
        format!("-A INGEST_LAB_IN -p tcp --dport {listen} -j DNAT --to-destination {address}:{port}"),
        format!("-A INGEST_LAB_OUT -p tcp -d {address} --dport {port} -j MASQUERADE"),
    ]
}

/// Forwards as the route says.
pub(super) async fn apply(variant: Variant, route: Route) -> Result<()> {
    ensure!(route.target.is_ipv4(), "the database's address {} is not IPv4", route.target.ip());
    fill(variant, NAT, &rules(route)).await
}

/// No longer forwards.
pub(super) async fn remove(variant: Variant) -> Result<()> {
    clear(variant, NAT).await
}

/// Fills our chains with these rules and hooks them in, whatever was there before.
pub(super) async fn fill(variant: Variant, chains: Chains, rules: &[String]) -> Result<()> {
    let call = |rule: String| call(variant, chains.table, rule);
    for (chain, _) in chains.names {
        if call(format!("-F {chain}")).await.is_err() {
            call(format!("-N {chain}")).await?;
        }
    }
    for rule in rules {
        call(rule.clone()).await?;
    }
    for (chain, hook) in chains.names {
        if call(format!("-C {hook} -j {chain}")).await.is_err() {
            call(format!("-I {hook} 1 -j {chain}")).await?;
        }
    }
    Ok(())
}

/// Takes our chains away. Those that aren't there are fine.
pub(super) async fn clear(variant: Variant, chains: Chains) -> Result<()> {
    for (chain, hook) in chains.names {
        if call(variant, chains.table, format!("-F {chain}")).await.is_err() {
            continue;
        }
        let _ = call(variant, chains.table, format!("-D {hook} -j {chain}")).await;
        call(variant, chains.table, format!("-X {chain}")).await?;
    }
    Ok(())
}

/// One call, waiting for the tables' lock where another program holds it.
async fn call(variant: Variant, table: &str, rule: String) -> Result<()> {
    let arguments: Vec<&str> = ["-w", "5", "-t", table].into_iter().chain(rule.split(' ')).collect();
    tool::run(variant.program(), &arguments, "").await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_rewrite_the_way_in_and_the_way_out() {
        let rules = rules(Route { listen: 5432, target: "172.18.0.2:6432".parse().unwrap() });
        assert_eq!(
            rules,
            [
                "-A INGEST_LAB_IN -p tcp --dport 5432 -j DNAT --to-destination 172.18.0.2:6432",
                "-A INGEST_LAB_OUT -p tcp -d 172.18.0.2 --dport 6432 -j MASQUERADE",
            ]
        );
    }
}
