"""`py-asyncio`: asyncpg on uvloop, a task a connection."""

from functools import partial
from types import ModuleType

import uvloop

from peer.context import Context
from peer.drivers import asyncpg_lookup, asyncpg_session
from peer.feed import LoopFeed
from peer.job import Job
from peer.schemes import looped

FEED = LoopFeed
RAW = False
VERSIONS = ("asyncpg", "uvloop")
DRIVERS: dict[str, ModuleType] = {"census": asyncpg_session, "lookup": asyncpg_lookup}


def check(job: Job) -> None:
    """What the driver cannot do."""
    DRIVERS[job.workload].check(job)


def prepare(context: Context) -> None:
    """Nothing."""


def start(context: Context) -> None:
    """Starts the workers."""
    looped.start(context, uvloop.new_event_loop, partial(DRIVERS[context.job.workload].Session.open, context.job))
