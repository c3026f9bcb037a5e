//! Saying the time: a line for each line of standard input. The same for `link` and `ingester`.

use crate::wire::clocks::Tick;
use anyhow::{Context, Result};
use std::io::{BufRead, Write, stdin, stdout};

pub(super) fn tell() -> Result<()> {
    for line in stdin().lock().lines() {
        line.context("read standard input")?;
        let tick = Tick::now();
        let mut out = stdout().lock();
        writeln!(out, "{tick}").and_then(|()| out.flush()).context("say the time")?;
    }
    Ok(())
}
