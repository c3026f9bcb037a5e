"""What a worker does with chunks of keys, for drivers that block and for those that are awaited.

A session is one connection behind a driver, whose columns are Python values when it has answered. It offers

    row(key)      the rows of one request, awaited before the next
    rows(keys)    those of requests that are all sent before the first answer is awaited
    close()
"""

import time
from collections.abc import Sequence
from typing import Any

from peer import errors
from peer.context import Context, Live
from peer.failure import Exit, Failure
from peer.job import Job
from peer.lookup.keys import Chunk


def work(context: Context, live: Live, session: Any, sources: dict[str, Any]) -> dict[str, Any]:
    """Takes chunks until there are no more, and has their rows delivered."""
    log = context.new_log()
    for source in sources.values():
        while (taken := source.take(1)) is not None:
            [chunk] = taken
            if log.first_taken is None:
                log.first_taken = time.monotonic()
            rows = look_up(context.job, session, live, chunk)
            log.rows(time.monotonic(), len(rows))
            live.done(len(rows), len(rows))
            context.delivery.ready(chunk.number, rows)
    context.tell("phase-done", log)
    return {}


async def work_async(context: Context, live: Live, session: Any, sources: dict[str, Any]) -> dict[str, Any]:
    """The same, awaited."""
    log = context.new_log()
    for source in sources.values():
        while (taken := await source.take(1)) is not None:
            [chunk] = taken
            if log.first_taken is None:
                log.first_taken = time.monotonic()
            rows = await look_up_async(context.job, session, live, chunk)
            log.rows(time.monotonic(), len(rows))
            live.done(len(rows), len(rows))
            context.delivery.ready(chunk.number, rows)
    context.tell("phase-done", log)
    return {}


def look_up(job: Job, session: Any, live: Live, chunk: Chunk) -> list[Sequence[Any]]:
    """The rows of a chunk, in the order of its keys."""
    keys, rows = chunk.keys, []
    try:
        if job.statement == "row":
            row, left = session.row, iter(keys)
            live.begin(left, len(keys))
            for key in left:
                rows += row(key)
        else:
            for start in range(0, len(keys), job.in_flight):
                rows += session.rows(keys[start : start + job.in_flight])
    except Exception as error:
        raise errors.explain(error, job.dburl) from error
    return _complete(rows, keys)


async def look_up_async(job: Job, session: Any, live: Live, chunk: Chunk) -> list[Sequence[Any]]:
    """The same, awaited."""
    keys, rows = chunk.keys, []
    try:
        if job.statement == "row":
            row, left = session.row, iter(keys)
            live.begin(left, len(keys))
            for key in left:
                rows += await row(key)
        else:
            for start in range(0, len(keys), job.in_flight):
                rows += await session.rows(keys[start : start + job.in_flight])
    except Exception as error:
        raise errors.explain(error, job.dburl) from error
    return _complete(rows, keys)


def _complete(rows: list[Sequence[Any]], keys: Sequence[str]) -> list[Sequence[Any]]:
    if len(rows) != len(keys):
        raise Failure(
            Exit.DATABASE,
            f"the table node gave {len(rows)} rows for {len(keys)} keys ({keys[0]} to {keys[-1]}): run `ingester "
            "rebuild`",
        )
    return rows
