//! `pgbench`: the statements of each line, replayed by PostgreSQL's own client in C, one connection and thread a worker.
//! Its log has a line a transaction, which is a line here: what is in it is acknowledged, since when is known to the
//! microsecond. Where it is to stop, the table that lines come from is emptied: a client finishes its line, finds no
//! next, and gives up.

use super::lines::{self, Lines};
use super::loader::Loader;
use super::script::{self, LOCK, TABLE};
use super::{LOOK, clock_starts, connected, geo_done, load, phase_done, queue_of, tell_database, tool};
use crate::db::numeric::Hundredths;
use crate::ingest::stats::PhaseLog;
use crate::ingest::worker::Context;
use crate::model::{Phase, Protocol};
use crate::wire::exit::{Exit, Failure};
use crate::wire::{Acknowledged, Job};
use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures_util::SinkExt;
use std::fmt::Write as _;
use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines as Said};
use tokio::process::{Child, ChildStderr};
use tokio_postgres::Client;

/// The program.
pub(super) const TOOL: &str = "pgbench";

/// How often pgbench says how far it is, seconds.
const PROGRESS: f64 = 2.0;

/// Folders its log may be in: a container has nothing writable but shared memory.
const FOLDERS: [&str; 2] = ["/tmp", "/dev/shm"];

/// Bytes of the table's rows handed to the database together.
const PIECE: usize = 64 * 1024;

/// What is kept of its complaints.
const COMPLAINTS: usize = 3;

/// What it says where clients find no next line: each of them, and all together.
const NO_NEXT_LINE: [&str; 2] = ["expected one row, got 0", "Run was aborted"];

/// A pgbench that is under way.
struct Bench {
    child: Child,
    said: Said<BufReader<ChildStderr>>,
    complaints: Vec<String>,
    log: TempDir,
}

/// When pgbench was let go, by both clocks.
struct Start {
    steady: Instant,
    wall: Duration,
}

/// Replays all lines, or as many as there is time for; says which are done.
pub(super) async fn run(
    context: &Context,
    control: &Client,
    loader: &mut Option<Loader>,
    lines: &Lines,
) -> Result<(Acknowledged, Vec<bool>)> {
    let outcome = replay(context, control, loader, lines).await;
    let dropped = tell_database(control, &format!("DROP TABLE IF EXISTS {TABLE}"), "drop the table of lines").await;
    let outcome = outcome?;
    dropped?;
    Ok(outcome)
}

async fn replay(
    context: &Context,
    control: &Client,
    loader: &mut Option<Loader>,
    lines: &Lines,
) -> Result<(Acknowledged, Vec<bool>)> {
    fill(&context.job, control, lines).await?;
    tell_database(control, &format!("SELECT pg_advisory_lock({LOCK})"), "hold pgbench back").await?;
    let mut bench = start(context, lines).await?;
    bench.wait_until_ready(context, control).await?;
    connected(context);
    let (geo, log) = load(context, loader).await?;
    require_places(control).await?;
    geo_done(context, log);
    let mut done = vec![false; lines.count()];
    let Some(queue) = queue_of(context, Phase::Data) else { return Ok((geo, done)) };
    let Some(steady) = clock_starts(queue).await else {
        phase_done(context, vec![PhaseLog::default(); context.job.pool]);
        return Ok((geo, done));
    };
    let start = Start { steady, wall: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() };
    tell_database(control, &format!("SELECT pg_advisory_unlock({LOCK})"), "let pgbench go").await?;
    let stopped = bench.follow(context, control, lines).await?;
    let logs = account(context, bench.log.path(), &start, lines, &mut done)?;
    if !stopped && done.contains(&false) {
        return Err(tool::failed(TOOL, &bench.complaints));
    }
    phase_done(context, logs);
    Ok((geo, done))
}

/// Fills the table that lines come from.
async fn fill(job: &Job, control: &Client, lines: &Lines) -> Result<()> {
    tell_database(control, &script::create(lines), "make the table of lines").await?;
    let width = lines.keys.values().map(Vec::len).max().unwrap_or(0);
    let (sender, mut pieces) = tokio::sync::mpsc::channel::<Bytes>(4);
    let job = job.clone();
    let reading = tokio::task::spawn_blocking(move || render(&job, width, |piece| sender.blocking_send(piece).is_ok()));
    let sink = control.copy_in(&format!("COPY {TABLE} FROM STDIN")).await.context("fill the table of lines")?;
    let mut sink = pin!(sink);
    while let Some(piece) = pieces.recv().await {
        sink.send(piece).await.context("fill the table of lines")?;
    }
    reading.await.context("read the lines")??;
    sink.finish().await.context("fill the table of lines")?;
    tell_database(control, &format!("ANALYZE {TABLE}"), "analyse the table of lines").await
}

