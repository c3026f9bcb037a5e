//! `link serve` between real network namespaces: client ── link ── db. Needs root; says so where it can't run.

#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod namespaces;

use ingest_lab::wire::setup::Forwarding;
use namespaces::{Network, PATIENCE};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

fn a_connection_reaches_the_database(kind: Forwarding, tag: &str) {
    let Some(network) = Network::new(tag) else { return };
    network.serve("10.77.2.2:6432", "first");
    network.serve("10.77.2.3:6432", "second");
    assert!(network.ask(1).is_err(), "nothing forwards yet");
    assert!(network.status().unwrap_err().contains("forwarding is not up"));
    let agent = match network.agent(kind) {
        Ok(agent) => agent,
        Err(reason) => {
            eprintln!("SKIPPED: {kind} does not work here: {}", reason.trim());
            assert_ne!(kind, Forwarding::Relay, "the relay works anywhere");
            return;
        }
    };
    assert_eq!(network.status().unwrap().forwarding, kind);
    assert_eq!(network.ask(3_000_000).unwrap(), "first 10.77.2.1 3000000", "both directions, from the link's address");
    let rules = network.rules();

    // Killed and started again: the same rules, not more of them.
    assert!(!agent.end(Signal::SIGKILL));
    let agent = network.agent(kind).unwrap();
    assert_eq!(network.rules(), rules);
    assert_eq!(network.ask(10).unwrap(), "first 10.77.2.1 10");

    // The database moves.
    network.name_db("10.77.2.3");
    let deadline = Instant::now() + PATIENCE;
    while network.status().is_err() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(network.ask(10).unwrap(), "second 10.77.2.1 10");
    assert_eq!(network.status().unwrap().address, "10.77.2.3:6432");

    assert!(agent.end(Signal::SIGTERM), "an orderly end");
    assert_eq!(network.rules(), "", "nothing is left behind");
    assert!(network.ask(1).is_err());
    assert!(network.status().is_err());
}

#[test]
fn nft_forwards() {
    a_connection_reaches_the_database(Forwarding::Nft, "n");
}

#[test]
fn iptables_legacy_forwards() {
    a_connection_reaches_the_database(Forwarding::IptablesLegacy, "g");
}

#[test]
fn iptables_forwards() {
    a_connection_reaches_the_database(Forwarding::Iptables, "t");
}

#[test]
fn the_relay_forwards() {
    a_connection_reaches_the_database(Forwarding::Relay, "r");
}
