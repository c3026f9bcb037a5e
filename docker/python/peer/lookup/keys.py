"""The keys a lookup asks for, in chunks, through the same queue as records."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from peer import usage
from peer.job import Job
from peer.reader import Reader

ROWS = 256
"""Rows of the table. The post of 2015 read one row over and over; as many of the same shape let order be verified."""

_KEYS = [f"node-{number:03}" for number in range(ROWS)]
_MOST = 1_000
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

    def __init__(self, job: Job) -> None:
        self._job = job

    def read(self, phase: str, size: int, put: Callable[[list[Any]], bool]) -> usage.Cpu | None:
        """Hands all chunks to `put`, `size` together, unless it returns false; then None is returned."""
        together: list[Chunk] = []
        for chunk in chunks(self._job.chunk, self._job.keys):
            together.append(chunk)
            if len(together) == size:
                if not put(together):
                    return None
                together = []
        return usage.Cpu(0.0, 0.0) if put(together) else None
