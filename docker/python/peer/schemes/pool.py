"""What the parent and the children of `py-processes` share: the pipe of records, and counters in shared memory."""

import fcntl
import marshal
from typing import Any

from peer import forked
from peer.feed import Feed

_PIPE = 1 << 20
"""Bytes a pipe may hold, where the system allows it: a thousand lines or more."""


class SharedLive:
    """Live counters of one worker, in memory the parent sees: rows, records. Only the worker writes them."""

    def __init__(self, shared: memoryview, number: int) -> None:
        self._shared, self._rows, self._records = shared, 2 * number, 2 * number + 1

    @property
    def records(self) -> int:
        """Records acknowledged in this phase."""
        return self._shared[self._records]

    def acknowledged(self) -> int:
        """Rows acknowledged in this phase."""
        return self._shared[self._rows]

    def reset(self) -> None:
        """Starts a phase at zero; by the parent, while no worker works."""
        self._shared[self._rows] = self._shared[self._records] = 0

    def begin(self, rows: Any, count: int) -> None:
        """A line in the middle is not seen from another process: rows are told when it is through."""

    def done(self, rows: int, records: int) -> None:
        """Records are through."""
        self._shared[self._rows] += rows
        self._shared[self._records] += records


class PipeFeed(Feed):
    """Records for processes: messages in one pipe, which whoever is free reads under a lock. A message of nothing, one
    for each child, ends the phase."""

    def __init__(self, room: int, stopped: Any) -> None:
        super().__init__(room, stopped)
        self._reader, self._writer = forked.CONTEXT.Pipe(duplex=False)
        self._lock = forked.CONTEXT.Lock()
        self._waiting = forked.CONTEXT.Semaphore(min(room, 1 << 30))
        self._message = 1
        self._preloaded: list[Any] | None = None
        try:
            fcntl.fcntl(self._writer.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        except OSError:
            pass  # the system's default holds a hundred lines

    def share(self, shared: memoryview, pool: int) -> None:
        """Before the children are forked: where the stop is marked, and how many they are."""
        self._shared, self._mark, self._pool = shared, 2 * pool, pool

    def message_of(self, records: int) -> None:
        """Records of one message, no more than may wait; the reader reads as many at once, or more."""
        self._message = min(records, self._room)
        self.batch = max(records, 16)

    # -- the parent's side ------------------------------------------------------------------------------------

    def put(self, batch: list[Any]) -> bool:
        """Adds records, waiting for room; false once nobody wants them."""
        for start in range(0, len(batch), self._message):
            records = [tuple(record) for record in batch[start : start + self._message]]
            for _ in records:
                while not self._waiting.acquire(timeout=0.1):
                    if self._closed:
                        return False
            if self._closed:
                return False
            self._writer.send_bytes(marshal.dumps(records))
        return not self._closed

    def put_all(self, records: list[Any]) -> None:
        """Kept here until the phase begins: a pipe does not hold everything."""
        self._preloaded = records

    def put_preloaded(self) -> None:
        """Hands on what was read before the phase."""
        records, self._preloaded = self._preloaded or [], None
        for start in range(0, len(records), self.batch):
            if not self.put(records[start : start + self.batch]):
                break

    def end(self) -> None:
        """The last record has been put, or is wanted."""
        if not self._ended:
            self._ended = True
            for _ in range(self._pool):
                self._writer.send_bytes(b"")

    def close(self) -> None:
        """Nobody wants further records. The reader's thread, which may be in the middle of a message, ends the pipe's
        messages; children throw away what they still find."""
        self._closed = True
        self._shared[self._mark] = 1

    # -- a child's side ---------------------------------------------------------------------------------------

    def stopped(self) -> bool:
        """Whether no further record may be taken."""
        return bool(self._shared[self._mark])

    def receive(self) -> list[Any]:
        """The next message's records; none end the phase."""
        with self._lock:
            message = self._reader.recv_bytes()
        records = marshal.loads(message) if message else []
        for _ in records:
            self._waiting.release()
        return records
