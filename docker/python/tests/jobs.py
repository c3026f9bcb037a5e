"""A job to vary."""

import json
from typing import Any

from peer.job import Job, parse

DOCUMENT: dict[str, Any] = {
    "schema": 1,
    "dburl": "postgresql://ingest:secret@db:5432/ingest?x=1",
    "scheme": "py-threads",
    "statement": "row",
    "in_flight": 100,
    "protocol": "simple",
    "pool": 4,
    "commit": "auto",
    "reader": "thread",
    "data": "/data",
    "queue": 1000,
    "phases": ["geo", "data"],
}


def text(**fields: Any) -> str:
    """The job as JSON; a field that is None here and required is left out."""
    return json.dumps({**DOCUMENT, **fields})


def job(**fields: Any) -> Job:
    """The same, parsed."""
    return parse(text(**fields))
