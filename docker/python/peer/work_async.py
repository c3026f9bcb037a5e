"""What a worker does with records, for drivers that are awaited. The same as work.py, whose sessions' methods are
coroutines here."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from peer import errors
from peer.census.geo import Geo
from peer.census.line import Line
from peer.context import Context, Live
from peer.failure import Failure
from peer.tally import Acks
from peer.work import Bench, together


async def work(context: Context, live: Live, session: Any, sources: dict[str, Any]) -> Acks:
    """Works through all phases."""
    acks = Acks(context.pending_most())
    for phase, source in sources.items():
        log = context.new_log()
        bench = AsyncBench(context.job, session, live, log, acks, context.stopped)
        await bench.phase_async(phase, source.take)
        context.tell("phase-done", log)
    return acks


class AsyncBench(Bench):
    """One worker in one phase."""

    async def phase_async(self, phase: str, take: Callable[[int], Awaitable[list[Any] | None]]) -> None:
        """Takes records until there are no more."""
        most = together(self.job)
        chunk = self.job.commit == "chunk"
        if phase == "geo":
            ingest: Callable[[list[Any]], Awaitable[None]] = self.geo_chunk_async if chunk else self.geo_async
        elif self.job.waits_a_line:
            ingest = self.line_chunk_async if chunk else self.lines_async
        else:
            ingest = self.bulk_async
        while (records := await take(most)) is not None:
            if self.log.first_taken is None:
                self.log.first_taken = time.monotonic()
            try:
                await ingest(records)
            except Failure:
                raise
            except Exception as error:
                raise errors.explain(error, self.job.dburl, records) from error

    async def lines_async(self, records: list[Line]) -> None:
        """As `lines`."""
        [line] = records
        record = self.job.commit == "record"
        places, keys = await self.session.find(line, record)
        geo = errors.geo_id(places, line)
        errors.check_keys(keys, line)
        rows = self.to_send(geo, keys, line)
        if not record:
            self.live.begin(rows, len(keys))
        await self.session.rows(rows, record)
        self.done([(line, keys)])

    async def line_chunk_async(self, records: list[Line]) -> None:
        """As `line_chunk`."""
        held = []
        await self.session.begin()
        for line in records:
            if held and self.stopped():
                break
            places, keys = await self.session.find(line, False)
            geo = errors.geo_id(places, line)
            errors.check_keys(keys, line)
            await self.session.rows(self.to_send(geo, keys, line), False)
            held.append((line, keys))
        await self.session.commit()
        self.done(held)

    async def bulk_async(self, records: list[Line]) -> None:
        """As `bulk`."""
        transaction = self.job.commit != "auto"
        pieces, held = self.pieces(records, await self.session.find_all(records, transaction))
        await self.session.bulk(pieces, transaction)
        self.done(held)

    async def geo_async(self, records: list[Geo]) -> None:
        """As `geo`."""
        [record] = records
        await self.session.geo(record.columns)
        self.geo_done(records)

    async def geo_chunk_async(self, records: list[Geo]) -> None:
        """As `geo_chunk`."""
        await self.session.begin()
        await self.session.geos([record.columns for record in records])
        await self.session.commit()
        self.geo_done(records)
