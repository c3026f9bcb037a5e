"""Work that is put in on purpose: processor time before each row is sent, the contract's `inject`."""

import operator
import re
import time
from collections.abc import Iterator
from typing import Any

_SPIN = re.compile(r"spin=([0-9]+(?:\.[0-9]+)?)(ns|us|ms|s)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def seconds(inject: str) -> float | None:
    """What is asked for a row, seconds of processor time; None where anything else is asked for."""
    if inject == "none":
        return 0.0
    found = _SPIN.fullmatch(inject)
    return float(found[1]) * _UNITS[found[2]] if found else None


def burn(duration: float) -> None:
    """Uses that much processor time of this thread, which holds the interpreter's lock as any Python code does."""
    until = time.thread_time() + duration
    while time.thread_time() < until:
        pass


class Spun:
    """Rows of a list iterator, with work before each; how many are left can be asked of it, too."""

    __slots__ = ("_rows", "_duration")

    def __init__(self, rows: Iterator[Any], duration: float) -> None:
        self._rows, self._duration = rows, duration

    def __iter__(self) -> "Spun":
        return self

    def __next__(self) -> Any:
        row = next(self._rows)
        burn(self._duration)
        return row

    def __length_hint__(self) -> int:
        return operator.length_hint(self._rows)
