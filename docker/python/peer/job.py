"""The job: one JSON document, parsed and checked. Knows nothing of drivers or of the data's format."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from peer import SCHEMA, spin
from peer.failure import Exit, Failure, not_supported

WORKLOADS = ("census", "lookup")
STATEMENTS = ("row", "executemany", "multirow", "unnest", "copy")
PROTOCOLS = ("prepared", "unnamed", "simple")
COMMITS = ("auto", "record", "chunk")
READERS = ("thread", "process", "preload")
PHASES = ("geo", "data")

KEYS = 10_000
"""Keys of a lookup that is given neither a number nor a time: as many as in 2015."""

# Name, type, whether it may be left out and then what it is.
_REQUIRED = object()
_FIELDS: tuple[tuple[str, type | tuple[type, ...], Any], ...] = (
    ("schema", int, _REQUIRED),
    ("dburl", str, _REQUIRED),
    ("workload", str, "census"),
    ("scheme", str, _REQUIRED),
    ("statement", str, _REQUIRED),
    ("in_flight", int, _REQUIRED),
    ("batch", int, 100),
    ("chunk", int, 16),
    ("protocol", str, "prepared"),
    ("pool", int, _REQUIRED),
    ("commit", str, _REQUIRED),
    ("reader", str, _REQUIRED),
    ("data", str, _REQUIRED),
    ("queue", int, _REQUIRED),
    ("phases", list, _REQUIRED),
    ("limit_geo", (int, type(None)), None),
    ("limit_lines", (int, type(None)), None),
    ("seconds", (int, float, type(None)), None),
    ("child", bool, False),
    ("metrics", bool, True),
    ("tls", (str, type(None)), None),
    ("inject", str, "none"),
    ("progress", bool, False),
    ("resume", bool, False),
    ("retry", bool, False),
)


@dataclass(frozen=True, slots=True)
class Job:
    """What one run is told; the fields are the contract's."""

    schema: int
    dburl: str
    workload: str
    scheme: str
    statement: str
    in_flight: int
    batch: int
    chunk: int
    protocol: str
    pool: int
    commit: str
    reader: str
    data: str
    queue: int
    phases: tuple[str, ...]
    limit_geo: int | None
    limit_lines: int | None
    seconds: float | None
    child: bool
    metrics: bool
    tls: str | None
    inject: str
    progress: bool
    resume: bool
    retry: bool

    def public(self) -> dict[str, Any]:
        """As a result carries it: without user, password and query, without what it refuses, and without `tls` and `inject`
        where they are none."""
        fields = asdict(self)
        fields["dburl"] = place(self.dburl)
        fields["phases"] = list(self.phases)
        for name in ("progress", "resume", "retry"):
            del fields[name]
        if self.inject == "none":
            del fields["inject"]
        if self.tls is None:
            del fields["tls"]
        return fields

    @property
    def spin(self) -> float:
        """Processor time to use before each row is sent, seconds."""
        return spin.seconds(self.inject) or 0.0

    @property
    def waits_a_line(self) -> bool:
        """Whether the statement kind looks up and inserts line after line."""
        return self.statement in ("row", "executemany")

    def limit(self, phase: str) -> int | None:
        """Records to insert at most in a phase."""
        return self.limit_geo if phase == "geo" else self.limit_lines

    @property
    def keys(self) -> int | None:
        """Keys a lookup asks for at most; None: until the time is over."""
        return KEYS if self.limit_lines is None and self.seconds is None else self.limit_lines


def _wrong(message: str) -> Failure:
    return Failure(Exit.USAGE, message)


def parse(text: str) -> Job:
    """Reads a job; anything it asks for that this program would not do is a Failure."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _wrong(f"the job is not a JSON document ({error}): send one object on standard input") from None
    if not isinstance(document, dict):
        raise _wrong("the job is not a JSON object: send one object on standard input")
    fields: dict[str, Any] = {}
    for name, kind, default in _FIELDS:
        value = document.pop(name, default)
        if value is _REQUIRED:
            raise _wrong(f"the job lacks the field {name}: add it")
        # A JSON true is a Python int, too.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise _wrong(f"the job's field {name} has the wrong type: see docs/peer-contract.md")
        fields[name] = value
    for name in ("share", "barrier"):
        if document.pop(name, None):
            raise not_supported(f"this program does all of a run's records, and begins phases by itself: ask without {name}")
    if document:
        raise _wrong(f"the job has the unknown field {min(document)}: leave it out, or use a program that knows it")
    fields["phases"] = tuple(fields["phases"])
    job = Job(**fields)
    _check(job)
    return job


def _check(job: Job) -> None:
    if not 1 <= job.schema <= SCHEMA:
        raise _wrong(f"the job has schema {job.schema}, this program knows {SCHEMA}: update it")
    for name, value, words in (
        ("workload", job.workload, WORKLOADS),
        ("statement", job.statement, STATEMENTS),
        ("protocol", job.protocol, PROTOCOLS),
        ("commit", job.commit, COMMITS),
        ("reader", job.reader, READERS),
    ):
        if value not in words:
            raise _wrong(f"{name} is {value!r}: it must be one of {', '.join(words)}")
    for name, value, least, most in (
        ("pool", job.pool, 1, 500),
        ("in_flight", job.in_flight, 1, 100_000),
        ("batch", job.batch, 1, 21_845),
        ("chunk", job.chunk, 1, 1_000),
        ("queue", job.queue, 1, 1_000_000),
    ):
        if not least <= value <= most:
            raise _wrong(f"{name} is {value}: it must be {least} to {most}")
    if job.phases not in (("geo",), ("data",), ("geo", "data")):
        raise _wrong("phases must be geo, data, or both in this order")
    for name, limit in (("limit_geo", job.limit_geo), ("limit_lines", job.limit_lines)):
        if limit is not None and limit < 0:
            raise _wrong(f"{name} is {limit}: it must be 0 or more")
    if job.seconds is not None and not 0 < job.seconds <= 86_400:
        raise _wrong(f"seconds is {job.seconds}: it must be above 0 and at most 86400 (a day)")
    if job.child:
        raise _wrong("child is true: only the ingester's own children are told so")
    if spin.seconds(job.inject) is None:
        raise not_supported("this program can put in processor time alone: ask for inject none, or spin=20us")
    for name in ("progress", "resume", "retry"):
        if getattr(job, name):
            raise not_supported(f"this program keeps no progress, so it cannot pick up what broke off: ask without {name}")
    if job.workload == "lookup":
        _check_lookup(job)


def _check_lookup(job: Job) -> None:
    """A lookup writes nothing and reads no file."""
    if job.inject != "none":
        raise not_supported("this program puts nothing into a lookup: ask for inject none")
    if job.phases != ("data",):
        raise _wrong("a lookup has no geographic records: give it the phase data alone")
    if job.commit != "auto":
        raise _wrong(f"a lookup commits nothing: commit is {job.commit}, it must be auto")
    if job.reader != "thread":
        raise _wrong(f"a lookup reads no file: reader is {job.reader}, it must be thread")
    if job.statement not in ("row", "executemany"):
        raise not_supported(f"a lookup reads rows, {job.statement} writes them: ask for row or executemany")


def place(url: str) -> str:
    """A database URL without user, password and query."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "(database)"
    credentials, at, after = rest.partition("@")
    if at and "=" in credentials:
        return f"{scheme}://(database)"  # the @ may be a password's, in the query: say too little
    where = after if at else rest
    return f"{scheme}://{where.partition('?')[0].rpartition('@')[2]}"
