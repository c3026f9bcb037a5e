//! Standard input and output as the two ways of one TCP connection: how a lab on another host reaches the database,
//! through nothing but the container engine.

use anyhow::{Context, Result};
use std::io::{Read, Write, stdin, stdout};
use std::net::{Shutdown, TcpStream};
use std::thread;

/// Bytes that are passed on together at most.
const PIECE: usize = 64 * 1024;

/// Connects, and passes bytes on until the other side has ended. The end of standard input is passed on as the end of
/// what is sent.
pub fn pipe(target: &str) -> Result<()> {
    let connection = TcpStream::connect(target).with_context(|| format!("connect to {target}"))?;
    connection.set_nodelay(true).context("send at once")?;
    let sending = connection.try_clone().context("share the connection")?;
    // Not joined: where the other side ends first nobody waits for standard input.
    thread::spawn(move || {
        let _ = pass(stdin().lock(), &sending); // the other side is gone: reading it says so
        let _ = sending.shutdown(Shutdown::Write);
    });
    pass(&connection, stdout().lock()).context("pass on what came")
}

/// Piece by piece, each at once.
fn pass(mut from: impl Read, mut to: impl Write) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(()),
            count => to.write_all(&piece[..count]).and_then(|()| to.flush())?,
        }
    }
}
