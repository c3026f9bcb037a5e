//! `psql-copy`: psql's `\copy` of rows that were rendered as CSV before the clock, a process a worker. Each is told its
//! commands over its standard input and says a word after each, so that it holds one COPY ahead and never waits for the
//! pipe. A COPY is a transaction of its own: of a line, or of as many as a chunk has.
//!
//! ```text
//! CSV, in memory ─► \copy …, rows, \., \warn ─► psql (stdin)
//!                          a word a COPY ─┘ (stderr)
//! ```

use super::lines::{self, Lines};
use super::loader::Loader;
use super::{clock_starts, connected, geo_done, load, phase_done, queue_of, tool};
use crate::db::numeric::Hundredths;
use crate::ingest::census::geo_id;
use crate::ingest::stats::PhaseLog;
use crate::ingest::worker::Context;
use crate::ingest::workload::explain;
use crate::model::{Commit, Phase};
use crate::wire::Acknowledged;
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context as _, Result};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines as Said};
use tokio::process::{Child, ChildStderr, ChildStdin};
use tokio::sync::{Semaphore, mpsc};
use tokio_postgres::Client;

/// The program.
pub(super) const TOOL: &str = "psql";

/// Connections that are opened at the same time: a storm of hundreds starves itself.
const STARTING: usize = 32;

/// COPYs that a psql has, at most: one that it is at, one that waits in its pipe.
const AHEAD: usize = 2;

/// The most CSV that is rendered, bytes: it is held in memory.
const MOST: usize = 2 << 30;

/// What psql says after a command.
const WORD: &str = "done";

/// One COPY.
struct Block {
    csv: String,
    lines: Range<usize>,
}

/// A psql and the pipes to it.
struct Psql {
    child: Child,
    to: ChildStdin,
    said: Said<BufReader<ChildStderr>>,
}

/// Copies all lines, or as many as there is time for; says which are done.
pub(super) async fn run(
    context: &Context,
    control: &Client,
    loader: &mut Option<Loader>,
    lines: &Lines,
) -> Result<(Acknowledged, Vec<bool>)> {
    let copies = stream::iter((0..context.job.pool).map(|_| Psql::start(context)));
    let mut psqls: Vec<Psql> = copies.buffer_unordered(STARTING).try_collect().await?;
    let mut done = vec![false; lines.count()];
    let queue = queue_of(context, Phase::Data);
    // Rows name their places by the ids that these have once they are there.
    let before = loader.is_none();
    let mut blocks = if before { render(context, control, lines).await? } else { Vec::new() };
    connected(context);
    let (geo, log) = load(context, loader).await?;
    if !before && queue.is_some() && !context.stopped() {
        blocks = render(context, control, lines).await?;
    }
    geo_done(context, log);
    let Some(queue) = queue else { return Ok((geo, done)) };
    if clock_starts(queue).await.is_none() {
        phase_done(context, vec![PhaseLog::default(); context.job.pool]);
        return Ok((geo, done));
    }
    let next = Cell::new(0);
    let copying = psqls.iter_mut().enumerate().map(|(worker, psql)| psql.work(context, worker, &blocks, &next, lines));
    let (logs, copied): (Vec<_>, Vec<_>) = try_join_all(copying).await?.into_iter().unzip();
    for block in copied.into_iter().flatten() {
        done[block].fill(true);
    }
    phase_done(context, logs);
    let _ = context.hold.recv().await; // closing takes nothing from one that still works
    for psql in psqls {
        psql.end().await?;
    }
    Ok((geo, done))
}

