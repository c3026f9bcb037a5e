//! The whole table: what is asked of each backend against what is measured. Minutes long, on a machine that does
//! nothing else: `make test-link`; `make test-netem` where the kernel has netem, or a machine that has it.

#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod namespaces;

use ingest_lab::link::probe::{self, Direction};
use ingest_lab::link::respond::WINDOW;
use ingest_lab::model::Backend;
use namespaces::Network;
use namespaces::measure::{
    alone, connects, cost_at, counters, exchanges, fastest, is_binomial, median, ms, on_one_processor, rate, slow_link,
};
use std::time::Duration;

/// One line of the table: times in milliseconds, rates in Mbit/s.
struct Row {
    rtt: f64,
    /// Least of the two directions' bounds: rate, window / RTT, 1 Gbit/s.
    bound: f64,
    p50: f64,
    p99: f64,
    up: f64,
    down: f64,
    connect: f64,
    bulk: [f64; 2],
    drops: u64,
}

const HEAD: &str = "backend   asked RTT  exchange p50     p99   error      up    down   connect/RTT   up Mbit/s  down Mbit/s  bound  drops";

impl Row {
    fn print(&self, backend: Backend) {
        let Self { rtt, bound, p50, p99, up, down, connect, bulk, drops } = self;
        eprintln!(
            "{:<9} {rtt:>9.2}  {p50:>12.3} {p99:>7.2} {:>+7.3} {up:>7.2} {down:>7.2} {:>13.3} {:>11.1} {:>12.1} {bound:>6.0} {drops:>6}",
            backend.word(),
            p50 - rtt,
            connect / p50,
            bulk[0],
            bulk[1],
        );
    }

    /// What of it is not as it should be. `base`: what the emulation costs when it adds nothing.
    fn faults(&self, base: f64, tolerance: f64, bulk_share: f64) -> Vec<String> {
        let near = |what: &str, measured: f64, asked: f64, tolerance: f64| {
            ((measured - asked).abs() > tolerance).then(|| format!("{what} {measured:.3} ms for {asked:.3}"))
        };
        let (rtt, wide) = (self.rtt + base, f64::max(tolerance, self.rtt * 0.02));
        let mut faults: Vec<String> = [
            near("exchange", self.p50, rtt, wide),
            near("up", self.up, rtt / 2.0, wide),
            near("down", self.down, rtt / 2.0, wide),
            near("connect", self.connect, self.p50, f64::max(0.1 * self.p50, 0.1)),
        ]
        .into_iter()
        .flatten()
        .collect();
        for bulk in self.bulk.iter().filter(|&&bulk| bulk < bulk_share * self.bound) {
            faults.push(format!("a flow of {bulk:.1} Mbit/s where {:.1} go through", self.bound));
        }
        if self.drops > 0 {
            faults.push(format!("{} packets dropped unasked", self.drops));
        }
        faults
    }
}

/// How long to measure.
struct Effort {
    exchanges: fn(f64) -> usize,
    warm_up: f64,
    bulk: f64,
}

fn row(network: &Network, profile: &str, rtt: f64, limit: f64, effort: &Effort) -> Row {
    network.set(profile).unwrap_or_else(|error| panic!("{profile}: {error}"));
    let count = (effort.exchanges)(rtt);
    let all = exchanges(network, count);
    let mut times: Vec<u64> = all.iter().map(|one| one.rtt).collect();
    times.sort_unstable();
    let connect = ms(probe::quantiles(&connects(network, count / 2)).unwrap().p50);
    let bulk = [Direction::Up, Direction::Down].map(|direction| rate(network, direction, effort.warm_up, effort.bulk));
    let dropped: u64 = counters(network).iter().filter_map(|one| one.dropped_unasked).sum();
    let window_bound = WINDOW as f64 * 8.0 / 1e6 / (rtt.max(0.001) / 1e3);
    Row {
        rtt,
        bound: limit.min(window_bound),
        p50: median(&all, |one| one.rtt),
        p99: ms(times[(times.len() * 99 / 100).min(times.len() - 1)]),
        up: median(&all, |one| one.up),
        down: median(&all, |one| one.down),
        connect,
        bulk,
        drops: dropped,
    }
}

