"""The keys a lookup asks for, in chunks, through the same queue as records."""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from peer.context import Context
from peer.lookup.delivery import EARLY
from peer.reader import Reader

ROWS = 256
"""Rows of the table. The post of 2015 read one row over and over; as many of the same shape let order be verified."""

_KEYS = [f"node-{number:03}" for number in range(ROWS)]
_MOST = 1_000
_LOOK = 0.005
"""How often whoever hands out looks whether enough was delivered, seconds."""

# Round and round: the keys of any chunk are a slice.
_AROUND = _KEYS * (_MOST // ROWS + 2)


class Chunk(NamedTuple):
    """What is handed out to a worker together."""

    number: int
    """From 0, in the order of delivery."""

    keys: list[str]


def chunks(size: int, limit: int | None) -> Iterator[Chunk]:
    """All chunks, in order; without a limit there is no end of them."""
    number = first = 0
    while limit is None or first < limit:
        keys = size if limit is None else min(size, limit - first)
        start = first % ROWS
        yield Chunk(number, _AROUND[start : start + keys])
        number, first = number + 1, first + keys


class KeyReader(Reader):
    """Puts chunks of keys where the census puts records."""

    def __init__(self, context: Context) -> None:
        self._context, self._job = context, context.job

    def read(self, phase: str, size: int, put: Callable[[list[Any]], bool]) -> bool:
        """Hands all chunks to `put`, `size` together, unless it returns false; whether there are no more."""
        together: list[Chunk] = []
        # At least what keeps every worker busy: what is handed over together, and two chunks each.
        ahead = max(EARLY, (size + 2 * self._job.pool) * self._job.chunk)
        for chunk in chunks(self._job.chunk, self._job.keys):
            together.append(chunk)
            if len(together) == size:
                self._wait_until_delivered((chunk.number + 1) * self._job.chunk - ahead)
                if not put(together):
                    return False
                together = []
        return put(together)

    def _wait_until_delivered(self, rows: int) -> None:
        context = self._context
        while context.delivery.rows < rows and not context.stopped():
            time.sleep(_LOOK)
