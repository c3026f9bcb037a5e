//! What the link is told against what is measured through it, between real network namespaces. Those that run
//! always are short, with tolerances for a busy machine; the whole table is in `link_table.rs`. They need root,
//! and say so where they can't run.

#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod namespaces;

use ingest_lab::link::probe::Direction;
use ingest_lab::model::Backend;
use ingest_lab::wire::emulation::Fidelity;
use namespaces::measure::{
    alone, best_rate, connects, cost_at, counters, exchanges, fastest, is_binomial, ms, on_one_processor, packets,
    rate, slow_link,
};
use nix::sys::signal::Signal;
use std::time::Duration;

#[test]
fn a_delay_is_an_rtt_and_each_direction_has_its_own() {
    let Some((network, agent)) = slow_link("ea", Backend::Nfqueue) else { return };
    let _alone = alone();
    for (rtt, count) in [(0.5, 200), (1.0, 200), (5.0, 100), (20.0, 40), (80.0, 20)] {
        network.set(&format!("rtt={rtt}ms")).unwrap();
        let all = exchanges(&network, count);
        let (measured, tolerance) = (fastest(&all, |one| one.rtt), f64::max(0.4, rtt * 0.03));
        assert!((measured - rtt).abs() <= tolerance, "asked {rtt} ms, measured {measured}");
        let mut connects = connects(&network, count / 2);
        connects.sort_unstable();
        let connect = ms(connects[connects.len() / 10]);
        assert!((connect - rtt).abs() <= tolerance, "connecting over {rtt} ms took {connect}");
    }
    network.set("delay_up=3ms,delay_down=12ms").unwrap();
    let all = exchanges(&network, 50);
    let (up, down) = (fastest(&all, |one| one.up), fastest(&all, |one| one.down));
    assert!((2.9..3.4).contains(&up) && (11.9..12.5).contains(&down), "up {up}, down {down}");
    let [up, down] = counters(&network);
    assert!(up.packets > 50 && up.delayed == up.packets && down.delayed == down.packets);
    assert_eq!((up.dropped_unasked, down.dropped_unasked, up.dropped_asked), (Some(0), Some(0), 0));
    // Fifty exchanges, and one before them that isn't counted.
    assert!((50..=53).contains(&up.rounds.unwrap()) && (50..=53).contains(&down.rounds.unwrap()), "{up:?} {down:?}");
    assert!(agent.end(Signal::SIGTERM));
    assert_eq!(network.traces(), "");
}

#[test]
fn a_delay_takes_no_bandwidth_and_a_rate_is_kept() {
    let Some((network, _agent)) = slow_link("eb", Backend::Nfqueue) else { return };
    let _alone = alone();
    // 200 kB every 20 ms are 80 Mbit/s.
    network.set("rtt=20ms").unwrap();
    for direction in [Direction::Up, Direction::Down] {
        let measured = best_rate(&network, direction, 0.85 * 80.0);
        assert!(measured >= 0.85 * 80.0, "{direction:?} over 20 ms: {measured} Mbit/s");
    }
    network.set("rtt=2ms,up=40mbit,down=15mbit").unwrap();
    let (up, down) = (best_rate(&network, Direction::Up, 34.0), best_rate(&network, Direction::Down, 12.8));
    assert!((34.0..41.0).contains(&up) && (12.7..15.5).contains(&down), "up {up}, down {down}");
    let [up, down] = counters(&network);
    assert_eq!((up.dropped_unasked, down.dropped_unasked), (Some(0), Some(0)));
}

#[test]
fn packets_are_lost_as_often_as_asked_and_no_more() {
    let Some((network, _agent)) = slow_link("ec", Backend::Nfqueue) else { return };
    let _alone = alone();
    network.set("rtt=0.4ms,loss_up=1%,loss_down=4%,burst=3packets").unwrap();
    let [up, down] = packets(&network, 1_000);
    assert!(up.packets > 1_000, "{up:?}");
    // Runs of three make the number of losses vary as a third as many packets would.
    assert!(is_binomial(up.dropped_asked / 3, up.packets / 3, 0.01), "{up:?}");
    assert!(is_binomial(down.dropped_asked / 3, down.packets / 3, 0.04), "{down:?}");
    network.set("loss_up=1%").unwrap();
    rate(&network, Direction::Up, 0.5, 1.0);
    let [up, down] = counters(&network);
    assert!(is_binomial(up.dropped_asked, up.packets, 0.01), "{up:?}");
    assert_eq!((down.dropped_asked, up.dropped_unasked, down.dropped_unasked), (0, Some(0), Some(0)));
}

#[test]
fn jitter_falls_as_its_distribution_says() {
    let Some((network, _agent)) = slow_link("ed", Backend::Nfqueue) else { return };
    let _alone = alone();
    network.set("delay_up=6ms,jitter_up=5ms").unwrap();
    let mut waits: Vec<f64> = exchanges(&network, 400).iter().map(|one| ms(one.up)).collect();
    waits.sort_by(f64::total_cmp);
    // Kolmogorov and Smirnov's distance to uniform between 1 and 11 ms; a hair of it is the way to the queue.
    let n = waits.len() as f64;
    let wanted = |wait: f64| ((wait - 1.0) / 10.0).clamp(0.0, 1.0);
    let gaps = waits.iter().enumerate().map(|(i, &wait)| (wanted(wait) - (i as f64 + 0.5) / n).abs());
    let distance = gaps.fold(0.0, f64::max);
    assert!(distance < 2.23 / n.sqrt() + 0.02, "{distance}");
}

