"""What is looked at before anything is measured: the tables are there, the dictionary (of a lookup its table) is
complete, nothing is in the way, and there are connections enough."""

import psycopg2

from peer import errors
from peer.drivers.dsn import parameters
from peer.failure import Exit, Failure
from peer.job import Job

_TABLES = ["geo_record", "matrix", "dictionary_item", "data_element"]
_ITEMS = 8113
_NODES = 256


def _refuse(message: str) -> Failure:
    return Failure(Exit.DATABASE, message)


def check(job: Job) -> None:
    """Connects once, looks, and leaves."""
    wanted = parameters(job)
    try:
        connection = psycopg2.connect(**wanted)
        try:
            with connection.cursor() as cursor:
                if job.workload == "lookup":
                    _require_nodes(cursor)
                else:
                    _require_tables(cursor, "geo" in job.phases)
                _require_connections(cursor, job.pool)
        finally:
            connection.close()
    except psycopg2.Error as error:
        raise errors.explain(error, job.dburl) from error


def _require_tables(cursor: "psycopg2.extensions.cursor", geo: bool) -> None:
    cursor.execute("SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL", (_TABLES,))
    missing = [row[0] for row in cursor.fetchall()]
    if missing:
        raise _refuse(f"the database lacks the table {', '.join(missing)}: run `ingester rebuild` first")
    cursor.execute(
        "SELECT (SELECT count(*) FROM dictionary_item), EXISTS (SELECT FROM geo_record), "
        "EXISTS (SELECT FROM data_element)"
    )
    items, geo_filled, data_filled = cursor.fetchone()
    if items != _ITEMS:
        raise _refuse(f"the dictionary holds {items} items, not {_ITEMS}: run `ingester rebuild` first")
    for table, filled in (("geo_record", geo and geo_filled), ("data_element", data_filled)):
        if filled:
            raise _refuse(f"{table} already holds rows: run `ingester rebuild` to start from empty tables")


def _require_nodes(cursor: "psycopg2.extensions.cursor") -> None:
    cursor.execute("SELECT to_regclass('node') IS NULL")
    if cursor.fetchone()[0]:
        raise _refuse("the database lacks the table node: run `ingester rebuild` first")
    cursor.execute("SELECT count(*) FROM node")
    [rows] = cursor.fetchone()
    if rows != _NODES:
        raise _refuse(f"the table node holds {rows} rows, not {_NODES}: run `ingester rebuild` first")


def _require_connections(cursor: "psycopg2.extensions.cursor", pool: int) -> None:
    cursor.execute(
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int, "
        "(SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend')"
    )
    most, used = cursor.fetchone()
    if most - used < pool:
        raise _refuse(
            f"a pool of {pool} needs {pool} connections, the database has {max(most - used, 0)} left of {most}: use a "
            "smaller pool, or raise max_connections"
        )