/// The table's rows as COPY's text, piece by piece, until `put` wants no more.
fn render(job: &Job, width: usize, mut put: impl FnMut(Bytes) -> bool) -> Result<()> {
    let protocol = job.protocol;
    let mut piece = String::with_capacity(2 * PIECE);
    if job.phases.contains(&Phase::Data) {
        lines::each(job, |number, segment, line, _| {
            let [file, state] = [line.file_id.as_str(), line.stusab.as_str()].map(|text| script::text(protocol, text));
            write!(piece, "{number}\t{segment}\t{}\t{file}\t{state}", line.logrecno)?;
            for value in &line.values {
                match value % 100 {
                    0 => write!(piece, "\t{}", value / 100)?,
                    _ => write!(piece, "\t{}", Hundredths(*value))?,
                }
            }
            (line.values.len()..width).for_each(|_| piece.push_str("\t\\N"));
            piece.push('\n');
            if piece.len() >= PIECE && !put(std::mem::take(&mut piece).into()) {
                anyhow::bail!("nobody takes the lines any more");
            }
            Ok(())
        })?;
    }
    put(piece.into());
    Ok(())
}

/// Refuses lines without a place, before anything is inserted.
async fn require_places(control: &Client) -> Result<()> {
    let missing = format!(
        "SELECT l.logrecno FROM {TABLE} l LEFT JOIN geo_record g ON g.logrecno = l.logrecno \
         AND l.fileid IN (g.fileid, quote_literal(g.fileid)) AND l.stusab IN (g.stusab, quote_literal(g.stusab)) \
         WHERE g.id IS NULL ORDER BY l.n LIMIT 1"
    );
    let found = control.query_opt(&missing, &[]).await.context("look for the lines' places")?;
    let Some(row) = found else { return Ok(()) };
    let message = format!(
        "LOGRECNO {:07} has no geographic record: load the whole header file (a higher limit_geo), or derive one with `ingester geo-from`",
        row.get::<_, i32>(0)
    );
    Err(Failure::new(Exit::Data, message).into())
}

/// Starts pgbench; it prepares its statements, and waits for the lock.
async fn start(context: &Context, lines: &Lines) -> Result<Bench> {
    let job = &context.job;
    let log = FOLDERS.iter().find_map(|folder| tempfile::tempdir_in(folder).ok());
    let log = log.context("neither /tmp nor /dev/shm can be written to: pgbench keeps its log there")?;
    let (mode, options) = match job.protocol {
        // Two hundred statements a connection would be planned five times each before one plan is kept.
        Protocol::Prepared => ("prepared", "-c plan_cache_mode=force_generic_plan"),
        Protocol::Unnamed => ("extended", ""),
        Protocol::Simple => ("simple", ""),
    };
    let pool = job.pool.to_string();
    let turns = 1 + lines.count().div_ceil(job.pool);
    let mut command = tool::command(TOOL, context.address.config(), options)?;
    command.args(["-n", "-M", mode, "-c", &pool, "-j", &pool, "-t", &turns.to_string(), "-P", &PROGRESS.to_string()]);
    command.arg("-l").arg("--log-prefix").arg(log.path().join("log"));
    for variable in script::variables(job.pool, lines) {
        command.args(["-D", &variable]);
    }
    command.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = tool::start(context, TOOL, &mut command)?;
    let (Some(mut to), Some(from)) = (child.stdin.take(), child.stderr.take()) else {
        anyhow::bail!("pgbench has no pipes")
    };
    let script = script::script(job.protocol, job.commit, lines);
    if let Err(error) = to.write_all(script.as_bytes()).await {
        tracing::debug!(%error, "handing pgbench its script"); // why it went it says on its other pipe
    }
    Ok(Bench { child, said: BufReader::new(from).lines(), complaints: Vec::new(), log })
}

