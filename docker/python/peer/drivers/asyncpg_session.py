"""asyncpg: its own implementation of the protocol, prepared statements, binary values.

Values are whole numbers nearly always, and few of them are different. The driver would make a Decimal of each and take
it apart digit by digit; a codec of ours, which the driver allows for, looks the bytes up instead.
"""

import asyncio
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

import asyncpg

from peer import places, sql
from peer.census.line import Line
from peer.drivers import texts
from peer.drivers.dsn import CONNECT_TIMEOUT, encryption, parameters
from peer.drivers.numeric import Numerics
from peer.drivers.one_at_a_time import OneAtATime
from peer.failure import not_supported
from peer.job import Job


def check(job: Job) -> None:
    """What the driver cannot do with the contract's meaning."""
    if job.protocol != "prepared":
        raise not_supported(f"asyncpg prepares what it sends, it has no protocol {job.protocol}: ask for prepared")
    if job.statement == "executemany" and job.commit == "auto":
        raise not_supported("asyncpg's executemany is one transaction: ask for commit record or chunk")


async def connect(job: Job) -> Any:
    """A connection."""
    wanted = parameters(job)
    return await asyncpg.connect(
        host=wanted.get("host"),
        port=wanted.get("port"),
        user=wanted.get("user"),
        password=wanted.get("password"),
        database=wanted.get("dbname"),
        ssl=encryption(wanted),
        timeout=CONNECT_TIMEOUT,
        command_timeout=None,
        server_settings={"application_name": wanted["application_name"]},
    )


async def close(connection: Any) -> None:
    """Ends a connection."""
    try:
        await connection.close(timeout=3)
    except (TimeoutError, asyncio.TimeoutError):
        connection.terminate()


class Session(OneAtATime):
    """One connection."""

    @classmethod
    async def open(cls, job: Job) -> "Session":
        """Connects and prepares."""
        connection = await connect(job)
        await connection.set_type_codec(
            "numeric",
            schema="pg_catalog",
            format="binary",
            encoder=Numerics().__getitem__,
            decoder=lambda _: Decimal(),  # none is ever read
        )
        session = cls(job, connection)
        await session._prepare()
        return session

    def __init__(self, job: Job, connection: Any) -> None:
        self._job = job
        self._connection = connection
        self._statements: list[tuple[int, Any]] = []

    async def _prepare(self) -> None:
        job, prepare = self._job, self._connection.prepare
        self._select_geo = await prepare(sql.SELECT_GEO if job.waits_a_line else sql.SELECT_GEOS)
        self._select_keys = await prepare(sql.SELECT_KEYS)
        self._insert_geo = await prepare(sql.INSERT_GEO)
        if job.waits_a_line:
            self._insert = await prepare(sql.INSERT_ELEMENT)
        elif job.statement == "multirow":
            self._statements = [(size, await prepare(sql.insert_rows(size))) for size in sql.sizes(job.batch)]
        elif job.statement == "unnest":
            self._insert = await prepare(sql.INSERT_UNNEST)
        else:
            # The driver asks for the columns' types at its first COPY: this one is of nothing, and before the clock.
            await self._connection.copy_records_to_table("data_element", records=[], columns=sql.ELEMENT_COLUMNS)

    async def begin(self) -> None:
        """Begins a transaction."""
        await self._connection.execute("BEGIN")

    async def commit(self) -> None:
        """Commits it."""
        await self._connection.execute("COMMIT")

    async def _place(self, line: Line) -> list[int]:
        return [row[0] for row in await self._select_geo.fetch(line.file_id, line.logrecno, line.stusab)]

    async def _places(self, wanted: places.Wanted) -> list[Any]:
        return list(await self._select_geo.fetch(*wanted))

    async def _keys(self, segment: int) -> list[int]:
        return [row[0] for row in await self._select_keys.fetch(segment)]

    async def rows(self, rows: Iterator[tuple[int, int, Any]], commit: bool) -> None:
        """See work.py. An executemany is sent in one go and awaited as a whole."""
        if self._job.statement == "executemany":
            while window := list(islice(rows, self._job.in_flight)):
                await self._insert.executemany(window)
        else:
            insert = self._insert.fetch
            for geo, item, value in rows:
                await insert(geo, item, value)
        if commit:
            await self.commit()

    async def bulk(self, pieces: Sequence[texts.Piece], commit: bool) -> None:
        """See work.py."""
        if self._job.statement == "multirow":
            await self._multirow(list(texts.rows_of(pieces)))
        elif self._job.statement == "unnest":
            geos, items, values = [], [], []
            for geo, keys, of_line in pieces:
                geos.extend([geo] * len(keys))
                items.extend(keys)
                values.extend(of_line)
            await self._insert.fetch(geos, items, values)
        else:
            await self._connection.copy_records_to_table(
                "data_element", records=texts.rows_of(pieces), columns=sql.ELEMENT_COLUMNS
            )
        if commit:
            await self.commit()

    async def _multirow(self, rows: list[tuple[int, int, Any]]) -> None:
        start = 0
        for size, statement in self._statements:
            while len(rows) - start >= size:
                await statement.fetch(*[value for row in rows[start : start + size] for value in row])
                start += size

    async def geo(self, columns: tuple[Any, ...]) -> None:
        """See work.py."""
        await self._insert_geo.fetch(*columns)

    async def geos(self, many: Sequence[tuple[Any, ...]]) -> None:
        """See work.py."""
        if self._job.statement == "row":
            for columns in many:
                await self._insert_geo.fetch(*columns)
            return
        for start in range(0, len(many), self._job.in_flight):
            await self._insert_geo.executemany(many[start : start + self._job.in_flight])

    async def close(self) -> None:
        """Ends the connection."""
        await close(self._connection)
