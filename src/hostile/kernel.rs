//! What the kernel says over netlink. It is no stranger, but its messages are read byte by byte.

/// Messages of a packet queue, and of the connections' account.
pub fn netlink(bytes: &[u8]) {
    let packets = crate::link::packets_in(bytes);
    assert!(packets <= bytes.len() / 20, "a message has a header");
    let _ = crate::telemetry::connections_in(bytes);
}
