"""psycopg 3 as it reads a wide row: in binary, except by the simple protocol, which has text only. Its executemany
pipelines, and keeps the results where it is asked to."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.types.string import StrDumper

from peer import sql
from peer.drivers import psycopg3_common as common
from peer.drivers.dsn import parameters
from peer.failure import not_supported
from peer.job import Job

NAME, TYPES = b"ingest_node", (common.TEXT,)


def check(job: Job) -> None:
    """What the driver cannot do with the contract's meaning."""
    if job.statement == "executemany" and job.protocol == "simple":
        raise not_supported(
            "psycopg 3 pipelines an executemany, which the simple protocol cannot: ask for protocol prepared or unnamed"
        )


def cursor_of(job: Job, connection: Any, raw: type, client: type) -> Any:
    """The connection's one cursor, which keeps how the key is adapted and rows are read."""
    connection.adapters.register_dumper(str, StrDumper)
    connection.prepare_threshold = 5 if job.protocol == "prepared" else None
    connection.cursor_factory = common.cursor_class(job, raw, client)
    return connection.cursor(binary=job.protocol != "simple")


class Session:
    """One connection."""

    def __init__(self, job: Job) -> None:
        self._connection = psycopg.connect(**parameters(job), autocommit=True)
        self._cursor = cursor_of(job, self._connection, psycopg.RawCursor, psycopg.ClientCursor)
        self._statement = common.text_of(job, sql.SELECT_NODE)
        self._prepare = job.protocol == "prepared"
        if self._prepare:
            result = self._connection.pgconn.prepare(NAME, sql.SELECT_NODE.encode(), TYPES)
            common.prepared_well(result, self._connection)
            common.remember(self._connection, sql.SELECT_NODE, TYPES, NAME)

    def row(self, key: str) -> list[tuple[Any, ...]]:
        """See lookup/work.py."""
        cursor = self._cursor
        cursor.execute(self._statement, (key,), prepare=self._prepare)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

    def rows(self, keys: Sequence[str]) -> list[tuple[Any, ...]]:
        """See lookup/work.py."""
        cursor, rows = self._cursor, []
        cursor.executemany(self._statement, [(key,) for key in keys], returning=True)
        for _ in cursor.results():
            rows += cursor.fetchall()
        return rows

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()
