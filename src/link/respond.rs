//! The far end of a measurement: a responder that says when it got something, counts bytes, or sends them.
//! It runs on the database's side of the link; `probe` is the other end.
//!
//! A connection begins with one byte: what is wanted ([`Wish`]).

use super::arrival;
pub use crate::model::clock::nanos as clock;
pub use crate::wire::measured::WINDOW;
use anyhow::{Context, Result};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{RcvBuf, SndBuf};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Wish {
    /// Every 16 bytes are answered with 24: the first eight again, then [`clock`] on arrival and on leaving.
    Exchange = b'e',
    /// Bytes are read and counted; every [`REPORTS`], [`clock`] and the count so far come back (8 bytes each).
    Discard = b'd',
    /// Bytes come until the connection ends.
    Generate = b'c',
}

/// How often the count of discarded bytes is reported.
pub const REPORTS: Duration = Duration::from_millis(50);

/// Bytes of a question, and of a report.
pub(super) const MESSAGE: usize = 16;

/// Bytes of a question's answer.
pub(super) const ANSWER: usize = 24;

/// Answers connections until the process ends.
pub fn respond(listener: &TcpListener) -> Result<()> {
    // Here, not on what is accepted: the handshake settles how large a window can become.
    fix_window(listener).context("fix the window")?;
    loop {
        let (stream, from) = listener.accept().context("accept a connection")?;
        std::thread::Builder::new()
            .name("responder".into())
            .spawn(move || {
                // A probe that has what it wants just leaves.
                if let Err(error) = answer(stream) {
                    tracing::debug!(%from, %error, "a connection ended");
                }
            })
            .context("start a thread for a connection")?;
    }
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wanted = [0];
    stream.read_exact(&mut wanted)?;
    match wanted[0] {
        b'e' => exchange(stream),
        b'd' => discard(stream),
        b'c' => generate(stream),
        _ => Err(io::Error::other("no such wish")),
    }
}

/// Bounds what may be under way: the receiver's buffer is the window, the sender's must not bound it further.
pub(super) fn fix_window(socket: &impl AsFd) -> io::Result<()> {
    setsockopt(socket, RcvBuf, &WINDOW)?;
    setsockopt(socket, SndBuf, &(2 * WINDOW))?;
    Ok(())
}

fn exchange(mut stream: TcpStream) -> io::Result<()> {
    arrival::note(&stream);
    let (mut question, mut answer) = ([0; MESSAGE], [0; ANSWER]);
    loop {
        let arrived = arrival::read_exact(&stream, &mut question)?;
        answer[..8].copy_from_slice(&question[..8]);
        answer[8..16].copy_from_slice(&arrived.to_be_bytes());
        answer[16..].copy_from_slice(&clock().to_be_bytes());
        stream.write_all(&answer)?;
    }
}

fn discard(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    let (mut count, mut reported) = (0_u64, Instant::now());
    loop {
        let read = stream.read(&mut buffer)?;
        count += read as u64;
        if read == 0 || reported.elapsed() >= REPORTS {
            reported = Instant::now();
            let mut report = [0; MESSAGE];
            report[..8].copy_from_slice(&clock().to_be_bytes());
            report[8..].copy_from_slice(&count.to_be_bytes());
            stream.write_all(&report)?;
        }
        if read == 0 {
            return Ok(());
        }
    }
}

fn generate(mut stream: TcpStream) -> io::Result<()> {
    let buffer = vec![7; 256 << 10];
    loop {
        stream.write_all(&buffer)?;
    }
}
