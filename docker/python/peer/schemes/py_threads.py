"""`py-threads`: psycopg2, a thread a connection, as in 2015."""

from functools import partial
from types import ModuleType

from peer.context import Context
from peer.drivers import psycopg2_lookup, psycopg2_session
from peer.feed import ThreadFeed
from peer.job import Job
from peer.schemes import threaded

FEED = ThreadFeed
RAW = False
VERSIONS = ("psycopg2",)
DRIVERS: dict[str, ModuleType] = {"census": psycopg2_session, "lookup": psycopg2_lookup}


def check(job: Job) -> None:
    """What the driver cannot do."""
    DRIVERS[job.workload].check(job)


def prepare(context: Context) -> None:
    """Nothing."""


def start(context: Context) -> None:
    """Starts the workers."""
    threaded.start(context, partial(DRIVERS[context.job.workload].Session, context.job))
