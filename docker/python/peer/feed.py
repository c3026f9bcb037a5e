"""The bounded queue between the reader and the workers of one program.

A record is taken from a deque, which needs no lock. A lock, or a wake-up across threads, is paid for only where
somebody really waits: a worker that found the queue empty, or the reader that found it full; and a reader that waits is
woken when the queue is half empty, not at every record.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any


class Feed:
    """Records of one phase. How a worker waits is for the scheme: see the classes below and schemes/py_gevent.py."""

    def __init__(self, room: int, stopped: Callable[[], bool]) -> None:
        self._records: deque[Any] = deque()
        self._room = room
        self._stopped = stopped
        self._ended = False
        self._closed = False
        self._room_made = threading.Event()
        self._reader_waits = False
        self.hungry = 0
        self.batch = 16
        """Records the reader hands over at once."""

    # -- the reader's side ------------------------------------------------------------------------------------

    def put(self, batch: list[Any]) -> bool:
        """Adds records, waiting for room; false once nobody wants them."""
        records, start = self._records, 0
        while start < len(batch):
            space = self._room - len(records)
            if space <= 0:
                self._wait_for_room()
            else:
                records.extend(batch[start : start + space])
                start += space
                if self.hungry:
                    self._wake(space)
            if self._closed:
                records.clear()
                return False
        return not self._closed

    def put_all(self, records: list[Any]) -> None:
        """Everything at once, before the phase begins (`preload`)."""
        self._records.extend(records)
        self.end()

    def put_preloaded(self) -> None:
        """Hands on what has to be handed on when the phase begins."""

    def end(self) -> None:
        """The last record has been put."""
        self._ended = True
        self._wake(None)

    def close(self) -> None:
        """Nobody wants further records."""
        self._closed = True
        self._records.clear()
        self._room_made.set()
        self.end()

    def _wait_for_room(self) -> None:
        self._room_made.clear()
        self._reader_waits = True
        # Looked at again: a worker that took one in between has not seen that the reader waits.
        if len(self._records) >= self._room and not self._closed:
            self._room_made.wait()
        self._reader_waits = False

    # -- the workers' side ------------------------------------------------------------------------------------

    def _pop(self) -> Any | None:
        try:
            record = self._records.popleft()
        except IndexError:
            return None
        if self._reader_waits and len(self._records) <= self._room // 2:
            self._room_made.set()
        return record

    def _more(self, first: Any, most: int) -> list[Any]:
        """With the first record what is there without waiting, up to `most`."""
        taken = [first]
        while len(taken) < most and not self._stopped():
            record = self._pop()
            if record is None:
                break
            taken.append(record)
        return taken

    def _wake(self, count: int | None) -> None:
        raise NotImplementedError


class ThreadFeed(Feed):
    """For workers that are threads."""

    def __init__(self, room: int, stopped: Callable[[], bool]) -> None:
        super().__init__(room, stopped)
        self._condition = threading.Condition()

    def take(self, most: int) -> list[Any] | None:
        """The next record, with those behind it up to `most`; None when the phase is over."""
        record = None if self._stopped() else self._pop() or self._wait()
        return None if record is None else self._more(record, most)

    def _wait(self) -> Any | None:
        with self._condition:
            self.hungry += 1
            try:
                while True:
                    ended = self._ended  # before the look: what is put before the end is seen by it
                    record = self._pop()
                    if record is not None or ended:
                        return record
                    self._condition.wait()
            finally:
                self.hungry -= 1

    def _wake(self, count: int | None) -> None:
        with self._condition:
            self._condition.notify(count or self.hungry)


class SharedThreadFeed(Feed):
    """For workers that share one thread; the reader is another one beside it."""

    def __init__(self, room: int, stopped: Callable[[], bool]) -> None:
        super().__init__(room, stopped)
        self._waiting: deque[Any] = deque()

    def _look(self, most: int) -> tuple[bool, list[Any] | None]:
        """Whether to wait, else what there is: the next record, with those behind it up to `most`; None when the phase
        is over."""
        while not self._stopped():
            ended = self._ended
            record = self._pop()
            if record is not None:
                return False, self._more(record, most)
            if ended:
                return False, None
            self.hungry = 1
            if not (self._records or self._ended):  # else put before `hungry` was seen
                return True, None
        return False, None

    def _wake_waiting(self) -> None:
        """One wake-up of the thread, however many workers wait."""
        waiting = self._waiting
        count = len(waiting) if self._ended else min(len(self._records), len(waiting))
        for _ in range(count):
            self._resume(waiting.popleft())
        self.hungry = 1 if waiting else 0

    def _resume(self, waiter: Any) -> None:
        raise NotImplementedError


class LoopFeed(SharedThreadFeed):
    """For workers that are tasks of an asyncio loop."""

    def __init__(self, room: int, stopped: Callable[[], bool]) -> None:
        super().__init__(room, stopped)
        self.loop: Any = None
        """Set by the loop's thread before the first phase."""

    async def take(self, most: int) -> list[Any] | None:
        """The next record, with those behind it up to `most`; None when the phase is over."""
        while True:
            wait, taken = self._look(most)
            if not wait:
                return taken
            future = self.loop.create_future()
            self._waiting.append(future)
            await future

    def _wake(self, count: int | None) -> None:
        if self.loop is not None:
            try:
                self.loop.call_soon_threadsafe(self._wake_waiting)
            except RuntimeError:
                pass  # the loop is closed: nobody waits

    def _resume(self, waiter: Any) -> None:
        if not waiter.done():
            waiter.set_result(None)