/// All rows as CSV, a block a COPY.
async fn render(context: &Context, control: &Client, lines: &Lines) -> Result<Vec<Block>> {
    let job = &context.job;
    let places = control.query("SELECT fileid, stusab, logrecno, id FROM geo_record", &[]);
    let mut ids: HashMap<(String, String, i32), Vec<i32>> = HashMap::new();
    for row in places.await.context("ask for the places")? {
        ids.entry((row.get(0), row.get(1), row.get(2))).or_default().push(row.get(3));
    }
    let most = if job.commit == Commit::Chunk { job.chunk } else { 1 };
    let (mut blocks, mut bytes) = (Vec::<Block>::new(), 0);
    if !job.phases.contains(&Phase::Data) {
        return Ok(blocks);
    }
    lines::each(job, |number, segment, line, record| {
        let place = (line.file_id.as_str().to_owned(), line.stusab.as_str().to_owned(), line.logrecno as i32);
        let found = ids.get(&place).map_or(&[][..], Vec::as_slice);
        let geo = geo_id(found, line).map_err(|error| explain(error, std::slice::from_ref(record), &job.dburl))?;
        let keys = lines.keys.get(&segment).context("a segment came later: the files were changed")?;
        if number % most == 0 {
            blocks.push(Block { csv: String::new(), lines: number..number });
        }
        let block = blocks.last_mut().context("the first line begins a block")?;
        block.lines.end = number + 1;
        let before = block.csv.len();
        for (key, value) in keys.iter().zip(&line.values) {
            match value % 100 {
                0 => writeln!(block.csv, "{geo},{key},{}", value / 100)?,
                _ => writeln!(block.csv, "{geo},{key},{}", Hundredths(*value))?,
            }
        }
        bytes += block.csv.len() - before;
        if bytes > MOST {
            let message = "the rows are more than 2 GiB of CSV, which psql-copy holds in memory: ask for fewer lines (limit_lines)";
            return Err(Failure::new(Exit::Usage, message).into());
        }
        Ok(())
    })?;
    Ok(blocks)
}

impl Psql {
    /// Starts one and waits for its connection.
    async fn start(context: &Context) -> Result<Self> {
        let mut command = tool::command(TOOL, context.address.config(), "-c client_min_messages=error")?;
        command.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = tool::start(context, TOOL, &mut command)?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stderr.take()) else {
            anyhow::bail!("psql has no pipes")
        };
        let mut psql = Self { child, to, said: BufReader::new(from).lines() };
        let _ = psql.to.write_all(format!("\\warn {WORD}\n").as_bytes()).await; // why it cannot is heard
        heard(&mut psql.said).await?;
        Ok(psql)
    }

    /// Copies blocks until there are no more; gives which, by their lines.
    async fn work(
        &mut self,
        context: &Context,
        worker: usize,
        blocks: &[Block],
        next: &Cell<usize>,
        lines: &Lines,
    ) -> Result<(PhaseLog, Vec<Range<usize>>)> {
        let (mut log, mut copied) = (PhaseLog::begun(Instant::now()), Vec::new());
        let room = Semaphore::new(AHEAD);
        let (begun, mut under_way) = mpsc::unbounded_channel();
        let Self { to, said, .. } = self;
        let hand = async {
            loop {
                room.acquire().await.context("there is no room for a COPY")?.forget();
                let Some(block) = blocks.get(next.get()).filter(|_| !context.stopped()) else { break };
                next.set(next.get() + 1);
                let _ = begun.send(block);
                if let Err(error) = copy(to, block).await {
                    tracing::debug!(%error, "handing psql a block"); // why it went it says on its other pipe
                    break;
                }
            }
            drop(begun);
            Ok(())
        };
        let hear = async {
            while let Some(block) = under_way.recv().await {
                heard(said).await?;
                let rows = block.lines.clone().map(|line| lines.rows(line)).sum();
                context.live[worker].records.fetch_add(block.lines.len() as u64, Ordering::Relaxed);
                context.live[worker].rows.fetch_add(rows, Ordering::Relaxed);
                log.rows(context.origin(), rows);
                copied.push(block.lines.clone());
                room.add_permits(1);
            }
            Ok(())
        };
        let handed: Result<((), ())> = futures_util::future::try_join(hand, hear).await;
        handed?;
        log.first_taken = log.first_taken.filter(|_| !copied.is_empty());
        Ok((log, copied))
    }

    /// Lets it end.
    async fn end(mut self) -> Result<()> {
        drop(self.to);
        let status = self.child.wait().await.context("wait for psql")?;
        if status.success() { Ok(()) } else { Err(tool::failed(TOOL, &[format!("it ended with {status}")])) }
    }
}

/// Hands psql a COPY.
async fn copy(to: &mut ChildStdin, block: &Block) -> std::io::Result<()> {
    to.write_all(b"\\copy data_element (geo_record, dictionary_item, value) FROM STDIN (FORMAT csv)\n").await?;
    to.write_all(block.csv.as_bytes()).await?;
    to.write_all(format!("\\.\n\\warn {WORD}\n").as_bytes()).await
}

/// Waits for psql's word; anything else is what went wrong.
async fn heard(said: &mut Said<BufReader<ChildStderr>>) -> Result<()> {
    match said.next_line().await.context("listen to psql")? {
        Some(line) if line == WORD => Ok(()),
        Some(line) => Err(tool::failed(TOOL, &[line])),
        None => Err(tool::failed(TOOL, &[])),
    }
}
