"""What both sessions of psycopg 3 share: which types its parameters have, and how statements are prepared.

`prepared` is execute(…, prepare=True), `unnamed` a connection that never prepares, `simple` the cursor that writes
parameters into the text. All pipelining is the driver's own.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.pq import ExecStatus
from psycopg.types.numeric import DecimalBinaryDumper, Int2, Int4, Int8, IntNumericBinaryDumper
from psycopg.types.string import StrDumper, StrDumperUnknown

from peer import places, sql
from peer.census.line import Line
from peer.drivers import texts
from peer.failure import not_supported
from peer.job import Job

_INT2, _INT4, _INT8, TEXT, _NUMERIC = 21, 23, 20, 25, 1700
_INFERRED = 0
_GEO_TEXTS = 19

COPY = sql.COPY + " (FORMAT binary)"
COPY_TYPES = ("int4", "int4", "numeric")


def check(job: Job) -> None:
    """What the driver cannot do with the contract's meaning."""
    if job.statement == "executemany" and job.commit == "auto":
        raise not_supported(
            "psycopg 3 sends an executemany as one pipeline, which is one transaction: ask for commit record or chunk"
        )
    if job.statement == "executemany" and job.protocol == "simple":
        raise not_supported(
            "psycopg 3 pipelines an executemany, which the simple protocol cannot: ask for protocol prepared or unnamed"
        )


def statements(job: Job) -> dict[str, tuple[int, ...]]:
    """The job's statements that have parameters, with the types these have."""
    found: dict[str, tuple[int, ...]] = {
        sql.INSERT_GEO: (TEXT,) * _GEO_TEXTS + (_INT4,) + (_INT8,) * 4,
        sql.SELECT_KEYS: (_INT2,),
    }
    if job.waits_a_line:
        found[sql.SELECT_GEO] = (TEXT, _INT4, TEXT)
    else:
        found[sql.SELECT_GEOS] = (TEXT, _INFERRED, TEXT)
    row = (_INT4, _INT4, _NUMERIC)
    if job.waits_a_line:
        found[sql.INSERT_ELEMENT] = row
    elif job.statement == "multirow":
        found.update({sql.insert_rows(size): row * size for size in sql.sizes(job.batch)})
    elif job.statement == "unnest":
        found[sql.INSERT_UNNEST] = (_INFERRED,) * 3
    return found


class ArrayText(str):
    """An array in PostgreSQL's text form; the server knows from the statement which type it has."""


def arrays(pieces: Sequence[texts.Piece]) -> list[ArrayText]:
    """The parameters of INSERT_UNNEST."""
    return [ArrayText(column) for column in texts.arrays(pieces)]


def _typed(job: Job) -> bool:
    """Whether rows are parameters whose types the driver would choose by their values."""
    return job.protocol != "simple" and job.statement not in ("unnest", "copy")


def adapt(job: Job, connection: Any) -> None:
    """Values are numeric whether whole or not, ids are Int4: every row of a statement has the same types, so that it
    is prepared once. By itself the driver would give an integer the smallest type that holds it."""
    adapters = connection.adapters
    adapters.register_dumper(str, StrDumper)
    adapters.register_dumper(ArrayText, StrDumperUnknown)
    if _typed(job):
        adapters.register_dumper(int, IntNumericBinaryDumper)
        adapters.register_dumper(Decimal, DecimalBinaryDumper)
    # Its prepared statements are ours alone: more than its default of a hundred are never kept, fewer not dropped.
    connection.prepare_threshold = 5 if job.protocol == "prepared" else None


def cursor_class(job: Job, raw: type, client: type) -> type:
    """RawCursor takes $1, ClientCursor takes %s and sends no parameters."""
    return client if job.protocol == "simple" else raw


def text_of(job: Job, statement: str) -> str:
    """The statement as that cursor takes it."""
    return sql.percent(statement) if job.protocol == "simple" else statement


def remember(connection: Any, statement: str, types: tuple[int, ...], name: bytes) -> None:
    """Tells the driver of a statement that is prepared already. It has no public way to prepare without executing, and
    preparing belongs before the clock; requirements.txt pins the version whose inside this is."""
    connection._prepared._names[(statement.encode(), types)] = name


def prepared_well(result: Any, connection: Any) -> None:
    """Raises the driver's error where a statement could not be prepared."""
    if result.status == ExecStatus.FATAL_ERROR:
        raise psycopg.errors.error_from_result(result, encoding=connection.info.encoding)


def place_of(line: Line) -> tuple[str, Int4, str]:
    """The parameters of SELECT_GEO."""
    return line.file_id, Int4(line.logrecno), line.stusab


def places_of(wanted: places.Wanted) -> tuple[str, ArrayText, str]:
    """The parameters of SELECT_GEOS."""
    file_id, numbers, stusab = texts.places(wanted)
    return file_id, ArrayText(numbers), stusab


def segment_of(line: Line) -> tuple[Int2]:
    """The parameter of SELECT_KEYS."""
    return (Int2(line.segment),)


def geo_of(columns: Sequence[Any]) -> tuple[Any, ...]:
    """The parameters of INSERT_GEO."""
    logrecno, *numbers = columns[_GEO_TEXTS:]
    return (*columns[:_GEO_TEXTS], Int4(logrecno), *map(Int8, numbers))


class Keys:
    """Ids as Int4 where they become parameters of rows. Each line's SELECT gives a segment's ids anew; while they are
    the same, so are these objects."""

    def __init__(self, job: Job) -> None:
        self._wanted = _typed(job)
        self._plain: list[int] = []
        self._typed: list[int] = []

    def of_items(self, rows: Iterable[tuple[int]]) -> list[int]:
        """Of the rows that SELECT_KEYS gave."""
        plain = [row[0] for row in rows]
        if not self._wanted:
            return plain
        if plain != self._plain:
            self._plain, self._typed = plain, [Int4(key) for key in plain]
        return self._typed

    def of_places(self, rows: Iterable[tuple[int]]) -> list[int]:
        """Of the rows that SELECT_GEO gave."""
        return [Int4(row[0]) if self._wanted else row[0] for row in rows]


def flat(rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Rows as one list of parameters."""
    return [value for row in rows for value in row]
