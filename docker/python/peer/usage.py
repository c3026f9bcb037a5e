"""Processor time and memory of this process and those it started, from the kernel's own account."""

import os
import resource
from pathlib import Path
from typing import NamedTuple


class Cpu(NamedTuple):
    """Processor seconds."""

    user: float
    system: float

    def since(self, earlier: "Cpu") -> "Cpu":
        """From `earlier` to this reading."""
        return Cpu(self.user - earlier.user, self.system - earlier.system)

    def plus(self, other: "Cpu") -> "Cpu":
        """Both together."""
        return Cpu(self.user + other.user, self.system + other.system)

    def json(self) -> dict[str, float]:
        """As a result carries it."""
        return {"user": self.user, "system": self.system}


NOTHING = Cpu(0.0, 0.0)
"""Of what took none."""


def _of(who: int) -> Cpu:
    usage = resource.getrusage(who)
    return Cpu(usage.ru_utime, usage.ru_stime)


def used() -> Cpu:
    """Processor time of this process and of its children that have ended."""
    return _of(resource.RUSAGE_SELF).plus(_of(resource.RUSAGE_CHILDREN))


def of_running(process: int) -> Cpu:
    """Processor time so far of a process that has not been waited for: `used` doesn't count it yet."""
    # Behind the name, which may hold anything: state, ten more, then user and system, in ticks.
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return Cpu(int(fields[11]) / ticks, int(fields[12]) / ticks)


def peak_memory() -> int:
    """Largest resident memory of this process so far, bytes (the kernel counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def raise_open_files() -> None:
    """A pool of 500 needs more open files than many systems' default."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            pass  # what is lacking shows when connecting
