"""What the database confirmed, as the lab compares it: a tally an item, a digest of the geographic records.

The hot path only remembers which lines were acknowledged, as the text they were read from (half a kilobyte a line).
The arithmetic, a quarter of a microsecond a row in Python, is done when the clock has stopped, or when so many lines
wait for it that they would fill the memory.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from peer.census import geo as geo_header
from peer.census import line as segment_line

PRIME = 2_147_483_647
RECORD_FACTOR = 1_000_003
ITEM_FACTOR = 7_919
ROOT = 48_271

_DIGESTS = (1 << 63) - 1
# Lines of one segment that are worked off together: enough that a column's sum is mostly C.
_TOGETHER = 256


def element(logrecno: int, item: int, hundredths: int) -> int:
    """Mixes one row; Python's remainder is never negative, as the contract wants it."""
    key = (logrecno * RECORD_FACTOR + item * ITEM_FACTOR) % PRIME
    mixed = (key * ROOT + hundredths) % PRIME
    return (mixed * mixed + key) % PRIME


def digest(columns: Iterable[str | int]) -> int:
    """The first 60 bits of the SHA-256 of a geographic record's columns, each followed by the byte 1F."""
    text = "".join([f"{value}\x1f" for value in columns])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 4


class Acks:
    """What one worker had acknowledged; workers' accounts are merged at the end."""

    def __init__(self, pending_most: int = 20_000) -> None:
        self.geo_rows = 0
        self.geo_digest = 0
        self.lines = 0
        self._pending_most = pending_most
        self._geo: list[str] = []
        self._pending = 0
        # A segment's item ids, and its lines: LOGRECNO and the text of the items.
        self._segments: dict[tuple[int, int, int], tuple[Sequence[int], list[tuple[int, str]]]] = {}
        self._items: dict[int, list[int]] = {}

    def geo(self, text: str) -> None:
        """A geographic record is through."""
        self.geo_rows += 1
        self._geo.append(text)
        if len(self._geo) >= self._pending_most:
            self._settle_geo()

    def line(self, logrecno: int, keys: Sequence[int], text: str) -> None:
        """A line is through; `keys` are its items' ids, ascending without gaps, `text` its items as the file has
        them."""
        self.lines += 1
        if not keys:
            return
        which = (keys[0], keys[-1], len(keys))
        known = self._segments.get(which)
        if known is None:
            known = self._segments[which] = (list(map(int, keys)), [])
        known[1].append((logrecno, text))
        self._pending += 1
        if self._pending >= self._pending_most:
            self._settle_lines()

    def acknowledged(self) -> dict[str, Any]:
        """The form in which it leaves the process."""
        self._settle_geo()
        self._settle_lines()
        items = [
            {"item": item, "rows": rows, "sum": total, "mix": mix}
            for item, (rows, total, mix) in sorted(self._items.items())
        ]
        return {"geo_rows": self.geo_rows, "geo_digest": self.geo_digest, "lines": self.lines, "items": items}

    def _settle_geo(self) -> None:
        total = sum(digest(geo_header.columns(text)) for text in self._geo)
        self.geo_digest = (self.geo_digest + total) & _DIGESTS
        self._geo.clear()

    def _settle_lines(self) -> None:
        for keys, lines in self._segments.values():
            for start in range(0, len(lines), _TOGETHER):
                self._add(keys, lines[start : start + _TOGETHER])
            lines.clear()
        self._pending = 0

    def _add(self, keys: Sequence[int], lines: list[tuple[int, str]]) -> None:
        bases = [logrecno * RECORD_FACTOR for logrecno, _ in lines]
        columns = zip(*[segment_line.hundredths(text) for _, text in lines])
        prime, root = PRIME, ROOT
        for item, column in zip(keys, columns):
            offset = item * ITEM_FACTOR
            mix = sum(
                [
                    ((mixed := ((key := (base + offset) % prime) * root + value) % prime) * mixed + key) % prime
                    for base, value in zip(bases, column)
                ]
            )
            tally = self._items.setdefault(item, [0, 0, 0])
            tally[0] += len(column)
            tally[1] += sum(column)
            tally[2] += mix


def merge(all_of_them: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Adds what several workers had acknowledged."""
    merged: dict[str, Any] = {"geo_rows": 0, "geo_digest": 0, "lines": 0}
    items: dict[int, list[int]] = {}
    for one in all_of_them:
        merged["geo_rows"] += one["geo_rows"]
        merged["geo_digest"] = (merged["geo_digest"] + one["geo_digest"]) & _DIGESTS
        merged["lines"] += one["lines"]
        for tally in one["items"]:
            sums = items.setdefault(tally["item"], [0, 0, 0])
            sums[0] += tally["rows"]
            sums[1] += tally["sum"]
            sums[2] += tally["mix"]
    merged["items"] = [
        {"item": item, "rows": rows, "sum": total, "mix": mix} for item, (rows, total, mix) in sorted(items.items())
    ]
    return merged
