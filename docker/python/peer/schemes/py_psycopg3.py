"""`py-psycopg3`: psycopg 3 with its C speed-ups, a thread a connection."""

from functools import partial
from types import ModuleType

from peer.context import Context
from peer.drivers import psycopg3_lookup, psycopg3_session
from peer.feed import ThreadFeed
from peer.job import Job
from peer.schemes import threaded

FEED = ThreadFeed
RAW = False
VERSIONS = ("psycopg",)
DRIVERS: dict[str, ModuleType] = {"census": psycopg3_session, "lookup": psycopg3_lookup}


def check(job: Job) -> None:
    """What the driver cannot do."""
    DRIVERS[job.workload].check(job)


def prepare(context: Context) -> None:
    """Nothing."""


def start(context: Context) -> None:
    """Starts the workers."""
    threaded.start(context, partial(DRIVERS[context.job.workload].Session, context.job))
