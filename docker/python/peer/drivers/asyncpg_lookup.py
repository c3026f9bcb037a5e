"""asyncpg as it reads a wide row: prepared, in binary. Its fetchmany sends all requests, then a Sync, and decodes rows
as they come in."""

import json
from collections.abc import Sequence
from typing import Any

import uvloop

from peer import sql
from peer.drivers import asyncpg_session
from peer.failure import not_supported
from peer.job import Job


def check(job: Job) -> None:
    """What the driver cannot do with the contract's meaning."""
    if job.protocol != "prepared":
        raise not_supported(f"asyncpg prepares what it sends, it has no protocol {job.protocol}: ask for prepared")


class Session:
    """One connection."""

    @classmethod
    async def open(cls, job: Job) -> "Session":
        """Connects and prepares."""
        connection = await asyncpg_session.connect(job)
        # By itself the driver leaves JSON as text.
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
        return cls(connection, await connection.prepare(sql.SELECT_NODE))

    def __init__(self, connection: Any, statement: Any) -> None:
        self._connection = connection
        self.row = statement.fetch
        self._fetchmany = statement.fetchmany

    async def rows(self, keys: Sequence[str]) -> list[Any]:
        """See lookup/work.py."""
        rows: list[Any] = await self._fetchmany([(key,) for key in keys])
        return rows

    async def close(self) -> None:
        """Ends the connection."""
        await asyncpg_session.close(self._connection)


class Blocking:
    """The same for a process with one connection, which has nothing else to do while it waits: its loop runs for as long
    as a window of requests is under way."""

    def __init__(self, job: Job) -> None:
        self._run = uvloop.new_event_loop().run_until_complete
        self._session = self._run(Session.open(job))

    def rows(self, keys: Sequence[str]) -> list[tuple[Any, ...]]:
        """See lookup/work.py. As tuples: the driver's own kind of row cannot be pickled."""
        return list(map(tuple, self._run(self._session.rows(keys))))

    def close(self) -> None:
        """Ends the connection."""
        self._run(self._session.close())
