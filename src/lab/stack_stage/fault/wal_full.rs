//! The disk of the write-ahead log is full until the server has felt it. Its database keeps the log in memory of its own,
//! apart from the tables: only there can it be filled without filling the machine's disk.

use super::Scene;
use crate::db;
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use std::time::Duration;

/// Takes all the room that is left beside the log until the server ends its connections, and gives it back. In one piece,
/// in the container: a tenth of a second later the server looks for room again, and without any it ends for good. What
/// tells is a connection that does nothing.
const FILL: &str = r#"
cd "$PGWAL" || exit 3
PGPASSWORD=$(cat /run/ingest-lab/password) timeout 10 \
  psql -h 127.0.0.1 -U ingest -d ingest -c 'SELECT pg_sleep(60)' > /dev/null 2>&1 &
connection=$!
fallocate -l 64m first # gone in no time; the rest takes a moment
{
  fallocate -l "$(($(df -k --output=avail . | tail -n 1) - 131072))"k filler # all or nothing, and the log grows
  dd if=/dev/zero of=filler bs=1M oflag=append conv=notrunc
  dd if=/dev/zero of=filler bs=4k oflag=append conv=notrunc
} 2> /dev/null &
filling=$!
wait "$connection"
code=$?
kill "$filling" 2> /dev/null
rm -f first
wait "$filling"
rm -f filler
[ "$code" -ne 124 ]
"#;

/// How often the server is asked to begin a new file of its log, which needs room: by itself it does when one is full.
const NEXT_FILE: Duration = Duration::from_secs(1);

pub(super) async fn begin(scene: &Scene<'_>) -> Result<()> {
    let fill = ["/bin/sh", "-c", FILL];
    let mut filled = std::pin::pin!(scene.stage.stack.exec(scene.database(), &fill));
    let next_files = async {
        loop {
            tokio::time::sleep(NEXT_FILE).await;
            let _ = db::next_wal_file(&scene.stage.server().control).await; // this connection breaks with all others
        }
    };
    let (code, _, said) = tokio::select! {
        done = &mut filled => done?,
        () = next_files => unreachable!("it never ends"),
    };
    let message = match code {
        0 => return Ok(()),
        3 => format!("the database keeps its write-ahead log on no disk of its own ({}): `make down up`", said.trim()),
        _ => {
            "the database wrote no new file of its write-ahead log while the disk was full: let runs last longer".into()
        }
    };
    Err(Failure::new(Exit::Database, message).into())
}

/// The room is there again.
pub(super) fn end() -> Result<()> {
    Ok(())
}
