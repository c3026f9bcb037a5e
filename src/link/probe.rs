//! Measures a link from the client's side: how long a connection takes to open, how long an exchange takes, how
//! fast one flow gets. RTT alone proves nothing: a delay at the wrong place leaves ping right and ruins the rate.

use super::arrival;
use super::respond::{ANSWER, MESSAGE, Wish, clock, fix_window};
use crate::wire::measured::{LinkMeasured, Quantiles};
use anyhow::{Context, Result, ensure};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, connect, socket};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// No link has a round trip as long as this.
const PATIENCE: Duration = Duration::from_secs(30);

/// One exchange, in nanoseconds: what the packets took, by the kernel's notes of when they came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// There and back.
    pub rtt: u64,
    /// There: right only where both ends run on one machine.
    pub up: u64,
    /// Back; likewise.
    pub down: u64,
}

/// A direction of one flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the responder.
    Up,
    /// From it.
    Down,
}

/// How to measure a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateProbe {
    /// Left out at the start, while TCP finds its rate.
    pub warm_up: Duration,
    /// Measured after that.
    pub time: Duration,
}

/// What to measure.
#[derive(Debug, Clone)]
pub struct ProbeConfig {
    /// The link's `host:port`, pointed at a responder.
    pub target: String,
    /// Connections opened one after the other, and exchanges on one of them.
    pub exchanges: usize,
    /// Also measure each direction's rate.
    pub rates: Option<RateProbe>,
}

/// Measures a link.
pub fn measure(config: &ProbeConfig) -> Result<LinkMeasured> {
    let target = &config.target;
    let address = address_of(target)?;
    let connect = connects(address, config.exchanges).with_context(|| format!("connect to {target}"))?;
    let exchanges = exchanges(address, config.exchanges).with_context(|| format!("exchange with {target}"))?;
    let rate = |direction| {
        let probe = config.rates.map(|probe| rate(address, direction, probe));
        probe.transpose().with_context(|| format!("measure the rate to {target}"))
    };
    Ok(LinkMeasured {
        connect: quantiles(&connect).context("no connection was asked for")?,
        exchange: quantiles(&exchanges.iter().map(|one| one.rtt).collect::<Vec<_>>()).context("nothing was asked")?,
        up: rate(Direction::Up)?,
        down: rate(Direction::Down)?,
    })
}

/// Only opens connections to somebody else's server: how long its kernel takes to answer a handshake. It gets nothing to
/// read.
pub fn handshakes(target: &str, count: usize) -> Result<Quantiles> {
    let connects = connects(address_of(target)?, count).with_context(|| format!("connect to {target}"))?;
    quantiles(&connects).context("no connection was asked for")
}

fn address_of(target: &str) -> Result<SocketAddr> {
    let mut found = target.to_socket_addrs().with_context(|| format!("look up {target}"))?;
    found.next().with_context(|| format!("{target} has no address"))
}

/// Opens connections one after the other; nanoseconds each took.
pub fn connects(address: SocketAddr, count: usize) -> io::Result<Vec<u64>> {
    (0..count)
        .map(|_| {
            let start = Instant::now();
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            let took = start.elapsed().as_nanos() as u64;
            drop(stream);
            Ok(took)
        })
        .collect()
}

/// Exchanges messages one after the other on one connection. The first, which may still wait for the
/// connection's far end, is left out.
pub fn exchanges(address: SocketAddr, count: usize) -> io::Result<Vec<Exchange>> {
    let mut stream = open(address, Wish::Exchange)?;
    let all: io::Result<Vec<Exchange>> = (0..=count).map(|_| exchange(&mut stream)).collect();
    Ok(all?.split_off(1))
}

/// One exchange on a connection that [`open`] made for it.
pub fn exchange(stream: &mut TcpStream) -> io::Result<Exchange> {
    let (mut question, mut answer) = ([0; MESSAGE], [0; ANSWER]);
    let sent = clock();
    question[..8].copy_from_slice(&sent.to_be_bytes());
    stream.write_all(&question)?;
    let back = arrival::read_exact(stream, &mut answer)?;
    let (arrived, left) = (number(&answer[8..]), number(&answer[16..]));
    // Between arriving and leaving it was no longer on the way.
    let rtt = back.saturating_sub(sent).saturating_sub(left.saturating_sub(arrived));
    Ok(Exchange { rtt, up: arrived.saturating_sub(sent), down: back.saturating_sub(left) })
}