#[test]
fn the_control_costs_little_cpu() {
    on_one_processor();
    let Some((network, _agent)) = slow_link("ee", Backend::Nfqueue) else { return };
    let _alone = alone();
    network.set("local-queued").unwrap();
    let cost = cost_at(&network, 5_000.0, Duration::from_secs(2));
    // Against what those pay who exchange, because a machine that is slow today is as slow for them. `make test-link` wants
    // a release build to take 15 % of a CPU at most.
    eprintln!("local-queued, a debug build, all on one CPU: {cost}");
    assert!(cost.rate > 1_000.0 && cost.link < 2.0 * cost.clients, "{cost}");
}

#[test]
fn what_is_set_is_taken_away_by_local_and_by_the_next_agent() {
    let Some((network, agent)) = slow_link("ef", Backend::Nfqueue) else { return };
    assert_eq!(network.traces(), "", "trying leaves nothing behind");
    assert_eq!(network.status().unwrap().emulation.profile.name, "local");
    network.set("cross-region").unwrap();
    assert_ne!(network.traces(), "");
    network.set("local").unwrap();
    assert_eq!(network.traces(), "");

    // Killed: the path stays open, without delay; the next agent in the namespace clears up.
    network.set("rtt=300ms").unwrap();
    assert!(!agent.end(Signal::SIGKILL));
    let took = fastest(&exchanges(&network, 10), |one| one.rtt);
    assert!(took < 100.0, "a dead agent leaves the path open: {took} ms");
    assert_ne!(network.traces(), "");
    let agent = network.agent_with("").unwrap();
    assert_eq!(network.traces(), "");
    assert!(agent.end(Signal::SIGTERM));
}

#[test]
fn a_refusal_says_why_and_changes_nothing() {
    let Some((network, _agent)) = slow_link("eg", Backend::Nfqueue) else { return };
    network.set("rtt=30ms").unwrap();
    let refused = |profile: &str| network.set(profile).unwrap_err();
    assert!(refused("cross-zome").contains("there is no link profile cross-zome: did you mean cross-zone?"));
    assert!(refused("rtt=20").contains("20 has no unit: write 20ms"));
    let below = refused("rtt=1us");
    assert!(below.contains("an RTT of 1us is below the") && below.contains("that nfqueue adds by itself"), "{below}");
    let status = network.status().unwrap();
    assert_eq!(status.emulation.profile.name, "rtt=30ms");
    let json = serde_json::to_string(&status.emulation.profile).unwrap();
    assert_eq!(network.set(&json).unwrap().emulation.profile, status.emulation.profile, "what is shown can be set");
}

#[test]
fn the_relay_delays_bytes_and_refuses_what_takes_packets() {
    let Some((network, agent)) = slow_link("eh", Backend::Relay) else { return };
    let _alone = alone();
    let emulation = network.set("rtt=20ms,up=40mbit").unwrap().emulation;
    assert_eq!((emulation.backend, emulation.fidelity), (Backend::Relay, Fidelity::Stream));
    let took = fastest(&exchanges(&network, 40), |one| one.rtt);
    assert!((20.0..22.0).contains(&took), "{took} ms");
    let (up, down) = (best_rate(&network, Direction::Up, 30.0), best_rate(&network, Direction::Down, 80.0));
    assert!((30.0..41.0).contains(&up) && down > 80.0, "up {up}, down {down}: a delay bounds no rate");
    let reason = network.set("loss=1%").unwrap_err();
    assert!(reason.contains("relay copies the bytes of a connection, it cannot lose packets"), "{reason}");
    let reason = network.set("rtt=20ms,jitter=1ms,ordered=no").unwrap_err();
    assert!(reason.contains("relay copies the bytes of a connection in order"), "{reason}");
    assert_eq!(network.status().unwrap().emulation.profile.name, "rtt=20ms,up=40mbit");
    assert!(agent.end(Signal::SIGTERM));
}

#[test]
fn the_link_points_at_a_responder_and_back() {
    let Some((network, _agent)) = slow_link("ei", Backend::Nfqueue) else { return };
    network.serve("10.77.2.3:7000", "elsewhere");
    network.set("rtt=4ms").unwrap();
    let point = |target: &str| {
        let state = network.state();
        let script = format!("{} point {target} --state {}", env!("CARGO_BIN_EXE_link"), state.display());
        assert!(network.shell(&network.names[1], &script).status.success());
    };
    point("10.77.2.3:7000");
    assert!(network.ask(10).unwrap().starts_with("elsewhere "));
    assert!(counters(&network)[0].packets > 0, "the emulation follows");
    point("");
    assert!(fastest(&exchanges(&network, 10), |one| one.rtt) >= 3.9);
}
