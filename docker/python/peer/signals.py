"""The first SIGINT or SIGTERM ends the run in order, the second at once.

A thread waits for them, so that neither depends on what the main thread is doing: it may be in the middle of a C call
that does not come back.
"""

import os
import signal
import threading
from collections.abc import Callable

_ENDING = {signal.SIGINT, signal.SIGTERM}

_at_once = threading.Event()


def block() -> None:
    """Keeps the signals for the thread; before any other thread or process is started, which inherit it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def watch(first: Callable[[], None], second: Callable[[], None]) -> None:
    """Starts the thread."""

    def wait() -> None:
        signal.sigwait(_ENDING)
        first()
        signal.sigwait(_ENDING)
        _at_once.set()
        second()
        os._exit(130)

    threading.Thread(target=wait, name="signals", daemon=True).start()


def nothing_more_to_say() -> None:
    """Does not come back once the second signal is there: what fails from now on fails because of it."""
    if _at_once.is_set():
        threading.Event().wait()
