//! Measures through the link of a [`Network`].

use super::{Agent, Network};
use ingest_lab::link::probe::{self, Direction, Exchange, RateProbe};
use ingest_lab::link::respond::Wish;
use ingest_lab::model::Backend;
use ingest_lab::wire::emulation::Counters;
use nix::fcntl::{Flock, FlockArg};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use std::fs::File;
use std::time::{Duration, Instant};

/// Held by a test that measures: two of them at once would measure each other.
pub fn alone() -> Flock<File> {
    let file = File::create(std::env::temp_dir().join("ingest-lab-link-test.lock")).unwrap();
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| error).unwrap()
}

/// The network with a responder and an agent that has this backend; `None`, said aloud, where it doesn't work.
pub fn slow_link(tag: &str, backend: Backend) -> Option<(Network, Agent)> {
    let network = Network::new(tag)?;
    network.respond();
    match network.agent_with(&format!("--backend {backend}")) {
        Ok(agent) => Some((network, agent)),
        Err(reason) => {
            eprintln!("SKIPPED: {backend} does not work here: {}", reason.trim());
            assert_ne!(backend, Backend::Relay, "the relay works anywhere");
            None
        }
    }
}

/// Milliseconds.
pub fn ms(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

/// The fastest tenth's bound of what `of` takes from each exchange, milliseconds. A busy machine adds to the
/// others; nothing takes away from these.
pub fn fastest(all: &[Exchange], of: impl Fn(&Exchange) -> u64) -> f64 {
    let mut times: Vec<u64> = all.iter().map(of).collect();
    times.sort_unstable();
    ms(times[times.len() / 10])
}

/// The best of three rates of one flow, Mbit/s: a busy machine only takes away.
pub fn best_rate(network: &Network, direction: Direction, wanted: f64) -> f64 {
    let mut best: f64 = 0.0;
    for _ in 0..3 {
        best = best.max(rate(network, direction, 1.0, 1.0));
        if best >= wanted {
            break;
        }
    }
    best
}

/// The median of what `of` takes from each exchange, milliseconds.
pub fn median(all: &[Exchange], of: impl Fn(&Exchange) -> u64) -> f64 {
    ms(probe::quantiles(&all.iter().map(of).collect::<Vec<_>>()).unwrap().p50)
}

pub fn exchanges(network: &Network, count: usize) -> Vec<Exchange> {
    network.measure(|link| probe::exchanges(link, count).unwrap())
}

pub fn connects(network: &Network, count: usize) -> Vec<u64> {
    network.measure(|link| probe::connects(link, count).unwrap())
}

/// Mbit/s of one flow.
pub fn rate(network: &Network, direction: Direction, warm_up: f64, time: f64) -> f64 {
    let [warm_up, time] = [warm_up, time].map(Duration::from_secs_f64);
    network.measure(|link| probe::rate(link, direction, RateProbe { warm_up, time }).unwrap()) as f64 / 1e6
}

/// What was counted once more than so many packets went each way. A flow may stall: what TCP sends again falls into
/// the same run of losses, and it waits twice as long each time. What is counted are packets, so another one begins.
pub fn packets(network: &Network, least: u64) -> [Counters; 2] {
    let [warm_up, time] = [0.5, 1.0].map(Duration::from_secs_f64);
    for _ in 0..5 {
        for direction in [Direction::Up, Direction::Down] {
            network.measure(|link| {
                if let Err(error) = probe::rate(link, direction, RateProbe { warm_up, time }) {
                    eprintln!("a flow gave up: {error:#}");
                }
            });
        }
        if counters(network).iter().all(|way| way.packets > least) {
            break;
        }
    }
    counters(network)
}

pub fn counters(network: &Network) -> [Counters; 2] {
    let emulation = network.status().unwrap().emulation;
    [emulation.up.unwrap(), emulation.down.unwrap()]
}

/// Whether an observed number of losses is one that so many packets have with this probability, five standard
/// deviations being the bound.
pub fn is_binomial(lost: u64, packets: u64, share: f64) -> bool {
    let (mean, deviation) = (packets as f64 * share, (packets as f64 * share * (1.0 - share)).sqrt());
    (lost as f64 - mean).abs() <= 5.0 * deviation
}

/// This thread, and the threads and agents that it starts from here on, on one processor: then what is measured is the
/// link's own work. Waking a task on another processor is billed to who wakes it, and on a virtual machine that costs
/// more than handling the packet.
pub fn on_one_processor() {
    let mut one = CpuSet::new();
    one.set(0).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
}

/// What so many exchanges a second cost, in CPUs.
pub struct Cost {
    /// Of the agent.
    pub link: f64,
    /// Of those who exchange, in the same seconds and on the same processors: what a syscall costs on this machine today.
    pub clients: f64,
    /// Exchanges a second that were really had.
    pub rate: f64,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [link, clients] = [self.link, self.clients].map(|share| share * 100.0);
        write!(f, "{:.0} exchanges a second cost the link {link:.1} % of a CPU, the clients {clients:.1} %", self.rate)
    }
}

pub fn cost_at(network: &Network, per_second: f64, time: Duration) -> Cost {
    const CONNECTIONS: u32 = 10;
    let own_time = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let before = network.status().unwrap().emulation.cpu_us;
    let start = Instant::now();
    let worked: Vec<(u64, Duration)> = std::thread::scope(|scope| {
        let workers = (0..CONNECTIONS).map(|n| {
            scope.spawn(move || {
                network.measure(|link| {
                    let mut stream = probe::open(link, Wish::Exchange).unwrap();
                    let apart = Duration::from_secs_f64(f64::from(CONNECTIONS) / per_second);
                    let (begin, idle, mut done) = (Instant::now() + apart * n / CONNECTIONS, own_time(), 0);
                    while begin.elapsed() < time {
                        std::thread::sleep((begin + apart * done).saturating_duration_since(Instant::now()));
                        probe::exchange(&mut stream).unwrap();
                        done += 1;
                    }
                    (u64::from(done), own_time() - idle)
                })
            })
        });
        workers.collect::<Vec<_>>().into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let took = start.elapsed().as_secs_f64();
    let used = network.status().unwrap().emulation.cpu_us - before;
    Cost {
        link: used as f64 / 1e6 / took,
        clients: worked.iter().map(|(_, own)| own.as_secs_f64()).sum::<f64>() / took,
        rate: worked.iter().map(|(done, _)| *done as f64).sum::<f64>() / took,
    }
}
