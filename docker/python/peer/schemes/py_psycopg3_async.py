"""`py-psycopg3-async`: psycopg 3 on uvloop, a task a connection."""

from functools import partial
from types import ModuleType

import uvloop

from peer.context import Context
from peer.drivers import psycopg3_async_lookup, psycopg3_async_session
from peer.feed import LoopFeed
from peer.job import Job
from peer.schemes import looped

FEED = LoopFeed
RAW = False
VERSIONS = ("psycopg", "uvloop")
DRIVERS: dict[str, ModuleType] = {"census": psycopg3_async_session, "lookup": psycopg3_async_lookup}


def check(job: Job) -> None:
    """What the driver cannot do."""
    DRIVERS[job.workload].check(job)


def prepare(context: Context) -> None:
    """Nothing."""


def start(context: Context) -> None:
    """Starts the workers."""
    looped.start(context, uvloop.new_event_loop, partial(DRIVERS[context.job.workload].Session.open, context.job))
