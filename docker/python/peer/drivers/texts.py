"""Statements for drivers that write parameters into the text: many values in few parameters.

Each value here is an int or a Decimal of our own parsing, so its text needs no quoting.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import Any

from peer import sql
from peer.places import Wanted

Piece = tuple[int, list[int], list[Any]]
"""A line's geographic id, item ids and values."""

_MULTIROW = sql.insert_rows(0)


def rows_of(pieces: Sequence[Piece]) -> Iterator[tuple[int, int, Any]]:
    """Rows of (geo, item, value)."""
    return chain.from_iterable([zip(repeat(geo), items, values) for geo, items, values in pieces])


def multirow(pieces: Sequence[Piece], batch: int) -> Iterator[str]:
    """INSERTs of `batch` rows, and smaller ones as sql.sizes has them for what is left."""
    rows = ["(%d, %d, %s)" % row for row in rows_of(pieces)]
    start = 0
    for size in sql.sizes(batch):
        while len(rows) - start >= size:
            yield _MULTIROW + ", ".join(rows[start : start + size])
            start += size


def arrays(pieces: Sequence[Piece]) -> tuple[str, str, str]:
    """The columns as arrays in PostgreSQL's text form: many times faster to write and to read than ARRAY[…]."""
    geos: list[str] = []
    for geo, items, _ in pieces:
        geos.extend([str(geo)] * len(items))
    items_text = ",".join([str(items)[1:-1] for _, items, _ in pieces])
    values = ",".join([",".join(map(str, values)) for _, _, values in pieces])
    return "{" + ",".join(geos) + "}", "{" + items_text + "}", "{" + values + "}"


def places(wanted: Wanted) -> tuple[str, str, str]:
    """The parameters of SELECT_GEOS, the array in the same form."""
    file_id, numbers, stusab = wanted
    return file_id, "{" + ",".join(map(str, numbers)) + "}", stusab


def copy_text(pieces: Sequence[Piece]) -> str:
    """COPY's text format."""
    return "".join(["%d\t%d\t%s\n" % row for row in rows_of(pieces)])
