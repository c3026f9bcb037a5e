"""The coordinator: starts the workers, feeds their queues phase by phase, follows them, keeps the phases' accounts."""

import queue
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from peer import rates, usage
from peer.answer import Answer
from peer.context import Context
from peer.failure import Exit, Failure
from peer.feed import Feed
from peer.reader import Reader
from peer.tally import Acks, merge
from peer.usage import Cpu

_LOOK = 0.1
"""How often a stop is looked for, seconds."""

_TICK = 2.0
"""How often progress is told, seconds."""


class Run:
    """The coordinator's state while workers run."""

    def __init__(self, context: Context, scheme: ModuleType, reader: Reader, answer: Answer) -> None:
        self._context, self._scheme, self._reader, self._answer = context, scheme, reader, answer
        self._job = context.job
        self._read: set[str] = set()
        self._connected = 0
        self._never_connected = 0
        self._logs: list[rates.PhaseLog] = []
        self._cpu_elsewhere = usage.NOTHING
        self._filled: tuple[float, int] | None = None
        self._ended: list[dict[str, Any] | Acks] = []
        self._child_memory = 0
        self.interrupted = False
        self.lost: list[str] = []
        """Worker processes that died while others did their work, a sentence each."""

    def interrupt(self) -> None:
        """A signal asks for an orderly end; called from another thread, noticed at the next look."""
        self.interrupted = True

    # -- messages ---------------------------------------------------------------------------------------------

    def _next(self, deadline: float) -> None:
        """Books the next message, if one comes before the deadline."""
        try:
            word, *rest = self._context.messages.get(timeout=max(deadline - time.monotonic(), 0.001))
        except queue.Empty:
            return
        if word == "connected":
            self._connected += 1
        elif word == "phase-done":
            self._logs.append(rest[0])
            if len(rest) > 1:
                self._cpu_elsewhere = self._cpu_elsewhere.plus(rest[1])
        elif word == "ended":
            self._ended.append(rest[0])
            self._child_memory = max(self._child_memory, rest[1])
        elif word == "lost":
            number, sentence, connected = rest
            self.lost.append(sentence)
            self._never_connected += not connected
            self._answer.event("worker-lost", worker=number, error=sentence)
        elif word == "failed":
            raise rest[0]

    def _stop(self) -> None:
        """No worker takes another record."""
        if self._context.stop:
            return
        self._context.stop = True
        for phase, feed in self._context.feeds.items():
            feed.close()
            if phase not in self._read:
                feed.end()  # else its reader does

    # -- the run ----------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Starts the workers and waits until every connection is open."""
        begun = time.monotonic()
        self._scheme.start(self._context)
        while self._connected + self._never_connected < self._job.pool:
            self._next(time.monotonic() + _LOOK)
        self._answer.event("connected", connections=self._connected, seconds=time.monotonic() - begun)

    def phases(self) -> list[dict[str, Any]]:
        """Runs the job's phases; their results."""
        results = []
        for phase in self._job.phases:
            if self.interrupted:
                break
            result = self._phase(phase)
            average = result["rows"] / max(result["seconds"], 1e-3)
            self._answer.event(
                "progress",
                phase=phase,
                records=result["records"],
                rows=result["rows"],
                current=average,
                average=average,
            )
            results.append(result)
        return results

    def end(self) -> tuple[dict[str, Any], int]:
        """Lets the workers end; what was acknowledged, and the largest memory of a worker process."""
        if self.interrupted:
            self._stop()
        self._context.hold.set()
        while len(self._ended) < self._job.pool:
            self._next(time.monotonic() + _LOOK)
        if self._job.workload == "lookup":
            return self._context.delivery.acknowledged(), self._child_memory
        accounts = [one.acknowledged() if isinstance(one, Acks) else one for one in self._ended]
        return merge(accounts), self._child_memory

    def _phase(self, phase: str) -> dict[str, Any]:
        context = self._context
        for live in context.lives:
            live.reset()
        self._logs, self._filled, self._cpu_elsewhere = [], None, usage.NOTHING
        feed = context.feeds[phase]
        self._read.add(phase)
        if self._job.reader == "preload":
            feed.put_all(self._reader.preload(phase))
        cpu_before = usage.used().plus(self._reader.used())
        begun = time.monotonic()
        self._answer.event("phase", phase=phase)
        reader = threading.Thread(target=self._fill, args=(phase, feed, begun), name="reader", daemon=True)
        reader.start()
        self._watch(phase, begun)
        reader.join()
        cpu = usage.used().plus(self._reader.used()).since(cpu_before).plus(self._cpu_elsewhere)
        return self._account(phase, begun, cpu)

    def _fill(self, phase: str, feed: Feed, begun: float) -> None:
        """The body of the reader's thread."""
        try:
            if self._job.reader == "preload":
                feed.put_preloaded()
                is_read = True
            else:
                is_read = self._reader.read(phase, feed.batch, feed.put)
            if is_read and not self._context.stop:
                self._filled = (time.monotonic() - begun, self._context.progress()[1])
                self._answer.event("queue-filled", phase=phase)
        except Failure as failure:
            self._context.tell("failed", failure)
        except Exception as error:
            self._context.tell("failed", Failure(Exit.UNFORESEEN, f"the reader: {error!r}: this is a bug"))
        finally:
            feed.end()

    def _watch(self, phase: str, begun: float) -> None:
        """Follows a phase until every worker is through with it."""
        seconds = self._job.seconds if phase == "data" else None
        end = None if seconds is None else begun + seconds
        ticker = _Ticker(phase, begun, self._context.progress)
        while len(self._logs) < self._job.pool:
            deadline = min(ticker.due, time.monotonic() + _LOOK)
            if end is not None and not self._context.stop:
                deadline = min(deadline, end)
            self._next(deadline)
            if self.interrupted or (end is not None and time.monotonic() >= end):
                self._stop()
            if time.monotonic() >= ticker.due:
                self._answer.event("progress", **ticker.tick())

    def _account(self, phase: str, begun: float, cpu: Cpu) -> dict[str, Any]:
        records, rows = self._context.progress()
        if self._job.workload == "lookup":
            last = self._context.delivery.last or begun
        else:
            last = max([log.last_done for log in self._logs if log.last_done is not None], default=begun)
        seconds = last - begun
        steady = rates.steady(self._logs, self._context.origin, begun)
        return {
            "phase": phase,
            "records": records,
            "rows": rows,
            "seconds": seconds,
            "cpu": cpu.json(),
            "rates": rates.rates(rows, seconds, self._filled, steady),
        }


class _Ticker:
    """Turns live counters into progress lines."""

    def __init__(self, phase: str, begun: float, progress: Callable[[], tuple[int, int]]) -> None:
        self._phase, self._begun, self._progress = phase, begun, progress
        self._last, self._last_rows = begun, 0
        self.due = begun + _TICK

    def tick(self) -> dict[str, Any]:
        """The line that is due now."""
        now = time.monotonic()
        records, rows = self._progress()
        rows = max(rows, self._last_rows)  # a line that is just through may not be booked yet
        current = (rows - self._last_rows) / max(now - self._last, 1e-9)
        average = rows / max(now - self._begun, 1e-9)
        self._last, self._last_rows, self.due = now, rows, now + _TICK
        return {"phase": self._phase, "records": records, "rows": rows, "current": current, "average": average}
