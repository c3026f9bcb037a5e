"""What a worker does with records, for drivers that block (work_async.py is the same for those that don't).

A session is one connection behind a driver. It offers

    find(line, begin)        the ids SELECT_GEO gives and those of the segment's items; BEGIN goes before
    find_all(lines, begin)   the same for lines that go to the database together
    rows(rows, commit)       one INSERT a row, each row (geo, item, value); COMMIT goes behind
    bulk(pieces, commit)     pieces of (geo, items, values) in one go; COMMIT goes behind
    geo(columns)             one INSERT
    geos(many)               one INSERT each, inside a transaction
    begin(), commit(), close()
"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any

from peer import errors, spin
from peer.census.geo import Geo
from peer.census.line import Line
from peer.context import Context, Live
from peer.failure import Failure
from peer.job import Job
from peer.rates import PhaseLog
from peer.tally import Acks


def work(context: Context, live: Live, session: Any, sources: dict[str, Any]) -> Acks:
    """Works through all phases."""
    acks = Acks(context.pending_most())
    for phase, source in sources.items():
        log = context.new_log()
        bench = Bench(context.job, session, live, log, acks, context.stopped)
        bench.phase(phase, source.take)
        context.tell("phase-done", log)
    return acks


def together(job: Job) -> int:
    """Records a worker takes at once, where so many are there: none of these drivers has several transactions in
    flight, so more than one only where they are one transaction."""
    return job.chunk if job.commit == "chunk" else 1


class Bench:
    """One worker in one phase."""

    def __init__(
        self, job: Job, session: Any, live: Live, log: PhaseLog, acks: Acks, stopped: Callable[[], bool]
    ) -> None:
        self.job, self.session, self.live, self.log, self.acks = job, session, live, log, acks
        self.stopped = stopped
        self.spin = job.spin

    def phase(self, phase: str, take: Callable[[int], list[Any] | None]) -> None:
        """Takes records until there are no more."""
        most = together(self.job)
        chunk = self.job.commit == "chunk"
        if phase == "geo":
            ingest: Callable[[list[Any]], None] = self.geo_chunk if chunk else self.geo
        elif self.job.waits_a_line:
            ingest = self.line_chunk if chunk else self.lines
        else:
            ingest = self.bulk
        while (records := take(most)) is not None:
            if self.log.first_taken is None:
                self.log.first_taken = time.monotonic()
            try:
                ingest(records)
            except Failure:
                raise
            except Exception as error:
                raise errors.explain(error, self.job.dburl, records) from error

    def done(self, lines: Sequence[tuple[Line, list[int]]]) -> None:
        """The database has confirmed these lines."""
        rows = sum([len(keys) for _, keys in lines])
        self.log.rows(time.monotonic(), rows)
        self.live.done(rows, len(lines))
        for line, keys in lines:
            self.acks.line(line.logrecno, keys, line.text)

    def to_send(self, geo: int, keys: list[int], line: Line) -> Iterator[tuple[int, int, Any]]:
        """A line's rows. How many are not handed out yet can be asked of the iterator."""
        rows = iter(list(zip(repeat(geo), keys, line.values)))
        return spin.Spun(rows, self.spin) if self.spin else rows

    def lines(self, records: list[Line]) -> None:
        """`row` and `executemany`: one line, with a transaction around it or one a row."""
        [line] = records
        record = self.job.commit == "record"
        places, keys = self.session.find(line, record)
        geo = errors.geo_id(places, line)
        errors.check_keys(keys, line)
        rows = self.to_send(geo, keys, line)
        if not record:
            self.live.begin(rows, len(keys))
        self.session.rows(rows, record)
        self.done([(line, keys)])

    def line_chunk(self, records: list[Line]) -> None:
        """`row` and `executemany`: line after line in one transaction."""
        held = []
        self.session.begin()
        for line in records:
            if held and self.stopped():
                break
            places, keys = self.session.find(line, False)
            geo = errors.geo_id(places, line)
            errors.check_keys(keys, line)
            self.session.rows(self.to_send(geo, keys, line), False)
            held.append((line, keys))
        self.session.commit()
        self.done(held)

    def bulk(self, records: list[Line]) -> None:
        """Kinds that send many rows at once."""
        transaction = self.job.commit != "auto"
        pieces, held = self.pieces(records, self.session.find_all(records, transaction))
        self.session.bulk(pieces, transaction)
        self.done(held)

    def pieces(
        self, records: list[Line], found: list[tuple[list[int], list[int]]]
    ) -> tuple[list[tuple[int, list[int], Any]], list[tuple[Line, list[int]]]]:
        """Of lines whose places and keys were found: what is sent, and what is acknowledged with it."""
        pieces, held = [], []
        for line, (places, keys) in zip(records, found):
            geo = errors.geo_id(places, line)
            errors.check_keys(keys, line)
            if self.spin:
                spin.burn(self.spin * len(keys))
            pieces.append((geo, keys, line.values))
            held.append((line, keys))
        return pieces, held

    def geo(self, records: list[Geo]) -> None:
        """A geographic record, a transaction of its own."""
        [record] = records
        self.session.geo(record.columns)
        self.geo_done(records)

    def geo_chunk(self, records: list[Geo]) -> None:
        """Geographic records in one transaction."""
        self.session.begin()
        self.session.geos([record.columns for record in records])
        self.session.commit()
        self.geo_done(records)

    def geo_done(self, records: list[Geo]) -> None:
        """The database has confirmed these geographic records."""
        self.log.rows(time.monotonic(), len(records))
        self.live.done(len(records), len(records))
        for record in records:
            self.acks.geo(record.text)
