"""`py-psycopg3`: psycopg 3 with its C speed-ups, a thread a connection."""

from functools import partial

from peer.context import Context
from peer.drivers import psycopg3_common, psycopg3_session
from peer.feed import ThreadFeed
from peer.schemes import threaded

FEED = ThreadFeed
RAW = False
VERSIONS = ("psycopg",)
check = psycopg3_common.check


def prepare(context: Context) -> None:
    """Nothing."""


def start(context: Context) -> None:
    """Starts the workers."""
    threaded.start(context, partial(psycopg3_session.Session, context.job))
