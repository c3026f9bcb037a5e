"""psycopg 3, blocking. A cursor a statement: each keeps how its parameters are adapted."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from typing import Any

import psycopg

from peer import places, sql
from peer.census.line import Line
from peer.drivers import psycopg3_common as common
from peer.drivers import texts
from peer.drivers.dsn import parameters
from peer.job import Job

check = common.check


class Session:
    """One connection."""

    def __init__(self, job: Job) -> None:
        self._job = job
        # Autocommit: where there are transactions, they are the workload's.
        self._connection = psycopg.connect(**parameters(job), autocommit=True)
        common.adapt(job, self._connection)
        self._simple = job.protocol == "simple"
        self._prepare = True if job.protocol == "prepared" else False
        self._keys = common.Keys(job)
        kind = common.cursor_class(job, psycopg.RawCursor, psycopg.ClientCursor)
        self._cursors = {
            statement: (kind(self._connection), common.text_of(job, statement))
            for statement in common.statements(job)
        }
        self._sizes = [(size, sql.insert_rows(size)) for size in sql.sizes(job.batch)]
        self._plain = psycopg.Cursor(self._connection)
        if job.protocol == "prepared":
            for number, (statement, types) in enumerate(common.statements(job).items()):
                name = f"ingest_{number}".encode()
                result = self._connection.pgconn.prepare(name, statement.encode(), types)
                common.prepared_well(result, self._connection)
                common.remember(self._connection, statement, types, name)

    def _pipeline(self) -> Any:
        return nullcontext() if self._simple else self._connection.pipeline()

    def _send(self, statement: str, values: Sequence[Any]) -> Any:
        cursor, text = self._cursors[statement]
        return cursor.execute(text, values, prepare=self._prepare)

    def begin(self) -> None:
        """Begins a transaction."""
        self._plain.execute("BEGIN", prepare=False)

    def commit(self) -> None:
        """Commits it."""
        self._plain.execute("COMMIT", prepare=False)

    def find(self, line: Line, begin: bool) -> tuple[list[Any], list[Any]]:
        """See work.py. Where rows are pipelined, BEGIN travels with the first SELECT."""
        if begin and self._job.statement == "executemany":
            with self._pipeline():
                self.begin()
                cursor = self._send(sql.SELECT_GEO, common.place_of(line))
            ids = self._keys.of_places(cursor.fetchall())
        else:
            if begin:
                self.begin()
            ids = self._place(line)
        return ids, self._items(line)

    def _place(self, line: Line) -> list[int]:
        return self._keys.of_places(self._send(sql.SELECT_GEO, common.place_of(line)).fetchall())

    def _items(self, line: Line) -> list[int]:
        return self._keys.of_items(self._send(sql.SELECT_KEYS, common.segment_of(line)).fetchall())

    def find_all(self, lines: Sequence[Line], begin: bool) -> list[tuple[list[Any], list[Any]]]:
        """See work.py: BEGIN and all SELECTs in one go."""
        if self._simple:
            return self._find_one_by_one(lines, begin)
        kind = psycopg.RawCursor
        segments = {line.segment: line for line in lines}
        with self._connection.pipeline():
            if begin:
                self.begin()
            asked = [
                (
                    one,
                    kind(self._connection).execute(
                        sql.SELECT_GEOS, common.places_of(one), prepare=self._prepare
                    ),
                )
                for one in places.wanted(lines)
            ]
            items = {
                segment: kind(self._connection).execute(
                    sql.SELECT_KEYS, common.segment_of(line), prepare=self._prepare
                )
                for segment, line in segments.items()
            }
        keys = {segment: self._keys.of_items(cursor.fetchall()) for segment, cursor in items.items()}
        answers = [(one, cursor.fetchall()) for one, cursor in asked]
        return [(place, keys[line.segment]) for place, line in zip(self._of_lines(lines, answers), lines)]

    def _find_one_by_one(self, lines: Sequence[Line], begin: bool) -> list[tuple[list[Any], list[Any]]]:
        if begin:
            self.begin()
        answers = []
        for one in places.wanted(lines):
            cursor = self._send(sql.SELECT_GEOS, common.places_of(one))
            answers.append((one, cursor.fetchall()))
        keys = {segment: self._items(line) for segment, line in {line.segment: line for line in lines}.items()}
        return [(place, keys[line.segment]) for place, line in zip(self._of_lines(lines, answers), lines)]

    def _of_lines(self, lines: Sequence[Line], answers: list[Any]) -> list[list[int]]:
        return [self._keys.of_places((place,) for place in ids) for ids in places.of_lines(lines, answers)]

    def rows(self, rows: Iterator[tuple[Any, ...]], commit: bool) -> None:
        """See work.py. Of `executemany` a window of rows is a pipeline; COMMIT travels with the last."""
        cursor, text = self._cursors[sql.INSERT_ELEMENT]
        if self._job.statement == "executemany":
            in_flight = self._job.in_flight
            while rows.__length_hint__():  # type: ignore[attr-defined]
                with self._connection.pipeline():
                    cursor.executemany(text, islice(rows, in_flight))
                    if commit and not rows.__length_hint__():  # type: ignore[attr-defined]
                        self.commit()
            return
        execute, prepare = cursor.execute, self._prepare
        for row in rows:
            execute(text, row, prepare=prepare)
        if commit:
            self.commit()

    def bulk(self, pieces: Sequence[texts.Piece], commit: bool) -> None:
        """See work.py. COMMIT travels with what goes before it, except behind COPY, which no pipeline allows."""
        if self._job.statement == "copy":
            self._copy(pieces)
            if commit:
                self.commit()
            return
        # Without a transaction each INSERT is its own, and a pipeline would be one of them all.
        with self._pipeline() if commit else nullcontext():
            if self._job.statement == "unnest":
                self._send(sql.INSERT_UNNEST, common.arrays(pieces))
            else:
                self._multirow(pieces)
            if commit:
                self.commit()

    def _multirow(self, pieces: Sequence[texts.Piece]) -> None:
        if self._simple:
            for text in texts.multirow(pieces, self._job.batch):
                self._plain.execute(text, prepare=False)
            return
        rows, start = list(texts.rows_of(pieces)), 0
        for size, statement in self._sizes:
            while len(rows) - start >= size:
                self._send(statement, common.flat(rows[start : start + size]))
                start += size

    def _copy(self, pieces: Sequence[texts.Piece]) -> None:
        with self._plain.copy(common.COPY) as copy:
            copy.set_types(common.COPY_TYPES)
            write = copy.write_row
            for row in texts.rows_of(pieces):
                write(row)

    def geo(self, columns: tuple[Any, ...]) -> None:
        """See work.py."""
        self._send(sql.INSERT_GEO, common.geo_of(columns))

    def geos(self, many: Sequence[tuple[Any, ...]]) -> None:
        """See work.py: up to `in_flight` in a pipeline, except where each is waited for."""
        if self._job.statement == "row" or self._simple:
            for columns in many:
                self.geo(columns)
            return
        cursor, text = self._cursors[sql.INSERT_GEO]
        for start in range(0, len(many), self._job.in_flight):
            window = many[start : start + self._job.in_flight]
            cursor.executemany(text, [common.geo_of(columns) for columns in window])

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()
