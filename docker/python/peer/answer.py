"""The answer: one JSON object a line on standard output, numbered and flushed at once."""

import json
import sys
import threading
import time
from typing import Any, TextIO

from peer import SCHEMA


class Answer:
    """Writes events; several threads may."""

    def __init__(self, began: float, out: TextIO | None = None) -> None:
        self._began = began
        self._out = out or sys.stdout
        self._seq = 0
        self._lock = threading.Lock()

    def event(self, event: str, **fields: Any) -> None:
        """One line. The clock is read under the lock: `at` never falls behind the line before."""
        with self._lock:
            line = {"schema": SCHEMA, "seq": self._seq, "at": time.monotonic() - self._began, "event": event, **fields}
            self._seq += 1
            try:
                self._out.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")
                self._out.flush()
            except BrokenPipeError:
                pass  # nobody listens any more; the exit code still says how it ended
