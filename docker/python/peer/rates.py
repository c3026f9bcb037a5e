"""When rows were acknowledged, and the rates that follow. The same arithmetic as the ingester's."""

import math
from collections.abc import Sequence
from typing import Any

BUCKET = 0.1
"""Width of the timeline's buckets, seconds."""

SHORTEST = 0.25
"""A part of a phase shorter than this gives no rate: it would be mostly noise."""

_LEAST = 5


class PhaseLog:
    """One worker's account of one phase; times are of the monotonic clock."""

    __slots__ = ("origin", "first_taken", "last_done", "buckets")

    def __init__(self, origin: float) -> None:
        self.origin = origin
        self.first_taken: float | None = None
        self.last_done: float | None = None
        self.buckets: list[float] = []

    def rows(self, now: float, count: int) -> None:
        """Rows were acknowledged by `now`: spread evenly over the time since the worker's last acknowledgement, or
        since it began, for they were worked on all the while."""
        to = (now - self.origin) / BUCKET
        since = self.last_done if self.last_done is not None else self.first_taken
        begin = to if since is None else min((since - self.origin) / BUCKET, to)
        self.last_done = now
        first, last = int(begin), int(to)
        buckets = self.buckets
        if last >= len(buckets):
            buckets.extend([0.0] * (last + 1 - len(buckets)))
        if first == last:
            buckets[last] += count
            return
        width = to - begin
        for bucket in range(first, last + 1):
            buckets[bucket] += count * (min(to, bucket + 1) - max(begin, bucket)) / width


def steady(logs: Sequence[PhaseLog], origin: float, phase_began: float) -> dict[str, float] | None:
    """Rows a second in the whole buckets between the moment the last worker got its first record and the moment the
    first worker finished its last. None if a worker had no record or fewer than five buckets remain."""
    taken = [log.first_taken for log in logs]
    done = [log.last_done for log in logs]
    if not logs or None in taken or None in done:
        return None
    start = math.ceil((max(taken) - origin) / BUCKET)
    end = math.floor((min(done) - origin) / BUCKET)
    if end < start + _LEAST:
        return None
    rows = sum(sum(log.buckets[start:end]) for log in logs)
    offset = phase_began - origin
    return {"rate": rows / ((end - start) * BUCKET), "from": start * BUCKET - offset, "to": end * BUCKET - offset}


def rates(
    rows: int,
    seconds: float,
    filled: tuple[float, int] | None,
    steady_rate: dict[str, float] | None,
) -> dict[str, Any]:
    """A phase's rates; `filled` says when the queue was filled, seconds into the phase, and the rows by then."""
    if filled is None:
        filling, after = _rate(rows, seconds), None
    else:
        at, by_then = filled
        filling, after = _rate(by_then, min(at, seconds)), _rate(max(rows - by_then, 0), seconds - at)
    return {"whole": _rate(rows, seconds), "while_filling": filling, "after": after, "steady": steady_rate}


def _rate(rows: int, seconds: float) -> float | None:
    return rows / seconds if seconds >= SHORTEST and rows > 0 else None
