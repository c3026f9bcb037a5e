"""psycopg2: libpq, blocking, parameters written into the statement's text.

Its executemany is a loop of execute: a round trip a row. That is how the driver is, and stays here as it is.
"""

import io
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import psycopg2

from peer import places, sql
from peer.census.line import Line
from peer.drivers import texts
from peer.drivers.dsn import parameters
from peer.failure import not_supported
from peer.job import Job

SELECT_GEO = sql.percent(sql.SELECT_GEO)
SELECT_GEOS = sql.percent(sql.SELECT_GEOS)
SELECT_KEYS = sql.percent(sql.SELECT_KEYS)
INSERT_ELEMENT = sql.percent(sql.INSERT_ELEMENT)
INSERT_GEO = sql.percent(sql.INSERT_GEO)
INSERT_UNNEST = sql.percent(sql.INSERT_UNNEST)


def check(job: Job) -> None:
    """What the driver cannot do with the contract's meaning."""
    if job.protocol != "simple":
        raise not_supported(
            f"psycopg2 writes parameters into the statement's text, so protocol {job.protocol} is not what it does: "
            "ask for protocol simple"
        )


class Session:
    """One connection."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._connection = psycopg2.connect(**parameters(job))
        # Without it the driver would send BEGIN by itself: where there are transactions, they are the workload's.
        self._connection.autocommit = True
        self._cursor = self._connection.cursor()
        self._execute = self._cursor.execute

    def begin(self) -> None:
        """Begins a transaction."""
        self._execute("BEGIN")

    def commit(self) -> None:
        """Commits it."""
        self._execute("COMMIT")

    def find(self, line: Line, begin: bool) -> tuple[list[int], list[int]]:
        """See work.py."""
        if begin:
            self.begin()
        return self._place(line), self._keys(line.segment)

    def find_all(self, lines: Sequence[Line], begin: bool) -> list[tuple[list[int], list[int]]]:
        """See work.py."""
        if begin:
            self.begin()
        found = places.of_lines(lines, [(one, self._places(one)) for one in places.wanted(lines)])
        keys = {segment: self._keys(segment) for segment in {line.segment for line in lines}}
        return [(place, keys[line.segment]) for place, line in zip(found, lines)]

    def _place(self, line: Line) -> list[int]:
        self._execute(SELECT_GEO, (line.file_id, line.logrecno, line.stusab))
        return [row[0] for row in self._cursor.fetchall()]

    def _places(self, wanted: places.Wanted) -> list[Any]:
        self._execute(SELECT_GEOS, texts.places(wanted))
        return self._cursor.fetchall()

    def _keys(self, segment: int) -> list[int]:
        self._execute(SELECT_KEYS, (segment,))
        return [row[0] for row in self._cursor.fetchall()]

    def rows(self, rows: Iterator[tuple[int, int, Any]], commit: bool) -> None:
        """See work.py."""
        if self._job.statement == "executemany":
            # The driver waits after each row anyway, so `in_flight` changes nothing; its meaning is kept.
            executemany, in_flight = self._cursor.executemany, self._job.in_flight
            while rows.__length_hint__():  # type: ignore[attr-defined]
                executemany(INSERT_ELEMENT, islice(rows, in_flight))
        else:
            execute = self._execute
            for row in rows:
                execute(INSERT_ELEMENT, row)
        if commit:
            self.commit()

    def bulk(self, pieces: Sequence[texts.Piece], commit: bool) -> None:
        """See work.py."""
        if self._job.statement == "multirow":
            for text in texts.multirow(pieces, self._job.batch):
                self._execute(text)
        elif self._job.statement == "unnest":
            self._execute(INSERT_UNNEST, texts.arrays(pieces))
        else:
            self._cursor.copy_expert(sql.COPY, io.StringIO(texts.copy_text(pieces)), 1 << 16)
        if commit:
            self.commit()

    def geo(self, columns: tuple[Any, ...]) -> None:
        """See work.py."""
        self._execute(INSERT_GEO, columns)

    def geos(self, many: Sequence[tuple[Any, ...]]) -> None:
        """See work.py."""
        for columns in many:
            self._execute(INSERT_GEO, columns)

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()
