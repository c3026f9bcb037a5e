//! One packet queue of the kernel's, over a raw netlink socket: packets come in, verdicts go out.
//! It knows the messages (`linux/netfilter/nfnetlink_queue.h`) and nothing of delays.

use crate::model::clock::Now;
use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce, ReceiveTimestamp};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt, socket,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// Packets the kernel holds for us at most: a second of a fast link's, however small they are.
const MAX_PACKETS: u32 = 200_000;

/// Bytes of messages we have not read yet: a burst while this process waits for a processor.
const RECEIVE_BUFFER: usize = 32 << 20;

/// The IPv4 header without options and TCP's up to its length: what the wire's bytes are computed from.
/// Copying nothing at all would be cheaper by nothing measurable, but then no length comes along either.
const COPIED_BYTES: u32 = 60;

const QUEUE_VERDICT: u16 = 0x0301;
const QUEUE_CONFIG: u16 = 0x0302;
const QUEUE_PACKET: u16 = 0x0300;
const ERROR: u16 = 2;
const REQUEST: u16 = 1;
const REQUEST_WITH_ANSWER: u16 = 5;

const CFG_CMD: u16 = 1;
const CFG_PARAMS: u16 = 2;
const CFG_MAX_PACKETS: u16 = 3;
const CFG_MASK: u16 = 4;
const CFG_FLAGS: u16 = 5;
const CMD_BIND: u8 = 1;
const COPY_PACKET: u8 = 2;
const FLAG_WHOLE_GSO: u32 = 1 << 2;

const PACKET_HEADER: u16 = 1;
const VERDICT_HEADER: u16 = 2;
const TIMESTAMP: u16 = 4;
const PAYLOAD: u16 = 10;
const WHOLE_LENGTH: u16 = 13;

/// Lengths of a netlink message's header and of the packet-filter header after it.
const HEADERS: usize = 16 + 4;

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Drop = 0,
    Accept = 1,
}

/// A packet that waits in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet {
    /// The kernel's number for it.
    pub id: u32,
    /// Its bytes from the IP header on; of one that will be split later, all of it with one header.
    pub bytes: u32,
    /// Bytes of its IP and TCP headers, 0 where they can't be read.
    pub headers: u32,
    /// What it carries; none where it carries no data, or isn't TCP over IPv4.
    pub data: Option<Data>,
    /// When it came in, by the wall clock since its epoch, to the microsecond; none where the kernel took no note.
    pub arrived: Option<Duration>,
}

/// A TCP packet with data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Data {
    /// Sender and receiver, addresses and ports, in one number: connections are told apart by it.
    pub flow: u64,
    /// Up to where its sender has got the other side's data.
    pub got: u32,
}

impl Packet {
    /// The longest that a packet is believed to have waited for us: a wall clock that was set says anything.
    const BELIEVED: Duration = Duration::from_millis(5);

    /// How long ago it came in: a thread that slept wakes a tenth of a millisecond late, and more on a virtual machine.
    pub fn age(&self, now: &Now) -> Duration {
        self.arrived.map_or(Duration::ZERO, |arrived| now.since(arrived, Self::BELIEVED))
    }
}

/// A bound queue. When this is dropped, the kernel drops what it holds; later packets pass by (`bypass`).
#[derive(Debug)]
pub(super) struct Queue {
    socket: OwnedFd,
    /// Open for as long as the kernel is to note when packets come in; nothing is ever received on it.
    _stamps: OwnedFd,
    number: u16,
    buffer: Vec<u8>,
    verdicts: Vec<u8>,
}

