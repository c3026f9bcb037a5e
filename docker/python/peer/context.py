"""What the parts of a run share: the job, the phases' queues, the workers' counters, the way to the coordinator."""

import math
import operator
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from peer.feed import Feed
from peer.job import Job
from peer.lookup.delivery import Delivery
from peer.rates import PhaseLog


class Live:
    """Live counters of one worker in the current phase, read by the coordinator for progress."""

    __slots__ = ("rows", "records", "_begun")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Starts a phase at zero."""
        self.rows = 0
        self.records = 0
        self._begun: tuple[Iterator[Any], int] | None = None

    def begin(self, rows: Iterator[Any], count: int) -> None:
        """A line's rows, each its own transaction, are about to be sent off this list iterator. How far it has come
        says how many are acknowledged, so that the loop over them has nothing to count."""
        self._begun = (rows, count)

    def done(self, rows: int, records: int) -> None:
        """Records are through."""
        self._begun = None
        self.rows += rows
        self.records += records

    def acknowledged(self) -> int:
        """Rows so far; the one that was handed out last is still under way."""
        begun, rows = self._begun, self.rows
        if begun is not None:
            iterator, count = begun
            rows += max(count - operator.length_hint(iterator) - 1, 0)
        return rows


@dataclass
class Context:
    """Made by the coordinator, given to a scheme."""

    job: Job
    feeds: dict[str, Feed] = field(default_factory=dict)
    lives: list[Live] = field(default_factory=list)
    origin: float = field(default_factory=time.monotonic)
    messages: "queue.SimpleQueue[tuple[Any, ...]]" = field(default_factory=queue.SimpleQueue)
    stop: bool = False
    hold: threading.Event = field(default_factory=threading.Event)
    """Set when all phases are over: until then a worker that is through keeps its connection and its peace."""
    delivery: Delivery = field(default_factory=Delivery)
    """Where the rows of a lookup go."""

    def stopped(self) -> bool:
        """True once no further record may be taken."""
        return self.stop

    def tell(self, *message: Any) -> None:
        """Tells the coordinator: a word and what belongs to it.

        `connected` · `phase-done` PhaseLog, Cpu of a worker process · `filled` Cpu of a reader process ·
        `ended` acknowledged (or Acks), memory of a worker process · `lost` number of a worker process that died,
        a sentence, whether it had connected · `failed` Failure
        """
        self.messages.put(message)

    def make_feeds(self, make: Callable[[int, Callable[[], bool]], Feed]) -> None:
        """A queue a phase; with `preload` it holds everything. Of a lookup it holds chunks, and `queue` counts keys."""
        room = 1 << 62 if self.job.reader == "preload" else self.job.queue
        if self.job.workload == "lookup":
            room = math.ceil(room / self.job.chunk)
        self.feeds = {phase: make(room, self.stopped) for phase in self.job.phases}

    def progress(self) -> tuple[int, int]:
        """Records and rows acknowledged in this phase; a lookup's are the same."""
        rows = sum(live.acknowledged() for live in self.lives)
        return rows if self.job.workload == "lookup" else sum(live.records for live in self.lives), rows

    def new_log(self) -> PhaseLog:
        """A worker's account of a phase that begins."""
        return PhaseLog(self.origin)

    def pending_most(self) -> int:
        """Lines a worker may leave to be tallied after the clock: about 30 MB over all workers."""
        return max(60_000 // self.job.pool, 500)
