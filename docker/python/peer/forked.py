"""Processes of this program: forked while it has no thread, and gone when it is.

fork, because starting a hundred interpreters anew takes seconds; before any thread exists, because a lock that another
thread holds would stay locked in the copy.
"""

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

CONTEXT = multiprocessing.get_context("fork")

_STARTED: list[BaseProcess] = []
_PR_SET_PDEATHSIG = 1


def start(name: str, body: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Starts a process. The signals that end this program are blocked in it (see signals.py) and stay so: a
    terminal's Ctrl-C is for the parent, which ends its children in order."""
    process = CONTEXT.Process(target=_child, args=(os.getpid(), body, arguments), name=name, daemon=True)
    process.start()
    _STARTED.append(process)
    return process


def kill(process: BaseProcess) -> None:
    """Ends a process at once and waits for it, so that its processor time is counted."""
    process.kill()
    process.join()


def kill_all() -> None:
    """Ends every process that was started, from whichever thread, and waits until they are gone."""
    running = [process.pid for process in _STARTED if process.pid is not None and process.exitcode is None]
    for pid in running:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    for pid in running:
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            pass  # another thread has waited for it


def _child(parent: int, body: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    _STARTED.clear()
    # The kernel kills this process when its parent ends, however that ended.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it had ended before the kernel was asked
    body(*arguments)
