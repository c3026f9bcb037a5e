"""A real database for tests: emptied, and summed up by the SQL twin of the checksum."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg2

from peer.census.geo import COLUMNS
from peer.tally import ITEM_FACTOR, PRIME, RECORD_FACTOR, ROOT

URL = os.environ.get("PEER_TEST_DBURL")
"""A database that `ingester rebuild` has prepared; its records are deleted."""

_ELEMENTS = f"""
WITH keyed AS (
    SELECT e.dictionary_item AS item, (e.value * 100)::int8 AS hundredths,
           (g.logrecno::int8 * {RECORD_FACTOR} + e.dictionary_item::int8 * {ITEM_FACTOR}) % {PRIME} AS key
    FROM data_element e JOIN geo_record g ON g.id = e.geo_record),
mixed AS (
    SELECT item, hundredths, key, (key * {ROOT} + (hundredths % {PRIME} + {PRIME}) % {PRIME}) % {PRIME} AS mixed
    FROM keyed)
SELECT item, count(*)::int8, sum(hundredths)::int8, sum((mixed * mixed + key) % {PRIME})::int8
FROM mixed GROUP BY item ORDER BY item"""

_GEO = f"""
SELECT count(*)::int8,
       (coalesce(sum(('x' || left(encode(sha256(convert_to(concat_ws(e'\\x1f', {", ".join(COLUMNS)}) || e'\\x1f',
           'UTF8')), 'hex'), 15))::bit(60)::int8), 0) % 9223372036854775808)::int8
FROM geo_record"""


def empty() -> None:
    """Deletes all records."""
    with psycopg2.connect(URL) as connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE data_element, geo_record RESTART IDENTITY CASCADE")


def found() -> dict[str, Any]:
    """What the tables hold, in the form of `acknowledged` (without the lines, which nothing counts)."""
    with psycopg2.connect(URL) as connection, connection.cursor() as cursor:
        cursor.execute(_GEO)
        rows, digest = cursor.fetchone()
        cursor.execute(_ELEMENTS)
        items = [dict(zip(("item", "rows", "sum", "mix"), row)) for row in cursor.fetchall()]
    return {"geo_rows": rows, "geo_digest": digest, "items": items}


def fill_geo(lines: int) -> None:
    """Places 1 to `lines`, for a data phase alone."""
    with psycopg2.connect(URL) as connection, connection.cursor() as cursor:
        columns = [column for column in COLUMNS if column != "logrecno"]
        values = ["'NY'" if c == "stusab" else "'uSF1'" if c == "fileid" else "'0'" for c in columns]
        cursor.execute(
            f"INSERT INTO geo_record (logrecno, {', '.join(columns)}) "
            f"SELECT n, {', '.join(values)} FROM generate_series(1, {lines}) AS n"
        )


class Peer:
    """A run of the program, as the lab starts it."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "peer", "run", "--job", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
            start_new_session=True,
        )
        assert self.process.stdin is not None
        # Not closed: whoever sends a job may keep the pipe open.
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        self.events: list[dict[str, Any]] = []

    def until(self, event: str, seconds: float = 60) -> dict[str, Any]:
        """Reads up to an event."""
        assert self.process.stdout is not None
        end = time.monotonic() + seconds
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == event:
                return self.events[-1]
            if time.monotonic() > end:
                break
        raise AssertionError(f"no {event} among {[one['event'] for one in self.events]}")

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the program alone."""
        self.process.send_signal(number)

    def end(self, seconds: float = 120) -> tuple[int, dict[str, Any] | None]:
        """The exit code and the last event; nothing of it is left."""
        out, self.errors = self.process.communicate(timeout=seconds)
        self.events += [json.loads(line) for line in out.splitlines()]
        self._check_events()
        assert not _group(self.process.pid), "a process outlives the program"
        return self.process.returncode, self.events[-1] if self.events else None

    def _check_events(self) -> None:
        assert [one["seq"] for one in self.events] == list(range(len(self.events))), "seq has gaps"
        ats = [one["at"] for one in self.events]
        assert ats == sorted(ats), "the clock went back"
        assert all(one["schema"] == 1 for one in self.events)
        words = [one["event"] for one in self.events]
        assert sum(word in ("finished", "failed") for word in words[:-1]) == 0, words


def _group(leader: int) -> list[int]:
    """Processes of a session, by its leader."""
    found_there = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended in between
            if int(fields[3]) == leader and fields[0] != "Z":
                found_there.append(int(entry.name))
    return found_there
