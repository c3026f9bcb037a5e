"""`py-gevent`: psycopg2 that yields while it waits, a greenlet a connection, as in 2015.

The greenlets live in one thread; nothing is monkey-patched, the reader and the coordinator stay threads beside it.
"""

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, cast

import gevent
from gevent.hub import Waiter, get_hub
from psycopg2 import extensions

from peer import errors
from peer.context import Context
from peer.drivers import psycopg2_lookup, psycopg2_session
from peer.failure import not_supported
from peer.feed import SharedThreadFeed
from peer.job import Job
from peer.schemes import threaded

RAW = False
VERSIONS = ("gevent", "psycopg2")
DRIVERS: dict[str, ModuleType] = {"census": psycopg2_session, "lookup": psycopg2_lookup}


def check(job: Job) -> None:
    """psycopg2's limits, and that of its wait callback."""
    DRIVERS[job.workload].check(job)
    if job.statement == "copy":
        raise not_supported("psycopg2 has no copy where it yields to gevent: ask for another statement, or py-threads")


class GeventFeed(SharedThreadFeed):
    """For workers that are greenlets."""

    def __init__(self, room: int, stopped: Callable[[], bool]) -> None:
        super().__init__(room, stopped)
        self._watcher: Any = None

    def attach(self) -> None:
        """Called in the greenlets' thread before the first phase."""
        watcher = get_hub().loop.async_()
        watcher.start(self._wake_waiting)
        self._watcher = watcher

    def take(self, most: int) -> list[Any] | None:
        """The next record, with those behind it up to `most`; None when the phase is over."""
        while True:
            wait, taken = self._look(most)
            if not wait:
                return taken
            waiter = Waiter()
            self._waiting.append(waiter)
            waiter.get()

    def _wake(self, count: int | None) -> None:
        if self._watcher is not None:
            self._watcher.send()  # libev's one call that other threads may make

    def _resume(self, waiter: Any) -> None:
        waiter.switch(None)


FEED = GeventFeed


def prepare(context: Context) -> None:
    """Nothing."""


def start(context: Context) -> None:
    """Starts the thread of the hub."""
    threading.Thread(target=_all, args=(context,), name="hub", daemon=True).start()


def _all(context: Context) -> None:
    try:
        _yield_while_waiting()
        for feed in context.feeds.values():
            cast(GeventFeed, feed).attach()

        def connect() -> Any:
            return DRIVERS[context.job.workload].Session(context.job)

        held = get_hub().threadpool.spawn(context.hold.wait)
        workers = [gevent.spawn(threaded.run, context, live, connect, held.get) for live in context.lives]
        gevent.joinall(workers)
    except Exception as error:
        context.tell("failed", errors.explain(error, context.job.dburl))


def _yield_while_waiting() -> None:
    """What psycogreen does, except that a connection's watchers are kept: making one for each wait, as that library
    does, takes a quarter of the processor time of a row."""
    hub = get_hub()
    watchers: dict[tuple[int, int], Any] = {}
    wait, io = hub.wait, hub.loop.io
    events = {extensions.POLL_READ: 1, extensions.POLL_WRITE: 2}

    def until_ready(connection: Any) -> None:
        while (state := connection.poll()) != extensions.POLL_OK:
            which = (connection.fileno(), events[state])
            watcher = watchers.get(which)
            if watcher is None:
                watcher = watchers[which] = io(*which)
            wait(watcher)

    extensions.set_wait_callback(until_ready)
