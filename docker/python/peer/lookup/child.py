"""A worker process of a lookup: keys in by one pipe, whole rows out by another, pickled as a pool's results are."""

import pickle
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from peer import errors, usage
from peer.context import Live
from peer.drivers import patience
from peer.job import Job
from peer.lookup.keys import Chunk
from peer.lookup.work import look_up

CONNECT, OVER, END = b"connect", b"over", b"end"
"""What the parent says besides chunks of keys."""


def serve(
    job: Job, number: int, session: Any, keys: Connection, rows: Connection, others: Sequence[Connection]
) -> None:
    """A worker's life. `session` opens its connection, `others` are the parent's ends of pipes, which fork copied."""
    for other in others:
        other.close()
    try:
        keys.recv_bytes()  # may connect
        _work(job, number, session, keys, rows)
    except (EOFError, BrokenPipeError):
        pass  # the parent is gone, or has given up
    except Exception as error:
        failure = errors.explain(error, job.dburl)
        _say(rows, "failed", failure.exit, failure.message)


def _say(rows: Connection, *message: Any) -> None:
    rows.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))


def _work(job: Job, number: int, session_of: Any, keys: Connection, rows: Connection) -> None:
    try:
        session = patience.connect(f"worker {number}", lambda: session_of(job))
    except Exception as error:
        raise errors.explain(error, job.dburl) from error
    before, live = usage.used(), Live()
    _say(rows, "connected")
    while (message := keys.recv_bytes()) != OVER:
        chunk = Chunk(*pickle.loads(message))
        taken = time.monotonic()
        found = look_up(job, session, live, chunk)
        _say(rows, "rows", chunk.number, taken, time.monotonic(), found)
    _say(rows, "over", tuple(usage.used().since(before)), usage.peak_memory())
    keys.recv_bytes()  # the end: closing takes nothing from a worker that still works
    session.close()
