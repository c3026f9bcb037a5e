"""psycopg 3 on asyncio as it reads a wide row: psycopg3_lookup.py, awaited."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.generators import execute

from peer import sql
from peer.drivers import psycopg3_common as common
from peer.drivers import psycopg3_lookup
from peer.drivers.dsn import parameters
from peer.drivers.psycopg3_lookup import NAME, TYPES
from peer.job import Job

check = psycopg3_lookup.check


class Session:
    """One connection."""

    @classmethod
    async def open(cls, job: Job) -> "Session":
        """Connects and prepares."""
        connection = await psycopg.AsyncConnection.connect(**parameters(job), autocommit=True)
        session = cls(job, connection)
        if job.protocol == "prepared":
            connection.pgconn.send_prepare(NAME, sql.SELECT_NODE.encode(), TYPES)
            [result] = await connection.wait(execute(connection.pgconn))
            common.prepared_well(result, connection)
            common.remember(connection, sql.SELECT_NODE, TYPES, NAME)
        return session

    def __init__(self, job: Job, connection: Any) -> None:
        self._connection = connection
        self._cursor = psycopg3_lookup.cursor_of(job, connection, psycopg.AsyncRawCursor, psycopg.AsyncClientCursor)
        self._statement = common.text_of(job, sql.SELECT_NODE)
        self._prepare = job.protocol == "prepared"

    async def row(self, key: str) -> list[tuple[Any, ...]]:
        """See lookup/work.py."""
        cursor = self._cursor
        await cursor.execute(self._statement, (key,), prepare=self._prepare)
        rows: list[tuple[Any, ...]] = await cursor.fetchall()
        return rows

    async def rows(self, keys: Sequence[str]) -> list[tuple[Any, ...]]:
        """See lookup/work.py."""
        cursor, rows = self._cursor, []
        await cursor.executemany(self._statement, [(key,) for key in keys], returning=True)
        async for _ in cursor.results():
            rows += await cursor.fetchall()
        return rows

    async def close(self) -> None:
        """Ends the connection."""
        await self._connection.close()
