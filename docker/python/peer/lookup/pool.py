"""The parent of a lookup's worker processes.

    keys ─► parent ── chunks, a pipe each ─► workers ─► PostgreSQL
               ▲─── rows, a pipe each ─────────┘

A worker has a chunk in hand and one waiting in its pipe, so that it does not wait for the parent, which decodes what
all of them read. Each has pipes of its own, without a lock that one who dies could keep: the parent knows what every
worker was given, and gives to others what a dead one leaves, where multiprocessing.Pool would wait for ever.
"""

import os
import pickle
import selectors
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, cast

from peer import usage
from peer.context import Context, Live
from peer.failure import Exit, Failure
from peer.feed import SharedThreadFeed
from peer.lookup import child
from peer.lookup.keys import Chunk
from peer.rates import PhaseLog

_CONNECTING = 32
"""Workers that connect at the same time: a storm of hundreds starves itself."""

_AHEAD = 2
"""Chunks a worker was given and has not answered, at most."""


class PoolFeed(SharedThreadFeed):
    """Chunks for the thread that hands them out."""

    def __init__(self, room: int, stopped: Callable[[], bool]) -> None:
        super().__init__(room, stopped)
        self.wake = os.eventfd(0, os.EFD_NONBLOCK)

    def next(self) -> tuple[bool, Chunk | None]:
        """Whether to wait for a wake-up, else the next chunk; None when there are no more."""
        wait, taken = self._look(1)
        return wait, taken[0] if taken else None

    def woken(self) -> None:
        """The wake-up was seen."""
        os.eventfd_read(self.wake)
        self.hungry = 0

    def _wake(self, count: int | None) -> None:
        os.eventfd_write(self.wake, 1)


class Worker:
    """What the parent knows of a worker; `log` and `live` are kept here, so that they outlive it."""

    def __init__(
        self, number: int, live: Live, log: PhaseLog, process: BaseProcess, keys: Connection, rows: Connection
    ) -> None:
        self.number, self.live, self.log, self.process, self.keys, self.rows = number, live, log, process, keys, rows
        self.connected = False
        self.given: dict[int, Chunk] = {}
        """Chunks not answered yet, in their order."""
        self.memory: int | None = None
        """Its largest memory, bytes: its last word, once its work is over."""

    def say(self, message: bytes) -> None:
        """Sends; that it has died is heard from its other pipe."""
        try:
            self.keys.send_bytes(message)
        except OSError:
            pass


class Pool:
    """Hands out, listens, delivers: in one thread."""

    def __init__(self, context: Context, workers: list[Worker]) -> None:
        self._context = context
        self._feed = cast(PoolFeed, context.feeds["data"])
        self._open = list(workers)
        self._to_connect = deque(workers)
        self._dead: list[Worker] = []
        self._left_by_the_dead: deque[Chunk] = deque()
        self._all_taken = self._over = self._ended = False
        self._selector = selectors.DefaultSelector()

    def wake(self) -> None:
        """From another thread: look whether all phases are over."""
        os.eventfd_write(self._feed.wake, 1)

    def run(self) -> None:
        """Until every worker is gone."""
        self._selector.register(self._feed.wake, selectors.EVENT_READ)
        for worker in self._open:
            self._selector.register(worker.rows, selectors.EVENT_READ, worker)
        for _ in range(_CONNECTING):
            self._let_connect()
        while self._open:
            for ready, _ in self._selector.select():
                if ready.data is None:
                    self._feed.woken()
                    self._supply_all()
                    self._end_if_held()
                else:
                    self._hear(ready.data)

    # -- what workers say -------------------------------------------------------------------------------------

    def _hear(self, worker: Worker) -> None:
        try:
            word, *rest = pickle.loads(worker.rows.recv_bytes())
        except (EOFError, OSError):
            self._gone(worker)
            return
        if word == "rows":
            self._rows(worker, *rest)
        elif word == "connected":
            worker.connected = True
            self._context.tell("connected")
            self._let_connect()
            self._supply(worker, _AHEAD)
        elif word == "over":
            cpu, worker.memory = rest
            self._context.tell("phase-done", worker.log, usage.Cpu(*cpu))
        else:
            self._context.tell("failed", Failure(*rest))

    def _rows(self, worker: Worker, number: int, taken: float, done: float, rows: list[Any]) -> None:
        """A chunk's rows; when the worker took it, and when it had them."""
        del worker.given[number]
        self._supply(worker, _AHEAD)  # first of all: it may be waiting
        if worker.log.first_taken is None:
            worker.log.first_taken = taken
        worker.log.rows(done, len(rows))
        worker.live.done(len(rows), len(rows))
        self._context.delivery.ready(number, rows)
        self._be_over()

    def _gone(self, worker: Worker) -> None:
        """A worker's pipe has closed: it has ended, whether its work was over or not."""
        self._selector.unregister(worker.rows)
        self._open.remove(worker)
        worker.process.join()  # its processor time is counted from now on
        if worker.memory is None:
            self._bury(worker)
        self._context.tell("ended", {}, worker.memory or 0)

    def _bury(self, worker: Worker) -> None:
        """A worker has died: others do its work."""
        code = worker.process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        died, remedy = f"worker process {worker.number} died ({how})", "look at standard error and the machine's memory"
        self._context.tell("lost", worker.number, f"{died}, others did its work: {remedy}", worker.connected)
        if self._over:
            self._context.tell("phase-done", worker.log)
        elif not self._open:
            self._context.tell("failed", Failure(Exit.UNFORESEEN, f"{died}, and no other is left: {remedy}"))
        else:
            if worker in self._to_connect:
                self._to_connect.remove(worker)
            elif not worker.connected:
                self._let_connect()
            self._dead.append(worker)
            self._left_by_the_dead.extend(worker.given.values())
            self._supply_all()

    # -- what they are told -----------------------------------------------------------------------------------

    def _let_connect(self) -> None:
        if self._to_connect:
            self._to_connect.popleft().say(child.CONNECT)

    def _supply_all(self) -> None:
        for most in range(1, _AHEAD + 1):  # nobody gets a second one before everybody has one
            for worker in self._open:
                self._supply(worker, most)
        self._be_over()

    def _supply(self, worker: Worker, most: int) -> None:
        while worker.connected and len(worker.given) < most and (chunk := self._next()) is not None:
            worker.given[chunk.number] = chunk
            worker.say(pickle.dumps(tuple(chunk), pickle.HIGHEST_PROTOCOL))

    def _next(self) -> Chunk | None:
        """What a dead worker left goes first, and after a stop, too: those behind it wait for it."""
        if self._left_by_the_dead:
            return self._left_by_the_dead.popleft()
        wait, chunk = self._feed.next()
        self._all_taken = chunk is None and not wait
        return chunk

    def _be_over(self) -> None:
        """Where nothing is left to hand out and everything is delivered."""
        if not self._all_taken or self._over or self._left_by_the_dead or any(worker.given for worker in self._open):
            return
        self._over = True
        for worker in self._dead:
            self._context.tell("phase-done", worker.log)
        for worker in self._open:
            worker.say(child.OVER)
        self._end_if_held()

    def _end_if_held(self) -> None:
        if self._over and not self._ended and self._context.hold.is_set():
            self._ended = True
            for worker in self._open:
                worker.say(child.END)