impl Queue {
    /// Binds a queue. `whole`: large packets that the kernel splits later come in one piece.
    ///
    /// Its "fail open" is not asked for: a full queue would let packets through undelayed and uncounted,
    /// where a drop is counted and makes the run invalid.
    pub(super) fn bind(number: u16, whole: bool) -> Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkNetFilter)
            .context("open a netfilter socket")?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0)).context("bind the netfilter socket")?;
        // Only the host's root may go beyond the system's limit; elsewhere the limit has to do.
        if setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER).is_err() {
            setsockopt(&socket, RcvBuf, &RECEIVE_BUFFER).context("enlarge the receive buffer")?;
        }
        let queue = Self { socket, _stamps: stamps()?, number, buffer: vec![0; 16 << 10], verdicts: Vec::new() };
        let mut config = message(QUEUE_CONFIG, REQUEST_WITH_ANSWER, number);
        attribute(&mut config, CFG_CMD, &[CMD_BIND, 0, 0, 0]);
        let [a, b, c, d] = COPIED_BYTES.to_be_bytes();
        attribute(&mut config, CFG_PARAMS, &[a, b, c, d, COPY_PACKET]);
        attribute(&mut config, CFG_MAX_PACKETS, &MAX_PACKETS.to_be_bytes());
        attribute(&mut config, CFG_MASK, &FLAG_WHOLE_GSO.to_be_bytes());
        attribute(&mut config, CFG_FLAGS, &(if whole { FLAG_WHOLE_GSO } else { 0 }).to_be_bytes());
        finish(&mut config, 0);
        queue.configure(&config)?;
        Ok(queue)
    }

    fn configure(&self, config: &[u8]) -> Result<()> {
        send(self.socket.as_raw_fd(), config, MsgFlags::empty()).context("configure the packet queue")?;
        let mut answer = [0; 1024];
        let length = recv(self.socket.as_raw_fd(), &mut answer, MsgFlags::empty()).context("configure the queue")?;
        ensure!(length >= HEADERS && u16_at(&answer, 4) == ERROR, "the kernel's answer to a new queue makes no sense");
        match i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]) {
            0 => Ok(()),
            code => bail!("packet queue {}: {}", self.number, Errno::from_raw(-code)),
        }
    }

    /// Gives every packet that has come in to `take`, up to a bound.
    pub(super) fn receive(&mut self, mut take: impl FnMut(Packet)) -> Result<()> {
        for _ in 0..1_024 {
            match recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => packets(&self.buffer[..length], &mut take),
                Err(Errno::EAGAIN) => break,
                // Out of room: the kernel dropped packets, and counts them ([`Self::overflowed`]).
                Err(Errno::EINTR | Errno::ENOBUFS) => {}
                Err(error) => return Err(error).context("read from the packet queue"),
            }
        }
        Ok(())
    }

    /// Notes a verdict; [`Self::flush`] sends all of them in one call.
    pub(super) fn decide(&mut self, id: u32, verdict: Verdict) {
        let start = self.verdicts.len();
        self.verdicts.extend(message(QUEUE_VERDICT, REQUEST, self.number));
        let mut header = [0; 8];
        header[..4].copy_from_slice(&(verdict as u32).to_be_bytes());
        header[4..].copy_from_slice(&id.to_be_bytes());
        attribute(&mut self.verdicts, VERDICT_HEADER, &header);
        finish(&mut self.verdicts, start);
    }

    /// Sends the verdicts noted.
    pub(super) fn flush(&mut self) -> Result<()> {
        for part in self.verdicts.chunks(32 * 256) {
            send(self.socket.as_raw_fd(), part, MsgFlags::empty()).context("send verdicts")?;
        }
        self.verdicts.clear();
        Ok(())
    }

    /// Packets of this queue that the kernel dropped because it, or our socket, was full.
    pub(super) fn overflowed(number: u16) -> u64 {
        let text = std::fs::read_to_string("/proc/net/netfilter/nfnetlink_queue").unwrap_or_default();
        overflowed(&text, number)
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The kernel notes when packets come in while any socket asks for it.
fn stamps() -> Result<OwnedFd> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
        .context("open a socket for timestamps")?;
    setsockopt(&socket, ReceiveTimestamp, &true).context("ask for timestamps")?;
    Ok(socket)
}

/// A line a queue: number, socket, waiting, mode, bytes copied, dropped (full), dropped (socket full), last id, 1.
fn overflowed(text: &str, number: u16) -> u64 {
    let fields = text.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let mut ours = fields.filter(|fields| fields.first() == Some(&number.to_string().as_str()));
    ours.next().map_or(0, |fields| fields.iter().skip(5).take(2).filter_map(|n| n.parse::<u64>().ok()).sum())
}

