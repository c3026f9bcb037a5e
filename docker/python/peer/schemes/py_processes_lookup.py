"""`py-processes` of a lookup: a process a connection; psycopg2 where each answer is awaited, else asyncpg."""

import fcntl
import threading
from typing import Any

from peer import errors, forked
from peer.context import Context
from peer.drivers import asyncpg_lookup, psycopg2_lookup
from peer.job import Job
from peer.lookup import child
from peer.lookup.pool import Pool, PoolFeed, Worker

FEED = PoolFeed
RAW = True
VERSIONS = ("psycopg2", "asyncpg", "uvloop")

_PIPE = 1 << 20
"""Bytes of rows that wait in a pipe, where the system allows it: a worker goes on while the parent is busy."""

_workers: list[Worker] = []


def check(job: Job) -> None:
    """The driver's limits."""
    (psycopg2_lookup if job.statement == "row" else asyncpg_lookup).check(job)


def prepare(context: Context) -> None:
    """Forks the workers, which wait to be told to connect."""
    session = psycopg2_lookup.Session if context.job.statement == "row" else asyncpg_lookup.Blocking
    for number, live in enumerate(context.lives):
        keys_in, keys = forked.CONTEXT.Pipe(duplex=False)
        rows, rows_out = forked.CONTEXT.Pipe(duplex=False)
        try:
            fcntl.fcntl(rows.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        except OSError:
            pass  # the system's default holds ten rows
        others = [end for worker in _workers for end in (worker.keys, worker.rows)] + [keys, rows]
        process = forked.start(f"worker {number}", child.serve, context.job, number, session, keys_in, rows_out, others)
        keys_in.close()
        rows_out.close()
        _workers.append(Worker(number, live, context.new_log(), process, keys, rows))


def start(context: Context) -> None:
    """Lets them connect, hands out and listens in a thread."""
    pool = Pool(context, _workers)
    threading.Thread(target=_run, args=(context, pool), name="pool", daemon=True).start()
    threading.Thread(target=_release, args=(context, pool), name="release", daemon=True).start()


def _release(context: Context, pool: Pool) -> None:
    context.hold.wait()
    pool.wake()


def _run(context: Context, pool: Pool) -> None:
    try:
        pool.run()
    except Exception as error:
        context.tell("failed", errors.explain(error, context.job.dburl))
