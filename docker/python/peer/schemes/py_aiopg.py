"""`py-aiopg`: aiopg, psycopg2's asynchronous mode under asyncio, a task a connection, as in 2015."""

from functools import partial

import uvloop

from peer.context import Context
from peer.drivers import aiopg_session
from peer.feed import LoopFeed
from peer.schemes import looped

FEED = LoopFeed
RAW = False
VERSIONS = ("aiopg", "psycopg2", "uvloop")
check = aiopg_session.check


def prepare(context: Context) -> None:
    """Nothing."""


def start(context: Context) -> None:
    """Starts the workers."""
    looped.start(context, uvloop.new_event_loop, partial(aiopg_session.Session.open, context.job))