/// A message's headers; its length is filled in by [`finish`].
fn message(kind: u16, flags: u16, queue: u16) -> Vec<u8> {
    let mut bytes = vec![0; 16];
    bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
    bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
    bytes.extend([0, 0]);
    bytes.extend(queue.to_be_bytes());
    bytes
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend((4 + value.len() as u16).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

fn finish(messages: &mut [u8], start: usize) {
    let length = (messages.len() - start) as u32;
    messages[start..start + 4].copy_from_slice(&length.to_ne_bytes());
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

/// The packets in what one read brought; anything else (the kernel's answer to a late verdict) is passed over.
fn packets(mut bytes: &[u8], take: &mut impl FnMut(Packet)) {
    while bytes.len() >= HEADERS {
        let length = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        if length < HEADERS || length > bytes.len() {
            return;
        }
        if u16_at(bytes, 4) == QUEUE_PACKET
            && let Some(packet) = packet(&bytes[HEADERS..length])
        {
            take(packet);
        }
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
}

/// How many packets such bytes tell of.
pub(crate) fn packets_in(bytes: &[u8]) -> usize {
    let mut count = 0;
    packets(bytes, &mut |_| count += 1);
    count
}

fn packet(mut attributes: &[u8]) -> Option<Packet> {
    let (mut id, mut whole, mut payload, mut arrived) = (None, None, &[][..], None);
    while attributes.len() >= 4 {
        let length = usize::from(u16_at(attributes, 0));
        if length < 4 || length > attributes.len() {
            return None;
        }
        let value = &attributes[4..length];
        match u16_at(attributes, 2) & 0x3fff {
            PACKET_HEADER => id = number(value),
            WHOLE_LENGTH => whole = number(value),
            PAYLOAD => payload = value,
            TIMESTAMP => arrived = time(value),
            _ => {}
        }
        attributes = &attributes[length.next_multiple_of(4).min(attributes.len())..];
    }
    let bytes = whole.unwrap_or(payload.len() as u32);
    let headers = headers(payload);
    Some(Packet { id: id?, bytes, headers, data: data(payload).filter(|_| bytes > headers), arrived })
}

/// Seconds and microseconds, eight bytes each.
fn time(value: &[u8]) -> Option<Duration> {
    let part = |at: usize| Some(u64::from_be_bytes(value.get(at..at + 8)?.try_into().ok()?));
    Some(Duration::from_secs(part(0)?) + Duration::from_micros(part(8)?.min(999_999)))
}

fn number(value: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(value.get(..4)?.try_into().ok()?))
}

/// Length of an IPv4 header and the TCP header after it.
fn headers(packet: &[u8]) -> u32 {
    let ip = packet.first().map_or(0, |first| u32::from(first & 15) * 4);
    packet.get(ip as usize + 12).map_or(0, |offset| ip + u32::from(offset >> 4) * 4)
}

/// Whose packet it is and what it acknowledges, where it is TCP (protocol 6) over IPv4.
fn data(packet: &[u8]) -> Option<Data> {
    if packet.first()? >> 4 != 4 || *packet.get(9)? != 6 {
        return None;
    }
    let ip = usize::from(packet[0] & 15) * 4;
    // Of the addresses what tells containers of one network apart; the ports as they are.
    let (from, to) = (number(packet.get(12..16)?)?, number(packet.get(16..20)?)?);
    let ports = number(packet.get(ip..ip + 4)?)?;
    let flow = u64::from((from & 0xffff) << 16 | to & 0xffff) << 32 | u64::from(ports);
    Some(Data { flow, got: number(packet.get(ip + 8..ip + 12)?)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_packet_s_message_gives_its_number_and_lengths() {
        let mut bytes = message(QUEUE_PACKET, 0, 7);
        attribute(&mut bytes, PACKET_HEADER, &[0, 0, 1, 2, 8, 0, 2]);
        let mut copied = [0; 60];
        (copied[0], copied[9], copied[32]) = (0x45, 6, 0x80);
        copied[12..20].copy_from_slice(&[10, 0, 1, 2, 10, 0, 3, 4]);
        copied[20..32].copy_from_slice(&[0x9c, 0x40, 0x15, 0x38, 0, 0, 0, 1, 0, 0, 0, 77]);
        attribute(&mut bytes, PAYLOAD, &copied);
        attribute(&mut bytes, WHOLE_LENGTH, &2_948_u32.to_be_bytes());
        attribute(&mut bytes, TIMESTAMP, &[5_u64.to_be_bytes(), 250_000_u64.to_be_bytes()].concat());
        finish(&mut bytes, 0);
        let mut got = Vec::new();
        packets(&bytes, &mut |packet| got.push(packet));
        let arrived = Some(Duration::from_millis(5_250));
        let data = Some(Data { flow: 0x0102_0304_9c40_1538, got: 77 });
        assert_eq!(got, [Packet { id: 258, bytes: 2_948, headers: 52, data, arrived }]);
        assert_eq!(got[0].age(&Now::read()), Duration::ZERO, "decades ago: not believed");
    }

    #[test]
    fn what_the_kernel_dropped_is_in_two_of_its_columns() {
        let text =
            " 7101  12345     0 2    60     3     4       99  1\n 7102  12345     0 2    60     0     0       12  1\n";
        assert_eq!((overflowed(text, 7101), overflowed(text, 7102), overflowed(text, 7)), (7, 0, 0));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            packets(&bytes, &mut |_| {});
        }
    }
}
