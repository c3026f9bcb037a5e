"""`py-asyncio`: asyncpg on uvloop, a task a connection."""

from functools import partial

import uvloop

from peer.context import Context
from peer.drivers import asyncpg_session
from peer.feed import LoopFeed
from peer.schemes import looped

FEED = LoopFeed
RAW = False
VERSIONS = ("asyncpg", "uvloop")
check = asyncpg_session.check


def prepare(context: Context) -> None:
    """Nothing."""


def start(context: Context) -> None:
    """Starts the workers."""
    looped.start(context, uvloop.new_event_loop, partial(asyncpg_session.Session.open, context.job))
