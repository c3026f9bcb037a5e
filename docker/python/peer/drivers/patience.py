"""Connecting when many do: a server that is out of slots, or whose queue of connections is full, may have room soon."""

import random
import sys
import time
from collections.abc import Callable
from typing import Any

from peer import errors

PATIENCE = 10.0
"""A connection that is refused for want of room is given up after so many seconds."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


def connect(who: str, open_one: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """What `open_one` gives, once it does."""
    begun, pause, refused = time.monotonic(), _FIRST_PAUSE, 0
    while True:
        try:
            connection = open_one()
        except Exception as error:
            # Not all at the same moment again.
            wait = pause * random.uniform(0.5, 1.5)
            if not errors.may_pass(error) or time.monotonic() + wait - begun > patience:
                raise
            refused, pause = refused + 1, min(pause * 2, _LONGEST_PAUSE)
            time.sleep(wait)
            continue
        if refused:
            took = f"{time.monotonic() - begun:.1f} s"
            print(f"{who}: connected after {took}; there was no room {refused} times", file=sys.stderr, flush=True)
        return connection
