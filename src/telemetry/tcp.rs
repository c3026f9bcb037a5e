//! `TCP_INFO` of this process's connections, from the kernel's `sock_diag`: it needs no access to the drivers'
//! sockets, and no privilege. Layouts: `linux/inet_diag.h`, `linux/tcp.h`.

use crate::wire::metrics::Connection;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
use std::collections::HashSet;
use std::os::fd::AsRawFd as _;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const REQUEST_DUMP: u16 = 0x301;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `1 << (INET_DIAG_INFO - 1)`: with TCP_INFO.
const WITH_INFO: u8 = 2;
const INFO: u16 = 2;
const ESTABLISHED: u32 = 1 << 1;
const TCP: u8 = 6;
const FAMILIES: [u8; 2] = [2, 10]; // AF_INET, AF_INET6
/// Lengths of `nlmsghdr` and of `inet_diag_msg`.
const HEADER: usize = 16;
const MESSAGE: usize = 72;

/// The established TCP connections of this process to a port, by their own port. Empty where the kernel doesn't say.
pub(super) fn connections(port: u16) -> Vec<Connection> {
    let own = own_sockets();
    let mut found = Vec::new();
    for family in FAMILIES {
        if let Err(error) = dump(family, port, &own, &mut found) {
            tracing::debug!(%error, family, "the kernel doesn't say how its TCP connections are");
        }
    }
    found.sort_by_key(|connection| connection.port);
    found
}

/// Inodes of this process's sockets.
fn own_sockets() -> HashSet<u32> {
    let descriptors = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let inode = |target: std::path::PathBuf| {
        let text = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned();
        text.parse().ok()
    };
    descriptors.filter_map(|descriptor| inode(std::fs::read_link(descriptor.path()).ok()?)).collect()
}

fn dump(family: u8, port: u16, own: &HashSet<u32>, found: &mut Vec<Connection>) -> Result<(), Errno> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Netlink, SockType::Datagram, flags, SockProtocol::NetlinkSockDiag)?;
    send(socket.as_raw_fd(), &request(family, port), MsgFlags::empty())?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let mut rest = &buffer[..length];
        while let Some(size) =
            u32_at(rest, 0).map(|size| size as usize).filter(|size| (HEADER..=rest.len()).contains(size))
        {
            match u16_at(rest, 4) {
                Some(DONE) => return Ok(()),
                Some(ERROR) => return Err(Errno::from_raw(-(u32_at(rest, HEADER).unwrap_or(0) as i32))),
                _ => found.extend(connection(&rest[HEADER..size], port, own)),
            }
            rest = &rest[size.next_multiple_of(4).min(rest.len())..];
        }
        if length == 0 {
            return Ok(());
        }
    }
}

/// What bytes of the kernel tell of connections to a port that they name themselves.
pub(crate) fn connections_in(bytes: &[u8]) -> Option<Connection> {
    let port = u16::from_be_bytes(bytes.get(6..8)?.try_into().ok()?);
    connection(bytes, port, &HashSet::from([u32_at(bytes, MESSAGE - 4)?]))
}

/// `nlmsghdr` and `inet_diag_req_v2`.
fn request(family: u8, port: u16) -> Vec<u8> {
    let mut request = Vec::with_capacity(HEADER + 56);
    request.extend(72_u32.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(REQUEST_DUMP.to_ne_bytes());
    request.extend([0; 8]); // sequence, sender
    request.extend([family, TCP, WITH_INFO, 0]);
    request.extend(ESTABLISHED.to_ne_bytes());
    request.extend([0; 2]);
    request.extend(port.to_be_bytes());
    request.extend([0; 44]); // addresses, interface, cookie: any
    request
}

/// One `inet_diag_msg` with its attributes, if it is ours.
fn connection(message: &[u8], port: u16, own: &HashSet<u32>) -> Option<Connection> {
    let be = |at: usize| Some(u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?));
    if be(6)? != port || !own.contains(&u32_at(message, MESSAGE - 4)?) {
        return None;
    }
    let mut rest = message.get(MESSAGE..)?;
    while let (Some(size), Some(kind)) = (u16_at(rest, 0).map(usize::from), u16_at(rest, 2)) {
        let attribute = rest.get(4..size)?;
        if kind == INFO {
            return info(be(4)?, attribute);
        }
        rest = rest.get(size.next_multiple_of(4)..)?;
    }
    None
}

/// `struct tcp_info`; older kernels have a shorter one.
fn info(port: u16, info: &[u8]) -> Option<Connection> {
    Some(Connection {
        port,
        rtt: u32_at(info, 68)?,
        rtt_var: u32_at(info, 72)?,
        rtt_min: u32_at(info, 148)?,
        retransmits: u32_at(info, 100)?,
        congestion_window: u32_at(info, 80)?,
        segment: u32_at(info, 16)?,
        delivery_rate: info.get(160..168).and_then(|bytes| Some(u64::from_ne_bytes(bytes.try_into().ok()?))),
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_connection_of_this_process_is_found_by_its_port_where_the_kernel_has_inet_diag() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(b"x").unwrap();
        server.read_exact(&mut [0]).unwrap();
        if let Err(error) = dump(FAMILIES[0], port, &HashSet::new(), &mut Vec::new()) {
            eprintln!("skipped: this kernel has no inet_diag ({error})");
            return;
        }
        let found = connections(port);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].port, client.local_addr().unwrap().port());
        assert!(found[0].rtt > 0 && found[0].congestion_window > 0 && found[0].segment >= 536, "{found:?}");
        assert_eq!(found[0].retransmits, 0);
        assert!(connections(1).is_empty());
    }

    #[test]
    fn a_message_that_is_cut_short_is_nobodys() {
        for length in [0, 5, 71, 73, 90] {
            let mut message = vec![0; length];
            if length > 7 {
                message[7] = 1;
            }
            assert_eq!(connection(&message, 1, &HashSet::from([0])), None);
        }
    }
}
