"""Where records come from: the archives, read in a thread, in a process of its own, or all before the clock starts.

A reader process parses and hands over batches in marshal's format: the same interpreter reads them, and for lists of
small integers it is the fastest there is.
"""

import marshal
import os
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from peer import forked, usage
from peer.census import geo, line, member
from peer.census.files import Archive, DataDir
from peer.census.geo import Geo, GeoError
from peer.census.line import Line, LineError
from peer.failure import Exit, Failure
from peer.job import Job


class Raw(NamedTuple):
    """A record as it stands in the file, for a worker process to parse; segment 0 is the geographic header."""

    state: str
    segment: int
    text: str
    file: str
    number: int


def parse(raw: Raw) -> Geo | Line:
    """Parses a record; a Failure names file and line."""
    try:
        if raw.segment == 0:
            return Geo(geo.parse(raw.text), raw.text, raw.file, raw.number)
        return line.parse(raw.text, raw.state, raw.segment, raw.file, raw.number)
    except (GeoError, LineError) as error:
        raise Failure(Exit.DATA, f"{raw.file}: line {raw.number}: {error}") from None


def batches(data: DataDir, job: Job, phase: str, size: int, raw: bool) -> Iterator[list[Any]]:
    """A phase's records, in order and up to its limit, in lists of `size` at most."""
    left = job.limit(phase)
    for archive in data.headers if phase == "geo" else data.segments:
        if left == 0:
            return  # an archive nobody wants anything of is not opened
        for batch in _of_archive(archive, size, raw):
            if left is not None:
                batch = batch[:left]
                left -= len(batch)
            if batch:
                yield batch
            if left == 0:
                return


def _of_archive(archive: Archive, size: int, raw: bool) -> Iterator[list[Any]]:
    state, segment = archive.name
    file, number = os.path.basename(archive.path), 1
    for block in member.blocks(archive):
        for start in range(0, len(block), size):
            texts = block[start : start + size]
            records = [Raw(state, segment, text, file, at) for at, text in enumerate(texts, number)]
            number += len(texts)
            if raw:
                yield records
                continue
            parsed: list[Any] = []
            try:
                for record in records:
                    parsed.append(parse(record))
            except Failure:
                if parsed:
                    yield parsed  # what stands before the damage is wanted where a limit ends before it
                raise
            yield parsed


class Reader:
    """Reads in this process; `read` is called once a phase, in a thread of its own."""

    def __init__(self, data: DataDir, job: Job, raw: bool) -> None:
        self._data, self._job, self._raw = data, job, raw

    def read(self, phase: str, size: int, put: Callable[[list[Any]], bool]) -> bool:
        """Hands a phase's records to `put` until there are no more or it returns false; whether there are no more."""
        for batch in batches(self._data, self._job, phase, size, self._raw):
            if not put(batch):
                return False
        return True

    def preload(self, phase: str) -> list[Any]:
        """All of a phase's records."""
        return [
            record for batch in batches(self._data, self._job, phase, 1024, self._raw) for record in batch
        ]

    def used(self) -> usage.Cpu:
        """The processor time it has taken in another process."""
        return usage.NOTHING

    def end(self) -> None:
        """Nothing is read any more."""


class ProcessReader(Reader):
    """Reads in a process of its own, forked before this one has a thread."""

    def __init__(self, data: DataDir, job: Job, raw: bool) -> None:
        super().__init__(data, job, raw)
        self._orders, self._process = self._start()

    def _start(self) -> tuple[Connection, BaseProcess]:
        ours, theirs = forked.CONTEXT.Pipe()
        process = forked.start("reader", self._serve, theirs)
        theirs.close()
        return ours, process

    def read(self, phase: str, size: int, put: Callable[[list[Any]], bool]) -> bool:
        """As above, from the other process."""
        kind: type = Raw if self._raw else Geo if phase == "geo" else Line
        pipe = self._orders
        try:
            pipe.send((phase, size))
            while True:
                word, payload = marshal.loads(pipe.recv_bytes())
                if word == "failed":
                    raise Failure(*payload)
                if word == "end":
                    return True
                records = payload if self._raw or phase == "geo" else [_with_decimals(record) for record in payload]
                if not put([kind(*record) for record in records]):
                    return False
        except (EOFError, OSError):
            raise Failure(Exit.UNFORESEEN, "the reader process died: its last words are on standard error") from None

    def used(self) -> usage.Cpu:
        """As above, whether it has come to an end of its records or not."""
        assert self._process.pid is not None, "it was started"
        return usage.of_running(self._process.pid)

    def end(self) -> None:
        """Ends the process; it may still be writing when the run was limited."""
        forked.kill(self._process)

    def _serve(self, pipe: Connection) -> None:
        try:
            while True:
                phase, size = pipe.recv()
                try:
                    for batch in batches(self._data, self._job, phase, size, self._raw):
                        plain = batch if self._raw or phase == "geo" else [_without_decimals(one) for one in batch]
                        pipe.send_bytes(marshal.dumps(("records", [tuple(record) for record in plain])))
                except Failure as failure:
                    pipe.send_bytes(marshal.dumps(("failed", (failure.exit, failure.message))))
                    return
                pipe.send_bytes(marshal.dumps(("end", None)))
        except (EOFError, BrokenPipeError):
            pass  # nobody wants more


def _without_decimals(record: Line) -> Line:
    """marshal knows no Decimal: a line that has any is parsed again at the other end."""
    return record._replace(values=[]) if "." in record.text else record


def _with_decimals(record: tuple[Any, ...]) -> tuple[Any, ...]:
    values, text = record[4], record[5]
    if values or not text:
        return record
    return (*record[:4], line.values(text), *record[5:])


