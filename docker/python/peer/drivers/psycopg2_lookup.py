"""psycopg2 as it reads a wide row: in text, one request at a time."""

from typing import Any

import psycopg2
from psycopg2 import extensions, extras

from peer import sql
from peer.drivers import psycopg2_session
from peer.drivers.dsn import parameters
from peer.failure import not_supported
from peer.job import Job

SELECT_NODE = sql.percent(sql.SELECT_NODE)

# By itself the driver gives a view of memory, which cannot be sent to another process.
_BYTES: Any = extensions.new_type(
    psycopg2.BINARY.values, "BYTES", lambda text, cursor: None if text is None else bytes.fromhex(text[2:])
)


def check(job: Job) -> None:
    """What the driver cannot do with the contract's meaning."""
    psycopg2_session.check(job)
    if job.statement == "executemany":
        raise not_supported(
            "psycopg2 has one request at a time under way on a connection, so a lookup is not what its executemany "
            "does: ask for row, or for py-psycopg3 or py-asyncio"
        )


def adapt(connection: Any) -> None:
    """Columns that would not become what they are: uuid (text otherwise), bytea."""
    extras.register_uuid(conn_or_curs=connection)
    extensions.register_type(_BYTES, connection)


class Session:
    """One connection."""

    def __init__(self, job: Job) -> None:
        self._connection = psycopg2.connect(**parameters(job))
        self._connection.autocommit = True
        adapt(self._connection)
        self._cursor = self._connection.cursor()

    def row(self, key: str) -> list[tuple[Any, ...]]:
        """See lookup/work.py."""
        cursor = self._cursor
        cursor.execute(SELECT_NODE, (key,))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()
