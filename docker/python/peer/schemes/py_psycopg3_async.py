"""`py-psycopg3-async`: psycopg 3 on uvloop, a task a connection."""

from functools import partial

import uvloop

from peer.context import Context
from peer.drivers import psycopg3_async_session, psycopg3_common
from peer.feed import LoopFeed
from peer.schemes import looped

FEED = LoopFeed
RAW = False
VERSIONS = ("psycopg", "uvloop")
check = psycopg3_common.check


def prepare(context: Context) -> None:
    """Nothing."""


def start(context: Context) -> None:
    """Starts the workers."""
    looped.start(context, uvloop.new_event_loop, partial(psycopg3_async_session.Session.open, context.job))
