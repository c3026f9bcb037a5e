"""`py-threads`: psycopg2, a thread a connection, as in 2015."""

from functools import partial

from peer.context import Context
from peer.drivers import psycopg2_session
from peer.feed import ThreadFeed
from peer.schemes import threaded

FEED = ThreadFeed
RAW = False
VERSIONS = ("psycopg2",)
check = psycopg2_session.check


def prepare(context: Context) -> None:
    """Nothing."""


def start(context: Context) -> None:
    """Starts the workers."""
    threaded.start(context, partial(psycopg2_session.Session, context.job))
