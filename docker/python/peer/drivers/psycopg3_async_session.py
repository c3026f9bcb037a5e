"""psycopg 3 on asyncio: psycopg3_session.py, awaited."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from typing import Any

import psycopg
from psycopg.generators import execute

from peer import places, sql
from peer.census.line import Line
from peer.drivers import psycopg3_common as common
from peer.drivers import texts
from peer.drivers.dsn import parameters
from peer.job import Job

check = common.check


class Session:
    """One connection."""

    @classmethod
    async def open(cls, job: Job) -> "Session":
        """Connects and prepares."""
        # Autocommit: where there are transactions, they are the workload's.
        connection = await psycopg.AsyncConnection.connect(**parameters(job), autocommit=True)
        session = cls(job, connection)
        if job.protocol == "prepared":
            await session._prepare_all()
        return session

    def __init__(self, job: Job, connection: Any) -> None:
        self._job = job
        self._connection = connection
        common.adapt(job, self._connection)
        self._simple = job.protocol == "simple"
        self._prepare = True if job.protocol == "prepared" else False
        self._keys = common.Keys(job)
        kind = common.cursor_class(job, psycopg.AsyncRawCursor, psycopg.AsyncClientCursor)
        self._cursors = {
            statement: (kind(self._connection), common.text_of(job, statement))
            for statement in common.statements(job)
        }
        self._sizes = [(size, sql.insert_rows(size)) for size in sql.sizes(job.batch)]
        self._plain = psycopg.AsyncCursor(self._connection)

    async def _prepare_all(self) -> None:
        connection = self._connection
        for number, (statement, types) in enumerate(common.statements(self._job).items()):
            name = f"ingest_{number}".encode()
            connection.pgconn.send_prepare(name, statement.encode(), types)
            [result] = await connection.wait(execute(connection.pgconn))
            common.prepared_well(result, connection)
            common.remember(connection, statement, types, name)

    def _pipeline(self) -> Any:
        return nullcontext() if self._simple else self._connection.pipeline()

    async def _send(self, statement: str, values: Sequence[Any]) -> Any:
        cursor, text = self._cursors[statement]
        return await cursor.execute(text, values, prepare=self._prepare)

    async def begin(self) -> None:
        """Begins a transaction."""
        await self._plain.execute("BEGIN", prepare=False)

    async def commit(self) -> None:
        """Commits it."""
        await self._plain.execute("COMMIT", prepare=False)

    async def find(self, line: Line, begin: bool) -> tuple[list[Any], list[Any]]:
        """See work.py. Where rows are pipelined, BEGIN travels with the first SELECT."""
        if begin and self._job.statement == "executemany":
            async with self._pipeline():
                await self.begin()
                cursor = await self._send(sql.SELECT_GEO, common.place_of(line))
            ids = self._keys.of_places(await cursor.fetchall())
        else:
            if begin:
                await self.begin()
            ids = await self._place(line)
        return ids, await self._items(line)

    async def _place(self, line: Line) -> list[int]:
        cursor = await self._send(sql.SELECT_GEO, common.place_of(line))
        return self._keys.of_places(await cursor.fetchall())

    async def _items(self, line: Line) -> list[int]:
        cursor = await self._send(sql.SELECT_KEYS, common.segment_of(line))
        return self._keys.of_items(await cursor.fetchall())

    async def find_all(self, lines: Sequence[Line], begin: bool) -> list[tuple[list[Any], list[Any]]]:
        """See work.py: BEGIN and all SELECTs in one go."""
        if self._simple:
            return await self._find_one_by_one(lines, begin)
        kind = psycopg.AsyncRawCursor
        segments = {line.segment: line for line in lines}
        async with self._connection.pipeline():
            if begin:
                await self.begin()
            asked = [
                (
                    one,
                    await kind(self._connection).execute(
                        sql.SELECT_GEOS, common.places_of(one), prepare=self._prepare
                    ),
                )
                for one in places.wanted(lines)
            ]
            items = {
                segment: await kind(self._connection).execute(
                    sql.SELECT_KEYS, common.segment_of(line), prepare=self._prepare
                )
                for segment, line in segments.items()
            }
        keys = {segment: self._keys.of_items(await cursor.fetchall()) for segment, cursor in items.items()}
        answers = [(one, await cursor.fetchall()) for one, cursor in asked]
        return [(place, keys[line.segment]) for place, line in zip(self._of_lines(lines, answers), lines)]

    async def _find_one_by_one(self, lines: Sequence[Line], begin: bool) -> list[tuple[list[Any], list[Any]]]:
        if begin:
            await self.begin()
        answers = []
        for one in places.wanted(lines):
            cursor = await self._send(sql.SELECT_GEOS, common.places_of(one))
            answers.append((one, await cursor.fetchall()))
        keys = {segment: await self._items(line) for segment, line in {line.segment: line for line in lines}.items()}
        return [(place, keys[line.segment]) for place, line in zip(self._of_lines(lines, answers), lines)]

    def _of_lines(self, lines: Sequence[Line], answers: list[Any]) -> list[list[int]]:
        return [self._keys.of_places((place,) for place in ids) for ids in places.of_lines(lines, answers)]

    async def rows(self, rows: Iterator[tuple[Any, ...]], commit: bool) -> None:
        """See work.py. Of `executemany` a window of rows is a pipeline; COMMIT travels with the last."""
        cursor, text = self._cursors[sql.INSERT_ELEMENT]
        if self._job.statement == "executemany":
            in_flight = self._job.in_flight
            while rows.__length_hint__():  # type: ignore[attr-defined]
                async with self._connection.pipeline():
                    await cursor.executemany(text, islice(rows, in_flight))
                    if commit and not rows.__length_hint__():  # type: ignore[attr-defined]
                        await self.commit()
            return
        send, prepare = cursor.execute, self._prepare
        for row in rows:
            await send(text, row, prepare=prepare)
        if commit:
            await self.commit()

    async def bulk(self, pieces: Sequence[texts.Piece], commit: bool) -> None:
        """See work.py. COMMIT travels with what goes before it, except behind COPY, which no pipeline allows."""
        if self._job.statement == "copy":
            await self._copy(pieces)
            if commit:
                await self.commit()
            return
        # Without a transaction each INSERT is its own, and a pipeline would be one of them all.
        async with self._pipeline() if commit else nullcontext():
            if self._job.statement == "unnest":
                await self._send(sql.INSERT_UNNEST, common.arrays(pieces))
            else:
                await self._multirow(pieces)
            if commit:
                await self.commit()

    async def _multirow(self, pieces: Sequence[texts.Piece]) -> None:
        if self._simple:
            for text in texts.multirow(pieces, self._job.batch):
                await self._plain.execute(text, prepare=False)
            return
        rows, start = list(texts.rows_of(pieces)), 0
        for size, statement in self._sizes:
            while len(rows) - start >= size:
                await self._send(statement, common.flat(rows[start : start + size]))
                start += size

    async def _copy(self, pieces: Sequence[texts.Piece]) -> None:
        async with self._plain.copy(common.COPY) as copy:
            copy.set_types(common.COPY_TYPES)
            write = copy.write_row
            for row in texts.rows_of(pieces):
                await write(row)

    async def geo(self, columns: tuple[Any, ...]) -> None:
        """See work.py."""
        await self._send(sql.INSERT_GEO, common.geo_of(columns))

    async def geos(self, many: Sequence[tuple[Any, ...]]) -> None:
        """See work.py: up to `in_flight` in a pipeline, except where each is waited for."""
        if self._job.statement == "row" or self._simple:
            for columns in many:
                await self.geo(columns)
            return
        cursor, text = self._cursors[sql.INSERT_GEO]
        for start in range(0, len(many), self._job.in_flight):
            window = many[start : start + self._job.in_flight]
            await cursor.executemany(text, [common.geo_of(columns) for columns in window])

    async def close(self) -> None:
        """Ends the connection."""
        await self._connection.close()
