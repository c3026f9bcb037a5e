//! When bytes came in at an end of the link, by the kernel's note: a process that slept wakes a tenth of a millisecond
//! later, on a virtual machine several, and that is no part of the way.

use crate::model::clock::{self, Now};
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use std::io::{self, IoSliceMut};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// The longest that bytes are believed to have waited for their reader: a wall clock that was set says anything.
const BELIEVED: Duration = Duration::from_millis(20);

/// Asks the kernel to note when bytes come in on this connection. Where it does not, the reader's own time counts.
pub(super) fn note(stream: &TcpStream) {
    if let Err(error) = setsockopt(stream, ReceiveTimestampns, &true) {
        tracing::debug!(%error, "the kernel notes no times of arrival");
    }
}

/// Fills a buffer, and says when its last bytes came in ([`clock::nanos`]).
pub(super) fn read_exact(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<u64> {
    let (mut filled, mut arrived) = (0, clock::nanos());
    while filled < buffer.len() {
        let mut space = nix::cmsg_space!(TimeSpec);
        let mut parts = [IoSliceMut::new(&mut buffer[filled..])];
        let message = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::empty())?;
        let now = Now::read();
        let noted = message.cmsgs()?.find_map(|note| match note {
            ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
            _ => None,
        });
        arrived = now.nanos - noted.map_or(0, |noted| now.since(noted, BELIEVED).as_nanos() as u64);
        match message.bytes {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    Ok(arrived)
}
