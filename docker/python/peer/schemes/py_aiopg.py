"""`py-aiopg`: aiopg, psycopg2's asynchronous mode under asyncio, a task a connection, as in 2015."""

from functools import partial
from types import ModuleType

import uvloop

from peer.context import Context
from peer.drivers import aiopg_lookup, aiopg_session
from peer.feed import LoopFeed
from peer.job import Job
from peer.schemes import looped

FEED = LoopFeed
RAW = False
VERSIONS = ("aiopg", "psycopg2", "uvloop")
DRIVERS: dict[str, ModuleType] = {"census": aiopg_session, "lookup": aiopg_lookup}


def check(job: Job) -> None:
    """What the driver cannot do."""
    DRIVERS[job.workload].check(job)


def prepare(context: Context) -> None:
    """Nothing."""


def start(context: Context) -> None:
    """Starts the workers."""
    looped.start(context, uvloop.new_event_loop, partial(DRIVERS[context.job.workload].Session.open, context.job))
