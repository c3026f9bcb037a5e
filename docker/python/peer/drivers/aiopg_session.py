"""aiopg: psycopg2's asynchronous mode under asyncio, the choice of 2015."""

from collections.abc import Iterator, Sequence
from typing import Any

import aiopg

from peer import places
from peer.census.line import Line
from peer.drivers import psycopg2_session, texts
from peer.drivers.dsn import parameters
from peer.drivers.one_at_a_time import OneAtATime
from peer.drivers.psycopg2_session import INSERT_ELEMENT, INSERT_GEO, INSERT_UNNEST, SELECT_GEO, SELECT_GEOS, SELECT_KEYS
from peer.failure import not_supported
from peer.job import Job


def check(job: Job) -> None:
    """What the driver cannot do with the contract's meaning."""
    psycopg2_session.check(job)
    if job.statement in ("executemany", "copy"):
        raise not_supported(
            f"aiopg has no {job.statement}, because psycopg2's asynchronous mode has none: ask for row, multirow or "
            "unnest"
        )


async def connect(job: Job) -> Any:
    """A connection."""
    # The driver's own limit of a minute would cut off a slow link's statements; it costs a timer each, too.
    return await aiopg.connect(
        **parameters(job), timeout=None, enable_json=False, enable_hstore=False, enable_uuid=False
    )


class Session(OneAtATime):
    """One connection; in asynchronous mode it is always in autocommit."""

    @classmethod
    async def open(cls, job: Job) -> "Session":
        """Connects."""
        connection = await connect(job)
        return cls(job, connection, await connection.cursor())

    def __init__(self, job: Job, connection: Any, cursor: Any) -> None:
        self._job = job
        self._connection = connection
        self._cursor = cursor
        self._execute = cursor.execute

    async def begin(self) -> None:
        """Begins a transaction."""
        await self._execute("BEGIN")

    async def commit(self) -> None:
        """Commits it."""
        await self._execute("COMMIT")

    async def _place(self, line: Line) -> list[int]:
        await self._execute(SELECT_GEO, (line.file_id, line.logrecno, line.stusab))
        return [row[0] for row in await self._cursor.fetchall()]

    async def _places(self, wanted: places.Wanted) -> list[Any]:
        await self._execute(SELECT_GEOS, texts.places(wanted))
        return list(await self._cursor.fetchall())

    async def _keys(self, segment: int) -> list[int]:
        await self._execute(SELECT_KEYS, (segment,))
        return [row[0] for row in await self._cursor.fetchall()]

    async def rows(self, rows: Iterator[tuple[int, int, Any]], commit: bool) -> None:
        """See work.py."""
        execute = self._execute
        for row in rows:
            await execute(INSERT_ELEMENT, row)
        if commit:
            await self.commit()

    async def bulk(self, pieces: Sequence[texts.Piece], commit: bool) -> None:
        """See work.py."""
        if self._job.statement == "multirow":
            for text in texts.multirow(pieces, self._job.batch):
                await self._execute(text)
        else:
            await self._execute(INSERT_UNNEST, texts.arrays(pieces))
        if commit:
            await self.commit()

    async def geo(self, columns: tuple[Any, ...]) -> None:
        """See work.py."""
        await self._execute(INSERT_GEO, columns)

    async def geos(self, many: Sequence[tuple[Any, ...]]) -> None:
        """See work.py."""
        for columns in many:
            await self._execute(INSERT_GEO, columns)

    async def close(self) -> None:
        """Ends the connection."""
        await self._connection.close()