impl Bench {
    /// Waits until every client waits for the lock.
    async fn wait_until_ready(&mut self, context: &Context, control: &Client) -> Result<()> {
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                       AND (classid::int8 << 32 | objid::int8) = $1";
        let waiting = control.prepare(waiting).await.context("prepare to look at pgbench's clients")?;
        loop {
            let clients: i64 = control.query_one(&waiting, &[&LOCK]).await.context("look at pgbench's clients")?.get(0);
            if usize::try_from(clients).is_ok_and(|clients| clients >= context.job.pool) {
                return Ok(());
            }
            tokio::select! {
                said = self.said.next_line() => match said.context("listen to pgbench")? {
                    Some(line) => drop(self.heard(&line)),
                    None => return Err(tool::failed(TOOL, &self.complaints)),
                },
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Takes a line of its standard error: transactions a second, where it says how far it is.
    fn heard(&mut self, line: &str) -> Option<f64> {
        if let Some(progress) = line.strip_prefix("progress: ") {
            return progress.split(", ").nth(1)?.strip_suffix(" tps")?.parse().ok();
        }
        let stopping = NO_NEXT_LINE.iter().any(|words| line.contains(words));
        if line.contains("error:") && !stopping && self.complaints.len() < COMPLAINTS {
            self.complaints.push(line.to_owned());
        }
        None
    }

    /// Follows it to its end, and stops it where there is to be no further line; says whether it was stopped.
    async fn follow(&mut self, context: &Context, control: &Client, lines: &Lines) -> Result<bool> {
        let least = (0..lines.count()).map(|line| lines.rows(line)).min().unwrap_or(0);
        let (mut stopped, mut passes) = (false, -(context.job.pool as f64)); // the first of each client is no line
        loop {
            tokio::select! {
                said = self.said.next_line() => match said.context("listen to pgbench")? {
                    Some(line) => {
                        let Some(rate) = self.heard(&line) else { continue };
                        passes += rate * PROGRESS;
                        // One less: the rate is rounded, and what is told never falls.
                        let records = (passes as u64).saturating_sub(1).min(lines.count() as u64);
                        context.live[0].records.fetch_max(records, Ordering::Relaxed);
                        context.live[0].rows.fetch_max(records * least, Ordering::Relaxed);
                    }
                    None => break,
                },
                () = tokio::time::sleep(LOOK), if !stopped => {
                    if context.stopped() {
                        tell_database(control, &format!("TRUNCATE {TABLE}"), "stop pgbench").await?;
                        stopped = true;
                    }
                }
            }
        }
        let status = self.child.wait().await.context("wait for pgbench")?;
        if !self.complaints.is_empty() || !(status.success() || stopped) {
            return Err(tool::failed(TOOL, &self.complaints));
        }
        Ok(stopped)
    }
}

/// Reads the log: marks the lines that are done, counts them, and gives an account a client.
fn account(context: &Context, log: &Path, start: &Start, lines: &Lines, done: &mut [bool]) -> Result<Vec<PhaseLog>> {
    let pool = context.job.pool;
    let mut logs = vec![PhaseLog::default(); pool];
    let (mut records, mut rows) = (0, 0);
    for file in fs_err::read_dir(log)? {
        let text = fs_err::read_to_string(file?.path())?;
        let mut passes = vec![0_usize; pool];
        for (client, ended) in text.lines().filter_map(pass) {
            let Some(pass) = passes.get_mut(client) else { continue };
            *pass += 1;
            // The first is none, and the last may be past the end.
            let Some(line) = pass.checked_sub(2).map(|turn| turn * pool + client) else { continue };
            let Some(mark) = done.get_mut(line) else { continue };
            *mark = true;
            let count = lines.rows(line);
            (records, rows) = (records + 1, rows + count);
            let log = &mut logs[client];
            log.first_taken.get_or_insert(start.steady);
            log.rows_at(context.origin(), start.steady + ended.saturating_sub(start.wall), count);
        }
    }
    context.live[0].records.store(records, Ordering::Relaxed);
    context.live[0].rows.store(rows, Ordering::Relaxed);
    Ok(logs)
}

/// Client and end, since 1970, of a transaction: `client transaction microseconds script seconds microseconds`.
fn pass(line: &str) -> Option<(usize, Duration)> {
    let words: Vec<&str> = line.split(' ').collect();
    let [client, _, _, _, seconds, micros, ..] = words[..] else { return None };
    let ended = Duration::from_secs(seconds.parse().ok()?) + Duration::from_micros(micros.parse().ok()?);
    Some((client.parse().ok()?, ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_of_the_log_has_a_client_and_an_end() {
        assert_eq!(pass("3 2 3445 0 1795814184 270242"), Some((3, Duration::new(1_795_814_184, 270_242_000))));
        assert_eq!(pass("3 2 34"), None);
    }
}
