"""asyncpg as it reads a wide row: prepared, in binary. Its fetchmany sends all requests, then a Sync, and decodes rows
as they come in."""

import json
from collections.abc import Sequence
from typing import Any

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