/// One flow's rate once it is steady, bits a second.
pub fn rate(address: SocketAddr, direction: Direction, probe: RateProbe) -> Result<u64> {
    let (bytes, time) = match direction {
        Direction::Up => upload(address, probe)?,
        Direction::Down => download(address, probe)?,
    };
    ensure!(time > Duration::ZERO, "nothing arrived");
    Ok((bytes as f64 * 8.0 / time.as_secs_f64()) as u64)
}

/// Opens a connection to a responder, with the window fixed before the handshake.
pub fn open(address: SocketAddr, wish: Wish) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    fix_window(&socket)?;
    match address {
        SocketAddr::V4(address) => connect(socket.as_raw_fd(), &SockaddrIn::from(address))?,
        SocketAddr::V6(address) => connect(socket.as_raw_fd(), &SockaddrIn6::from(address))?,
    }
    let mut stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    if wish == Wish::Exchange {
        arrival::note(&stream);
    }
    stream.write_all(&[wish as u8])?;
    Ok(stream)
}

/// Sends while a thread reads the responder's reports; what counts is what arrived there.
fn upload(address: SocketAddr, probe: RateProbe) -> Result<(u64, Duration)> {
    let mut stream = open(address, Wish::Discard)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reports = stream.try_clone().context("share the connection")?;
    let reader = std::thread::spawn(move || {
        let (mut all, mut report) = (Vec::new(), [0; MESSAGE]);
        while reports.read_exact(&mut report).is_ok() {
            all.push((number(&report[..8]), number(&report[8..])));
        }
        all
    });
    let (start, buffer) = (Instant::now(), vec![7; 64 << 10]);
    while start.elapsed() < probe.warm_up + probe.time {
        stream.write_all(&buffer).context("send")?;
    }
    // At most a window is still under way; the last report comes when it has arrived.
    stream.shutdown(std::net::Shutdown::Write).context("end the connection")?;
    let all = reader.join().map_err(|_| anyhow::anyhow!("the reports could not be read"))?;
    let first = all.first().context("no report came back")?.0;
    let warm = first + probe.warm_up.as_nanos() as u64;
    // A stall at the start, as where the first packets get lost, eats the warm-up: then all that was reported counts.
    let from = all.iter().find(|(time, _)| *time >= warm).or(all.first()).context("no report came back")?;
    let to = all.last().context("no report came back")?;
    Ok((to.1 - from.1, Duration::from_nanos(to.0 - from.0)))
}

fn download(address: SocketAddr, probe: RateProbe) -> Result<(u64, Duration)> {
    let mut stream = open(address, Wish::Generate)?;
    let mut buffer = vec![0; 256 << 10];
    let start = Instant::now();
    while start.elapsed() < probe.warm_up {
        ensure!(stream.read(&mut buffer).context("receive")? > 0, "the responder left");
    }
    let (from, mut bytes, mut last) = (Instant::now(), 0, Duration::ZERO);
    while last < probe.time {
        bytes += stream.read(&mut buffer).context("receive")? as u64;
        last = from.elapsed();
    }
    Ok((bytes, last))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// The quantiles of some times; `None` of no times.
pub fn quantiles(times: &[u64]) -> Option<Quantiles> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = |share: usize| sorted.get((sorted.len() * share).div_ceil(100).saturating_sub(1)).copied();
    Some(Quantiles { count: sorted.len() as u64, p50: at(50)?, p99: at(99)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn quantiles_are_times_that_were_measured() {
        let times: Vec<u64> = (1..=200).rev().collect();
        assert_eq!(quantiles(&times), Some(Quantiles { count: 200, p50: 100, p99: 198 }));
        assert_eq!(quantiles(&[]), None);
    }

    #[test]
    fn the_loopback_is_measured_to_be_fast() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || crate::link::respond::respond(&listener));
        let rates = RateProbe { warm_up: Duration::from_millis(100), time: Duration::from_millis(200) };
        let measured = measure(&ProbeConfig { target, exchanges: 50, rates: Some(rates) }).unwrap();
        assert!(measured.exchange.p50 < 5_000_000 && measured.connect.p50 < 5_000_000, "{measured:?}");
        assert!(measured.up.unwrap() > 10_000_000 && measured.down.unwrap() > 10_000_000, "{measured:?}");
    }
}