#[test]
#[ignore = "minutes long: make test-link"]
fn nfqueue_keeps_what_it_is_asked() {
    let Some((network, _agent)) = slow_link("fa", Backend::Nfqueue) else { panic!("nfqueue does not work here") };
    let _alone = alone();
    let effort = Effort { exchanges: |rtt| (3_000.0 / rtt).clamp(40.0, 1_000.0) as usize, warm_up: 3.0, bulk: 2.0 };
    let mut faults = Vec::new();
    eprintln!("{HEAD}");
    for rtt in [0.5, 1.0, 5.0, 20.0, 80.0, 150.0] {
        let row = row(&network, &format!("rtt={rtt}ms"), rtt, 1_000.0, &effort);
        row.print(Backend::Nfqueue);
        faults.extend(row.faults(0.0, 0.2, 0.85).into_iter().map(|fault| format!("rtt {rtt}: {fault}")));
    }
    for (rtt, limit) in [(1.0, 100.0), (20.0, 50.0), (80.0, 10.0)] {
        let profile = format!("rtt={rtt}ms,up={limit}mbit,down={limit}mbit");
        let row = row(&network, &profile, rtt, limit, &effort);
        row.print(Backend::Nfqueue);
        // A packet of 52 + 16 bytes takes its time at the rate, too.
        faults.extend(row.faults(0.0, 0.3, 0.85).into_iter().map(|fault| format!("{profile}: {fault}")));
    }
    faults.extend(loss(&network, Backend::Nfqueue));
    faults.extend(jitter(&network));
    network.set("local-queued").unwrap();
    let cost = cost_at(&network, 5_000.0, Duration::from_secs(10));
    eprintln!("local-queued, wherever the scheduler puts it: {cost}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
#[ignore = "ten seconds of full load: make test-link"]
fn nfqueue_keeps_its_own_cost_low() {
    on_one_processor();
    let Some((network, _agent)) = slow_link("fc", Backend::Nfqueue) else { panic!("nfqueue does not work here") };
    let _alone = alone();
    network.set("local-queued").unwrap();
    let cost = cost_at(&network, 5_000.0, Duration::from_secs(10));
    eprintln!("local-queued, all on one CPU: {cost}");
    assert!(cost.link <= 0.15 && cost.rate > 4_500.0, "{cost}");
}

/// 1 % of a flow's packets.
fn loss(network: &Network, backend: Backend) -> Option<String> {
    network.set("loss_up=1%").unwrap();
    let flow = rate(network, Direction::Up, 1.0, 3.0);
    let [up, _] = counters(network);
    let (lost, packets) = (up.dropped_asked, up.packets);
    let share = lost as f64 / packets as f64 * 100.0;
    eprintln!("{backend}: 1 % loss: {lost} of {packets} packets lost ({share:.3} %), {flow:.0} Mbit/s");
    (packets < 1_000 || !is_binomial(lost, packets, 0.01)).then(|| format!("{backend}: {lost} of {packets} lost"))
}

/// What packets really waited, against the distribution asked for: the largest distance between the two (Kolmogorov and
/// Smirnov), which one right sample in a thousand exceeds. What the way takes by itself is no jitter.
fn jitter(network: &Network) -> Vec<String> {
    const COUNT: usize = 400;
    network.set("rtt=20ms").unwrap();
    let plain = exchanges(network, 50);
    network.set("rtt=20ms,jitter=5ms,ordered=no").unwrap();
    let all = exchanges(network, COUNT);
    type Way = fn(&probe::Exchange) -> u64;
    let ways: [(&str, Way); 2] = [("up", |one| one.up), ("down", |one| one.down)];
    let mut faults = Vec::new();
    for (name, way) in ways {
        let own = median(&plain, way) - 10.0;
        let mut waits: Vec<f64> = all.iter().map(|one| ms(way(one)) - own).collect();
        waits.sort_by(f64::total_cmp);
        let gaps = waits.iter().enumerate().map(|(index, wait)| {
            let wanted = ((wait - 5.0) / 10.0).clamp(0.0, 1.0);
            (wanted - index as f64 / COUNT as f64).abs().max(((index + 1) as f64 / COUNT as f64 - wanted).abs())
        });
        let (farthest, far) = (gaps.fold(0.0, f64::max), 1.95 / (COUNT as f64).sqrt());
        eprintln!("jitter of 5 ms about 10, {name}: farthest from its distribution {farthest:.3}, allowed {far:.3}");
        if farthest > far {
            faults.push(format!("jitter {name}: {farthest:.3} off its distribution"));
        }
    }
    faults
}

/// Both backends at one setting, in turns, so that whatever else the machine does meets both alike: the fastest
/// tenth of the exchanges and the best flow of each direction. A starved machine only adds time.
struct Pair {
    exchange: [f64; 2],
    ways: [[f64; 2]; 2],
    flows: [[f64; 2]; 2],
    drops: [u64; 2],
}

const PAIR: [Backend; 2] = [Backend::Netem, Backend::Nfqueue];
const TURNS: usize = 5;

impl Pair {
    fn measure(network: &Network, profile: &str, exchanges_each: usize, flow: bool) -> Self {
        let mut all = [Vec::new(), Vec::new()];
        let mut pair = Self { exchange: [0.0; 2], ways: [[0.0; 2]; 2], flows: [[0.0; 2]; 2], drops: [0; 2] };
        for turn in 0..TURNS {
            for (which, backend) in PAIR.into_iter().enumerate() {
                network.set_with(profile, backend).unwrap_or_else(|error| panic!("{profile}: {error}"));
                all[which].extend(exchanges(network, exchanges_each));
                if flow && turn < 2 {
                    for (way, direction) in [Direction::Up, Direction::Down].into_iter().enumerate() {
                        let mbit = rate(network, direction, 2.0, 3.0);
                        pair.flows[which][way] = mbit.max(pair.flows[which][way]);
                    }
                }
                pair.drops[which] += counters(network).iter().filter_map(|one| one.dropped_unasked).sum::<u64>();
            }
        }
        pair.exchange = all.each_ref().map(|all| fastest(all, |one| one.rtt));
        pair.ways = all.each_ref().map(|all| [fastest(all, |one| one.up), fastest(all, |one| one.down)]);
        let medians = all.each_ref().map(|all| median(all, |one| one.rtt));
        for (which, backend) in PAIR.into_iter().enumerate() {
            let ([up, down], flows) = (pair.ways[which], pair.flows[which]);
            eprintln!(
                "{:<9} {profile:<34} {:>9.3} {:>9.3} {up:>8.3} {down:>8.3} {:>8.1} {:>8.1} {:>5}",
                backend.word(),
                pair.exchange[which],
                medians[which],
                flows[0],
                flows[1],
                pair.drops[which]
            );
        }
        pair
    }
}

#[test]
#[ignore = "needs a kernel with netem: make test-netem"]
fn netem_and_nfqueue_make_the_same_link() {
    let Some((network, _agent)) = slow_link("fb", Backend::Netem) else { panic!("netem does not work here") };
    let _alone = alone();
    eprintln!("forwarding by {}", network.status().unwrap().forwarding);
    eprintln!(
        "backend   profile                             exchange    median       up     down  up Mb/s down Mb/s drops"
    );
    let mut faults = Vec::new();
    let control = Pair::measure(&network, "local-queued", 40, false);
    // The control has no timer in it. An emulated machine's are late by a millisecond and more, also the kernel's.
    let tolerance = if std::env::var_os("INGEST_LAB_EMULATED").is_some() { 3.5 } else { 0.3 };
    eprintln!("tolerance {tolerance} ms, or 2 %");
    // What the machine that has netem, perhaps an emulated one, can tell apart.
    for (profile, rtt, limit) in [
        ("rtt=20ms", 20.0, 20.0),
        ("rtt=80ms", 80.0, 20.0),
        ("rtt=150ms", 150.0, 20.0),
        ("rtt=20ms,up=5mbit,down=5mbit", 20.0, 5.0),
        ("rtt=40ms,up=20mbit,down=20mbit", 40.0, 20.0),
    ] {
        let pair = Pair::measure(&network, profile, 8, true);
        let near = f64::max(tolerance, rtt * 0.02);
        let times = [0, 1].map(|which| pair.exchange[which] - control.exchange[which]);
        for (which, backend) in PAIR.into_iter().enumerate() {
            // The window is fixed: no flow is faster than a window a round trip, as long as that really takes.
            let bound = f64::min(limit, WINDOW as f64 * 8.0 / 1e6 / (pair.exchange[which] / 1e3));
            let [up, down] = pair.ways[which];
            let wrong = (times[which] - rtt).abs() > near || (up - down).abs() > near;
            let slow = pair.flows[which].iter().any(|&flow| flow < 0.85 * bound.min(10.0));
            if wrong || slow || pair.drops[which] > 0 {
                faults.push(format!("{backend} {profile}: {:.3} ms, flows {:?}", times[which], pair.flows[which]));
            }
        }
        if (times[0] - times[1]).abs() > near {
            faults.push(format!("{profile}: netem {:.3} ms, nfqueue {:.3} ms", times[0], times[1]));
        }
    }
    for backend in PAIR {
        network.set_with("local-queued", backend).unwrap();
        faults.extend(loss(&network, backend));
        network.set("rtt=40ms,jitter=10ms").unwrap();
        let mut waits: Vec<f64> = exchanges(&network, 60).iter().map(|one| ms(one.up)).collect();
        waits.sort_by(f64::total_cmp);
        eprintln!(
            "{backend}: jitter of 10 ms about 20: {:.1} to {:.1} ms, median {:.1}",
            waits[0], waits[59], waits[30]
        );
        let left = network.traces();
        network.set("local").unwrap();
        if waits[0] < 10.0 || waits[59] - waits[0] < 12.0 || left.is_empty() || !network.traces().is_empty() {
            faults.push(format!("{backend}: jitter {} to {}, left {:?}", waits[0], waits[59], network.traces()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
