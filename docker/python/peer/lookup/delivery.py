"""Where the rows go: one consumer that gets them in the order of their keys, whoever read them and whenever.

    worker ── chunk 7 ──► early ──┐
    worker ── chunk 5 ──► next ───┴─► 5, then 6, then 7 ─► digest
"""

import threading
import time
import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from peer import sql
from peer.failure import Exit, Failure

_COLUMN = {name: at for at, name in enumerate(sql.NODE_COLUMNS)}
_KEY, _TOKENS = _COLUMN["key"], _COLUMN["tokens"]
_PREFIX = len("node-")
_TOKEN_FACTOR = 257
_WHOLE_EVERY = 64
"""Of every so-manieth row the whole contents count: the client is measured reading rows, not summing them."""

_DIGESTS = (1 << 63) - 1
EARLY = 10_000
"""Rows that may be handed out beyond those delivered, at least: behind a connection that stalls no more than about so
many wait early, some 50 MB of them."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


def contents(row: Sequence[Any]) -> str:
    """What the checksum of a row is made of."""
    value = {name: row[at] for name, at in _COLUMN.items()}
    return "|".join(
        [
            value["key"],
            value["cluster_name"],
            str(value["gossip_generation"]),
            str(value["host_id"]),
            str((value["started_at"] - _EPOCH) // _MICROSECOND),
            str(int(value["load"] * 4)),
            str(int(value["is_seed"])),
            ",".join(value["tokens"]),
            str(value["disk_bytes"]),
            value["checksum"].hex(),
        ]
    )


class Delivery:
    """The consumer. A chunk that is ready early waits; whoever brings the one that is due delivers those behind it,
    too: no thread has to be woken for it."""

    def __init__(self) -> None:
        self.rows = 0
        self.last: float | None = None
        """When the last row was delivered, by the monotonic clock."""
        self._digest = 0
        self._due = 0
        self._early: dict[int, Sequence[Sequence[Any]]] = {}
        self._lock = threading.Lock()

    def ready(self, number: int, rows: Sequence[Sequence[Any]]) -> None:
        """The rows of a chunk, in the order of its keys."""
        with self._lock:
            self._early[number] = rows
            while (due := self._early.pop(self._due, None)) is not None:
                self._deliver(due)
                self._due += 1

    def _deliver(self, rows: Sequence[Sequence[Any]]) -> None:
        digest = self._digest
        for before, row in enumerate(rows, self.rows):
            value = int(row[_KEY][_PREFIX:]) + _TOKEN_FACTOR * len(row[_TOKENS])
            if before % _WHOLE_EVERY == 0:
                value += zlib.crc32(contents(row).encode())
            digest += (before + 1) * value
        self._digest = digest & _DIGESTS
        self.rows += len(rows)
        self.last = time.monotonic()

    def acknowledged(self) -> dict[str, Any]:
        """The form in which it leaves the program."""
        if self._early:
            raise Failure(Exit.UNFORESEEN, f"the chunk {self._due} of keys was never delivered: this is a bug")
        return {
            "geo_rows": 0,
            "geo_digest": 0,
            "lines": self.rows,
            "items": [],
            "lookup": {"rows": self.rows, "digest": self._digest},
        }
