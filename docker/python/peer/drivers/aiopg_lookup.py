"""aiopg as it reads a wide row: psycopg2_lookup.py, awaited."""

from typing import Any

from peer.drivers import aiopg_session, psycopg2_lookup
from peer.drivers.psycopg2_lookup import SELECT_NODE
from peer.job import Job

check = psycopg2_lookup.check


class Session:
    """One connection."""

    @classmethod
    async def open(cls, job: Job) -> "Session":
        """Connects."""
        connection = await aiopg_session.connect(job)
        psycopg2_lookup.adapt(connection.raw)
        return cls(connection, await connection.cursor())

    def __init__(self, connection: Any, cursor: Any) -> None:
        self._connection, self._cursor = connection, cursor

    async def row(self, key: str) -> list[tuple[Any, ...]]:
        """See lookup/work.py."""
        cursor = self._cursor
        await cursor.execute(SELECT_NODE, (key,))
        rows: list[tuple[Any, ...]] = await cursor.fetchall()
        return rows

    async def close(self) -> None:
        """Ends the connection."""
        await self._connection.close()
